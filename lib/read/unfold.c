/* Rules unfold into steps: what their texts refer to, their items, their files, their needs. */
#include "base/mem.h"
#include "read/draft.h"
#include "read/keys.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

struct unfolding {
    struct reader *reader;
    struct map drafts;    /* by name */
    struct arena scratch; /* of a few steps */
    size_t scratch_names;
    str_list names;           /* of one text */
    VEC(struct file *) files; /* of one step */
};

enum { SCRATCH_MAX = 4096, PATH_SHOWN = 20 };

/* --- what the texts refer to --- */

/* The rules whose outputs a text names. */
static void refer(struct unfolding *u, struct draft_rule *d, const struct template *t,
                  bool script) {
    for (size_t i = 0; i < t->n && t->references != 0; i++) {
        const struct template_piece *p = &t->v[i];
        bool out = p->word.n != 0 && str_eq(p->part, STR("out")) && !is_reserved(p->word);
        struct draft_rule *other = out ? map_get(&u->drafts, p->word) : NULL;
        if (other == NULL)
            continue;
        if (script)
            *vec_push(&d->script_needs) = other;
        else
            *vec_push(&d->after) = other;
    }
}

static void check_texts(struct draft_rule *d, const struct draft_texts *texts, unsigned sees) {
    for (size_t i = 0; i < texts->n; i++)
        texts->v[i].bad = !check_references(d->reader, &texts->v[i].t, sees);
}

static void check_draft(struct unfolding *u, struct draft_rule *d) {
    struct reader *r = d->reader;
    struct rule *rule = d->rule;
    unsigned own = SEES_STEP | (d->each ? SEES_ITEM : 0);
    check_texts(d, &d->items, SEES_STEPS | SEES_STEP);
    check_texts(d, &d->in, own | SEES_STEPS);
    check_texts(d, &d->out, own | SEES_STEPS);
    check_references(r, &rule->dir, own | SEES_HOST);
    check_references(r, &rule->script, own | SEES_STEPS | SEES_FILES | SEES_HOST);
    refer(u, d, &rule->script, true);
    for (size_t i = 0; i < rule->n_env; i++) {
        check_references(r, &rule->env[i].value, own | SEES_STEPS | SEES_FILES | SEES_HOST);
        refer(u, d, &rule->env[i].value, true);
    }
    for (size_t i = 0; i < d->items.n; i++)
        refer(u, d, &d->items.v[i].t, false);
    for (size_t i = 0; i < d->out.n; i++)
        refer(u, d, &d->out.v[i].t, false);
}

/* --- files --- */

/* A step elsewhere has its files in a scratch directory: their names must stay inside. */
static bool leaves_directory(struct str name) {
    return name.s[0] == '/' || str_eq(name, STR(".")) || str_eq(name, STR("..")) ||
           str_starts(name, STR("../"));
}

static bool check_file(struct draft_rule *d, struct str name, const struct file *f, bool out,
                       struct place at) {
    struct diags *diags = d->reader->diags;
    const char *key = out ? "out" : "in";
    if (name.n == 0)
        diag_error(diags, at, "an empty name in `%s`", key);
    else if (d->pool != NULL && leaves_directory(f->name))
        diag_error(diags, at, "`%s` is not below this directory, and the step runs elsewhere",
                   diag_name(diags, name));
    else if (out && (name.s[name.n - 1] == '/' || str_eq(f->name, STR("."))))
        diag_error(diags, at, "`out` names files, `%s` is a directory", diag_name(diags, name));
    else
        return true;
    return false;
}

static struct file **find_files(struct unfolding *u, struct draft_rule *d, const struct step *step,
                                bool out, size_t *n) {
    struct graph *g = d->reader->graph;
    const struct draft_texts *texts = out ? &d->out : &d->in;
    bool *silent = out ? &d->out_told : &d->in_told;
    struct scope scope = {.graph = g,
                          .step = step,
                          .item = step->item,
                          .item_file = step->item_file,
                          .arena = &u->scratch};
    u->files.n = 0;
    bool told = false;
    for (size_t i = 0; i < texts->n; i++) {
        u->names.n = 0;
        if (texts->v[i].bad || !expand_texts(d->reader, &texts->v[i].t, texts->v[i].at, &scope,
                                             &u->scratch, &u->names))
            continue; /* told already */
        u->scratch_names += u->names.n + 1;
        for (size_t k = 0; k < u->names.n; k++) {
            struct file *f = graph_file(g, u->names.v[k]);
            if (*silent || check_file(d, u->names.v[k], f, out, texts->v[i].at))
                *vec_push(&u->files) = f;
            else
                told = true;
        }
    }
    *silent = *silent || told;
    struct file **all = arena_copy(&g->arena, u->files.v, u->files.n * sizeof *u->files.v);
    *n = u->files.n;
    if (u->scratch_names > SCRATCH_MAX) {
        arena_free(&u->scratch);
        u->scratch_names = 0;
    }
    return all;
}

/* --- items --- */

struct item {
    struct str text;
    struct place at;
    bool file;
};

typedef VEC(struct item) item_list;

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool match_files(struct draft_rule *d, struct str pattern, struct place at,
                        item_list *items) {
    struct reader *r = d->reader;
    glob_t found = {0};
    int rc = glob(arena_str(&r->graph->arena, pattern).s, GLOB_NOSORT, NULL, &found);
    if (rc == GLOB_NOSPACE)
        mem_alloc(SIZE_MAX);
    if (rc != 0 || found.gl_pathc == 0) {
        diag_error(r->diags, at, "no file matches `%s`", diag_name(r->diags, pattern));
    } else {
        /* By bytes, whatever the user's locale. */
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
        for (size_t i = 0; i < found.gl_pathc; i++)
            *vec_push(items) =
                (struct item){arena_str(&r->graph->arena, str_of(found.gl_pathv[i])), at, true};
    }
    bool any = found.gl_pathc != 0;
    globfree(&found);
    return any;
}

/* Whether a text is one reference alone to what is a list by its nature. */
static bool is_list(const struct graph *g, const struct template *t) {
    if (t->n != 1 || t->references != 1 || is_reserved(t->v[0].word))
        return false;
    const struct variable *v =
        t->v[0].part.n == 0 ? map_get(&g->variable_names, t->v[0].word) : NULL;
    return t->v[0].part.n != 0 || (v != NULL && v->list);
}

/* A list: its texts. A text: the list that it refers to, or else a pattern of files. */
static void find_items(struct draft_rule *d, item_list *items) {
    struct reader *r = d->reader;
    struct graph *g = r->graph;
    struct scope scope = {.graph = g, .arena = &g->arena};
    for (size_t i = 0; i < d->items.n; i++) {
        const struct draft_text *item = &d->items.v[i];
        bool list = is_list(g, &item->t);
        str_list texts = {0};
        if (!item->bad)
            expand_texts(r, &item->t, item->at, &scope, &g->arena, &texts);
        bool files = list && item->t.v[0].part.n != 0; /* {{STEP.out}} */
        for (size_t k = 0; k < texts.n; k++) {
            if (d->each_list || list)
                *vec_push(items) = (struct item){texts.v[k], item->at, files};
            else if (!match_files(d, texts.v[k], item->at, items))
                break;
        }
        vec_free(&texts);
    }
}

/* --- steps --- */

static void make_step(struct unfolding *u, struct draft_rule *d, const struct item *item) {
    struct graph *g = d->reader->graph;
    struct step *step = graph_add_step(g, d->rule, item->text, item->file);
    void **place = map_put(&g->step_names, step->name);
    if (*place != NULL) {
        diag_error(d->reader->diags, item->at, "the item `%s` is there twice",
                   diag_name(d->reader->diags, item->text));
        return;
    }
    *place = step;
    step->pool = d->pool;
    step->in_at = d->in_at;
    step->out_at = d->out_at.line != 0 ? d->out_at : d->rule->at;
    step->out = find_files(u, d, step, true, &step->n_out);
}

static void make_steps(struct unfolding *u, struct draft_rule *d) {
    struct graph *g = d->reader->graph;
    size_t first = g->steps.n;
    item_list items = {0};
    if (d->each)
        find_items(d, &items);
    else
        *vec_push(&items) = (struct item){.at = d->rule->at};
    for (size_t i = 0; i < items.n; i++)
        make_step(u, d, &items.v[i]);
    d->rule->n_steps = g->steps.n - first;
    if (d->rule->n_steps != 0)
        d->rule->steps =
            arena_copy(&g->arena, g->steps.v + first, d->rule->n_steps * sizeof *g->steps.v);
    vec_free(&items);
}

/* "a -> b -> a" for a rule that is never ready: each of these waits for another one, so that
 * following them comes back somewhere. */
static void report_waiting(struct reader *r, struct draft_rule *d) {
    draft_rules path = {0};
    while (d->on_path == 0) {
        *vec_push(&path) = d;
        d->on_path = path.n;
        size_t i = 0;
        while (d->after.v[i]->waiting == 0)
            i++;
        d = d->after.v[i];
    }
    struct buf text = {0};
    for (size_t i = d->on_path - 1; i < path.n; i++) {
        if (i == d->on_path - 1 + PATH_SHOWN) {
            buf_puts(&text, "... -> ");
            break;
        }
        buf_printf(&text, "%s -> ", diag_name(r->diags, path.v[i]->rule->name));
    }
    buf_puts(&text, diag_name(r->diags, d->rule->name));
    diag_error(r->diags, d->rule->at, "the names of its files depend on themselves: %s", text.s);
    buf_free(&text);
    vec_free(&path);
}

/* In an order in which every rule comes after those whose outputs its own names are made of. */
static void make_all_steps(struct unfolding *u, const draft_rules *drafts) {
    struct draft_rule **queue = mem_array(NULL, drafts->n, sizeof *queue), *left = NULL;
    size_t ready = 0;
    for (size_t i = 0; i < drafts->n; i++) {
        struct draft_rule *d = drafts->v[i];
        d->waiting = d->after.n;
        for (size_t k = 0; k < d->after.n; k++)
            *vec_push(&d->after.v[k]->before) = d;
        if (d->waiting == 0)
            queue[ready++] = d;
    }
    for (size_t done = 0; done < ready; done++) {
        struct draft_rule *d = queue[done];
        make_steps(u, d);
        for (size_t k = 0; k < d->before.n; k++)
            if (--d->before.v[k]->waiting == 0)
                queue[ready++] = d->before.v[k];
    }
    for (size_t i = drafts->n; i-- > 0;)
        if (drafts->v[i]->waiting != 0)
            left = drafts->v[i];
    if (left != NULL)
        report_waiting(u->reader, left);
    free(queue);
}

/* --- what waits for what --- */

/* One step that stands for all of a rule: where m steps need all n of another one, n + m edges
 * instead of n * m. */
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

static void find_needs(struct unfolding *u, struct draft_rule *d) {
    struct reader *r = d->reader;
    VEC(struct step *) needs = {0};
    for (size_t i = 0; i < d->needs.n; i++) {
        struct str name = d->needs.v[i]->text;
        struct draft_rule *other = map_get(&u->drafts, name);
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
        step->in = find_files(u, d, step, false, &step->n_in);
    }
    vec_free(&needs);
}

void unfold_rules(struct reader *r, const draft_rules *drafts) {
    struct unfolding u = {.reader = r};
    for (size_t i = 0; i < drafts->n; i++)
        *map_put(&u.drafts, drafts->v[i]->rule->name) = drafts->v[i];
    for (size_t i = 0; i < drafts->n; i++)
        check_draft(&u, drafts->v[i]);
    make_all_steps(&u, drafts);
    for (size_t i = 0; i < drafts->n; i++)
        find_needs(&u, drafts->v[i]);
    map_free(&u.drafts);
    arena_free(&u.scratch);
    vec_free(&u.names);
    vec_free(&u.files);
}
