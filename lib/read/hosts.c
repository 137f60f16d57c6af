/* The key `hosts`: pools, and the hosts in them. */
#include "base/size.h"
#include "read/reader.h"
#include "read/schema.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 100 * 1000, PATH_SHOWN = 20 };
#define CACHE_DEFAULT (UINT64_C(4) << 30)

/* What host lists say, one after the other. */
struct term {
    enum { LIST, WORD, HOST, POOL, ALL } kind;
    enum nodeset_op op;      /* of a word */
    struct str name;         /* of a host */
    struct draft_pool *pool; /* whose hosts are taken over */
    struct place at;
};

/* A pool while it is read. */
struct draft_pool {
    struct pools *all;
    struct pool *pool;
    VEC(const struct node *) lists;
    VEC(struct term) terms;
    size_t next; /* of the terms, while the pools that it names are looked at */
    size_t open; /* 1 + its place on the path to them; 0: it is not there */
    uint32_t slots;
    uint64_t cache;
    struct ssh_settings ssh;
    struct launch *launch; /* NULL: ssh */
    bool stage;
    struct place ssh_at, stage_at; /* line 0: not said */
    bool done, broken;
    bool names_all; /* `@*`, itself or by a pool that it names */
    VEC(struct host *) hosts;
};

typedef VEC(struct draft_pool *) draft_list;

struct pools {
    struct reader *reader;
    struct graph *graph;
    struct diags *diags;
    draft_list drafts;
    struct map names;     /* of drafts */
    str_list suggestions; /* the same, as a list */
    struct map hosts;     /* by name and settings */
    VEC(uint32_t) seen;   /* by host id: 1 + the id of the last pool it was put into */
    size_t listed;        /* names and hosts that were gone through, in all lists */
    bool too_many;        /* told */
    struct pool every;
    struct draft_pool everyone; /* the hosts of `@*` */
};

/* --- hosts --- */

/* The host of that name with a pool's settings, made if there is none. The same host in two pools
 * is one, with the smaller number of slots. */
static struct host *find_host(struct draft_pool *p, struct str name, struct place at) {
    struct graph *g = p->all->graph;
    const struct ssh_settings *ssh = &p->ssh;
    struct buf key = {0};
    const struct str parts[] = {name, ssh->config, ssh->identity, ssh->known_hosts, ssh->user};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_str(&key, parts[i]);
        buf_putc(&key, '\0');
    }
    buf_printf(&key, "%u", ssh->port);
    if (p->launch != NULL)
        launch_key(p->launch, &key);
    struct host *h = map_get(&p->all->hosts, buf_view(&key));
    if (h != NULL) {
        if (p->slots != 0 && (h->slots == 0 || p->slots < h->slots))
            h->slots = p->slots;
        if (p->cache < h->cache)
            h->cache = p->cache;
        buf_free(&key);
        return h;
    }
    struct host new = {.id = (uint32_t)g->hosts.n,
                       .name = name,
                       .slots = p->slots,
                       .cache = p->cache,
                       .ssh = *ssh,
                       .launch = p->launch};
    const char *wrong = split_host(name, &new.user, &new.target, &new.port);
    if (wrong != NULL) {
        diag_error(p->all->diags, at, "`%s`: %s", diag_name(p->all->diags, name), wrong);
    } else if (g->hosts.n == HOSTS_MAX) {
        if (!p->all->too_many)
            diag_error(p->all->diags, at, "more than %d hosts", HOSTS_MAX);
        p->all->too_many = true;
    } else {
        h = arena_copy(&g->arena, &new, sizeof new);
        *vec_push(&g->hosts) = h;
        *vec_push(&p->all->seen) = 0;
        *map_put(&p->all->hosts, arena_str(&g->arena, buf_view(&key))) = h;
        void **place = map_put(&g->host_names, name);
        if (*place == NULL)
            *place = h;
    }
    buf_free(&key);
    return h;
}

/* --- host lists --- */

/* Whether so many more may be gone through: a pool of a pool of all hosts of ... is no longer a
 * list that anyone wrote. */
static bool spend(struct pools *all, size_t n, struct place at) {
    all->listed += n;
    if (all->listed > LISTED_MAX && !all->too_many) {
        diag_error(all->diags, at, "the host lists name more than %d hosts in all", LISTED_MAX);
        all->too_many = true;
    }
    return !all->too_many;
}

static void take_word(void *context, enum nodeset_op op) {
    struct draft_pool *p = context;
    *vec_push(&p->terms) = (struct term){.kind = WORD, .op = op};
}

static bool take_name(void *context, struct str name, struct place at) {
    struct draft_pool *p = context;
    struct pools *all = p->all;
    struct term term = {.kind = HOST, .name = name, .at = at};
    if (str_eq(name, STR("@*"))) {
        term.kind = ALL;
        p->names_all = true;
    } else if (name.s[0] == '@') {
        name = (struct str){name.s + 1, name.n - 1};
        term.kind = POOL;
        term.pool = map_get(&all->names, name);
        if (term.pool == NULL) {
            diag_error(all->diags, at, "there is no pool `%s`", diag_name(all->diags, name));
            help_meant(all->diags, name, all->suggestions.v, all->suggestions.n);
            p->broken = true;
            return true;
        }
    }
    *vec_push(&p->terms) = term;
    return spend(all, 1, at);
}

static void read_lists(struct draft_pool *p) {
    struct host_list_reader reader = {&p->all->graph->arena, p->all->diags, p, take_word,
                                      take_name};
    for (size_t i = 0; i < p->lists.n && !p->all->too_many; i++) {
        *vec_push(&p->terms) = (struct term){.kind = LIST, .at = node_at(p->lists.v[i])};
        if (!read_host_list(&reader, p->lists.v[i]))
            p->broken = true;
    }
}

/* --- keys of a pool --- */

static void take_list(void *context, const struct node *scalar) {
    struct draft_pool *p = context;
    *vec_push(&p->lists) = scalar;
}

static void pool_hosts(void *context, const struct node *value) {
    struct draft_pool *p = context;
    if (!want_names(value, "a host list", p->all->diags, take_list, p))
        p->broken = true;
}

static void pool_slots(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_number(value, "`slots`", 1, SLOTS_MAX, &p->slots, p->all->diags);
}

static void pool_cache(void *context, const struct node *value) {
    struct draft_pool *p = context;
    struct str text;
    if (want_text(value, "`cache`", &text, p->all->diags) && !size_parse(text, &p->cache)) {
        diag_error(p->all->diags, node_at(value), "`cache` must be an amount of disk, not `%s`",
                   diag_name(p->all->diags, text));
        diag_help(p->all->diags, "for example 512M or 20G, or 0 for none");
    }
}

static void pool_pick(void *context, const struct node *value) {
    struct draft_pool *p = context;
    static const struct str names[] = {
        [PICK_LEAST_LOADED] = {"least-loaded", 12},
        [PICK_RANDOM] = {"random", 6},
        [PICK_ROUND_ROBIN] = {"round-robin", 11},
    };
    struct str text;
    if (!want_text(value, "`pick`", &text, p->all->diags))
        return;
    for (enum pick pick = PICK_LEAST_LOADED; pick <= PICK_ROUND_ROBIN; pick++)
        if (str_eq(text, names[pick])) {
            p->pool->pick = pick;
            return;
        }
    diag_error(p->all->diags, node_at(value),
               "`pick` must be least-loaded, random or round-robin, not `%s`",
               diag_name(p->all->diags, text));
    help_meant(p->all->diags, text, names, sizeof names / sizeof *names);
}

static void ssh_config(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_name(value, "`config`", &p->ssh.config, p->all->diags);
}

static void ssh_identity(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_name(value, "`identity`", &p->ssh.identity, p->all->diags);
}

static void ssh_known_hosts(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_name(value, "`known_hosts`", &p->ssh.known_hosts, p->all->diags);
}

static void ssh_user(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_name(value, "`user`", &p->ssh.user, p->all->diags);
}

static void ssh_port(void *context, const struct node *value) {
    struct draft_pool *p = context;
    uint32_t port;
    if (want_number(value, "`port`", 1, UINT16_MAX, &port, p->all->diags))
        p->ssh.port = (uint16_t)port;
}

static const struct key ssh_keys[] = {{"config", ssh_config, KEY_TEXT},
                                      {"identity", ssh_identity, KEY_TEXT},
                                      {"known_hosts", ssh_known_hosts, KEY_TEXT},
                                      {"user", ssh_user, KEY_TEXT},
                                      {"port", ssh_port, KEY_NUMBER}};
const struct key_table schema_ssh = {ssh_keys, sizeof ssh_keys / sizeof *ssh_keys};

static void pool_ssh(void *context, const struct node *value) {
    struct draft_pool *p = context;
    p->ssh_at = node_at(value);
    read_keys(value, "`ssh`", schema_ssh.keys, schema_ssh.n, p, p->all->diags);
}

static void pool_launch(void *context, const struct node *value) {
    struct draft_pool *p = context;
    p->launch = read_launch(p->all->reader, value);
}

static void pool_stage(void *context, const struct node *value) {
    struct draft_pool *p = context;
    p->stage_at = node_at(value);
    read_stage(p->all->reader, value, &p->stage);
}

/* --- pools --- */

static struct draft_pool *new_pool(struct pools *all, const struct node *key) {
    struct graph *g = all->graph;
    struct draft_pool *p = arena_alloc(&g->arena, sizeof *p);
    p->cache = CACHE_DEFAULT;
    const struct pool *known = map_get(&g->pool_names, key->text);
    if (known != NULL) {
        diag_error(all->diags, node_at(key), "there is a pool `%s` already",
                   diag_name(all->diags, key->text));
        diag_note(all->diags, known->at, "the other one");
    }
    p->all = all;
    p->pool = arena_alloc(&g->arena, sizeof *p->pool);
    *p->pool = (struct pool){.id = (uint32_t)g->pools.n, .name = key->text, .at = node_at(key)};
    *vec_push(&g->pools) = p->pool;
    *vec_push(&all->drafts) = p;
    *vec_push(&all->suggestions) = key->text;
    *map_put(&g->pool_names, key->text) = p->pool;
    *map_put(&all->names, key->text) = p;
    if (!is_identifier(key->text, "-."))
        diag_error(all->diags, node_at(key),
                   "a pool's name is made of letters, digits, `_`, `-` and `.`, not `%s`",
                   diag_name(all->diags, key->text));
    return p;
}

static const struct key pool_keys[] = {{"hosts", pool_hosts, KEY_TEXT | KEY_LIST},
                                       {"slots", pool_slots, KEY_NUMBER},
                                       {"cache", pool_cache, KEY_TEXT | KEY_NUMBER},
                                       {"pick", pool_pick, KEY_TEXT},
                                       {"ssh", pool_ssh, KEY_MAP},
                                       {"launch", pool_launch, KEY_LIST},
                                       {"stage", pool_stage, KEY_TEXT}};
const struct key_table schema_pool = {pool_keys, sizeof pool_keys / sizeof *pool_keys};

static void check_launch(struct draft_pool *p) {
    struct diags *diags = p->all->diags;
    p->launch->stage = p->stage_at.line == 0 || p->stage;
    if (p->ssh_at.line != 0)
        diag_error(diags, p->ssh_at, "`ssh` has no meaning beside `launch`");
    if (p->launch->per_step && p->slots == 0) {
        diag_error(diags, p->pool->at, "pool `%s` does not say how many steps may run at once",
                   diag_name(diags, p->pool->name));
        diag_help(diags, "where `launch` starts a process for each step, say `slots`");
    }
}

static void read_pool(struct draft_pool *p, const struct node *value) {
    struct diags *diags = p->all->diags;
    const char *name = diag_name(diags, p->pool->name);
    size_t errors = diags->errors;
    if (value->kind != NODE_MAP)
        pool_hosts(p, value);
    else
        read_keys(value, "a pool", schema_pool.keys, schema_pool.n, p, diags);
    if (p->launch != NULL)
        check_launch(p);
    else if (p->stage_at.line != 0)
        diag_error(diags, p->stage_at, "`stage` is said of hosts that `launch` reaches");
    p->broken = p->broken || errors != diags->errors || (value->kind == NODE_MAP && value->refused);
    if (!p->broken && p->lists.n == 0 && p->launch == NULL) {
        diag_error(diags, p->pool->at, "pool `%s` has no hosts", name);
        p->broken = true;
    }
}

/* --- the hosts of a pool --- */

static void add_host(struct draft_pool *p, struct host *h) {
    uint32_t *seen = &p->all->seen.v[h->id];
    if (*seen == p->pool->id + 1)
        return;
    *seen = p->pool->id + 1;
    *vec_push(&p->hosts) = h;
}

static void add_pool(struct nodeset *set, const struct draft_pool *from, const struct term *term) {
    if (!spend(from->all, from->hosts.n, term->at))
        return;
    for (size_t i = 0; i < from->hosts.n; i++)
        nodeset_add(set, from->hosts.v[i]->name, from->hosts.v[i]);
}

/* What a list has left. */
static void add_set(struct draft_pool *p, struct nodeset *set, struct place at) {
    const struct nodeset_item *item;
    for (size_t i = 0; !p->all->too_many && (item = nodeset_next(set, &i)) != NULL;) {
        struct host *h = item->thing != NULL ? item->thing : find_host(p, item->name, at);
        if (h != NULL)
            add_host(p, h);
    }
    nodeset_free(set);
}

static void check_commands(const struct draft_pool *p) {
    size_t n = 0;
    for (size_t i = 0; i < p->hosts.n; i++)
        n += p->hosts.v[i]->launch == p->launch;
    if (n < 2 || launch_names_host(p->launch))
        return;
    diag_error(p->all->diags, p->pool->at, "all hosts of pool `%s` are reached by the same command",
               diag_name(p->all->diags, p->pool->name));
    diag_help(p->all->diags, "write {{host}} in `launch` where the name of the host belongs");
}

/* The hosts of a pool, when those of the pools that it names are known. */
static void evaluate(struct draft_pool *p) {
    struct pools *all = p->all;
    struct nodeset set = {0};
    struct place at = p->pool->at;
    for (size_t i = 0; i < p->terms.n && !all->too_many; i++) {
        const struct term *term = &p->terms.v[i];
        switch (term->kind) {
        case LIST:
            add_set(p, &set, at);
            at = term->at;
            break;
        case WORD:
            nodeset_begin(&set, term->op);
            break;
        case HOST:
            nodeset_add(&set, term->name, NULL);
            break;
        case POOL:
            add_pool(&set, term->pool, term);
            p->broken = p->broken || term->pool->broken;
            break;
        case ALL:
            add_pool(&set, &all->everyone, term);
            break;
        }
    }
    if (p->lists.n == 0 && !p->broken && p->launch != NULL) { /* one that is called like the pool */
        nodeset_begin(&set, NODESET_UNION);
        nodeset_add(&set, p->pool->name, NULL);
    }
    add_set(p, &set, at);
    if (p->launch != NULL)
        check_commands(p);
    if (p->hosts.n == 0 && !p->broken && !all->too_many) {
        diag_error(all->diags, at, "no host is left in pool `%s`",
                   diag_name(all->diags, p->pool->name));
        diag_help(all->diags, p->names_all ? "`@*` is the hosts of all pools that do not name it"
                                           : "`a!b` is a without b, `a&b` what is in both");
        p->broken = true;
    }
}

/* path[n - 1] names a pool that is on the path before it. */
static void report_cycle(struct draft_pool **path, size_t n, const struct term *term) {
    struct diags *diags = term->pool->all->diags;
    const char *name = diag_name(diags, term->pool->pool->name);
    struct buf text = {0};
    size_t first = term->pool->open - 1;
    for (size_t i = first; i < n && i < first + PATH_SHOWN; i++)
        buf_printf(&text, "%s -> ", diag_name(diags, path[i]->pool->name));
    diag_error(diags, term->at, "pool `%s` contains itself: %s%s%s", name, text.s,
               n - first > PATH_SHOWN ? "... -> " : "", name);
    term->pool->broken = true;
    buf_free(&text);
}

/* Finds the hosts of a pool, after those of the pools that it names; only then those of the pools
 * that `@*` stands for are known, so that pools that name it are put off. */
static void gather(struct draft_pool *first, draft_list *put_off) {
    draft_list path = {0};
    if (!first->done)
        *vec_push(&path) = first;
    while (path.n != 0) {
        struct draft_pool *p = path.v[path.n - 1];
        p->open = path.n;
        if (p->next == p->terms.n) {
            if (p->names_all)
                *vec_push(put_off) = p;
            else
                evaluate(p);
            p->open = 0;
            p->done = true;
            path.n--;
            continue;
        }
        const struct term *term = &p->terms.v[p->next];
        if (term->kind == POOL && term->pool->open == 0 && !term->pool->done) {
            *vec_push(&path) = term->pool;
            continue;
        }
        if (term->kind == POOL && term->pool->open != 0)
            report_cycle(path.v, path.n, term);
        if (term->kind == POOL)
            p->names_all = p->names_all || term->pool->names_all;
        p->next++;
    }
    vec_free(&path);
}

static void gather_all(struct pools *all) {
    draft_list put_off = {0};
    for (size_t i = 0; i < all->drafts.n; i++)
        gather(all->drafts.v[i], &put_off);
    all->every.id = (uint32_t)all->drafts.n;
    all->everyone = (struct draft_pool){.all = all, .pool = &all->every, .cache = CACHE_DEFAULT};
    for (size_t i = 0; i < all->drafts.n && put_off.n != 0; i++)
        for (size_t k = 0; k < all->drafts.v[i]->hosts.n; k++)
            add_host(&all->everyone, all->drafts.v[i]->hosts.v[k]);
    for (size_t i = 0; i < put_off.n; i++)
        evaluate(put_off.v[i]);
    vec_free(&put_off);
    vec_free(&all->everyone.hosts);
}

void read_hosts(struct reader *r) {
    struct pools all = {.reader = r, .graph = r->graph, .diags = r->diags};
    for (size_t d = 0; d < r->documents.n; d++) {
        const struct node *value = node_get(r->documents.v[d]->root, "hosts");
        if (value == NULL)
            continue;
        if (!want_map(value, "`hosts`", r->diags)) {
            diag_help(r->diags, "from names of pools to hosts: `hosts: {rack: \"node[01-23]\"}`");
            continue;
        }
        for (size_t i = 0; i + 1 < value->n; i += 2)
            read_pool(new_pool(&all, &value->items[i]), &value->items[i + 1]);
    }
    for (size_t i = 0; i < all.drafts.n; i++)
        read_lists(all.drafts.v[i]);
    gather_all(&all);
    for (size_t i = 0; i < all.drafts.n; i++) {
        struct draft_pool *p = all.drafts.v[i];
        p->pool->hosts = arena_copy(&r->graph->arena, p->hosts.v, p->hosts.n * sizeof *p->hosts.v);
        p->pool->n_hosts = p->hosts.n;
        vec_free(&p->lists);
        vec_free(&p->terms);
        vec_free(&p->hosts);
    }
    vec_free(&all.drafts);
    vec_free(&all.suggestions);
    vec_free(&all.seen);
    map_free(&all.names);
    map_free(&all.hosts);
}

struct pool *find_pool(struct graph *g, struct str name) {
    struct pool *pool = map_get(&g->pool_names, name);
    struct host *host = pool == NULL ? map_get(&g->host_names, name) : NULL;
    if (host == NULL)
        return pool;
    pool = graph_host_pool(g, host);
    *map_put(&g->pool_names, host->name) = pool;
    return pool;
}
