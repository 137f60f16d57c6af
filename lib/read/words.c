#include "read/words.h"

#include "base/nodeset.h"
#include "read/keys.h"
#include "read/reader.h"

enum { HOSTS_MAX = 100 * 1000 };

struct reading {
    struct graph *graph;
    struct diags *diags;
    const struct source *from;
    struct place at; /* of the word */
    bool except;
    VEC(bool) taken; /* by host id */
    VEC(struct host *) hosts;
};

static void help_pools(struct reading *r, struct str name) {
    str_list names = {0};
    for (size_t i = 0; i < r->graph->pools.n; i++)
        *vec_push(&names) = r->graph->pools.v[i]->name;
    help_meant(r->diags, name, names.v, names.n);
    vec_free(&names);
}

static void take(struct reading *r, struct host *host) {
    while (r->taken.n <= host->id)
        *vec_push(&r->taken) = false;
    if (!r->except && !r->taken.v[host->id])
        *vec_push(&r->hosts) = host;
    r->taken.v[host->id] = !r->except;
}

static void take_name(struct reading *r, struct str name) {
    struct graph *g = r->graph;
    struct host *host = map_get(&g->host_names, name);
    if (host == NULL && !r->except) {
        struct host new = {.id = (uint32_t)g->hosts.n, .name = name};
        const char *wrong = split_host(name, &new.user, &new.target, &new.port);
        if (wrong != NULL) {
            diag_error(r->diags, r->at, "`%s`: %s", diag_name(r->diags, name), wrong);
            return;
        }
        host = arena_copy(&g->arena, &new, sizeof new);
        *vec_push(&g->hosts) = host;
        *map_put(&g->host_names, name) = host;
    }
    if (host != NULL)
        take(r, host);
}

/* A word is a pool, or a node set. */
static void take_word(struct reading *r, struct str word) {
    bool group = word.s[0] == '@';
    struct str name = {word.s + group, word.n - group};
    const struct pool *pool = map_get(&r->graph->pool_names, name);
    if (pool != NULL) {
        for (size_t i = 0; i < pool->n_hosts; i++)
            take(r, pool->hosts[i]);
        return;
    }
    if (group) {
        diag_error(r->diags, r->at, "there is no pool `%s`", diag_name(r->diags, name));
        help_pools(r, name);
        return;
    }
    if (is_host_address(word)) {
        take_name(r, word);
        return;
    }
    str_list names = {0};
    size_t mistake;
    const char *reason;
    if (nodeset_expand(word, HOSTS_MAX, &r->graph->arena, &names, &mistake, &reason)) {
        for (size_t i = 0; i < names.n; i++)
            take_name(r, names.v[i]);
    } else {
        r->at.col += (uint32_t)mistake;
        r->at.length = 1;
        diag_error(r->diags, r->at, "%s", reason);
        diag_help(r->diags, "a host list is written like node[01-23],gpu1,ana@big:2222");
    }
    vec_free(&names);
}

static void take_words(struct reading *r, const option_list *list, bool except) {
    r->except = except;
    for (size_t i = 0; i < list->n; i++) {
        struct str word, text = list->v[i].text;
        size_t at = 0, words = 0;
        for (; next_host_word(text, &at, &word); words++) {
            r->at = (struct place){.source = &list->v[i],
                                   .line = 1,
                                   .col = (uint32_t)(word.s - text.s) + 1,
                                   .length = (uint32_t)word.n};
            take_word(r, word);
        }
        if (words == 0)
            diag_error(r->diags, (struct place){.source = &list->v[i]}, "no host is named");
    }
}

struct pool *words_pool(struct graph *g, const option_list *on, const option_list *except,
                        struct diags *diags) {
    struct reading r = {.graph = g, .diags = diags};
    size_t errors = diags->errors;
    take_words(&r, on, false);
    take_words(&r, except, true);
    struct pool *pool = arena_alloc(&g->arena, sizeof *pool);
    *pool = (struct pool){.id = (uint32_t)g->pools.n, .name = STR("hosts")};
    pool->hosts = arena_alloc(&g->arena, (r.hosts.n + 1) * sizeof *pool->hosts);
    for (size_t i = 0; i < r.hosts.n; i++)
        if (r.taken.v[r.hosts.v[i]->id])
            pool->hosts[pool->n_hosts++] = r.hosts.v[i];
    *vec_push(&g->pools) = pool;
    if (pool->n_hosts == 0 && errors == diags->errors)
        diag_error(diags, (struct place){0}, "no host is left");
    vec_free(&r.taken);
    vec_free(&r.hosts);
    return errors == diags->errors ? pool : NULL;
}
