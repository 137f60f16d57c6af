/* Files become edges between steps; two makers of one file and cycles are told. */
#include "base/mem.h"
#include "graph/graph.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SHOWN = 20 };

/* --- makers --- */

static void report_makers(const struct file *f, const struct step *step, struct diags *diags) {
    const struct step *first = f->maker;
    const char *name = diag_name(diags, f->name), *by = diag_name(diags, step->name);
    if (first == step) {
        diag_error(diags, step->rule->out_at, "`%s` is made twice by `%s`", name, by);
        return;
    }
    diag_error(diags, step->rule->out_at, "`%s` is made by `%s` and by `%s`", name,
               diag_name(diags, first->name), by);
    if (first->rule == step->rule)
        diag_help(diags, "each item needs files of its own: name them after {{item}}");
    else
        diag_note(diags, first->rule->out_at, "the other one");
}

/* Steps that read a file are linked before those that came later and make it. */
static void report_too_late(const struct file *f, const struct step *step, struct diags *diags) {
    diag_error(diags, step->rule->out_at,
               "`%s` makes `%s`, which other steps took for a file that is there",
               diag_name(diags, step->name), diag_name(diags, f->name));
    diag_help(diags, "let them name where it comes from: `needs: %s`, or {{%s.out}} in `in`",
              diag_name(diags, step->rule->name), diag_name(diags, step->rule->name));
}

/* What is fetched under a plain name is made by the step, and what is sent under one is read. */
static struct file *copied(struct graph *g, const struct copy *copy, bool fetch) {
    struct str here = copy->fetch ? copy->to : copy->from;
    if (copy->fetch != fetch || copy->pattern || here.s[here.n - 1] == '/')
        return NULL;
    return graph_file(g, here);
}

static void find_makers(struct graph *g, size_t start, struct diags *diags) {
    /* Of two rules with many items, or of one against itself, one file is enough: all have one
     * cause. */
    const struct rule *told = NULL, *told_maker = NULL;
    for (size_t i = start; i < g->steps.n; i++) {
        struct step *step = g->steps.v[i];
        for (size_t o = 0; o < step->n_out + step->n_copies; o++) {
            struct file *f =
                o < step->n_out ? step->out[o] : copied(g, &step->copies[o - step->n_out], true);
            if (f == NULL)
                continue;
            if (f->maker == NULL) {
                f->maker = step;
                if (f->read && told != step->rule) {
                    report_too_late(f, step, diags);
                    told = step->rule;
                }
                continue;
            }
            const struct rule *maker = f->maker->rule;
            bool many = step->rule->n_steps > 1 || step->rule == maker;
            if (many && step->rule == told && maker == told_maker)
                continue;
            told = step->rule;
            told_maker = maker;
            report_makers(f, step, diags);
        }
    }
}

/* --- files that only a pattern stands for --- */

/* A pattern, found by what it begins with up to the first character that is not itself. */
struct prefix {
    const struct pattern *pattern;
    struct step *step;
    struct prefix *next;
};

static void collect_patterns(struct graph *g, size_t start) {
    for (size_t i = start; i < g->steps.n; i++)
        for (size_t k = 0; k < g->steps.v[i]->n_patterns; k++) {
            const struct pattern *pattern = &g->steps.v[i]->patterns[k];
            size_t n = strcspn(pattern->text.s, "*?[\\");
            void **place = map_put(&g->pattern_prefixes, (struct str){pattern->text.s, n});
            struct prefix *prefix = arena_alloc(&g->arena, sizeof *prefix);
            *prefix = (struct prefix){pattern, g->steps.v[i], *place};
            *place = prefix;
            g->longest_prefix = n > g->longest_prefix ? n : g->longest_prefix;
        }
}

/* The step whose pattern the name matches; NULL if there is none. */
static struct step *pattern_maker(const struct graph *g, struct str name) {
    size_t n = name.n < g->longest_prefix ? name.n : g->longest_prefix;
    for (size_t i = 0; i <= n; i++) {
        const struct prefix *prefix = map_get(&g->pattern_prefixes, (struct str){name.s, n - i});
        for (; prefix != NULL; prefix = prefix->next)
            if (fnmatch(prefix->pattern->text.s, name.s, FNM_PATHNAME | FNM_PERIOD) == 0)
                return prefix->step;
    }
    return NULL;
}

/* --- edges --- */

struct need {
    struct step *step;
    uint8_t when;
};

typedef VEC(struct need) need_list;

static int by_id(const void *a, const void *b) {
    const struct need *x = a, *y = b;
    return ((x->step->id > y->step->id) - (x->step->id < y->step->id)) * 4 + (x->when > y->when) -
           (x->when < y->when);
}

/* What the step was told to need, and the makers of what it reads; each once, with the strictest
 * condition: what it reads must have been made. */
static void find_needs(struct graph *g, struct step *step, need_list *all) {
    all->n = 0;
    for (size_t i = 0; i < step->n_needs; i++)
        *vec_push(all) = (struct need){step->needs[i], step->when != NULL ? step->when[i] : 0};
    for (size_t i = 0; i < step->n_in + step->n_copies; i++) {
        struct file *f =
            i < step->n_in ? step->in[i] : copied(g, &step->copies[i - step->n_in], false);
        if (f == NULL)
            continue;
        f->read = true;
        if (f->maker == NULL && g->pattern_prefixes.n != 0) {
            struct step *maker = pattern_maker(g, f->name);
            f->maker = maker != step ? maker : NULL;
        }
        if (f->maker != NULL)
            *vec_push(all) = (struct need){f->maker, WHEN_SUCCESS};
    }
    if (all->n > 1)
        qsort(all->v, all->n, sizeof *all->v, by_id);
    size_t kept = 0;
    bool conditions = false;
    for (size_t i = 0; i < all->n; i++)
        if (kept == 0 || all->v[kept - 1].step != all->v[i].step) {
            conditions = conditions || all->v[i].when != WHEN_SUCCESS;
            all->v[kept++] = all->v[i];
        }
    step->needs = kept != 0 ? arena_alloc(&g->arena, kept * sizeof *step->needs) : NULL;
    step->when = conditions ? arena_alloc(&g->arena, kept) : NULL;
    step->n_needs = (uint32_t)kept;
    for (size_t i = 0; i < kept; i++) {
        step->needs[i] = all->v[i].step;
        if (conditions)
            step->when[i] = all->v[i].when;
    }
}

/* --- cycles --- */

/* Strongly connected components: steps that all need one another, directly or not. Tarjan's
 * algorithm, with a stack of its own. Arrays are indexed by a step's place in `steps`. */
struct search {
    struct step *const *steps; /* those from the first one on that is looked at: the ones before it
                                  cannot need these */
    uint32_t first;            /* the id of steps[0] */
    struct diags *diags;
    uint32_t *met; /* 1 + how many were met before; 0: not yet */
    uint32_t
        *low; /* the lowest `met` that is reached from it; UINT32_MAX: its component is known */
    uint32_t *next;        /* of its needs, to be followed */
    uint32_t *cycle;       /* the number of the component, if it has a cycle */
    uint32_t *place;       /* 1 + where it stands on a path that is told */
    uint32_t *path, *open; /* stacks of ids: followed now; met, and in no known component */
    uint32_t n_path, n_open, n_met, n_cycles;
};

/* Every step of the component needs another one of it: following them comes back somewhere. The
 * path is told from its lowest id on. */
static void report_cycle(struct search *s, const struct step *step) {
    VEC(const struct step *) path = {0};
    while (s->place[step->id - s->first] == 0) {
        *vec_push(&path) = step;
        s->place[step->id - s->first] = (uint32_t)path.n;
        size_t i = 0;
        while (step->needs[i]->id < s->first ||
               s->cycle[step->needs[i]->id - s->first] != s->n_cycles)
            i++;
        step = step->needs[i];
    }
    const struct step **cycle = path.v + s->place[step->id - s->first] - 1;
    size_t n = path.n - (s->place[step->id - s->first] - 1), lowest = 0;
    for (size_t i = 1; i < n; i++)
        if (cycle[i]->id < cycle[lowest]->id)
            lowest = i;
    struct buf text = {0};
    for (size_t i = 0; i < n && i < PATH_SHOWN; i++)
        buf_printf(&text, "%s -> ", diag_name(s->diags, cycle[(lowest + i) % n]->name));
    if (n > PATH_SHOWN)
        buf_puts(&text, "... -> ");
    buf_puts(&text, diag_name(s->diags, cycle[lowest]->name));
    diag_error(s->diags, cycle[lowest]->rule->at, "a cycle: %s", text.s);
    diag_help(s->diags, "`a -> b` means that a needs b");
    buf_free(&text);
    vec_free(&path);
}

static bool needs_itself(const struct step *step) {
    for (size_t i = 0; i < step->n_needs; i++)
        if (step->needs[i] == step)
            return true;
    return false;
}

/* All from this one on, at the top of `open`, are one component. */
static void close_component(struct search *s, uint32_t i) {
    const struct step *step = s->steps[i];
    bool cyclic = s->open[s->n_open - 1] != i || needs_itself(step);
    s->n_cycles += cyclic;
    uint32_t last;
    do {
        last = s->open[--s->n_open];
        s->low[last] = UINT32_MAX;
        s->cycle[last] = cyclic ? s->n_cycles : 0;
    } while (last != i);
    if (cyclic)
        report_cycle(s, step);
}

static void meet(struct search *s, uint32_t i) {
    s->met[i] = s->low[i] = ++s->n_met;
    s->path[s->n_path++] = s->open[s->n_open++] = i;
}

static void search_from(struct search *s, uint32_t start) {
    if (s->met[start] == 0)
        meet(s, start);
    while (s->n_path != 0) {
        uint32_t i = s->path[s->n_path - 1];
        const struct step *step = s->steps[i];
        if (s->next[i] == step->n_needs) {
            s->n_path--;
            if (s->low[i] == s->met[i])
                close_component(s, i);
            continue;
        }
        if (step->needs[s->next[i]]->id < s->first) {
            s->next[i]++;
            continue;
        }
        uint32_t need = step->needs[s->next[i]]->id - s->first;
        if (s->met[need] == 0) { /* looked at again when its own needs are done */
            meet(s, need);
            continue;
        }
        s->next[i]++;
        if (s->low[need] < s->low[i])
            s->low[i] = s->low[need];
    }
}

static void find_cycles(const struct graph *g, size_t first, struct diags *diags) {
    size_t n = g->steps.n - first;
    struct search s = {.steps = g->steps.v + first, .first = (uint32_t)first, .diags = diags};
    uint32_t **arrays[] = {&s.met, &s.low, &s.next, &s.cycle, &s.place, &s.path, &s.open};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = mem_zalloc((n + 1) * sizeof **arrays[i]);
    for (size_t i = 0; i < n; i++)
        search_from(&s, (uint32_t)i);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(*arrays[i]);
}

bool graph_link(struct graph *g, size_t first, struct diags *diags) {
    size_t errors = diags->errors;
    need_list needs = {0};
    find_makers(g, first, diags);
    collect_patterns(g, first);
    for (size_t i = first; i < g->steps.n; i++)
        find_needs(g, g->steps.v[i], &needs);
    vec_free(&needs);
    if (g->steps.n != first)
        find_cycles(g, first, diags);
    return diags->errors == errors;
}

/* --- later --- */

struct needs_before {
    struct step *step, **needs;
    uint8_t *when;
    size_t n_needs;
};

static bool add_need(struct graph *g, struct step *step, struct step *need) {
    size_t at = 0;
    while (at < step->n_needs && step->needs[at]->id < need->id)
        at++;
    if (step == need || (at < step->n_needs && step->needs[at] == need))
        return false;
    struct step **needs = arena_alloc(&g->arena, (step->n_needs + 1) * sizeof(struct step *));
    uint8_t *when = step->when != NULL ? arena_alloc(&g->arena, step->n_needs + 1) : NULL;
    for (size_t i = 0; i <= step->n_needs; i++) {
        needs[i] = i < at ? step->needs[i] : i == at ? need : step->needs[i - 1];
        if (when != NULL)
            when[i] = i < at ? step->when[i] : i == at ? WHEN_SUCCESS : step->when[i - 1];
    }
    step->needs = needs;
    step->when = when;
    step->n_needs++;
    return true;
}

bool graph_add_needs(struct graph *g, const struct edge *edges, size_t n) {
    VEC(struct needs_before) before = {0};
    for (size_t i = 0; i < n; i++) {
        struct step *step = edges[i].step;
        struct needs_before was = {step, step->needs, step->when, step->n_needs};
        if (add_need(g, step, edges[i].need))
            *vec_push(&before) = was;
    }
    struct diags diags;
    diags_init(&diags);
    if (before.n != 0)
        find_cycles(g, 0, &diags);
    bool good = diags.errors == 0;
    diags_free(&diags);
    while (!good && before.n != 0) {
        const struct needs_before *was = &before.v[--before.n];
        was->step->needs = was->needs;
        was->step->when = was->when;
        was->step->n_needs = (uint32_t)was->n_needs;
    }
    vec_free(&before);
    return good;
}
