#include "plan/plan.h"

#include "base/mem.h"
#include "base/regex.h"
#include "base/strlist.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct choice {
    const struct graph *graph;
    struct diags *diags;
    bool *wanted;             /* by step id */
    VEC(struct step *) queue; /* wanted, their needs not yet looked at */
    struct map inputs; /* names that were looked for; a step's use of one needs no other look */
    str_list names;    /* of rules and made files, for suggestions */
};

enum { HELPED_MAX = 100 }; /* errors that get a suggestion: each is a search through all names */

static void want(struct choice *c, struct step *step) {
    if (c->wanted[step->id])
        return;
    c->wanted[step->id] = true;
    *vec_push(&c->queue) = step;
}

static void want_matching(struct choice *c, struct str target) {
    struct str pattern = {target.s + 1, target.n - 2};
    char error[128];
    size_t offset, found = 0;
    struct regex *regex = regex_new(pattern, error, sizeof error, &offset);
    if (regex == NULL) {
        diag_error(c->diags, (struct place){0}, "target `%s`: %s, at character %zu",
                   diag_name(c->diags, target), error, offset + 1);
        return;
    }
    for (size_t i = 0; i < c->graph->steps.n; i++) {
        struct step *step = c->graph->steps.v[i];
        int answer = step->rule->n_steps != 0 ? regex_match(regex, step->name) : 0;
        if (answer < 0) {
            diag_error(c->diags, (struct place){0},
                       "target `%s` takes too long to match: write it more simply",
                       diag_name(c->diags, target));
            break;
        }
        if (answer > 0) {
            want(c, step);
            found++;
        }
    }
    if (found == 0)
        diag_error(c->diags, (struct place){0}, "no step's name matches `%s`",
                   diag_name(c->diags, target));
    regex_free(regex);
}

static bool exists(struct str name) {
    struct buf b = {0};
    struct stat st;
    buf_str(&b, name);
    bool there = stat(b.s, &st) == 0;
    buf_free(&b);
    return there;
}

static void collect_names(struct choice *c) {
    const struct graph *g = c->graph;
    for (size_t i = 0; i < g->rules.n; i++)
        *vec_push(&c->names) = g->rules.v[i]->name;
    for (size_t i = 0; i < g->steps.n; i++)
        for (size_t o = 0; o < g->steps.v[i]->n_out; o++)
            *vec_push(&c->names) = g->steps.v[i]->out[o]->name;
}

static void help_target(struct choice *c, struct str target) {
    if (c->diags->errors > HELPED_MAX)
        return;
    if (c->names.n == 0)
        collect_names(c);
    const struct str *meant = suggest(target, c->names.v, c->names.n);
    if (meant != NULL)
        diag_help(c->diags, "did you mean `%s`?", diag_name(c->diags, *meant));
}

static void want_target(struct choice *c, struct str target) {
    const struct rule *rule = map_get(&c->graph->rule_names, target);
    struct step *step = map_get(&c->graph->step_names, target);
    const struct file *file = graph_find_file(c->graph, target);
    if (rule != NULL) {
        for (size_t i = 0; i < rule->n_steps; i++)
            want(c, rule->steps[i]);
    } else if (step != NULL) {
        want(c, step);
    } else if (file != NULL && file->maker != NULL) {
        want(c, file->maker);
    } else if (target.n > 2 && target.s[0] == '/' && target.s[target.n - 1] == '/') {
        want_matching(c, target);
    } else if (!exists(target)) {
        diag_error(c->diags, (struct place){0},
                   "there is no step `%s`, and nobody makes such a file",
                   diag_name(c->diags, target));
        help_target(c, target);
    }
}

/* What nobody makes must be there. Each file is looked for once. */
static void check_inputs(struct choice *c, const struct step *step) {
    for (size_t i = 0; i < step->n_in; i++) {
        struct file *f = step->in[i];
        if (f->maker != NULL)
            continue;
        void **looked_for = map_put(&c->inputs, f->name);
        if (*looked_for != NULL)
            continue;
        *looked_for = f;
        if (exists(f->name))
            continue;
        diag_error(c->diags, step->in_at, "`%s` is not there, and no step makes it",
                   diag_name(c->diags, f->name));
        help_target(c, f->name);
    }
}

/* --- the order --- */

/* Ids of steps that can run, the lowest on top. */
struct ready {
    uint32_t *v;
    size_t n;
};

static void ready_push(struct ready *r, uint32_t id) {
    size_t i = r->n++;
    for (; i != 0 && r->v[(i - 1) / 2] > id; i = (i - 1) / 2)
        r->v[i] = r->v[(i - 1) / 2];
    r->v[i] = id;
}

static uint32_t ready_pop(struct ready *r) {
    uint32_t top = r->v[0], last = r->v[--r->n];
    size_t i = 0;
    for (size_t child = 1; child < r->n; child = 2 * i + 1) {
        if (child + 1 < r->n && r->v[child + 1] < r->v[child])
            child++;
        if (r->v[child] >= last)
            break;
        r->v[i] = r->v[child];
        i = child;
    }
    r->v[i] = last;
    return top;
}

/* Kahn's algorithm: of what can run, the lowest id comes next. */
static void put_in_order(const struct choice *c, struct plan *plan) {
    size_t n = c->graph->steps.n, edges = 0;
    uint32_t *waiting = mem_zalloc(n * sizeof *waiting); /* needs that are not in the plan yet */
    uint32_t *users =
        mem_zalloc((n + 1) * sizeof *users); /* where in `list` a step's users begin */
    struct ready ready = {mem_array(NULL, n, sizeof *ready.v), 0};
    for (size_t i = 0; i < c->queue.n; i++) {
        const struct step *step = c->queue.v[i];
        waiting[step->id] = (uint32_t)step->n_needs;
        edges += step->n_needs;
        for (size_t k = 0; k < step->n_needs; k++)
            users[step->needs[k]->id + 1]++;
        if (step->n_needs == 0)
            ready_push(&ready, step->id);
    }
    for (size_t i = 0; i < n; i++)
        users[i + 1] += users[i];
    uint32_t *list = mem_array(NULL, edges, sizeof *list), *fill = mem_array(NULL, n, sizeof *fill);
    for (size_t i = 0; i < n; i++)
        fill[i] = users[i];
    for (size_t i = 0; i < c->queue.n; i++)
        for (size_t k = 0; k < c->queue.v[i]->n_needs; k++)
            list[fill[c->queue.v[i]->needs[k]->id]++] = c->queue.v[i]->id;
    plan->steps = mem_array(NULL, c->queue.n, sizeof *plan->steps);
    while (ready.n != 0) {
        uint32_t id = ready_pop(&ready);
        plan->steps[plan->n++] = c->graph->steps.v[id];
        for (uint32_t k = users[id]; k < users[id + 1]; k++)
            if (--waiting[list[k]] == 0)
                ready_push(&ready, list[k]);
    }
    free(waiting);
    free(users);
    free(ready.v);
    free(list);
    free(fill);
}

bool plan_make(struct plan *plan, const struct graph *g, const struct str *targets,
               size_t n_targets, struct diags *diags) {
    struct choice c = {.graph = g, .diags = diags};
    size_t errors = diags->errors;
    *plan = (struct plan){0};
    c.wanted = mem_zalloc((g->steps.n + 1) * sizeof *c.wanted);
    for (size_t i = 0; i < n_targets; i++)
        want_target(&c, targets[i]);
    for (size_t i = 0; i < g->steps.n && n_targets == 0; i++)
        want(&c, g->steps.v[i]);
    for (size_t done = 0; done < c.queue.n; done++) {
        struct step *step = c.queue.v[done];
        check_inputs(&c, step);
        for (size_t k = 0; k < step->n_needs; k++)
            want(&c, step->needs[k]);
    }
    if (diags->errors == errors)
        put_in_order(&c, plan);
    map_free(&c.inputs);
    vec_free(&c.names);
    vec_free(&c.queue);
    free(c.wanted);
    return diags->errors == errors;
}

void plan_free(struct plan *plan) {
    free(plan->steps);
    *plan = (struct plan){0};
}
