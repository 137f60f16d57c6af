/* The key `steps`: what is written for a step becomes a rule. */
#include "base/duration.h"
#include "read/draft.h"
#include "read/keys.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MAX = 1000 };

/* --- keys of a step --- */

/* The texts of one key, while they are read. */
struct key_texts {
    struct draft_rule *rule;
    struct draft_text *v;
    size_t n;
};

static void one_text(void *context, const struct node *scalar) {
    struct key_texts *k = context;
    k->v[k->n++] = (struct draft_text){parse_text(k->rule->reader, scalar), scalar->at, false};
}

static struct draft_texts read_texts(struct draft_rule *d, const struct node *value,
                                     const char *what,
                                     void (*item)(void *context, const struct node *scalar)) {
    struct reader *r = d->reader;
    size_t most = value->kind == NODE_LIST ? value->n : 1;
    struct key_texts k = {d, arena_alloc(&r->graph->arena, most * sizeof *k.v), 0};
    if (!want_names(value, what, r->diags, item, &k))
        d->broken = true;
    return (struct draft_texts){k.v, k.n};
}

static bool is_pattern(const struct template *t) {
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; t->v[i].word.n == 0 && k < t->v[i].text.n; k++)
            if (strchr("*?[", t->v[i].text.s[k]) != NULL)
                return true;
    return false;
}

static void one_need(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    *vec_push(&d->needs) = scalar;
}

/* `run: make # all`: YAML takes the rest for a comment, and nobody notices. */
static void check_comment(struct draft_rule *d, const struct node *scalar) {
    struct str text = scalar->at.source->text;
    size_t i = scalar->end;
    while (i < text.n && (text.s[i] == ' ' || text.s[i] == '\t'))
        i++;
    if (!scalar->plain || i >= text.n || text.s[i] != '#')
        return;
    struct place at = scalar->at; /* the scalar may go over several lines */
    size_t line_start = scalar->start - (at.col - 1);
    for (size_t k = scalar->start; k < i; k++)
        if (text.s[k] == '\n') {
            at.line++;
            line_start = k + 1;
        }
    at.col = (uint32_t)(i - line_start) + 1;
    at.length = 1;
    diag_error(d->reader->diags, at, "for YAML the rest of this line is a comment, not in `run`");
    diag_help(d->reader->diags, "quote it, or use `run: |`");
}

static void one_script(void *context, const struct node *scalar) {
    struct key_texts *k = context;
    check_comment(k->rule, scalar);
    k->v[k->n++] = (struct draft_text){parse_script(k->rule->reader, scalar), scalar->at, false};
}

static void key_run(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->scripts = read_texts(d, value, "`run`", one_script);
    if (d->scripts.n != 0)
        d->rule->script_at = d->scripts.v[0].at;
}

static void key_in(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->in_at = value->at;
    d->in = read_texts(d, value, "`in`", one_text);
}

static void key_out(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->out_at = value->at;
    d->out = read_texts(d, value, "`out`", one_text);
    for (size_t i = 0; i < d->out.n; i++)
        if (is_pattern(&d->out.v[i].t)) {
            diag_error(d->reader->diags, d->out.v[i].at,
                       "patterns in `out` are not supported: name the files");
            d->broken = true;
        }
}

static void key_needs(void *context, const struct node *value) {
    struct draft_rule *d = context;
    if (!want_names(value, "`needs`", d->reader->diags, one_need, d))
        d->broken = true;
}

static void key_each(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->each = true;
    d->each_at = value->at;
    d->each_list = value->kind == NODE_LIST;
    d->items = read_texts(d, value, "`each`", one_text);
}

static void key_on(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->on_at = value->at;
    if (!want_name(value, "`on`", &d->on, d->reader->diags))
        d->broken = true;
}

static void key_env(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    if (!want_map(value, "`env`", diags))
        return;
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = value->items[i], *what = value->items[i + 1];
        struct str text;
        if (!is_identifier(key->text, ""))
            diag_error(diags, key->at, "`%s` cannot be the name of an environment variable",
                       diag_name(diags, key->text));
        else if (str_starts(key->text, STR("FORAY_")))
            diag_error(diags, key->at, "variables that begin with FORAY_ are set by foray");
        else if (want_text(what, "an environment variable", &text, diags))
            *vec_push(&d->env) = (struct env){key->text, parse_text(d->reader, what)};
    }
}

static void key_dir(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct str text;
    if (want_name(value, "`dir`", &text, d->reader->diags))
        d->rule->dir = parse_text(d->reader, value);
}

static void key_timeout(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (want_text(value, "`timeout`", &text, diags) &&
        (!duration_parse(text, &d->rule->timeout) || d->rule->timeout == 0)) {
        diag_error(diags, value->at, "`timeout` must be a time, not `%s`", diag_name(diags, text));
        diag_help(diags, "for example 90 (seconds), 1.5s, 10m or 1h30m");
    }
}

static void key_retry(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_number(value, "`retry`", 0, RETRY_MAX, &d->rule->retries, d->reader->diags);
}

static void key_describe(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_text(value, "`describe`", &d->rule->describe, d->reader->diags);
}

static const struct key step_keys[] = {
    {"run", key_run},           {"in", key_in},
    {"out", key_out},           {"needs", key_needs},
    {"each", key_each},         {"on", key_on},
    {"env", key_env},           {"dir", key_dir},
    {"timeout", key_timeout},   {"retry", key_retry},
    {"describe", key_describe},
};

static struct draft_rule *new_draft(struct reader *r, const struct node *key) {
    struct draft_rule *d = arena_alloc(&r->graph->arena, sizeof *d);
    d->reader = r;
    d->rule = arena_alloc(&r->graph->arena, sizeof *d->rule);
    *d->rule = (struct rule){.name = key->text, .at = key->at};
    *vec_push(&r->graph->rules) = d->rule;
    *vec_push(&r->rule_names) = key->text;
    *map_put(&r->graph->rule_names, key->text) = d->rule;
    /* As a word of a reference is: {{NAME.out}}. */
    if (!is_identifier(key->text, "-")) {
        diag_error(r->diags, key->at,
                   "a step's name is made of letters, digits, `_` and `-`, not `%s`",
                   diag_name(r->diags, key->text));
        if (key->text.n != 0 &&
            (key->text.s[0] == '-' || (key->text.s[0] >= '0' && key->text.s[0] <= '9')))
            diag_help(r->diags, "it starts with a letter or `_`");
    }
    return d;
}

static void find_place_to_run(struct draft_rule *d) {
    struct reader *r = d->reader;
    struct graph *g = r->graph;
    d->pool = find_pool(g, d->on);
    if (d->pool != NULL)
        return;
    diag_error(r->diags, d->on_at, "there is no pool or host `%s`", diag_name(r->diags, d->on));
    str_list names = {0};
    for (size_t i = 0; i < g->pools.n; i++)
        *vec_push(&names) = g->pools.v[i]->name;
    for (size_t i = 0; i < g->hosts.n; i++)
        *vec_push(&names) = g->hosts.v[i]->name;
    if (names.n == 0)
        diag_help(r->diags, "pools are named under `hosts`, at the top of the file");
    else
        help_meant(r->diags, d->on, names.v, names.n);
    vec_free(&names);
}

/* Where one script of a list ends inside quotes, the next one would begin there. */
static void check_complete(struct draft_rule *d, const struct draft_text *script) {
    struct shell_scan *scan = shell_scan_new();
    for (size_t i = 0; i < script->t.n; i++) {
        if (script->t.v[i].word.n != 0)
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
    script->n = pieces.n;
    vec_free(&pieces);
}

static void read_draft(struct draft_rule *d, const struct node *value) {
    struct reader *r = d->reader;
    struct rule *rule = d->rule;
    size_t errors = r->diags->errors;
    bool map =
        read_keys(value, "a step", step_keys, sizeof step_keys / sizeof *step_keys, d, r->diags);
    bool told = errors != r->diags->errors || value->refused || d->broken;
    if (!map || value->refused)
        d->broken = true;
    if (!told && d->scripts.n == 0) {
        const char *name = diag_name(r->diags, rule->name);
        if (d->needs.n == 0 && d->in.n == 0)
            diag_error(r->diags, rule->at, "step `%s` has nothing to `run`, and needs nothing",
                       name);
        else if (d->out.n != 0)
            diag_error(r->diags, d->out_at, "step `%s` makes files, but has nothing to `run`",
                       name);
        else if (d->on.n != 0)
            diag_error(r->diags, d->on_at, "step `%s` has nothing to `run` there", name);
    }
    rule->env = arena_copy(&r->graph->arena, d->env.v, d->env.n * sizeof *d->env.v);
    rule->n_env = d->env.n;
    join_scripts(d);
    if (d->on.n != 0)
        find_place_to_run(d);
}

static void free_draft(struct draft_rule *d) {
    vec_free(&d->needs);
    vec_free(&d->env);
    vec_free(&d->after);
    vec_free(&d->before);
    vec_free(&d->script_needs);
}

void read_steps(void *context, const struct node *value) {
    struct reader *r = context;
    if (!want_map(value, "`steps`", r->diags)) {
        diag_help(r->diags, "from names to steps: `steps: {hello: {run: echo hello}}`");
        return;
    }
    draft_rules drafts = {0};
    for (size_t i = 0; i + 1 < value->n; i += 2)
        *vec_push(&drafts) = new_draft(r, value->items[i]);
    for (size_t i = 0; i < drafts.n; i++)
        read_draft(drafts.v[i], value->items[2 * i + 1]);
    unfold_rules(r, &drafts);
    for (size_t i = 0; i < drafts.n; i++)
        free_draft(drafts.v[i]);
    vec_free(&drafts);
}
