/* The key `hosts`: pools, and the hosts in them. */
#include "base/nodeset.h"
#include "read/reader.h"
#include "read/schema.h"

#include <stdlib.h>
#include <string.h>

/* A pool of a pool of all hosts of ... is no longer a list that anyone wrote. */
enum { HOSTS_MAX = 100 * 1000, MEMBERS_MAX = 1000 * 1000, SLOTS_MAX = 100 * 1000 };

/* A word of a host list: a host, or the pool whose hosts are taken over. */
struct member {
    struct host *host;
    struct draft_pool *pool;
    struct place at;
};

/* A pool while it is read. */
struct draft_pool {
    struct pools *all;
    struct pool *pool;
    VEC(const struct node *) words;
    VEC(struct member) members;
    size_t next; /* of the members, while its hosts are found */
    uint32_t slots;
    struct ssh_settings ssh;
    bool open, done, broken;
    VEC(struct host *) hosts;
};

struct pools {
    struct graph *graph;
    struct diags *diags;
    VEC(struct draft_pool *) drafts;
    struct map names;     /* of drafts */
    str_list suggestions; /* the same, as a list */
    struct map hosts;     /* by name and settings */
    VEC(uint32_t) seen;   /* by host id: 1 + the id of the last pool it was put into */
    size_t members;
    bool too_many; /* told */
};

/* --- hosts --- */

const char *split_host(struct str name, struct str *user, struct str *target, uint16_t *port) {
    const char *at = bytes_last(name.s, '@', name.n);
    struct str rest = name, digits = {0};
    if (at != NULL) {
        *user = (struct str){name.s, (size_t)(at - name.s)};
        rest = (struct str){at + 1, (size_t)(name.s + name.n - at) - 1};
        if (user->n == 0)
            return "a user's name is missing before the `@`";
    }
    const char *end = rest.s;
    if (rest.n != 0 && rest.s[0] == '[') {
        end = memchr(rest.s, ']', rest.n);
        if (end == NULL || ++end == rest.s + 2)
            return "an address in brackets is missing";
        *target = (struct str){rest.s + 1, (size_t)(end - rest.s) - 2};
    } else {
        end = memchr(rest.s, ':', rest.n);
        if (end == NULL)
            end = rest.s + rest.n;
        else if (bytes_last(rest.s, ':', rest.n) != end)
            return "an IPv6 address stands in brackets, as in [::1]:22";
        *target = (struct str){rest.s, (size_t)(end - rest.s)};
    }
    if (end != rest.s + rest.n) {
        digits = (struct str){end + 1, (size_t)(rest.s + rest.n - end) - 1};
        unsigned long n = 0;
        for (size_t i = 0; i < digits.n && n <= UINT16_MAX; i++)
            n = digits.s[i] >= '0' && digits.s[i] <= '9'
                    ? n * 10 + (unsigned long)(digits.s[i] - '0')
                    : UINT16_MAX + 1ul;
        if (*end != ':' || n == 0 || n > UINT16_MAX)
            return "a port is a number from 1 to 65535";
        *port = (uint16_t)n;
    }
    if (target->n == 0)
        return "a host's name is missing";
    /* Names that are options or code for a program that they are given to. */
    if (target->s[0] == '-' || name.s[0] == '-')
        return "a host's name cannot start with `-`";
    bool brackets = rest.s[0] == '[';
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.s[i] <= ' ' || strchr("'\"\\$`|;&<>(){}/*?!#", name.s[i]) != NULL ||
            (!brackets && strchr("[]%", name.s[i]) != NULL))
            return "a host's name cannot contain such a character";
    return NULL;
}

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
    struct host *h = map_get(&p->all->hosts, buf_view(&key));
    if (h != NULL) {
        if (p->slots != 0 && (h->slots == 0 || p->slots < h->slots))
            h->slots = p->slots;
        buf_free(&key);
        return h;
    }
    struct host new = {.id = (uint32_t)g->hosts.n, .name = name, .slots = p->slots, .ssh = *ssh};
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

static void add_name(struct draft_pool *p, struct str name, struct place at) {
    struct pools *all = p->all;
    if (name.s[0] != '@') {
        struct host *h = find_host(p, name, at);
        if (h != NULL)
            *vec_push(&p->members) = (struct member){.host = h, .at = at};
        return;
    }
    name = (struct str){name.s + 1, name.n - 1};
    struct draft_pool *other = map_get(&all->names, name);
    if (other != NULL) {
        *vec_push(&p->members) = (struct member){.pool = other, .at = at};
        return;
    }
    diag_error(all->diags, at, "there is no pool `%s`", diag_name(all->diags, name));
    help_meant(all->diags, name, all->suggestions.v, all->suggestions.n);
}

/* `[::1]:22` and `ana@[fe80::1]`, whose brackets are no range. */
bool is_host_address(struct str word) {
    const char *at = memchr(word.s, '@', word.n);
    size_t i = at != NULL ? (size_t)(at - word.s) + 1 : 0;
    const char *close = i < word.n && word.s[i] == '[' ? memchr(word.s, ']', word.n) : NULL;
    return close != NULL && memchr(word.s + i, ':', (size_t)(close - word.s) - i) != NULL;
}

static void read_word(struct draft_pool *p, struct str text, struct node_finder *finder,
                      size_t offset, size_t n) {
    struct pools *all = p->all;
    struct str word = {text.s + offset, n};
    struct place at = node_find(finder, offset, n);
    if (is_host_address(word)) {
        add_name(p, word, at);
        return;
    }
    str_list names = {0};
    const char *reason;
    size_t mistake;
    if (nodeset_expand(word, HOSTS_MAX, &all->graph->arena, &names, &mistake, &reason)) {
        for (size_t i = 0; i < names.n && !all->too_many; i++)
            add_name(p, names.v[i], at);
    } else {
        diag_error(all->diags, node_find(finder, offset + mistake, 1), "%s", reason);
        diag_help(all->diags, "a host list is written like node[01-23],gpu1,ana@big:2222");
    }
    vec_free(&names);
}

/* The words of a list are separated by commas and blanks, but for those in brackets. */
bool next_host_word(struct str text, size_t *at, struct str *word) {
    size_t i = *at;
    bool bracket = false;
    while (i < text.n && strchr(", \t\n", text.s[i]) != NULL)
        i++;
    word->s = text.s + i;
    for (; i < text.n && (bracket || strchr(", \t\n", text.s[i]) == NULL); i++)
        if (text.s[i] == '[' || text.s[i] == ']')
            bracket = text.s[i] == '[';
    word->n = (size_t)(text.s + i - word->s);
    *at = i;
    return word->n != 0;
}

static void read_list(struct draft_pool *p, const struct node *node) {
    size_t at = 0, words = 0;
    struct str word;
    struct node_finder finder;
    node_finder_init(&finder, node);
    for (; !p->all->too_many && next_host_word(node->text, &at, &word); words++)
        read_word(p, node->text, &finder, (size_t)(word.s - node->text.s), word.n);
    if (words == 0 && !p->all->too_many) {
        diag_error(p->all->diags, node_at(node), "no host is named");
    }
}

/* --- keys of a pool --- */

static void take_word(void *context, const struct node *scalar) {
    struct draft_pool *p = context;
    *vec_push(&p->words) = scalar;
}

static void pool_hosts(void *context, const struct node *value) {
    struct draft_pool *p = context;
    if (!want_names(value, "a host list", p->all->diags, take_word, p))
        p->broken = true;
}

static void pool_slots(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_number(value, "`slots`", 1, SLOTS_MAX, &p->slots, p->all->diags);
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
    read_keys(value, "`ssh`", schema_ssh.keys, schema_ssh.n, p, p->all->diags);
}

/* --- pools --- */

static struct draft_pool *new_pool(struct pools *all, const struct node *key) {
    struct graph *g = all->graph;
    struct draft_pool *p = arena_alloc(&g->arena, sizeof *p);
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
                                       {"pick", pool_pick, KEY_TEXT},
                                       {"ssh", pool_ssh, KEY_MAP}};
const struct key_table schema_pool = {pool_keys, sizeof pool_keys / sizeof *pool_keys};

static void read_pool(struct draft_pool *p, const struct node *value) {
    struct diags *diags = p->all->diags;
    const char *name = diag_name(diags, p->pool->name);
    size_t errors = diags->errors;
    if (value->kind != NODE_MAP)
        pool_hosts(p, value);
    else
        read_keys(value, "a pool", schema_pool.keys, schema_pool.n, p, diags);
    p->broken = p->broken || errors != diags->errors || (value->kind == NODE_MAP && value->refused);
    if (!p->broken && p->words.n == 0)
        diag_error(diags, p->pool->at, "pool `%s` has no hosts", name);
}

static void add_host(struct draft_pool *p, struct host *h) {
    uint32_t *seen = &p->all->seen.v[h->id];
    if (*seen == p->pool->id + 1)
        return;
    *seen = p->pool->id + 1;
    *vec_push(&p->hosts) = h;
    p->all->members++;
}

/* Puts together the hosts of a pool, after those of the pools that it names. */
static void gather(struct pools *all, struct draft_pool *first) {
    VEC(struct draft_pool *) stack = {0};
    if (!first->done)
        *vec_push(&stack) = first;
    while (stack.n != 0) {
        struct draft_pool *p = stack.v[stack.n - 1];
        p->open = true;
        struct member *m = p->next < p->members.n ? &p->members.v[p->next] : NULL;
        if (m == NULL) {
            for (size_t i = 0; i < p->members.n && all->members <= MEMBERS_MAX; i++) {
                m = &p->members.v[i];
                if (m->host != NULL)
                    add_host(p, m->host);
                for (size_t k = 0; m->pool != NULL && k < m->pool->hosts.n; k++)
                    add_host(p, m->pool->hosts.v[k]);
            }
            p->open = false;
            p->done = true;
            stack.n--;
        } else if (m->pool != NULL && m->pool->open) {
            diag_error(all->diags, m->at, "pool `%s` contains itself",
                       diag_name(all->diags, m->pool->pool->name));
            p->next++;
        } else if (m->pool != NULL && !m->pool->done) {
            *vec_push(&stack) = m->pool;
        } else {
            p->next++;
        }
    }
    if (all->members > MEMBERS_MAX && !all->too_many) {
        diag_error(all->diags, first->pool->at, "the pools have more than %d hosts in all",
                   MEMBERS_MAX);
        all->too_many = true;
    }
    vec_free(&stack);
}

void read_hosts(struct reader *r) {
    struct pools all = {.graph = r->graph, .diags = r->diags};
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
        for (size_t k = 0; k < all.drafts.v[i]->words.n; k++)
            read_list(all.drafts.v[i], all.drafts.v[i]->words.v[k]);
    for (size_t i = 0; i < all.drafts.n; i++)
        gather(&all, all.drafts.v[i]);
    for (size_t i = 0; i < all.drafts.n; i++) {
        struct draft_pool *p = all.drafts.v[i];
        p->pool->hosts = arena_copy(&r->graph->arena, p->hosts.v, p->hosts.n * sizeof *p->hosts.v);
        p->pool->n_hosts = p->hosts.n;
        vec_free(&p->words);
        vec_free(&p->members);
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
