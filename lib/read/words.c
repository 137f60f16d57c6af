#include "read/words.h"

#include "read/keys.h"
#include "read/reader.h"

struct reading {
    struct graph *graph;
    struct diags *diags;
    struct nodeset set; /* what one text stands for */
    size_t listed;
};

static bool add(struct reading *r, struct str name, struct host *host, struct place at) {
    nodeset_add(&r->set, name, host);
    if (++r->listed <= LISTED_MAX)
        return true;
    diag_error(r->diags, at, "more than %d hosts", LISTED_MAX);
    return false;
}

static bool add_pool(struct reading *r, const struct pool *pool, struct place at) {
    for (size_t i = 0; i < pool->n_hosts; i++)
        if (!add(r, pool->hosts[i]->name, pool->hosts[i], at))
            return false;
    return true;
}

static bool add_all(struct reading *r, struct place at) {
    const struct map *pools = &r->graph->pool_names;
    bool more = true;
    for (size_t i = 0; i < pools->n && more; i++)
        more = add_pool(r, pools->entries[i].value, at);
    if (pools->n == 0)
        diag_error(r->diags, at, "there are no pools");
    return more;
}

static void no_pool(struct reading *r, struct str name, struct place at) {
    str_list names = {0};
    for (size_t i = 0; i < r->graph->pools.n; i++)
        *vec_push(&names) = r->graph->pools.v[i]->name;
    diag_error(r->diags, at, "there is no pool `%s`", diag_name(r->diags, name));
    help_meant(r->diags, name, names.v, names.n);
    vec_free(&names);
}

static void take_word(void *context, enum nodeset_op op) {
    struct reading *r = context;
    nodeset_begin(&r->set, op);
}

static bool take_name(void *context, struct str name, struct place at) {
    struct reading *r = context;
    bool group = name.s[0] == '@';
    if (str_eq(name, STR("@*")))
        return add_all(r, at);
    name = (struct str){name.s + group, name.n - group};
    const struct pool *pool = map_get(&r->graph->pool_names, name);
    if (pool != NULL)
        return add_pool(r, pool, at);
    if (!group)
        return add(r, name, map_get(&r->graph->host_names, name), at);
    no_pool(r, name, at);
    return true;
}

/* Adds what each text stands for to a set, or takes it away. */
static void take_texts(struct reading *r, const option_list *list, enum nodeset_op op,
                       struct nodeset *all) {
    struct host_list_reader reader = {&r->graph->arena, r->diags, r, take_word, take_name};
    for (size_t i = 0; i < list->n; i++) {
        const struct source *source = &list->v[i];
        const struct nodeset_item *item;
        read_host_list(&reader, &(struct node){.source = source,
                                               .text = source->text,
                                               .end = (uint32_t)source->text.n,
                                               .line = 1,
                                               .col = 1,
                                               .length = (uint32_t)source->text.n,
                                               .kind = NODE_SCALAR,
                                               .plain = true});
        nodeset_begin(all, op);
        for (size_t k = 0; (item = nodeset_next(&r->set, &k)) != NULL;)
            nodeset_add(all, item->name, item->thing);
        nodeset_free(&r->set);
    }
}

static struct host *new_host(struct graph *g, struct str name) {
    struct host new = {.id = (uint32_t)g->hosts.n, .name = name};
    split_host(name, &new.user, &new.target, &new.port);
    struct host *host = arena_copy(&g->arena, &new, sizeof new);
    *vec_push(&g->hosts) = host;
    *map_put(&g->host_names, name) = host;
    return host;
}

struct pool *words_pool(struct graph *g, const option_list *on, const option_list *except,
                        struct diags *diags) {
    struct reading r = {.graph = g, .diags = diags};
    struct nodeset set = {0};
    VEC(struct host *) hosts = {0};
    const struct nodeset_item *item;
    size_t errors = diags->errors;
    take_texts(&r, on, NODESET_UNION, &set);
    take_texts(&r, except, NODESET_DIFFERENCE, &set);
    for (size_t i = 0; errors == diags->errors && (item = nodeset_next(&set, &i)) != NULL;)
        *vec_push(&hosts) = item->thing != NULL ? item->thing : new_host(g, item->name);
    if (hosts.n > HOSTS_MAX)
        diag_error(diags, (struct place){0}, "more than %d hosts", HOSTS_MAX);
    if (hosts.n == 0 && errors == diags->errors)
        diag_error(diags, (struct place){0}, "no host is left");
    struct pool *pool = arena_alloc(&g->arena, sizeof *pool);
    *pool = (struct pool){.id = (uint32_t)g->pools.n, .name = STR("hosts"), .n_hosts = hosts.n};
    pool->hosts = arena_copy(&g->arena, hosts.v, hosts.n * sizeof *hosts.v);
    *vec_push(&g->pools) = pool;
    vec_free(&hosts);
    nodeset_free(&set);
    return errors == diags->errors ? pool : NULL;
}
