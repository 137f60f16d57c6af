/* Files become edges between steps; two makers of one file and cycles are told. */
#include "graph/graph.h"

#include "base/mem.h"

#include <stdlib.h>

static bool find_makers(struct graph *g, struct diags *diags) {
    bool good = true;
    for (size_t i = 0; i < g->steps.n; i++) {
        struct step *step = g->steps.v[i];
        for (size_t o = 0; o < step->n_out; o++) {
            struct file *f = step->out[o];
            if (f->maker == NULL) {
                f->maker = step;
                continue;
            }
            good = false;
            const char *name = diag_name(diags, f->name);
            if (f->maker == step)
                diag_error(diags, step->out_at, "`%s` makes `%s` twice",
                           diag_name(diags, step->name), name);
            else
                diag_error(diags, step->out_at, "both `%s` and `%s` make `%s`",
                           diag_name(diags, f->maker->name), diag_name(diags, step->name), name);
            if (f->maker->out_at.line != step->out_at.line)
                diag_note(diags, f->maker->out_at, "the other one");
        }
    }
    return good;
}

static int by_id(const void *a, const void *b) {
    const struct step *const *x = a, *const *y = b;
    return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* What the step was told to need, and the makers of what it reads; each once. */
static void find_needs(struct graph *g, struct step *step) {
    size_t n = 0;
    struct step **all = mem_array(NULL, step->n_needs + step->n_in + 1, sizeof *all);
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
    if (kept != 0)
        step->needs = arena_copy(&g->arena, all, kept * sizeof *all);
    step->n_needs = kept;
    free(all);
}

/* The cycle on which `from` is found when only steps that wait for one another are left: every one
 * of them needs another one of them, so that following the first such need must come back. */
static void report_cycle(struct graph *g, const uint32_t *waiting, struct step *from, bool *told,
                         struct diags *diags) {
    size_t *seen_at = mem_zalloc(g->steps.n * sizeof *seen_at);
    VEC(struct step *) path = {0};
    struct step *step = from;
    while (seen_at[step->id] == 0 && !told[step->id]) {
        *vec_push(&path) = step;
        seen_at[step->id] = path.n;
        for (size_t i = 0; i < step->n_needs; i++)
            if (waiting[step->needs[i]->id] != 0) {
                step = step->needs[i];
                break;
            }
    }
    for (size_t i = 0; i < path.n; i++)
        told[path.v[i]->id] = true;
    if (seen_at[step->id] != 0) {
        struct buf text = {0};
        size_t first = seen_at[step->id] - 1;
        for (size_t i = first; i < path.n && i < first + 20; i++)
            buf_printf(&text, "%s -> ", diag_name(diags, path.v[i]->name));
        if (path.n > first + 20)
            buf_puts(&text, "... -> ");
        buf_puts(&text, diag_name(diags, step->name));
        diag_error(diags, step->rule->at, "a cycle: %s", text.s);
        diag_help(diags, "`a -> b` means that a needs b");
        buf_free(&text);
    }
    vec_free(&path);
    free(seen_at);
}

static bool find_cycles(struct graph *g, struct diags *diags) {
    size_t n = g->steps.n, done = 0;
    uint32_t *waiting = mem_zalloc((n + 1) * sizeof *waiting); /* needs that are not done */
    uint32_t *users =
        mem_zalloc((n + 2) * sizeof *users); /* where in `list` those that need a step begin */
    size_t edges = 0;
    for (size_t i = 0; i < n; i++) {
        waiting[i] = (uint32_t)g->steps.v[i]->n_needs;
        for (size_t k = 0; k < g->steps.v[i]->n_needs; k++, edges++)
            users[g->steps.v[i]->needs[k]->id + 1]++;
    }
    for (size_t i = 0; i < n; i++)
        users[i + 1] += users[i];
    uint32_t *fill = mem_array(NULL, n + 1, sizeof *fill);
    uint32_t *list = mem_array(NULL, edges + 1, sizeof *list);
    uint32_t *queue = mem_array(NULL, n + 1, sizeof *queue);
    for (size_t i = 0; i < n; i++)
        fill[i] = users[i];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < g->steps.v[i]->n_needs; k++)
            list[fill[g->steps.v[i]->needs[k]->id]++] = (uint32_t)i;
    size_t ready = 0;
    for (size_t i = 0; i < n; i++)
        if (waiting[i] == 0)
            queue[ready++] = (uint32_t)i;
    while (done < ready) {
        uint32_t id = queue[done++];
        for (uint32_t k = users[id]; k < users[id + 1]; k++)
            if (--waiting[list[k]] == 0)
                queue[ready++] = list[k];
    }
    if (done != n) {
        bool *told = mem_zalloc(n * sizeof *told);
        int reported = 0;
        for (size_t i = 0; i < n && reported < 20; i++)
            if (waiting[i] != 0 && !told[i]) {
                report_cycle(g, waiting, g->steps.v[i], told, diags);
                reported++;
            }
        free(told);
    }
    free(waiting);
    free(users);
    free(fill);
    free(list);
    free(queue);
    return done == n;
}

bool graph_link(struct graph *g, struct diags *diags) {
    bool good = find_makers(g, diags);
    for (size_t i = 0; i < g->steps.n; i++)
        find_needs(g, g->steps.v[i]);
    return find_cycles(g, diags) && good;
}
