/* Rules unfold into steps: what their texts refer to, their items, their files, their needs. */
#include "base/mem.h"
#include "read/draft.h"

#include <stdlib.h>
#include <string.h>

enum { SCRATCH_MAX = 4096 };

/* --- what the texts refer to --- */

static struct draft_rule *draft_of(const struct unfolding *u, struct str name) {
    const struct rule *rule = map_get(&u->reader->graph->rule_names, name);
    return rule != NULL ? u->by_rule.v[rule->id] : NULL;
}

static bool has_patterns(const struct draft_rule *d) {
    for (size_t i = 0; i < d->out.n; i++)
        if (d->out.v[i].pattern || d->out.v[i].optional)
            return true;
    return false;
}

/* names: the text is part of what the rule's items and files are called; edge: the rule runs after
 * what it refers to. */
static void refer(struct unfolding *u, struct draft_rule *d, const struct template *t, bool names,
                  bool edge) {
    for (size_t i = 0; i < t->n && t->references != 0; i++) {
        const struct reference *p = t->v[i].reference;
        if (p == NULL || p->part.n == 0 || is_reserved(p->word))
            continue;
        struct draft_rule *other = draft_of(u, p->word);
        if (other == NULL)
            continue;
        bool out = str_eq(p->part, STR("out")), text = str_eq(p->part, STR("stdout"));
        if (!out && !text && !str_eq(p->part, STR("status")))
            continue; /* told */
        other->rule->captured = other->rule->captured || text;
        struct draft_reference *ref = vec_push(&d->refs);
        *ref = (struct draft_reference){.to = other, .names = names, .edge = edge};
        ref->values = names && (!out || has_patterns(other));
        ref->when = out ? WHEN_SUCCESS : d->when;
        for (size_t k = 0; k < d->needs.n && !out; k++)
            if (d->needs.v[k].rule == other && d->needs.v[k].said)
                ref->when = d->needs.v[k].when;
    }
}

static bool check_texts(struct draft_rule *d, const struct draft_texts *texts, unsigned sees) {
    bool good = true;
    for (size_t i = 0; i < texts->n; i++) {
        texts->v[i].bad = !check_references(d->reader, d, &texts->v[i].t, sees);
        good = good && !texts->v[i].bad;
    }
    return good;
}

/* "NAME", or "NAME[ITEM]": the rule. */
static struct draft_rule *find_needed(struct unfolding *u, struct str name, bool *one) {
    struct draft_rule *d = draft_of(u, name);
    const char *bracket = memchr(name.s, '[', name.n);
    *one = d == NULL;
    if (d != NULL || bracket == NULL || name.s[name.n - 1] != ']')
        return d;
    return draft_of(u, (struct str){name.s, (size_t)(bracket - name.s)});
}

static void no_step(struct reader *r, const struct draft_name *name) {
    diag_error(r->diags, name->at, "there is no step `%s`", diag_name(r->diags, name->text));
    help_meant(r->diags, name->text, r->rule_names.v, r->rule_names.n);
}

static void refer_to_needs(struct unfolding *u, struct draft_rule *d) {
    for (size_t i = 0; i < d->needs.n; i++) {
        struct draft_need *need = &d->needs.v[i];
        bool one;
        need->rule = find_needed(u, need->name.text, &one);
        if (!need->said)
            need->when = d->when;
        if (need->rule == NULL)
            no_step(d->reader, &need->name);
        else
            *vec_push(&d->refs) = (struct draft_reference){.to = need->rule,
                                                           .edge = true,
                                                           .when = need->when,
                                                           .item = one ? &need->name : NULL};
    }
}

static void connect(struct unfolding *u, struct draft_rule *d) {
    struct reader *r = d->reader;
    struct rule *rule = d->rule;
    bool items = d->each != EACH_ONCE;
    unsigned own = SEES_STEP | (items || d->rare->every.n != 0 ? SEES_ITEM : 0);
    unsigned names = own | (d->rare->every.n != 0 ? SEES_HOST : 0);
    unsigned all = own | SEES_STEPS | SEES_STATUS | SEES_FILES | SEES_HOST;
    check_texts(d, &d->rare->items, SEES_STEPS | SEES_STEP);
    for (size_t i = 0; i < d->rare->n_axes; i++)
        check_texts(d, &d->rare->axes[i].values, SEES_STEPS | SEES_STEP);
    for (size_t i = 0; i < d->rare->n_exclusions; i++)
        for (size_t k = 0; k < d->rare->exclusions[i].n; k++)
            check_texts(d, &d->rare->exclusions[i].v[k].values, SEES_STEPS | SEES_STEP);
    check_texts(d, &d->in, names | SEES_STEPS);
    check_texts(d, &d->out, names | SEES_STEPS);
    if (d->rare->on.t.references != 0)
        own_rare(d)->on.bad = !check_references(r, d, &d->rare->on.t, own & SEES_ITEM);
    for (size_t i = 0; i < d->rare->copies.n; i++) {
        struct draft_copy *copy = &d->rare->copies.v[i];
        copy->from.bad = !check_references(r, d, &copy->from.t, names | SEES_STEPS);
        copy->to.bad = !check_references(r, d, &copy->to.t, names | SEES_STEPS);
    }
    check_references(r, d, &rule->dir, own | SEES_HOST);
    check_references(r, d, &rule->deps, own);
    check_references(r, d, &rule->script, all);
    refer_to_needs(u, d);
    refer(u, d, &rule->script, false, true);
    for (size_t i = 0; i < rule->n_env; i++) {
        check_references(r, d, &rule->env[i].value, all);
        refer(u, d, &rule->env[i].value, false, true);
    }
    for (size_t i = 0; i < d->rare->items.n; i++)
        refer(u, d, &d->rare->items.v[i].t, true, false);
    for (size_t i = 0; i < d->rare->n_axes; i++)
        for (size_t k = 0; k < d->rare->axes[i].values.n; k++)
            refer(u, d, &d->rare->axes[i].values.v[k].t, true, false);
    for (size_t i = 0; i < d->out.n; i++)
        refer(u, d, &d->out.v[i].t, true, false);
    for (size_t i = 0; i < d->in.n; i++) {
        size_t first = d->refs.n;
        refer(u, d, &d->in.v[i].t, true, false);
        for (size_t k = first; k < d->refs.n; k++) /* looked up when all steps are there */
            d->refs.v[k].names = d->refs.v[k].values;
    }
    for (size_t i = 0; i < d->rare->copies.n; i++) {
        refer(u, d, &d->rare->copies.v[i].from.t, true, false);
        refer(u, d, &d->rare->copies.v[i].to.t, true, false);
    }
    if (d->rare->same.text.n != 0) {
        bool one;
        struct draft_rule *other = find_needed(u, d->rare->same.text, &one);
        if (other == NULL)
            no_step(r, &d->rare->same);
        else
            *vec_push(&d->refs) =
                (struct draft_reference){.to = other, .edge = true, .when = d->when};
    }
}

/* A rule is late if it is named after what is known only when others have run, or refers to a late
 * one: then it unfolds when the graph grows. */
void connect_drafts(struct unfolding *u, const draft_rules *drafts) {
    draft_rules late = {0};
    for (size_t i = 0; i < drafts->n; i++)
        connect(u, drafts->v[i]);
    for (size_t i = 0; i < drafts->n; i++) {
        struct draft_rule *d = drafts->v[i];
        bool waits = false;
        for (size_t k = 0; k < d->refs.n; k++) {
            struct draft_reference *ref = &d->refs.v[k];
            ref->values = ref->values || ref->to->rule->yields;
            ref->names = ref->names || ref->values;
            waits = waits || (ref->values && !(ref->to->unfolded && ref->to->over)) ||
                    (ref->to->rule->late && !ref->to->unfolded);
            if (!ref->to->unfolded)
                *vec_push(&ref->to->before) = d; /* for now: all that refer to it */
        }
        if (waits) {
            d->rule->late = true;
            *vec_push(&late) = d;
        }
    }
    for (size_t i = 0; i < late.n; i++)
        for (size_t k = 0; k < late.v[i]->before.n; k++) {
            struct draft_rule *d = late.v[i]->before.v[k];
            if (!d->rule->late) {
                d->rule->late = true;
                *vec_push(&late) = d;
            }
        }
    vec_free(&late);
    for (size_t i = 0; i < drafts->n; i++)
        drafts->v[i]->before.n = 0;
    for (size_t i = 0; i < drafts->n; i++) {
        struct draft_rule *d = drafts->v[i];
        d->waiting = 0;
        for (size_t k = 0; k < d->refs.n; k++) {
            struct draft_reference *ref = &d->refs.v[k];
            if ((ref->names || d->rule->late) && !ref->to->unfolded) {
                *vec_push(&ref->to->before) = d;
                d->waiting++;
            }
            if (ref->values && !ref->to->over) {
                *vec_push(&ref->to->listeners) = d;
                d->waiting++;
            }
        }
    }
}

/* --- files --- */

/* A step elsewhere has its files in a scratch directory: their names must stay inside. */
static bool leaves_directory(struct str name) {
    return name.s[0] == '/' || str_eq(name, STR(".")) || str_eq(name, STR("..")) ||
           str_starts(name, STR("../"));
}

static bool check_file(struct draft_rule *d, const struct step *step, struct str name,
                       struct str normal, bool out, struct place at) {
    struct diags *diags = d->reader->diags;
    const char *key = out ? "out" : "in";
    if (name.n == 0)
        diag_error(diags, at, "an empty name in `%s`", key);
    else if (step->pool != NULL && leaves_directory(normal))
        diag_error(diags, at, "`%s` is not below this directory, and the step runs elsewhere",
                   diag_name(diags, name));
    else if (out && (name.s[name.n - 1] == '/' || str_eq(normal, STR("."))))
        diag_error(diags, at, "`out` names files, `%s` is a directory", diag_name(diags, name));
    else
        return true;
    return false;
}

static struct scope scope_of(struct unfolding *u, const struct step *step) {
    return (struct scope){
        .graph = u->reader->graph,
        .step = step,
        .item = step->item,
        .item_file = step->item_file,
        .axes = step->axes,
        .n_axes = step->n_axes,
        .lines = true,
        .host = step->rule->every != NULL ? step->pool->hosts[0]->name : STR(""),
        .arena = &u->scratch,
    };
}

/* The names of a text, in u->names. false: told already. */
static bool find_names(struct unfolding *u, struct draft_rule *d, const struct step *step,
                       const struct draft_text *text, bool pattern) {
    u->names.n = 0;
    if (text->bad)
        return false;
    if (template_is_literal(&text->t)) {
        *vec_push(&u->names) = text->t.v[0].text;
        return spend_texts(d->reader, 1, 0, text->at);
    }
    struct scope scope = scope_of(u, step);
    bool good =
        expand_texts(d->reader, &text->t, text->at, &scope, pattern, &u->scratch, &u->names);
    u->scratch_names += u->names.n + 1;
    return good;
}

static void tidy(struct unfolding *u) {
    if (u->scratch_names > SCRATCH_MAX) {
        arena_free(&u->scratch);
        u->scratch_names = 0;
    }
}

static struct file **find_files(struct unfolding *u, struct draft_rule *d, const struct step *step,
                                bool out, uint32_t *n) {
    struct graph *g = d->reader->graph;
    const struct draft_texts *texts = out ? &d->out : &d->in;
    bool *silent = out ? &d->out_told : &d->in_told;
    u->files.n = 0;
    bool told = false;
    for (size_t i = 0; i < texts->n; i++) {
        const struct draft_text *text = &texts->v[i];
        if (text->pattern || text->optional || !find_names(u, d, step, text, false))
            continue;
        for (size_t k = 0; k < u->names.n; k++) {
            struct file *f = graph_file(g, u->names.v[k]);
            if (*silent || check_file(d, step, u->names.v[k], f->name, out, text->at))
                *vec_push(&u->files) = f;
            else
                told = true;
        }
    }
    *silent = *silent || told;
    struct file **all = arena_copy(&g->arena, u->files.v, u->files.n * sizeof *u->files.v);
    *n = (uint32_t)u->files.n;
    tidy(u);
    return all;
}

static void find_patterns(struct unfolding *u, struct draft_rule *d, struct step *step) {
    struct graph *g = d->reader->graph;
    VEC(struct pattern) patterns = {0};
    for (size_t i = 0; i < d->out.n; i++) {
        const struct draft_text *text = &d->out.v[i];
        if (!(text->pattern || text->optional) || !find_names(u, d, step, text, true))
            continue;
        for (size_t k = 0; k < u->names.n; k++) {
            struct str name = arena_str(&g->arena, u->names.v[k]);
            if (check_file(d, step, name, name, true, text->at))
                *vec_push(&patterns) =
                    (struct pattern){.text = name, .optional = text->optional, .at = text->at};
        }
    }
    step->patterns = arena_copy(&g->arena, patterns.v, patterns.n * sizeof *patterns.v);
    step->n_patterns = (uint32_t)patterns.n;
    vec_free(&patterns);
    tidy(u);
}

/* What is sent is read, what is fetched is made, where it has a plain name. */
static void find_copies(struct unfolding *u, struct draft_rule *d, struct step *step) {
    struct graph *g = d->reader->graph;
    VEC(struct copy) copies = {0};
    for (size_t i = 0; i < d->rare->copies.n; i++) {
        const struct draft_copy *from = &d->rare->copies.v[i];
        if (!find_names(u, d, step, &from->to, false))
            continue;
        if (u->names.n != 1) {
            diag_error(d->reader->diags, from->to.at, "a copy goes to one place, these are %zu",
                       u->names.n);
            continue;
        }
        struct str to = arena_str(&g->arena, u->names.v[0]);
        if (from->fetch && leaves_directory(to) && to.s[0] != '/' && !str_eq(to, STR(".")))
            diag_error(d->reader->diags, from->to.at, "`%s` is not below this directory",
                       diag_name(d->reader->diags, to));
        if (!find_names(u, d, step, &from->from, from->from.pattern))
            continue;
        for (size_t k = 0; k < u->names.n; k++)
            *vec_push(&copies) = (struct copy){.fetch = from->fetch,
                                               .pattern = from->from.pattern,
                                               .from = arena_str(&g->arena, u->names.v[k]),
                                               .to = to,
                                               .at = from->from.at};
    }
    step->copies = arena_copy(&g->arena, copies.v, copies.n * sizeof *copies.v);
    step->n_copies = (uint32_t)copies.n;
    vec_free(&copies);
    tidy(u);
}

/* --- steps --- */

static struct str name_with_host(struct graph *g, struct str item, struct str host) {
    if (item.s == NULL)
        return host;
    return arena_printf(&g->arena, "%.*s@%.*s", STR_FMT(item), STR_FMT(host));
}

/* A step without an item is found by its rule. false: there is one of that name. */
static bool name_step(struct draft_rule *d, struct step *step) {
    if (step->item.s == NULL)
        return !d->repeated;
    void **place = map_put(&d->reader->graph->step_names, step->name);
    if (*place != NULL)
        return false;
    *place = step;
    return true;
}

static void make_step(struct unfolding *u, struct draft_rule *d, const struct item *item,
                      struct pool *pool) {
    struct reader *r = d->reader;
    struct graph *g = r->graph;
    struct str text = item->text;
    bool every = d->rule->every != NULL;
    if (every)
        text = name_with_host(g, item->text, pool->hosts[0]->name);
    struct step *step = graph_add_step(g, d->rule, text, item->file && !every);
    if (!name_step(d, step)) {
        diag_error(r->diags, item->at, "the item `%s` is there twice",
                   diag_name(r->diags, item->text));
        return;
    }
    step->axes = item->axes;
    step->n_axes = (uint32_t)item->n_axes;
    step->pool = pool;
    if (d->rare->on.t.references != 0 && find_names(u, d, step, &d->rare->on, false)) {
        if (u->names.n != 1)
            diag_error(r->diags, d->rare->on.at, "`on` names one pool or host, these are %zu",
                       u->names.n);
        else
            find_place_to_run(d, arena_str(&g->arena, u->names.v[0]), &step->pool);
    }
    step->out = find_files(u, d, step, true, &step->n_out);
    find_patterns(u, d, step);
    if (d->rare->copies.n != 0)
        find_copies(u, d, step);
}

void make_steps(struct unfolding *u, struct draft_rule *d) {
    struct graph *g = d->reader->graph;
    size_t first = g->steps.n;
    item_list items = {0};
    if (d->each != EACH_ONCE)
        find_items(d, &items);
    else
        *vec_push(&items) = (struct item){.at = d->rule->at};
    const struct pool *every = d->rule->every;
    for (size_t i = 0; i < items.n; i++) {
        if (every == NULL)
            make_step(u, d, &items.v[i], d->pool);
        for (size_t h = 0; every != NULL && h < every->n_hosts; h++)
            make_step(u, d, &items.v[i], graph_host_pool(g, every->hosts[h]));
    }
    d->left = d->rule->n_steps = (uint32_t)(g->steps.n - first);
    if (d->rule->n_steps != 0)
        d->rule->steps =
            arena_copy(&g->arena, g->steps.v + first, d->rule->n_steps * sizeof *g->steps.v);
    vec_free(&items);
}

/* --- what waits for what --- */

struct step *all_of(struct draft_rule *d) {
    if (d->rule->n_steps == 1 && d->listed.n == 0)
        return d->rule->steps[0];
    if (d->gate == NULL) {
        /* Where m steps need all n of another rule: n + m edges instead of n * m. */
        struct graph *g = d->reader->graph;
        struct rule *rule = arena_alloc(&g->arena, sizeof *rule);
        *rule = (struct rule){.id = UINT32_MAX, .name = d->rule->name, .at = d->rule->at};
        VEC(struct step *) needs = {0};
        for (size_t i = 0; i < d->rule->n_steps; i++)
            *vec_push(&needs) = d->rule->steps[i];
        for (size_t i = 0; i < d->listed.n; i++)
            if (d->listed.v[i]->unfolded)
                *vec_push(&needs) = all_of(d->listed.v[i]);
        d->gate = graph_add_step(g, rule, (struct str){0}, false);
        d->gate->needs = arena_copy(&g->arena, needs.v, needs.n * sizeof *needs.v);
        d->gate->n_needs = (uint32_t)needs.n;
        vec_free(&needs);
    }
    return d->gate;
}

struct step *stand_in(struct unfolding *u, struct draft_rule *d) {
    struct graph *g = u->reader->graph;
    struct step *step = graph_add_step(g, d->rule, (struct str){0}, false);
    d->rule->steps = arena_copy(&g->arena, &step, sizeof step);
    d->left = d->rule->n_steps = 1;
    return step;
}

struct edges {
    VEC(struct step *) steps;
    VEC(uint8_t) when;
};

static void add_edge(struct edges *edges, struct step *step, enum when when) {
    *vec_push(&edges->steps) = step;
    *vec_push(&edges->when) = (uint8_t)when;
}

/* The step of the same item; of a rule with one step: that one. NULL: there is none. */
static struct step *pair_of(const struct graph *g, const struct rule *rule,
                            const struct step *step) {
    if (rule->n_steps == 1)
        return rule->steps[0];
    if (step->item.s == NULL)
        return NULL;
    struct buf name = {0};
    buf_printf(&name, "%.*s[%.*s]", STR_FMT(rule->name), STR_FMT(step->item));
    struct step *pair = map_get(&g->step_names, buf_view(&name));
    buf_free(&name);
    return pair;
}

/* To all steps of a rule, or that one which is meant. */
static void add_reference(struct draft_rule *d, const struct draft_reference *ref,
                          const struct step *step, struct edges *edges) {
    struct reader *r = d->reader;
    const struct rule *rule = ref->to->rule;
    bool paired = d->rule->every != NULL && rule->every != NULL;
    struct step *pair = paired ? pair_of(r->graph, rule, step) : NULL;
    if (ref->item != NULL) {
        struct step *one = map_get(&r->graph->step_names, ref->item->text);
        if (one != NULL)
            add_edge(edges, one, ref->when);
        else if (!d->in_told)
            no_step(r, ref->item);
    } else if (pair != NULL) {
        add_edge(edges, pair, ref->when);
    } else if (ref->when == WHEN_SUCCESS) {
        add_edge(edges, all_of(ref->to), WHEN_SUCCESS);
    } else { /* all of them are waited for, also when one has failed */
        for (size_t i = 0; i < rule->n_steps; i++)
            add_edge(edges, rule->steps[i], ref->when);
        for (size_t i = 0; i < ref->to->listed.n; i++)
            if (ref->to->listed.v[i]->unfolded)
                add_edge(edges, all_of(ref->to->listed.v[i]), ref->when);
    }
}

static void find_same(struct draft_rule *d, struct step *step) {
    struct reader *r = d->reader;
    const struct rule *rule = map_get(&r->graph->rule_names, d->rare->same.text);
    step->same = rule != NULL ? pair_of(r->graph, rule, step)
                              : map_get(&r->graph->step_names, d->rare->same.text);
    if (step->same != NULL) {
        step->pool = step->same->pool;
    } else if (rule != NULL && !d->in_told) {
        diag_error(r->diags, d->rare->same.at,
                   "`%s` has several steps, and none for this one's item",
                   diag_name(r->diags, d->rare->same.text));
        d->in_told = true;
    }
}

static bool is_edge_per_step(const struct draft_rule *d) {
    if (d->rare->same.text.n != 0)
        return true;
    for (size_t i = 0; i < d->refs.n && d->rule->every != NULL; i++)
        if (d->refs.v[i].to->rule->every != NULL)
            return true;
    return false;
}

void find_edges(struct unfolding *u, struct draft_rule *d) {
    struct graph *g = d->reader->graph;
    struct edges edges = {0};
    struct step **shared = NULL;
    uint8_t *when = NULL;
    bool each = is_edge_per_step(d);
    for (size_t i = 0; i < d->rule->n_steps; i++) {
        struct step *step = d->rule->steps[i];
        if (each || i == 0) {
            edges.steps.n = edges.when.n = 0;
            bool conditions = false;
            for (size_t k = 0; k < d->refs.n; k++)
                if (d->refs.v[k].edge)
                    add_reference(d, &d->refs.v[k], step, &edges);
            for (size_t k = 0; k < edges.when.n; k++)
                conditions = conditions || edges.when.v[k] != WHEN_SUCCESS;
            shared = arena_copy(&g->arena, edges.steps.v, edges.steps.n * sizeof *edges.steps.v);
            when = conditions ? arena_copy(&g->arena, edges.when.v, edges.when.n) : NULL;
        }
        step->needs = shared;
        step->when = when;
        step->n_needs = (uint32_t)edges.steps.n;
        if (d->rare->same.text.n != 0)
            find_same(d, step);
        step->in = find_files(u, d, step, false, &step->n_in);
    }
    vec_free(&edges.steps);
    vec_free(&edges.when);
}
