#include "read/yaml.h"

#include "base/nodeset.h"
#include "base/suggest.h"
#include "graph/expand.h"
#include "read/keys.h"
#include "read/reader.h"

#include <stdlib.h>
#include <string.h>

enum { HOSTS_MAX = 100 * 1000, NESTED_MAX = 64 };

bool is_identifier(struct str name, const char *also) {
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(i != 0 && (digit || strchr(also, c) != NULL) && c != '\0'))
            return false;
    }
    return true;
}

/* --- hosts --- */

/* A pool while it is read. */
struct draft_pool {
    struct reader *reader;
    struct pool *pool;
    VEC(const struct node *) words;
    uint32_t slots;
    struct ssh_settings ssh;
    int state; /* of the hosts: 0 to be found, 1 being found, 2 found */
    struct map members;
    VEC(struct host *) hosts;
};

static bool same_settings(const struct ssh_settings *a, const struct ssh_settings *b) {
    return str_eq(a->config, b->config) && str_eq(a->identity, b->identity) &&
           str_eq(a->known_hosts, b->known_hosts) && str_eq(a->user, b->user) && a->port == b->port;
}

/* The host of that name and those settings; the same host in two pools is one, with the smaller number of slots. */
static struct host *find_host(struct reader *r, struct str name, const struct draft_pool *p) {
    struct host *known = map_get(&r->graph->host_names, name);
    for (struct host *h = known; h != NULL; h = NULL)
        if (same_settings(&h->ssh, &p->ssh)) {
            if (p->slots != 0 && (h->slots == 0 || p->slots < h->slots))
                h->slots = p->slots;
            return h;
        }
    struct host *h = arena_alloc(&r->graph->arena, sizeof *h);
    *h = (struct host){.id = (uint32_t)r->graph->hosts.n, .name = name, .slots = p->slots, .ssh = p->ssh};
    h->target = name;
    const char *at = bytes_last(name.s, '@', name.n);
    if (at != NULL) {
        h->user = arena_str(&r->graph->arena, (struct str){name.s, (size_t)(at - name.s)});
        h->target = (struct str){at + 1, (size_t)(name.s + name.n - at) - 1};
    }
    const char *colon = memchr(h->target.s, ':', h->target.n);
    if (colon != NULL) {
        h->port = (uint16_t)strtoul(colon + 1, NULL, 10); /* checked before */
        h->target.n = (size_t)(colon - h->target.s);
    }
    *vec_push(&r->graph->hosts) = h;
    if (known == NULL)
        *map_put(&r->graph->host_names, name) = h;
    return h;
}

static const char *wrong_host(struct str name) {
    const char *at = bytes_last(name.s, '@', name.n);
    struct str host = at != NULL ? (struct str){at + 1, (size_t)(name.s + name.n - at) - 1} : name;
    const char *colon = memchr(host.s, ':', host.n);
    if (at == name.s)
        return "a user's name is missing before `@`";
    if (colon != NULL) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);
        if (end != host.s + host.n || end == colon + 1 || port == 0 || port > 65535)
            return "a port is a number from 1 to 65535";
        host.n = (size_t)(colon - host.s);
    }
    if (host.n == 0)
        return "a host's name is missing";
    /* A name that starts so would be an option to ssh. */
    if (host.s[0] == '-' || name.s[0] == '-')
        return "a host's name cannot start with `-`";
    for (size_t i = 0; i < host.n; i++)
        if ((unsigned char)host.s[i] <= ' ' || strchr("'\"\\$`|;&<>()/%", host.s[i]) != NULL)
            return "a host's name cannot contain this";
    return NULL;
}

static void add_member(struct draft_pool *p, struct host *h) {
    void **place = map_put(&p->members, h->name);
    if (*place != NULL)
        return;
    *place = h;
    *vec_push(&p->hosts) = h;
}

static void find_members(struct reader *r, struct draft_pool *p, int depth);

static void add_pool_members(struct reader *r, struct draft_pool *p, struct str name, const struct node *word,
                             int depth) {
    struct draft_pool *other = map_get(&r->pool_drafts, name);
    if (other == NULL) {
        diag_error(r->diags, word->at, "there is no pool `%s`", diag_name(r->diags, name));
        help_meant(r->diags, name, r->pool_names.v, r->pool_names.n);
        return;
    }
    if (other->state == 1 || depth == NESTED_MAX) {
        diag_error(r->diags, word->at, "pool `%s` contains itself", diag_name(r->diags, name));
        return;
    }
    find_members(r, other, depth + 1);
    for (size_t i = 0; i < other->hosts.n; i++)
        add_member(p, other->hosts.v[i]);
}

static void find_members(struct reader *r, struct draft_pool *p, int depth) {
    if (p->state == 2)
        return;
    p->state = 1;
    for (size_t w = 0; w < p->words.n; w++) {
        const struct node *word = p->words.v[w];
        str_list names = {0};
        size_t offset;
        const char *reason;
        if (!nodeset_expand(word->text, HOSTS_MAX, &r->graph->arena, &names, &offset, &reason)) {
            diag_error(r->diags, node_place(word, offset, 1), "%s", reason);
            diag_help(r->diags, "a host list is written like node[01-23],gpu1,ana@big:2222");
        }
        for (size_t i = 0; i < names.n; i++) {
            struct str name = names.v[i];
            const char *wrong = name.s[0] != '@' ? wrong_host(name) : NULL;
            if (name.s[0] == '@')
                add_pool_members(r, p, (struct str){name.s + 1, name.n - 1}, word, depth);
            else if (wrong != NULL)
                diag_error(r->diags, word->at, "`%s`: %s", diag_name(r->diags, name), wrong);
            else
                add_member(p, find_host(r, name, p));
        }
        vec_free(&names);
    }
    p->state = 2;
}

static void take_word(void *context, const struct node *scalar) {
    struct draft_pool *p = context;
    *vec_push(&p->words) = scalar;
}

static void pool_hosts(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_texts(value, "a host list", p->reader->diags, take_word, p);
}

static void pool_slots(void *context, const struct node *value) {
    struct draft_pool *p = context;
    want_number(value, "`slots`", 1, 100000, &p->slots, p->reader->diags);
}

static void pool_pick(void *context, const struct node *value) {
    struct draft_pool *p = context;
    static const struct str names[] = {{"least-loaded", 12}, {"random", 6}, {"round-robin", 11}};
    static const enum pick picks[] = {PICK_LEAST_LOADED, PICK_RANDOM, PICK_ROUND_ROBIN};
    struct str text;
    if (!want_text(value, "`pick`", &text, p->reader->diags))
        return;
    for (size_t i = 0; i < 3; i++)
        if (str_eq(text, names[i])) {
            p->pool->pick = picks[i];
            return;
        }
    diag_error(p->reader->diags, value->at, "`pick` is least-loaded, random or round-robin, not `%s`",
               diag_name(p->reader->diags, text));
    help_meant(p->reader->diags, text, names, 3);
}

static void ssh_text(struct draft_pool *p, const struct node *value, const char *what, struct str *out) {
    struct str text;
    if (want_text(value, what, &text, p->reader->diags))
        *out = text;
}

static void ssh_config(void *context, const struct node *value) {
    struct draft_pool *p = context;
    ssh_text(p, value, "`config`", &p->ssh.config);
}

static void ssh_identity(void *context, const struct node *value) {
    struct draft_pool *p = context;
    ssh_text(p, value, "`identity`", &p->ssh.identity);
}

static void ssh_known_hosts(void *context, const struct node *value) {
    struct draft_pool *p = context;
    ssh_text(p, value, "`known_hosts`", &p->ssh.known_hosts);
}

static void ssh_user(void *context, const struct node *value) {
    struct draft_pool *p = context;
    ssh_text(p, value, "`user`", &p->ssh.user);
}

static void ssh_port(void *context, const struct node *value) {
    struct draft_pool *p = context;
    uint32_t port;
    if (want_number(value, "`port`", 1, 65535, &port, p->reader->diags))
        p->ssh.port = (uint16_t)port;
}

static const struct key ssh_keys[] = {{"config", ssh_config},
                                      {"identity", ssh_identity},
                                      {"known_hosts", ssh_known_hosts},
                                      {"user", ssh_user},
                                      {"port", ssh_port}};

static void pool_ssh(void *context, const struct node *value) {
    struct draft_pool *p = context;
    read_keys(value, "`ssh`", ssh_keys, sizeof ssh_keys / sizeof *ssh_keys, p, p->reader->diags);
}

static const struct key pool_keys[] = {
    {"hosts", pool_hosts}, {"slots", pool_slots}, {"pick", pool_pick}, {"ssh", pool_ssh}};

static void read_hosts(void *context, const struct node *value) {
    struct reader *r = context;
    if (value->kind != NODE_MAP) {
        diag_error(r->diags, value->at, "`hosts` must be a map from names of pools to hosts, this is %s",
                   node_kind_name(value));
        diag_help(r->diags, "for example `hosts: {rack: \"node[01-23]\"}`");
        return;
    }
    VEC(struct draft_pool *) drafts = {0};
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = value->items[i], *what = value->items[i + 1];
        struct draft_pool *p = arena_alloc(&r->graph->arena, sizeof *p);
        p->reader = r;
        p->pool = arena_alloc(&r->graph->arena, sizeof *p->pool);
        *p->pool = (struct pool){.id = (uint32_t)r->graph->pools.n, .name = key->text, .at = key->at};
        *vec_push(&r->graph->pools) = p->pool;
        *vec_push(&drafts) = p;
        *vec_push(&r->pool_names) = key->text;
        *map_put(&r->graph->pool_names, key->text) = p->pool;
        *map_put(&r->pool_drafts, key->text) = p;
        if (!is_identifier(key->text, "-."))
            diag_error(r->diags, key->at, "a pool's name is made of letters, digits, `_`, `-` and `.`, not `%s`",
                       diag_name(r->diags, key->text));
        if (what->kind == NODE_MAP)
            read_keys(what, "a pool", pool_keys, sizeof pool_keys / sizeof *pool_keys, p, r->diags);
        else
            pool_hosts(p, what);
        if (what->kind == NODE_MAP && !what->refused && node_get(what, "hosts") == NULL)
            diag_error(r->diags, key->at, "pool `%s` has no `hosts`", diag_name(r->diags, key->text));
    }
    for (size_t i = 0; i < drafts.n; i++) {
        struct draft_pool *p = drafts.v[i];
        size_t errors = r->diags->errors;
        find_members(r, p, 0);
        if (p->hosts.n == 0 && errors == r->diags->errors && p->words.n != 0)
            diag_error(r->diags, p->pool->at, "pool `%s` has no hosts", diag_name(r->diags, p->pool->name));
    }
    for (size_t i = 0; i < drafts.n; i++) {
        struct draft_pool *p = drafts.v[i];
        p->pool->hosts = arena_copy(&r->graph->arena, p->hosts.v, p->hosts.n * sizeof *p->hosts.v);
        p->pool->n_hosts = p->hosts.n;
        map_free(&p->members);
        vec_free(&p->hosts);
        vec_free(&p->words);
    }
    vec_free(&drafts);
}

struct pool *find_pool(struct reader *r, struct str name) {
    struct pool *pool = map_get(&r->graph->pool_names, name);
    struct host *host = pool == NULL ? map_get(&r->graph->host_names, name) : NULL;
    if (host == NULL)
        return pool;
    pool = arena_alloc(&r->graph->arena, sizeof *pool);
    *pool = (struct pool){.id = (uint32_t)r->graph->pools.n, .name = host->name, .n_hosts = 1};
    pool->hosts = arena_copy(&r->graph->arena, &host, sizeof host);
    *vec_push(&r->graph->pools) = pool;
    *map_put(&r->graph->pool_names, host->name) = pool;
    return pool;
}

/* --- variables --- */

struct draft_variable {
    struct reader *reader;
    struct variable *variable;
    VEC(const struct node *) texts;
    int state; /* as of pools */
};

static const struct str reserved[] = {{"item", 4}, {"in", 2},   {"out", 3},
                                      {"host", 4}, {"step", 4}, {"env", 3}};
enum { RESERVED = sizeof reserved / sizeof *reserved };

bool is_reserved(struct str name) {
    for (size_t i = 0; i < RESERVED; i++)
        if (str_eq(name, reserved[i]))
            return true;
    return false;
}

static struct variable *add_variable(struct reader *r, struct str name, struct place at) {
    struct variable *v = arena_alloc(&r->graph->arena, sizeof *v);
    *v = (struct variable){.name = name, .at = at};
    *vec_push(&r->graph->variables) = v;
    *map_put(&r->graph->variable_names, name) = v;
    return v;
}

static void take_text(void *context, const struct node *scalar) {
    struct draft_variable *d = context;
    *vec_push(&d->texts) = scalar;
}

static void find_value(struct reader *r, struct draft_variable *d, int depth) {
    if (d->state == 2)
        return;
    d->state = 1;
    str_list values = {0};
    for (size_t i = 0; i < d->texts.n; i++) {
        const struct node *text = d->texts.v[i];
        struct template t = parse_text(r, text);
        for (size_t k = 0; k < t.n; k++) {
            struct draft_variable *other = map_get(&r->variable_drafts, t.v[k].word);
            if (t.v[k].word.n == 0 || other == NULL || t.v[k].part.n != 0)
                continue;
            if (other->state == 1 || depth == NESTED_MAX) {
                diag_error(r->diags, t.v[k].at, "the value of `%s` depends on itself",
                           diag_name(r->diags, other->variable->name));
                t.n = 0;
                break;
            }
            find_value(r, other, depth + 1);
        }
        struct scope scope = {.graph = r->graph, .arena = &r->graph->arena};
        if (check_references(r, &t, SEES_VARIABLES))
            template_list(&t, scope_lookup, &scope, &r->graph->arena, &values);
    }
    d->variable->v = arena_copy(&r->graph->arena, values.v, values.n * sizeof *values.v);
    d->variable->n = values.n;
    vec_free(&values);
    d->state = 2;
}

static void read_vars(void *context, const struct node *value) {
    struct reader *r = context;
    if (value->kind != NODE_MAP) {
        diag_error(r->diags, value->at, "`vars` must be a map from names to values, this is %s", node_kind_name(value));
        return;
    }
    VEC(struct draft_variable *) drafts = {0};
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = value->items[i], *what = value->items[i + 1];
        if (!is_identifier(key->text, "-") || is_reserved(key->text)) {
            diag_error(r->diags, key->at,
                       is_reserved(key->text) ? "`%s` has a meaning of its own, a variable cannot be called so"
                                              : "a variable's name is made of letters, digits, `_` and `-`, not `%s`",
                       diag_name(r->diags, key->text));
            continue;
        }
        if (map_get(&r->graph->variable_names, key->text) != NULL)
            continue; /* given on the command line */
        struct draft_variable *d = arena_alloc(&r->graph->arena, sizeof *d);
        d->reader = r;
        d->variable = add_variable(r, key->text, key->at);
        d->variable->list = what->kind == NODE_LIST;
        *vec_push(&drafts) = d;
        *map_put(&r->variable_drafts, key->text) = d;
        if (what->kind == NODE_SCALAR && !what->plain && what->text.n == 0)
            take_text(d, what); /* "" is a value */
        else
            want_texts(what, "a variable", r->diags, take_text, d);
    }
    for (size_t i = 0; i < drafts.n; i++)
        find_value(r, drafts.v[i], 0);
    for (size_t i = 0; i < drafts.n; i++)
        vec_free(&drafts.v[i]->texts);
    vec_free(&drafts);
}

/* --- references --- */

struct node_origin {
    struct text_origin base;
    const struct node *node;
};

static struct place place_in_node(const struct text_origin *origin, size_t offset, size_t length) {
    return node_place(((const struct node_origin *)origin)->node, offset, length);
}

struct template parse_text(struct reader *r, const struct node *scalar) {
    struct node_origin origin = {{place_in_node}, scalar};
    struct template t = template_parse(&r->graph->arena, scalar->text);
    if (t.references != 0)
        template_locate(&t, scalar->text, &origin.base);
    return t;
}

struct template parse_script(struct reader *r, const struct node *scalar) {
    struct node_origin origin = {{place_in_node}, scalar};
    return template_parse_script(&r->graph->arena, scalar->text, &origin.base, r->diags);
}

static void unknown_reference(struct reader *r, const struct template_piece *p, unsigned sees) {
    str_list names = {0};
    for (size_t i = 0; i < r->graph->variables.n; i++)
        *vec_push(&names) = r->graph->variables.v[i]->name;
    static const unsigned bits[RESERVED] = {SEES_ITEM, SEES_FILES, SEES_FILES, SEES_HOST, SEES_FILES, 0};
    for (size_t i = 0; i < RESERVED; i++)
        if ((sees & bits[i]) != 0)
            *vec_push(&names) = reserved[i];
    diag_error(r->diags, p->at, "there is no `%s`", diag_name(r->diags, p->word));
    if (is_reserved(p->word))
        diag_help(r->diags, "`{{%s}}` has no meaning here", diag_name(r->diags, p->word));
    else if (suggest(p->word, names.v, names.n) != NULL)
        help_meant(r->diags, p->word, names.v, names.n);
    else
        diag_help(r->diags, "to have the text as it is, write the braces as `{{{{`");
    vec_free(&names);
}

static bool check_reference(struct reader *r, const struct template_piece *p, unsigned sees) {
    static const struct str item_parts[] = {{"stem", 4}, {"base", 4}, {"dir", 3}, {"ext", 3}};
    if (str_eq(p->word, STR("env"))) {
        char *name = (char *)arena_str(&r->graph->arena, p->part).s;
        if (p->part.n != 0 && getenv(name) != NULL)
            return true;
        if (p->part.n == 0)
            diag_error(r->diags, p->at, "`env` wants the name of a variable: {{env.HOME}}");
        else
            diag_error(r->diags, p->at, "`%s` is not set in foray's environment", diag_name(r->diags, p->part));
        return false;
    }
    if (p->part.n == 0) {
        bool known = (str_eq(p->word, STR("item")) && (sees & SEES_ITEM)) ||
                     ((str_eq(p->word, STR("in")) || str_eq(p->word, STR("out")) || str_eq(p->word, STR("step"))) &&
                      (sees & SEES_FILES)) ||
                     (str_eq(p->word, STR("host")) && (sees & SEES_HOST)) ||
                     (!is_reserved(p->word) && map_get(&r->graph->variable_names, p->word) != NULL);
        if (!known && map_get(&r->graph->rule_names, p->word) != NULL) {
            diag_error(r->diags, p->at, "`%s` is a step: say what of it", diag_name(r->diags, p->word));
            diag_help(r->diags, "{{%s.out}} are the files it makes", diag_name(r->diags, p->word));
        } else if (!known) {
            unknown_reference(r, p, sees);
        }
        return known;
    }
    if (str_eq(p->word, STR("item")) && (sees & SEES_ITEM)) {
        for (size_t i = 0; i < 4; i++)
            if (str_eq(p->part, item_parts[i]))
                return true;
        diag_error(r->diags, p->at, "an item has no `.%s`", diag_name(r->diags, p->part));
        diag_help(r->diags, "its parts are .stem, .base, .dir and .ext");
        return false;
    }
    if (map_get(&r->graph->rule_names, p->word) != NULL && (sees & SEES_STEPS)) {
        if (str_eq(p->part, STR("out")))
            return true;
        diag_error(r->diags, p->at, "a step has no `.%s`", diag_name(r->diags, p->part));
        diag_help(r->diags, "{{%s.out}} are the files it makes", diag_name(r->diags, p->word));
        return false;
    }
    diag_error(r->diags, p->at, "there is no step `%s`", diag_name(r->diags, p->word));
    if (suggest(p->word, r->rule_names.v, r->rule_names.n) != NULL)
        help_meant(r->diags, p->word, r->rule_names.v, r->rule_names.n);
    else
        diag_help(r->diags, "to have the text as it is, write the braces as `{{{{`");
    return false;
}

bool check_references(struct reader *r, const struct template *t, unsigned sees) {
    bool good = true;
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].word.n != 0 && !check_reference(r, &t->v[i], sees))
            good = false;
    return good;
}

/* --- the whole --- */

static const struct key top_keys[] = {{"hosts", read_hosts}, {"vars", read_vars}, {"steps", read_steps}};

static void later(void *context, const struct node *value) {
    (void)context;
    (void)value;
}

/* Keys may stand in any order: they are read in the order of the table. */
static void read_top(struct reader *r, const struct node *root) {
    enum { TOP = sizeof top_keys / sizeof *top_keys };
    struct key names[TOP];
    for (size_t i = 0; i < TOP; i++)
        names[i] = (struct key){top_keys[i].name, later};
    if (!read_keys(root, "foray.yaml", names, TOP, r, r->diags))
        return;
    for (size_t i = 0; i < TOP; i++) {
        const struct node *value = node_get(root, top_keys[i].name);
        if (value != NULL)
            top_keys[i].read(r, value);
    }
    if (node_get(root, "steps") == NULL && !root->refused)
        diag_error(r->diags, root->at, "there are no `steps`");
}

bool yaml_read(const struct source *source, const struct assignment *assignments, size_t n_assignments,
               struct graph *graph, struct diags *diags) {
    struct reader r = {.graph = graph, .diags = diags};
    struct node *root = nodes_read(&graph->arena, source, diags);
    if (root != NULL) {
        for (size_t i = 0; i < n_assignments; i++) {
            struct variable *v = map_get(&graph->variable_names, assignments[i].name);
            if (is_reserved(assignments[i].name))
                diag_error(diags, (struct place){0}, "`%s` has a meaning of its own, a variable cannot be called so",
                           diag_name(diags, assignments[i].name));
            if (v == NULL)
                v = add_variable(&r, assignments[i].name, (struct place){0});
            v->v = arena_copy(&graph->arena, &assignments[i].value, sizeof assignments[i].value);
            v->n = 1;
        }
        read_top(&r, root);
    }
    bool good = diags->errors == 0;
    if (root != NULL)
        good = graph_link(graph, diags) && good;
    map_free(&r.pool_drafts);
    map_free(&r.variable_drafts);
    vec_free(&r.pool_names);
    vec_free(&r.rule_names);
    return good;
}
