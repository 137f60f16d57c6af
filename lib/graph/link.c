/* Files become edges between steps; two makers of one file and cycles are told. */
#include "base/mem.h"
#include "graph/graph.h"

#include <stdlib.h>

enum { PATH_SHOWN = 20 };

/* --- makers --- */

static void report_makers(const struct file *f, const struct step *step, struct diags *diags) {
    const struct step *first = f->maker;
    const char *name = diag_name(diags, f->name), *by = diag_name(diags, step->name);
    if (first == step) {
        diag_error(diags, step->out_at, "`%s` is made twice by `%s`", name, by);
        return;
    }
    diag_error(diags, step->out_at, "`%s` is made by `%s` and by `%s`", name,
               diag_name(diags, first->name), by);
    if (first->rule == step->rule)
        diag_help(diags, "each item needs files of its own: name them after {{item}}");
    else
        diag_note(diags, first->out_at, "the other one");
}

static void find_makers(struct graph *g, struct diags *diags) {
    /* Of two rules with many items, or of one against itself, one file is enough: all have one
     * cause. */
    const struct rule *told = NULL, *told_maker = NULL;
    for (size_t i = 0; i < g->steps.n; i++) {
        struct step *step = g->steps.v[i];
        for (size_t o = 0; o < step->n_out; o++) {
            struct file *f = step->out[o];
            if (f->maker == NULL) {
                f->maker = step;
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

/* --- edges --- */

static int by_id(const void *a, const void *b) {
    const struct step *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* What the step was told to need, and the makers of what it reads; each once. */
static void find_needs(struct graph *g, struct step *step) {
    size_t n = 0;
    struct step **all = mem_array(NULL, step->n_needs + step->n_in, sizeof *all);
    for (size_t i = 0; i < step->n_needs; i++)
        all[n++] = step->needs[i];
    for (size_t i = 0; i < step->n_in; i++)
        if (step->in[i]->maker != NULL)
            all[n++] = step->in[i]->maker;
    if (n > 1)
        qsort(all, n, sizeof *all, by_id);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || all[kept - 1] != all[i])
            all[kept++] = all[i];
    step->needs = kept != 0 ? arena_copy(&g->arena, all, kept * sizeof *all) : NULL;
    step->n_needs = kept;
    free(all);
}

/* --- cycles --- */

/* Strongly connected components: steps that all need one another, directly or not. Tarjan's
 * algorithm, with a stack of its own. Arrays are indexed by the ids of steps. */
struct search {
    const struct graph *graph;
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
    while (s->place[step->id] == 0) {
        *vec_push(&path) = step;
        s->place[step->id] = (uint32_t)path.n;
        size_t i = 0;
        while (s->cycle[step->needs[i]->id] != s->n_cycles)
            i++;
        step = step->needs[i];
    }
    const struct step **cycle = path.v + s->place[step->id] - 1;
    size_t n = path.n - (s->place[step->id] - 1), lowest = 0;
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

/* All from id on, at the top of `open`, are one component. */
static void close_component(struct search *s, uint32_t id) {
    const struct step *step = s->graph->steps.v[id];
    bool cyclic = s->open[s->n_open - 1] != id || needs_itself(step);
    s->n_cycles += cyclic;
    uint32_t last;
    do {
        last = s->open[--s->n_open];
        s->low[last] = UINT32_MAX;
        s->cycle[last] = cyclic ? s->n_cycles : 0;
    } while (last != id);
    if (cyclic)
        report_cycle(s, step);
}

static void meet(struct search *s, uint32_t id) {
    s->met[id] = s->low[id] = ++s->n_met;
    s->path[s->n_path++] = s->open[s->n_open++] = id;
}

static void search_from(struct search *s, uint32_t start) {
    if (s->met[start] == 0)
        meet(s, start);
    while (s->n_path != 0) {
        uint32_t id = s->path[s->n_path - 1];
        const struct step *step = s->graph->steps.v[id];
        if (s->next[id] == step->n_needs) {
            s->n_path--;
            if (s->low[id] == s->met[id])
                close_component(s, id);
            continue;
        }
        uint32_t need = step->needs[s->next[id]]->id;
        if (s->met[need] == 0) { /* looked at again when its own needs are done */
            meet(s, need);
            continue;
        }
        s->next[id]++;
        if (s->low[need] < s->low[id])
            s->low[id] = s->low[need];
    }
}

static void find_cycles(const struct graph *g, struct diags *diags) {
    size_t n = g->steps.n;
    struct search s = {.graph = g, .diags = diags};
    uint32_t **arrays[] = {&s.met, &s.low, &s.next, &s.cycle, &s.place, &s.path, &s.open};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        *arrays[i] = mem_zalloc(n * sizeof **arrays[i]);
    for (size_t i = 0; i < n; i++)
        search_from(&s, (uint32_t)i);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(*arrays[i]);
}

bool graph_link(struct graph *g, struct diags *diags) {
    size_t errors = diags->errors;
    find_makers(g, diags);
    for (size_t i = 0; i < g->steps.n; i++)
        find_needs(g, g->steps.v[i]);
    find_cycles(g, diags);
    return diags->errors == errors;
}
