/* The key `steps`: what is written for a step becomes a rule. */
#include "read/draft.h"

#include <stdlib.h>

const struct draft_rare no_rare;

struct draft_rare *own_rare(struct draft_rule *d) {
    if (d->own_rare == NULL)
        d->rare = d->own_rare = arena_alloc(&d->reader->graph->arena, sizeof *d->own_rare);
    return d->own_rare;
}

static struct draft_rule *new_draft(struct reader *r, struct document *document,
                                    const struct node *key) {
    struct graph *g = r->graph;
    struct draft_rule *d = arena_alloc(&g->arena, sizeof *d);
    d->reader = r;
    d->document = document;
    d->rare = &no_rare;
    d->rule = arena_alloc(&g->arena, sizeof *d->rule);
    *d->rule = (struct rule){
        .id = (uint32_t)g->rules.n, .name = key->text, .at = node_at(key), .out_at = node_at(key)};
    *vec_push(&g->rules) = d->rule;
    void **known = map_put(&g->rule_names, key->text);
    if (*known != NULL) {
        d->repeated = true;
        diag_error(r->diags, node_at(key), "there is a step `%s` already",
                   diag_name(r->diags, key->text));
        diag_note(r->diags, ((const struct rule *)*known)->at, "the other one");
        return d;
    }
    *known = d->rule;
    *vec_push(&r->rule_names) = key->text;
    /* As a word of a reference is: {{NAME.out}}. */
    if (!is_identifier(key->text, "-")) {
        diag_error(r->diags, node_at(key),
                   "a step's name is made of letters, digits, `_` and `-`, not `%s`",
                   diag_name(r->diags, key->text));
        if (key->text.n != 0 &&
            (key->text.s[0] == '-' || (key->text.s[0] >= '0' && key->text.s[0] <= '9')))
            diag_help(r->diags, "it starts with a letter or `_`");
    }
    return d;
}

/* Where one script of a list ends inside quotes, the next one would begin there. */
static void check_complete(struct draft_rule *d, const struct draft_text *script) {
    struct shell_scan *scan = shell_scan_new();
    for (size_t i = 0; i < script->t.n; i++) {
        if (script->t.v[i].reference != NULL)
            shell_scan_word(scan);
        else
            shell_scan_text(scan, script->t.v[i].text);
    }
    shell_scan_text(scan, STR("\n"));
    if (shell_scan_context(scan) != SHELL_BARE) {
        diag_error(d->reader->diags, script->at, "this script ends inside quotes");
        diag_help(d->reader->diags, "each one of a list must be complete in itself");
    }
    shell_scan_free(scan);
}

/* The scripts of a list run in turn in one shell: one text, with newlines between. */
static void join_scripts(struct draft_rule *d) {
    struct template *script = &d->rule->script;
    if (d->scripts.n != 0)
        *script = d->scripts.v[0].t;
    if (d->scripts.n < 2)
        return;
    VEC(struct template_piece) pieces = {0};
    script->references = 0;
    for (size_t i = 0; i < d->scripts.n; i++) {
        const struct template *t = &d->scripts.v[i].t;
        if (i != 0)
            *vec_push(&pieces) = (struct template_piece){.text = STR("\n")};
        for (size_t k = 0; k < t->n; k++)
            *vec_push(&pieces) = t->v[k];
        script->references += t->references;
        if (i + 1 < d->scripts.n)
            check_complete(d, &d->scripts.v[i]);
    }
    script->v = arena_copy(&d->reader->graph->arena, pieces.v, pieces.n * sizeof *pieces.v);
    script->n = (uint32_t)pieces.n;
    vec_free(&pieces);
}

/* A step that only copies, or only waits for its host, runs nothing there. */
static void run_nothing(struct draft_rule *d) {
    d->rule->script = template_parse(&d->reader->graph->arena, STR(":"));
    d->rule->script_at = d->rule->at;
}

static void check_whole(struct draft_rule *d) {
    struct reader *r = d->reader;
    struct rule *rule = d->rule;
    bool elsewhere = d->rare->on.t.n != 0 || d->rare->every.n != 0 || d->rare->same.text.n != 0;
    if (d->rare->copies.n != 0 && !elsewhere) {
        const struct draft_copy *copy = &d->rare->copies.v[0];
        diag_error(r->diags, copy->from.at, "`%s` needs a host: say `on`",
                   copy->fetch ? "fetch" : "send");
    }
    if (rule->patience != 0 && !elsewhere)
        diag_error(r->diags, rule->at, "`wait` needs a host to wait for: say `on`");
    if (rule->console && rule->detach)
        diag_error(r->diags, d->rare->console_at,
                   "a step that has the terminal cannot leave anything behind: `console` does not "
                   "go with `detach`");
    if (rule->yields && d->scripts.n == 0)
        diag_error(r->diags, rule->at, "step `%s` lists steps, but has nothing to `run`",
                   diag_name(r->diags, rule->name));
    if (d->when != WHEN_SUCCESS && d->needs.n == 0)
        diag_error(r->diags, d->rare->when_at,
                   "`when` is said of what a step `needs`, and it needs nothing");
    if (d->scripts.n != 0 || d->rare->copies.n != 0 || rule->patience != 0)
        return;
    const char *name = diag_name(r->diags, rule->name);
    if (d->needs.n == 0 && d->in.n == 0)
        diag_error(r->diags, rule->at, "step `%s` has nothing to `run`, and needs nothing", name);
    else if (d->out.n != 0)
        diag_error(r->diags, d->rule->out_at, "step `%s` makes files, but has nothing to `run`",
                   name);
    else if (elsewhere)
        diag_error(r->diags, d->rare->on_at, "step `%s` has nothing to `run` there", name);
}

static void help_pool(struct reader *r, struct str name) {
    struct graph *g = r->graph;
    str_list names = {0};
    for (size_t i = 0; i < g->pools.n; i++)
        *vec_push(&names) = g->pools.v[i]->name;
    for (size_t i = 0; i < g->hosts.n; i++)
        *vec_push(&names) = g->hosts.v[i]->name;
    if (names.n == 0)
        diag_help(r->diags, "pools are named under `hosts`, at the top of the file");
    else
        help_meant(r->diags, name, names.v, names.n);
    vec_free(&names);
}

static struct pool *known_pool(struct reader *r, struct str name, struct place at) {
    struct pool *pool = find_pool(r->graph, name);
    if (pool == NULL) {
        diag_error(r->diags, at, "there is no pool or host `%s`", diag_name(r->diags, name));
        help_pool(r, name);
    }
    return pool;
}

/* `here` is here, where no pool is called so: to say it where `defaults` say otherwise. */
bool find_place_to_run(struct draft_rule *d, struct str name, struct pool **pool) {
    *pool = NULL;
    if (str_eq(name, STR("here")) && find_pool(d->reader->graph, name) == NULL)
        return true;
    *pool = known_pool(d->reader, name, d->rare->on.at);
    return *pool != NULL;
}

static void read_draft(struct draft_rule *d, const struct node *value) {
    struct reader *r = d->reader;
    size_t errors = r->diags->errors;
    read_step_keys(d, value);
    bool told = errors != r->diags->errors || value->refused || d->broken;
    if (value->kind != NODE_MAP || value->refused)
        d->broken = true;
    if (!told)
        check_whole(d);
    d->rule->env =
        arena_copy(&r->graph->arena, d->rare->env.v, d->rare->env.n * sizeof *d->rare->env.v);
    d->rule->n_env = (uint32_t)d->rare->env.n;
    join_scripts(d);
    if (d->scripts.n == 0 && (d->rare->copies.n != 0 || d->rule->patience != 0))
        run_nothing(d);
    if (d->rare->on.t.n != 0 && d->rare->on.t.references == 0)
        find_place_to_run(d, d->rare->on.t.v[0].text, &d->pool);
    if (d->rare->every.n != 0)
        d->rule->every = known_pool(r, d->rare->every, d->rare->on_at);
}

void draft_steps(struct reader *r, struct document *document, const struct node *map,
                 draft_rules *drafts) {
    size_t first = drafts->n;
    for (size_t i = 0; i + 1 < map->n; i += 2)
        *vec_push(drafts) = new_draft(r, document, &map->items[i]);
    for (size_t i = first; i < drafts->n; i++)
        read_draft(drafts->v[i], &map->items[2 * (i - first) + 1]);
}

void free_draft(struct draft_rule *d) {
    vec_free(&d->needs);
    if (d->own_rare != NULL) {
        vec_free(&d->own_rare->copies);
        vec_free(&d->own_rare->env);
    }
    vec_free(&d->refs);
    vec_free(&d->before);
    vec_free(&d->listeners);
    vec_free(&d->listed);
}

/* Nothing points to nodes any more, and what comes now may have their memory. */
static void forget_nodes(struct reader *r) {
    for (size_t i = 0; i < r->documents.n; i++)
        r->documents.v[i]->root = r->documents.v[i]->defaults = NULL;
    arena_free(&r->nodes);
}

void read_steps(struct reader *r) {
    draft_rules drafts = {0};
    for (size_t i = 0; i < r->documents.n; i++) {
        struct document *document = r->documents.v[i];
        const struct node *value = node_get(document->root, "steps");
        check_defaults(r, document);
        if (value == NULL)
            continue;
        if (want_map(value, "`steps`", r->diags))
            draft_steps(r, document, value, &drafts);
        else
            diag_help(r->diags, "from names to steps: `steps: {hello: {run: echo hello}}`");
    }
    forget_nodes(r);
    unfold_rules(r, &drafts);
    vec_free(&drafts);
}
