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
};

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

static void help_target(struct choice *c, struct str target) {
    str_list names = {0};
    for (size_t i = 0; i < c->graph->rules.n; i++)
        *vec_push(&names) = c->graph->rules.v[i]->name;
    for (size_t i = 0; i < c->graph->steps.n; i++)
        for (size_t o = 0; o < c->graph->steps.v[i]->n_out; o++)
            *vec_push(&names) = c->graph->steps.v[i]->out[o]->name;
    const struct str *meant = suggest(target, names.v, names.n);
    if (meant != NULL)
        diag_help(c->diags, "did you mean `%s`?", diag_name(c->diags, *meant));
    vec_free(&names);
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

/* What nobody makes must be there. Each missing file is told once. */
static void check_inputs(struct choice *c, const struct step *step, struct map *told) {
    for (size_t i = 0; i < step->n_in; i++) {
        const struct file *f = step->in[i];
        if (f->maker != NULL || exists(f->name) || map_get(told, f->name) != NULL)
            continue;
        *map_put(told, f->name) = (void *)f;
        diag_error(c->diags, step->in_at, "`%s` is not there, and no step makes it",
                   diag_name(c->diags, f->name));
        help_target(c, f->name);
    }
}

/* Kahn's order, by id where there is a choice: the queue of what can run is kept in order of
 * discovery, which is the order of the file for steps that become ready together. */
static void put_in_order(struct choice *c, struct plan *plan) {
    size_t n = c->graph->steps.n, edges = 0;
    uint32_t *waiting = mem_zalloc((n + 1) * sizeof *waiting);
    uint32_t *users = mem_zalloc((n + 2) * sizeof *users);
    for (size_t i = 0; i < n; i++) {
        const struct step *step = c->graph->steps.v[i];
        if (!c->wanted[i])
            continue;
        waiting[i] = (uint32_t)step->n_needs;
        for (size_t k = 0; k < step->n_needs; k++, edges++)
            users[step->needs[k]->id + 1]++;
    }
    for (size_t i = 0; i < n; i++)
        users[i + 1] += users[i];
    uint32_t *fill = mem_array(NULL, n + 1, sizeof *fill),
             *list = mem_array(NULL, edges + 1, sizeof *list);
    memcpy(fill, users, n * sizeof *fill);
    plan->steps = mem_array(NULL, n + 1, sizeof *plan->steps);
    for (size_t i = 0; i < n; i++) {
        if (!c->wanted[i])
            continue;
        struct step *step = c->graph->steps.v[i];
        for (size_t k = 0; k < step->n_needs; k++)
            list[fill[step->needs[k]->id]++] = (uint32_t)i;
        if (waiting[i] == 0)
            plan->steps[plan->n++] = step;
    }
    for (size_t done = 0; done < plan->n; done++) {
        uint32_t id = plan->steps[done]->id;
        for (uint32_t k = users[id]; k < users[id + 1]; k++)
            if (--waiting[list[k]] == 0)
                plan->steps[plan->n++] = c->graph->steps.v[list[k]];
    }
    free(waiting);
    free(users);
    free(fill);
    free(list);
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
    struct map told = {0};
    for (size_t done = 0; done < c.queue.n; done++) {
        struct step *step = c.queue.v[done];
        check_inputs(&c, step, &told);
        for (size_t k = 0; k < step->n_needs; k++)
            want(&c, step->needs[k]);
    }
    map_free(&told);
    if (diags->errors == errors)
        put_in_order(&c, plan);
    vec_free(&c.queue);
    free(c.wanted);
    return diags->errors == errors;
}

void plan_free(struct plan *plan) {
    free(plan->steps);
    *plan = (struct plan){0};
}
