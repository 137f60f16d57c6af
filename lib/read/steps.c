/* The key `steps`: what is written for a step becomes a rule, and, item by item, the steps of the graph. */
#include "base/duration.h"
#include "base/mem.h"
#include "graph/expand.h"
#include "read/keys.h"
#include "read/reader.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

typedef VEC(struct template) template_list_of_texts;

/* A rule while it is read. */
struct draft_rule {
    struct reader *reader;
    struct rule *rule;
    template_list_of_texts in, out, scripts;
    VEC(const struct node *) needs, script_nodes, item_nodes;
    VEC(struct env) env;
    struct place in_at, out_at, each_at;
    bool each, each_list;
    bool broken; /* a mistake in it was told: what follows from it is not */
    struct str on;
    struct place on_at;
    /* Other rules whose outputs its items or outputs are made from: they come first. */
    VEC(struct draft_rule *) after;
    VEC(struct draft_rule *) script_needs; /* rules whose outputs its script names */
    size_t waiting;                        /* of `after` */
    VEC(struct draft_rule *) before;
    struct step *gate; /* stands for all its steps, where many wait for many */
};

static bool is_empty_text(const struct node *n) {
    return n->kind == NODE_SCALAR && n->text.n == 0;
}

static void add_text(struct draft_rule *d, template_list_of_texts *list, const struct node *scalar, const char *what) {
    if (is_empty_text(scalar)) {
        diag_error(d->reader->diags, scalar->at, "an empty name in `%s`", what);
        return;
    }
    *vec_push(list) = parse_text(d->reader, scalar);
}

static void one_in(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    add_text(d, &d->in, scalar, "in");
}

static void one_out(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    add_text(d, &d->out, scalar, "out");
}

static void one_need(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    *vec_push(&d->needs) = scalar;
}

static void one_item(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    *vec_push(&d->item_nodes) = scalar;
}

/* `run: make # all`: YAML takes the rest for a comment, and nobody notices. */
static void check_comment(struct draft_rule *d, const struct node *scalar) {
    struct str text = scalar->at.source->text;
    size_t i = scalar->end;
    if (!scalar->plain || i >= text.n)
        return;
    size_t blanks = i;
    while (blanks < text.n && (text.s[blanks] == ' ' || text.s[blanks] == '\t'))
        blanks++;
    if (blanks >= text.n || text.s[blanks] != '#')
        return;
    /* The scalar's end may be on a later line than its start. */
    struct place at = scalar->at;
    size_t line_start = scalar->start;
    while (line_start > 0 && text.s[line_start - 1] != '\n')
        line_start--;
    for (size_t k = scalar->start; k < blanks; k++)
        if (text.s[k] == '\n') {
            at.line++;
            line_start = k + 1;
        }
    at.col = (uint32_t)(blanks - line_start) + 1;
    at.length = 1;
    diag_error(d->reader->diags, at, "in YAML the rest of this line is a comment, not a part of `run`");
    diag_help(d->reader->diags, "write the script as a block (`run: |`) or in quotes; a comment goes on a line above");
}

static void one_script(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    check_comment(d, scalar);
    if (d->rule->script_at.line == 0)
        d->rule->script_at = scalar->at;
    *vec_push(&d->script_nodes) = scalar;
    *vec_push(&d->scripts) = parse_script(d->reader, scalar);
}

static void key_run(void *context, const struct node *value) {
    struct draft_rule *d = context;
    if (!want_texts(value, "`run`", d->reader->diags, one_script, d))
        d->broken = true;
    if (d->rule->script_at.line == 0)
        d->rule->script_at = value->at;
}

static void key_in(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->in_at = value->at;
    if (!want_texts(value, "`in`", d->reader->diags, one_in, d))
        d->broken = true;
}

static void key_out(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->out_at = value->at;
    if (!want_texts(value, "`out`", d->reader->diags, one_out, d))
        d->broken = true;
}

static void key_needs(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_texts(value, "`needs`", d->reader->diags, one_need, d);
}

static void key_each(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->each = true;
    d->each_at = value->at;
    d->each_list = value->kind == NODE_LIST;
    if (!want_texts(value, "`each`", d->reader->diags, one_item, d))
        d->broken = true;
}

static void key_on(void *context, const struct node *value) {
    struct draft_rule *d = context;
    if (!want_text(value, "`on`", &d->on, d->reader->diags))
        d->broken = true;
    d->on_at = value->at;
}

static void key_env(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    if (value->kind != NODE_MAP) {
        diag_error(diags, value->at, "`env` must be a map from names to values, this is %s", node_kind_name(value));
        return;
    }
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = value->items[i], *what = value->items[i + 1];
        struct str text;
        if (!is_identifier(key->text, "")) {
            diag_error(diags, key->at, "`%s` cannot be the name of an environment variable",
                       diag_name(diags, key->text));
        } else if (str_starts(key->text, STR("FORAY_"))) {
            diag_error(diags, key->at, "variables that begin with FORAY_ are set by foray");
        } else if (is_empty_text(what) && !what->plain) {
            *vec_push(&d->env) = (struct env){.name = key->text};
        } else if (want_text(what, "an environment variable", &text, diags)) {
            *vec_push(&d->env) = (struct env){key->text, parse_text(d->reader, what)};
        }
    }
}

static void key_dir(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct str text;
    if (want_text(value, "`dir`", &text, d->reader->diags))
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
    want_number(value, "`retry`", 0, 1000, &d->rule->retries, d->reader->diags);
}

static void key_describe(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_text(value, "`describe`", &d->rule->describe, d->reader->diags);
}

static const struct key step_keys[] = {
    {"run", key_run},   {"in", key_in},   {"out", key_out}, {"needs", key_needs},     {"each", key_each},
    {"on", key_on},     {"env", key_env}, {"dir", key_dir}, {"timeout", key_timeout}, {"retry", key_retry},
    {"describe", key_describe},
};

static bool good_step_name(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '.' && c != '-')))
            return false;
    }
    return name.n != 0;
}

static struct draft_rule *new_draft(struct reader *r, const struct node *key) {
    struct draft_rule *d = arena_alloc(&r->graph->arena, sizeof *d);
    d->reader = r;
    d->rule = arena_alloc(&r->graph->arena, sizeof *d->rule);
    *d->rule = (struct rule){.name = key->text, .at = key->at};
    *vec_push(&r->graph->rules) = d->rule;
    *vec_push(&r->rule_names) = key->text;
    *map_put(&r->graph->rule_names, key->text) = d->rule;
    if (!good_step_name(key->text))
        diag_error(r->diags, key->at, "a step's name is made of letters, digits, `_`, `-` and `.`, not `%s`",
                   diag_name(r->diags, key->text));
    return d;
}

static void read_draft(struct draft_rule *d, const struct node *value) {
    struct reader *r = d->reader;
    if (value->kind == NODE_MAP && value->refused)
        d->broken = true;
    if (!read_keys(value, "a step", step_keys, sizeof step_keys / sizeof *step_keys, d, r->diags)) {
        d->broken = true;
        return;
    }
    if (d->script_nodes.n == 0 && d->needs.n == 0 && d->in.n == 0 && !d->broken && value->n == 0) {
        diag_error(r->diags, d->rule->at, "step `%s` does nothing: it has no `run`, and nothing that it needs",
                   diag_name(r->diags, d->rule->name));
        d->broken = true;
    }
    if (d->script_nodes.n == 0 && !d->broken && (d->out.n != 0 || d->on.n != 0)) {
        diag_error(r->diags, d->out.n != 0 ? d->out_at : d->on_at, "step `%s` has no `run`",
                   diag_name(r->diags, d->rule->name));
        d->broken = true;
    }
    d->rule->env = arena_copy(&r->graph->arena, d->env.v, d->env.n * sizeof *d->env.v);
    d->rule->n_env = d->env.n;
    if (d->on.n != 0 && (d->rule->pool = find_pool(r, d->on)) == NULL) {
        diag_error(r->diags, d->on_at, "there is no pool or host `%s`", diag_name(r->diags, d->on));
        if (r->pool_names.n == 0)
            diag_help(r->diags, "pools are named under `hosts`, at the top of the file");
        else
            help_meant(r->diags, d->on, r->pool_names.v, r->pool_names.n);
    }
}

/* The scripts of a list run in turn in one shell: one text, with newlines between. */
static void join_scripts(struct draft_rule *d) {
    VEC(struct template_piece) pieces = {0};
    size_t references = 0;
    for (size_t i = 0; i < d->scripts.n; i++) {
        if (i != 0)
            *vec_push(&pieces) = (struct template_piece){.text = STR("\n")};
        for (size_t k = 0; k < d->scripts.v[i].n; k++)
            *vec_push(&pieces) = d->scripts.v[i].v[k];
        references += d->scripts.v[i].references;
    }
    d->rule->script = (struct template){
        arena_copy(&d->reader->graph->arena, pieces.v, pieces.n * sizeof *pieces.v), pieces.n, references};
    vec_free(&pieces);
}

/* --- which rule comes before which --- */

static void refer(struct draft_rule *d, const struct template *t, struct map *drafts, bool script) {
    for (size_t i = 0; i < t->n && t->references != 0; i++) {
        struct draft_rule *other = t->v[i].part.n != 0 ? map_get(drafts, t->v[i].word) : NULL;
        if (other == NULL || is_reserved(t->v[i].word))
            continue;
        if (script)
            *vec_push(&d->script_needs) = other;
        else
            *vec_push(&d->after) = other;
    }
}

static bool check_all(struct draft_rule *d, const template_list_of_texts *list, unsigned sees) {
    bool good = true;
    for (size_t i = 0; i < list->n; i++)
        good = check_references(d->reader, &list->v[i], sees) && good;
    return good;
}

static void check_draft(struct draft_rule *d, struct map *drafts) {
    unsigned item = d->each ? SEES_ITEM : 0;
    bool good = check_all(d, &d->in, item | SEES_STEPS);
    good = check_all(d, &d->out, item | SEES_STEPS) && good;
    unsigned all = item | SEES_STEPS | SEES_FILES | SEES_HOST;
    good = check_references(d->reader, &d->rule->script, all) && good;
    good = check_references(d->reader, &d->rule->dir, all & ~(unsigned)SEES_FILES) && good;
    for (size_t i = 0; i < d->rule->n_env; i++)
        good = check_references(d->reader, &d->rule->env[i].value, all) && good;
    for (size_t i = 0; i < d->item_nodes.n; i++) {
        struct template t = parse_text(d->reader, d->item_nodes.v[i]);
        good = check_references(d->reader, &t, SEES_STEPS) && good;
        refer(d, &t, drafts, false);
    }
    for (size_t i = 0; i < d->out.n; i++)
        refer(d, &d->out.v[i], drafts, false);
    refer(d, &d->rule->script, drafts, true);
    for (size_t i = 0; i < d->rule->n_env; i++)
        refer(d, &d->rule->env[i].value, drafts, true);
    d->broken = d->broken || !good;
}

/* --- items and files --- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_wildcard(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if (strchr("*?[", text.s[i]) != NULL && text.s[i] != '\0')
            return true;
    return false;
}

static bool glob_items(struct draft_rule *d, struct str pattern, str_list *items) {
    struct reader *r = d->reader;
    struct str text = arena_str(&r->graph->arena, pattern);
    glob_t found;
    int rc = glob(text.s, GLOB_NOSORT, NULL, &found);
    if (rc != 0 && rc != GLOB_NOMATCH)
        mem_alloc(SIZE_MAX); /* no memory: errors of directories are passed over */
    if (rc == 0 && found.gl_pathc != 0) {
        /* By bytes, whatever the user's locale. */
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
        for (size_t i = 0; i < found.gl_pathc; i++)
            *vec_push(items) = arena_str(&r->graph->arena, str_of(found.gl_pathv[i]));
    } else {
        diag_error(r->diags, d->each_at, "no file matches `%s`", diag_name(r->diags, pattern));
        d->broken = true;
    }
    if (rc == 0)
        globfree(&found);
    return rc == 0;
}

/* A list: its texts. One text: a pattern of files, if it has wildcards and was not put there by a reference; else what
 * it stands for. */
static void find_items(struct draft_rule *d, str_list *items, bool *files) {
    struct reader *r = d->reader;
    struct scope scope = {.graph = r->graph, .arena = &r->graph->arena};
    *files = false;
    for (size_t i = 0; i < d->item_nodes.n; i++) {
        struct template t = parse_text(r, d->item_nodes.v[i]);
        bool alone = t.n == 1 && t.references == 1;
        str_list texts = {0};
        if (!template_list(&t, scope_lookup, &scope, &r->graph->arena, &texts))
            d->broken = true;
        if (!d->each_list && !alone && texts.n == 1 && has_wildcard(texts.v[0])) {
            *files = true;
            glob_items(d, texts.v[0], items);
        } else {
            *files = *files || (alone && t.v[0].part.n != 0 && !is_reserved(t.v[0].word));
            for (size_t k = 0; k < texts.n; k++)
                *vec_push(items) = texts.v[k];
        }
        vec_free(&texts);
    }
}

/* A step elsewhere has its files in a scratch directory: their names must stay inside. */
static bool leaves_directory(struct str name) {
    return name.n != 0 && (name.s[0] == '/' || str_eq(name, STR("..")) || str_starts(name, STR("../")) ||
                           str_eq(name, STR(".")));
}

static void find_files(struct draft_rule *d, struct step *step, const template_list_of_texts *texts, const char *what,
                       struct place at, struct file ***files, size_t *n) {
    struct reader *r = d->reader;
    struct scope scope = {.graph = r->graph,
                          .item = step->item,
                          .item_file = step->item_file,
                          .arena = &r->graph->arena};
    str_list names = {0};
    for (size_t i = 0; i < texts->n; i++)
        if (!template_list(&texts->v[i], scope_lookup, &scope, &r->graph->arena, &names))
            d->broken = true;
    struct file **all = arena_alloc(&r->graph->arena, (names.n + 1) * sizeof *all);
    for (size_t i = 0; i < names.n && !d->broken; i++) {
        const char *name = diag_name(r->diags, names.v[i]);
        struct file *f = graph_file(r->graph, names.v[i]);
        if (names.v[i].n == 0) {
            diag_error(r->diags, at, "an empty name in `%s`", what);
            d->broken = true;
        } else if (d->rule->pool != NULL && leaves_directory(f->name)) {
            diag_error(r->diags, at, "`%s` of a step that runs elsewhere must lie below this directory, `%s` does not",
                       what, name);
            d->broken = true;
        } else if (what[0] == 'o' && names.v[i].s[names.v[i].n - 1] == '/') {
            diag_error(r->diags, at, "`out` names files, `%s` is a directory", name);
            d->broken = true;
        } else if (what[0] == 'o' && !step->item_file && has_wildcard(names.v[i]) && step->item.s == NULL &&
                   texts->v[0].references == 0) {
            diag_error(r->diags, at, "`out` names files, one by one; `%s` is a pattern", name);
            d->broken = true;
        }
        all[(*n)++] = f;
    }
    vec_free(&names);
    *files = all;
}

static void make_step(struct draft_rule *d, struct str item, bool item_file) {
    struct reader *r = d->reader;
    struct step *step = graph_add_step(r->graph, d->rule, item, item_file);
    void **place = map_put(&r->graph->step_names, step->name);
    if (*place != NULL) {
        diag_error(r->diags, d->each_at, "item `%s` is there twice", diag_name(r->diags, item));
        d->broken = true;
        return;
    }
    *place = step;
    step->in_at = d->in_at;
    step->out_at = d->out_at.line != 0 ? d->out_at : d->rule->at;
    find_files(d, step, &d->out, "out", d->out_at, &step->out, &step->n_out);
}

static void make_steps(struct draft_rule *d) {
    struct graph *g = d->reader->graph;
    size_t first = g->steps.n;
    if (!d->each) {
        make_step(d, (struct str){0}, false);
    } else if (!d->broken) {
        str_list items = {0};
        bool files;
        find_items(d, &items, &files);
        for (size_t i = 0; i < items.n; i++)
            make_step(d, items.v[i], files);
        vec_free(&items);
    }
    d->rule->n_steps = g->steps.n - first;
    if (d->rule->n_steps != 0)
        d->rule->steps = arena_copy(&g->arena, g->steps.v + first, d->rule->n_steps * sizeof *g->steps.v);
}

/* --- what waits for what --- */

/* One step that stands for all of a rule: where m steps need all n of another rule, n + m edges instead of n * m. */
static struct step *all_of(struct draft_rule *d) {
    if (d->rule->n_steps == 1)
        return d->rule->steps[0];
    if (d->gate == NULL) {
        struct graph *g = d->reader->graph;
        struct rule *rule = arena_alloc(&g->arena, sizeof *rule);
        *rule = (struct rule){.name = d->rule->name, .at = d->rule->at};
        d->gate = graph_add_step(g, rule, (struct str){0}, false);
        d->gate->needs = d->rule->steps;
        d->gate->n_needs = d->rule->n_steps;
    }
    return d->gate;
}

static void find_needs(struct draft_rule *d, struct map *drafts) {
    struct reader *r = d->reader;
    VEC(struct step *) needs = {0};
    for (size_t i = 0; i < d->needs.n; i++) {
        struct str name = d->needs.v[i]->text;
        struct draft_rule *other = map_get(drafts, name);
        struct step *step = other != NULL ? all_of(other) : map_get(&r->graph->step_names, name);
        if (step != NULL) {
            *vec_push(&needs) = step;
            continue;
        }
        diag_error(r->diags, d->needs.v[i]->at, "there is no step `%s`", diag_name(r->diags, name));
        help_meant(r->diags, name, r->rule_names.v, r->rule_names.n);
    }
    for (size_t i = 0; i < d->script_needs.n; i++)
        *vec_push(&needs) = all_of(d->script_needs.v[i]);
    struct step **shared = arena_copy(&r->graph->arena, needs.v, needs.n * sizeof *needs.v);
    for (size_t i = 0; i < d->rule->n_steps; i++) {
        struct step *step = d->rule->steps[i];
        step->needs = shared;
        step->n_needs = needs.n;
        find_files(d, step, &d->in, "in", d->in_at, &step->in, &step->n_in);
    }
    vec_free(&needs);
}

static void report_item_cycle(struct reader *r, struct draft_rule *from) {
    struct buf path = {0};
    struct draft_rule *d = from;
    for (size_t i = 0; i < 20; i++) {
        buf_printf(&path, "%s -> ", diag_name(r->diags, d->rule->name));
        for (size_t k = 0; k < d->after.n; k++)
            if (d->after.v[k]->waiting != 0) {
                d = d->after.v[k];
                break;
            }
        if (d == from)
            break;
    }
    buf_puts(&path, d == from ? diag_name(r->diags, d->rule->name) : "...");
    diag_error(r->diags, from->rule->at, "the names of its files depend on themselves: %s", path.s);
    buf_free(&path);
}

/* Rules in an order in which every one comes after those whose outputs its own items and outputs are made from. */
static void make_all_steps(struct reader *r, struct draft_rule **drafts, size_t n) {
    struct draft_rule **queue = mem_array(NULL, n + 1, sizeof *queue);
    size_t ready = 0;
    for (size_t i = 0; i < n; i++) {
        drafts[i]->waiting = drafts[i]->after.n;
        for (size_t k = 0; k < drafts[i]->after.n; k++)
            *vec_push(&drafts[i]->after.v[k]->before) = drafts[i];
    }
    for (size_t i = 0; i < n; i++)
        if (drafts[i]->waiting == 0)
            queue[ready++] = drafts[i];
    for (size_t done = 0; done < ready; done++) {
        struct draft_rule *d = queue[done];
        make_steps(d);
        for (size_t k = 0; k < d->before.n; k++)
            if (--d->before.v[k]->waiting == 0)
                queue[ready++] = d->before.v[k];
    }
    free(queue);
    for (size_t i = 0; i < n && ready != n; i++)
        if (drafts[i]->waiting != 0) {
            report_item_cycle(r, drafts[i]);
            break;
        }
}

static void free_draft(struct draft_rule *d) {
    vec_free(&d->in);
    vec_free(&d->out);
    vec_free(&d->scripts);
    vec_free(&d->needs);
    vec_free(&d->script_nodes);
    vec_free(&d->item_nodes);
    vec_free(&d->env);
    vec_free(&d->after);
    vec_free(&d->script_needs);
    vec_free(&d->before);
}

void read_steps(void *context, const struct node *value) {
    struct reader *r = context;
    if (value->kind != NODE_MAP) {
        diag_error(r->diags, value->at, "`steps` must be a map from names to steps, this is %s", node_kind_name(value));
        return;
    }
    VEC(struct draft_rule *) drafts = {0};
    struct map names = {0};
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        struct draft_rule *d = new_draft(r, value->items[i]);
        *vec_push(&drafts) = d;
        *map_put(&names, d->rule->name) = d;
    }
    for (size_t i = 0; i < drafts.n; i++) {
        read_draft(drafts.v[i], value->items[2 * i + 1]);
        join_scripts(drafts.v[i]);
    }
    for (size_t i = 0; i < drafts.n; i++)
        check_draft(drafts.v[i], &names);
    make_all_steps(r, drafts.v, drafts.n);
    for (size_t i = 0; i < drafts.n; i++)
        find_needs(drafts.v[i], &names);
    for (size_t i = 0; i < drafts.n; i++)
        free_draft(drafts.v[i]);
    vec_free(&drafts);
    map_free(&names);
}
