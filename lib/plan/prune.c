/* Before anything runs: what is fresh goes out of the plan. */
#include "plan/fresh_state.h"

#include "base/mem.h"
#include "base/parallel.h"

struct looking {
    struct fresh *fresh;
    VEC(const struct file *) files;
};

static void look_at_some(void *context, size_t from, size_t to) {
    struct looking *l = context;
    for (size_t i = from; i < to; i++) {
        const struct file *file = l->files.v[i];
        l->fresh->files.v[file->id].is = signature_of(file->name.s, file->maker == NULL);
    }
}

static void add_file(struct looking *l, const struct file *file) {
    struct known *k = &l->fresh->files.v[file->id];
    if (k->looked)
        return;
    k->looked = true;
    *vec_push(&l->files) = file;
}

/* Of the files of all steps that may be fresh, once, by all cores; of a step that never ran only
 * what it takes elsewhere, whose size counts. */
static void look_at_all(struct fresh *f, const struct plan *plan) {
    struct looking l = {.fresh = f};
    while (f->files.n < f->graph->files.n)
        vec_push(&f->files);
    for (size_t i = 0; i < plan->steps.n; i++) {
        const struct step *step = plan->steps.v[i];
        struct past past;
        bool known = journal_find(f->journal, fresh_key(f, step), &past);
        bool inputs = fresh_has_outputs(step) && (known || step->pool != NULL);
        for (size_t k = 0; inputs && k < step->n_in; k++)
            add_file(&l, step->in[k]);
        for (size_t k = 0; known && k < step->n_out; k++)
            add_file(&l, step->out[k]);
    }
    parallel(l.files.n, look_at_some, &l);
    vec_free(&l.files);
}

struct pruning {
    struct fresh *fresh;
    struct plan *plan;
    VEC(bool) needed; /* by step id: it is fresh, and stays, since others wait for it to fail */
};

/* Whether all that it waits for is over and went well; a step that waits for a failure never is. */
static bool is_free(struct pruning *p, const struct step *step) {
    bool is = true;
    for (size_t i = 0; i < step->n_needs; i++) {
        const struct step *need = step->needs[i];
        bool fresh = fresh_state(p->fresh, need) == STEP_FRESH;
        if (step->when != NULL && step->when[i] == WHEN_FAILURE) {
            while (p->needed.n <= need->id)
                *vec_push(&p->needed) = false;
            p->needed.v[need->id] = true;
            is = false;
        }
        is = is && (fresh || !plan_has(p->plan, need));
    }
    return is;
}

static void grow(struct pruning *p, struct step *step, struct diags *diags) {
    struct growth *growth = p->fresh->graph->growth;
    size_t first = p->fresh->graph->steps.n;
    if (growth == NULL)
        return;
    growth->over(growth, step, true, diags);
    if (p->fresh->graph->steps.n != first)
        plan_grow(p->plan, first, diags);
}

static void take_out(struct pruning *p) {
    struct plan *plan = p->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->steps.n; i++) {
        struct step *step = plan->steps.v[i];
        bool needed = step->id < p->needed.n && p->needed.v[step->id];
        if (fresh_state(p->fresh, step) == STEP_FRESH && !needed) {
            plan_leave(plan, step);
            continue;
        }
        plan->place.v[step->id] = (uint32_t)kept;
        plan->steps.v[kept++] = step;
    }
    plan->steps.n = kept;
}

size_t fresh_prune(struct fresh *f, struct plan *plan, struct diags *diags) {
    struct pruning p = {.fresh = f, .plan = plan};
    size_t fresh = 0;
    if (f->journal != NULL && !f->options.always)
        look_at_all(f, plan);
    /* As in the run itself: a mistake that comes to light fails the steps that it is in. */
    bool running = f->graph->running;
    f->graph->running = true;
    f->looking_once = true;
    for (size_t i = 0; i < plan->steps.n; i++) { /* it grows */
        struct step *step = plan->steps.v[i];
        bool script = step->rule->script_at.line != 0;
        if (!is_free(&p, step))
            continue;
        if (!script && !step->broken) {
            fresh_mark(f, step, STEP_FRESH);
        } else if (fresh_judge(f, step, NULL).verdict == IS_FRESH) {
            fresh_settle(f, step, diags);
            fresh++;
            grow(&p, step, diags);
        } else {
            fresh_mark(f, step, STEP_STALE);
        }
    }
    f->looking_once = false;
    f->graph->running = running;
    take_out(&p);
    vec_free(&p.needed);
    return fresh;
}

void fresh_link(struct fresh *f, struct diags *diags) {
    VEC(struct edge) edges = {0};
    for (size_t i = 0; i < f->graph->steps.n && f->journal != NULL; i++) {
        struct step *step = f->graph->steps.v[i];
        struct past past;
        if (step->rule->deps.n == 0 || !journal_find(f->journal, fresh_key(f, step), &past))
            continue;
        for (size_t k = 0; past.ended && k < past.last.n_deps; k++) {
            const struct file *file =
                graph_find_file(f->graph, journal_version(f->journal, past.last.deps[k])->name);
            if (file != NULL && file->maker != NULL)
                *vec_push(&edges) = (struct edge){step, file->maker};
        }
    }
    if (edges.n != 0 && !graph_add_needs(f->graph, edges.v, edges.n))
        diag_warning(diags, (struct place){0},
                     "by what steps said last time that they read, some would wait for "
                     "themselves: that order is not kept");
    vec_free(&edges);
}
