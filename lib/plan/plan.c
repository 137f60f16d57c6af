#include "plan/plan.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/regex.h"
#include "base/strlist.h"
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUPS = 16 };
enum { HELPED_MAX = 100 }; /* errors that get a suggestion: each is a search through all names */

/* What was asked for, as long as the graph may grow. */
struct selection {
    VEC(struct regex *) only, except;
    VEC(bool) rules; /* by rule id: all its steps are wanted */
    bool everything;
    VEC(uint8_t) inputs; /* by file id: enum input, of those that are looked for now */
};

struct choice {
    struct plan *plan;
    const struct graph *graph;
    struct selection *selection;
    struct diags *diags;
    VEC(bool) wanted;                  /* by step id */
    VEC(struct step *) queue;          /* wanted, their needs not yet looked at */
    VEC(struct rule *) rules;          /* late ones, likewise */
    size_t next_step, next_rule;       /* in these */
    uint8_t group;                     /* of what is wanted now */
    bool asking;                       /* that is named by a target itself */
    VEC(const struct file *) look_for; /* inputs that nobody makes, each once */
    struct buf path;                   /* of what is looked for now */
    str_list names;                    /* of rules and made files, for suggestions */
};

static void want(struct choice *c, struct step *step) {
    if (c->asking)
        *vec_push(&c->plan->asked) = step;
    while (c->wanted.n <= step->id)
        *vec_push(&c->wanted) = false;
    if (c->wanted.v[step->id])
        return;
    c->wanted.v[step->id] = true;
    while (c->plan->group.n <= step->id)
        *vec_push(&c->plan->group) = 0;
    c->plan->group.v[step->id] = c->group;
    *vec_push(&c->queue) = step;
}

/* Its steps, and those that it will have. */
static void want_rule(struct choice *c, struct rule *rule) {
    struct selection *s = c->selection;
    if (rule->id < s->rules.n && s->rules.v[rule->id])
        return;
    while (s->rules.n <= rule->id)
        *vec_push(&s->rules) = false;
    s->rules.v[rule->id] = true;
    for (size_t i = 0; i < rule->n_steps; i++)
        want(c, rule->steps[i]);
    if (rule->late && rule->n_steps == 0) {
        *vec_push(&c->plan->late) = rule;
        *vec_push(&c->rules) = rule;
    }
}

static struct regex *compile(struct diags *diags, const char *what, struct str pattern,
                             struct str whole) {
    char error[128];
    size_t offset;
    struct regex *regex = regex_new(pattern, error, sizeof error, &offset);
    if (regex == NULL)
        diag_error(diags, (struct place){0}, "%s `%s`: %s, at character %zu", what,
                   diag_name(diags, whole), error, offset + 1);
    return regex;
}

/* A pattern that takes too long is told once, and matches nothing. */
static bool matches(struct regex *regex, struct str name, const char *what, struct str whole,
                    struct diags *diags, bool *told) {
    int answer = regex_match(regex, name);
    if (answer < 0 && !*told)
        diag_error(diags, (struct place){0},
                   "%s `%s` takes too long to match: write it more simply", what,
                   diag_name(diags, whole));
    *told = *told || answer < 0;
    return answer > 0;
}

static void want_matching(struct choice *c, struct str target) {
    struct regex *regex =
        compile(c->diags, "target", (struct str){target.s + 1, target.n - 2}, target);
    size_t found = 0;
    bool told = false;
    if (regex == NULL)
        return;
    for (size_t i = 0; i < c->graph->steps.n && !told; i++) {
        struct step *step = c->graph->steps.v[i];
        if (step->rule->n_steps != 0 &&
            matches(regex, step->name, "target", target, c->diags, &told)) {
            want(c, step);
            found++;
        }
    }
    for (size_t i = 0; i < c->graph->rules.n && !told; i++) {
        struct rule *rule = c->graph->rules.v[i];
        if (rule->late && matches(regex, rule->name, "target", target, c->diags, &told)) {
            want_rule(c, rule);
            found++;
        }
    }
    if (found == 0 && !told)
        diag_error(c->diags, (struct place){0}, "no step's name matches `%s`",
                   diag_name(c->diags, target));
    regex_free(regex);
}

static bool exists(struct choice *c, struct str name) {
    buf_clear(&c->path);
    buf_str(&c->path, name);
    return access(c->path.s, F_OK) == 0;
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

/* "count[a]", of a rule whose items are not known yet. */
static struct rule *late_rule(const struct choice *c, struct str target) {
    const char *bracket = memchr(target.s, '[', target.n);
    struct rule *rule =
        bracket != NULL
            ? map_get(&c->graph->rule_names, (struct str){target.s, (size_t)(bracket - target.s)})
            : NULL;
    return rule != NULL && rule->late && rule->n_steps == 0 ? rule : NULL;
}

/* A file that is not there may be made by what is not known yet. */
static void help_late(struct choice *c) {
    struct buf names = {0};
    size_t n = 0;
    for (size_t i = 0; i < c->graph->rules.n; i++)
        if (c->graph->rules.v[i]->late && c->graph->rules.v[i]->n_steps == 0 && n++ < 5)
            buf_printf(&names, "%s`%s`", n > 1 ? ", " : "",
                       diag_name(c->diags, c->graph->rules.v[i]->name));
    if (n != 0)
        diag_help(c->diags,
                  "what these make is known only while they run: %s%s; name the step, with "
                  "`needs` or as a target",
                  names.s, n > 5 ? ", ..." : "");
    buf_free(&names);
}

static void want_target(struct choice *c, struct str target) {
    struct rule *rule = map_get(&c->graph->rule_names, target);
    struct step *step = map_get(&c->graph->step_names, target);
    const struct file *file = graph_find_file(c->graph, target);
    if (rule != NULL) {
        want_rule(c, rule);
    } else if (step != NULL) {
        want(c, step);
    } else if (file != NULL && file->maker != NULL) {
        want(c, file->maker);
    } else if (target.n > 2 && target.s[0] == '/' && target.s[target.n - 1] == '/') {
        want_matching(c, target);
    } else if (late_rule(c, target) != NULL) {
        diag_error(c->diags, (struct place){0}, "the items of `%s` are known only while it runs",
                   diag_name(c->diags, late_rule(c, target)->name));
        diag_help(c->diags, "name the step as a whole");
    } else if (!exists(c, target)) {
        diag_error(c->diags, (struct place){0},
                   "there is no step `%s`, and nobody makes such a file",
                   diag_name(c->diags, target));
        help_target(c, target);
        help_late(c);
    }
}

/* Whether the step that would make a file is left out. */
static bool is_left_out(const struct choice *c, const struct step *maker) {
    return maker != NULL && maker->id < c->plan->place.n &&
           c->plan->place.v[maker->id] == UINT32_MAX - 1;
}

/* What is known of a file that steps read. */
enum input { UNKNOWN, LOOKED_FOR, THERE, MISSING, TOLD };

/* Of `in`, and behind it of copies: one that nobody makes, so that it must be there; else NULL. */
static const struct file *input_of(const struct choice *c, const struct step *step, size_t i,
                                   struct place *at) {
    const struct file *f;
    if (i < step->n_in) {
        f = step->in[i];
        *at = step->rule->in_at;
    } else {
        const struct copy *copy = &step->copies[i - step->n_in];
        f = copy->fetch || copy->pattern ? NULL : graph_find_file(c->graph, copy->from);
        *at = copy->at;
    }
    return f == NULL || (f->maker != NULL && !is_left_out(c, f->maker)) ? NULL : f;
}

static void look_for_some(void *context, size_t from, size_t to) {
    struct choice *c = context;
    for (size_t i = from; i < to; i++) {
        const struct file *f = c->look_for.v[i];
        c->selection->inputs.v[f->id] = access(f->name.s, F_OK) == 0 ? THERE : MISSING;
    }
}

/* For what the steps of the queue read, once for each file, by all cores. */
static void look_for_inputs(struct choice *c) {
    struct place at;
    while (c->selection->inputs.n < c->graph->files.n)
        *vec_push(&c->selection->inputs) = UNKNOWN;
    for (size_t i = 0; i < c->queue.n; i++) {
        const struct step *step = c->queue.v[i];
        for (size_t k = 0; k < step->n_in + step->n_copies; k++) {
            const struct file *f = input_of(c, step, k, &at);
            if (f == NULL || c->selection->inputs.v[f->id] != UNKNOWN)
                continue;
            c->selection->inputs.v[f->id] = LOOKED_FOR;
            *vec_push(&c->look_for) = f;
        }
    }
    parallel(c->look_for.n, look_for_some, c);
}

static void tell_missing(struct choice *c, const struct file *f, struct place at) {
    const char *name = diag_name(c->diags, f->name);
    if (f->maker != NULL) {
        diag_error(c->diags, at, "`%s` is not there, and `%s`, which makes it, is left out", name,
                   diag_name(c->diags, f->maker->name));
        return;
    }
    diag_error(c->diags, at, "`%s` is not there, and no step makes it", name);
    help_target(c, f->name);
    help_late(c);
}

/* What nobody makes must be there; of each file that is not, it is told once. */
static bool check_inputs(struct choice *c, const struct step *step) {
    bool good = true;
    struct place at;
    for (size_t i = 0; i < step->n_in + step->n_copies; i++) {
        const struct file *f = input_of(c, step, i, &at);
        if (f == NULL || c->selection->inputs.v[f->id] == THERE)
            continue;
        good = false;
        if (c->selection->inputs.v[f->id] == MISSING)
            tell_missing(c, f, at);
        c->selection->inputs.v[f->id] = TOLD;
    }
    return good;
}

/* --- what is left out --- */

static bool is_chosen(struct choice *c, const struct step *step) {
    const struct selection *s = c->selection;
    bool told = false, only = s->only.n == 0 || step->rule->script_at.line == 0;
    for (size_t i = 0; i < s->only.n && !only; i++)
        only = matches(s->only.v[i], step->name, "--only", step->name, c->diags, &told);
    for (size_t i = 0; i < s->except.n && only; i++)
        only = !matches(s->except.v[i], step->name, "--except", step->name, c->diags, &told);
    return only;
}

/* Of the steps of the queue from `first` on. */
static void leave_out(struct choice *c) {
    struct plan *plan = c->plan;
    size_t kept = 0;
    while (plan->place.n < c->graph->steps.n)
        *vec_push(&plan->place) = UINT32_MAX;
    bool selective = c->selection->only.n + c->selection->except.n != 0;
    for (size_t i = 0; i < c->queue.n; i++) {
        struct step *step = c->queue.v[i];
        if (!selective || is_chosen(c, step)) {
            c->queue.v[kept++] = step;
            continue;
        }
        plan->place.v[step->id] = UINT32_MAX - 1;
        *vec_push(&plan->left_out) = step;
        if (step->rule->captured || step->rule->yields)
            diag_error(c->diags, step->rule->at,
                       "`%s` cannot be left out: others use what it writes",
                       diag_name(c->diags, step->name));
    }
    c->queue.n = kept;
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

/* Kahn's algorithm, over the steps of the queue: of what can run, the lowest id comes next. What is
 * not in the queue is in the plan already, or left out. */
static void put_in_order(struct choice *c) {
    struct plan *plan = c->plan;
    size_t n = c->graph->steps.n, edges = 0, first = n;
    for (size_t i = 0; i < c->queue.n; i++)
        first = c->queue.v[i]->id < first ? c->queue.v[i]->id : first;
    n -= first;
    bool *queued = mem_zalloc(n + 1);
    uint32_t *waiting = mem_zalloc((n + 1) * sizeof *waiting); /* for needs that come after it */
    uint32_t *users =
        mem_zalloc((n + 1) * sizeof *users); /* where in `list` a step's users begin */
    struct ready ready = {mem_array(NULL, n + 1, sizeof *ready.v), 0};
    for (size_t i = 0; i < c->queue.n; i++)
        queued[c->queue.v[i]->id - first] = true;
    for (size_t i = 0; i < c->queue.n; i++) {
        const struct step *step = c->queue.v[i];
        for (size_t k = 0; k < step->n_needs; k++) {
            size_t need = step->needs[k]->id;
            if (need < first || !queued[need - first])
                continue;
            waiting[step->id - first]++;
            users[need - first + 1]++;
            edges++;
        }
        if (waiting[step->id - first] == 0)
            ready_push(&ready, step->id);
    }
    for (size_t i = 0; i < n; i++)
        users[i + 1] += users[i];
    uint32_t *list = mem_array(NULL, edges + 1, sizeof *list),
             *fill = mem_array(NULL, n + 1, sizeof *fill);
    for (size_t i = 0; i < n; i++)
        fill[i] = users[i];
    for (size_t i = 0; i < c->queue.n; i++)
        for (size_t k = 0; k < c->queue.v[i]->n_needs; k++) {
            size_t need = c->queue.v[i]->needs[k]->id;
            if (need >= first && queued[need - first])
                list[fill[need - first]++] = c->queue.v[i]->id;
        }
    while (ready.n != 0) {
        uint32_t id = ready_pop(&ready);
        plan->place.v[id] = (uint32_t)plan->steps.n;
        *vec_push(&plan->steps) = c->graph->steps.v[id];
        for (uint32_t k = users[id - first]; k < users[id - first + 1]; k++)
            if (--waiting[list[k] - first] == 0)
                ready_push(&ready, list[k]);
    }
    free(queued);
    free(waiting);
    free(users);
    free(ready.v);
    free(list);
    free(fill);
}

/* All that what is wanted needs. */
static void follow(struct choice *c) {
    while (c->next_step < c->queue.n || c->next_rule < c->rules.n) {
        if (c->next_step < c->queue.n) {
            const struct step *s = c->queue.v[c->next_step++];
            for (size_t k = 0; k < s->n_needs; k++)
                if (!plan_has(c->plan, s->needs[k]) && !is_left_out(c, s->needs[k]))
                    want(c, s->needs[k]);
        } else {
            const struct rule *r = c->rules.v[c->next_rule++];
            for (size_t k = 0; k < r->n_refs; k++)
                want_rule(c, r->refs[k]);
        }
    }
}

static void free_choice(struct choice *c) {
    for (size_t i = 0; i < c->look_for.n; i++) /* who asks again later looks again */
        c->selection->inputs.v[c->look_for.v[i]->id] = UNKNOWN;
    vec_free(&c->look_for);
    buf_free(&c->path);
    vec_free(&c->names);
    vec_free(&c->queue);
    vec_free(&c->rules);
    vec_free(&c->wanted);
}

/* Of a graph that cannot grow it is known what there is: a pattern for nothing is a mistake. */
static void check_pattern(struct choice *c, struct regex *regex, const char *what,
                          struct str pattern) {
    bool found = c->graph->growth != NULL, told = false;
    for (size_t i = 0; i < c->graph->steps.n && !found && !told; i++)
        found = matches(regex, c->graph->steps.v[i]->name, what, pattern, c->diags, &told);
    if (!found && !told)
        diag_error(c->diags, (struct place){0}, "%s: no step's name matches `%s`", what,
                   diag_name(c->diags, pattern));
}

static void compile_all(struct choice *c, const struct plan_options *options) {
    for (size_t i = 0; i < options->only.n; i++) {
        struct regex *regex = compile(c->diags, "--only", options->only.v[i], options->only.v[i]);
        if (regex == NULL)
            continue;
        check_pattern(c, regex, "--only", options->only.v[i]);
        *vec_push(&c->selection->only) = regex;
    }
    for (size_t i = 0; i < options->except.n; i++) {
        struct regex *regex =
            compile(c->diags, "--except", options->except.v[i], options->except.v[i]);
        if (regex == NULL)
            continue;
        check_pattern(c, regex, "--except", options->except.v[i]);
        *vec_push(&c->selection->except) = regex;
    }
}

bool plan_make(struct plan *plan, const struct graph *g, const struct plan_options *options,
               struct diags *diags) {
    size_t errors = diags->errors;
    *plan = (struct plan){.graph = g, .selection = mem_zalloc(sizeof *plan->selection)};
    struct choice c = {.plan = plan, .graph = g, .diags = diags, .selection = plan->selection};
    c.selection->everything = options->n_targets == 0;
    compile_all(&c, options);
    for (size_t i = 0; i < options->n_targets; i++) {
        c.group = (uint8_t)(i < GROUPS ? i : GROUPS - 1);
        c.asking = true;
        want_target(&c, options->targets[i]);
        c.asking = false;
        follow(&c);
    }
    for (size_t i = 0; i < g->rules.n && options->n_targets == 0; i++)
        want_rule(&c, g->rules.v[i]);
    for (size_t i = 0; i < g->steps.n && options->n_targets == 0; i++)
        want(&c, g->steps.v[i]);
    follow(&c);
    leave_out(&c);
    look_for_inputs(&c);
    for (size_t i = 0; i < c.queue.n; i++)
        check_inputs(&c, c.queue.v[i]);
    if (diags->errors == errors)
        put_in_order(&c);
    free_choice(&c);
    return diags->errors == errors;
}

/* Steps that are listed run because their lister did. */
static bool is_wanted(const struct selection *s, const struct rule *rule) {
    return s->everything || rule->lister != NULL || (rule->id < s->rules.n && s->rules.v[rule->id]);
}

void plan_grow(struct plan *plan, size_t first, struct diags *diags) {
    struct choice c = {
        .plan = plan, .graph = plan->graph, .diags = diags, .selection = plan->selection};
    for (size_t i = first; i < plan->graph->steps.n; i++) {
        struct step *step = plan->graph->steps.v[i];
        if (step->rule->id != UINT32_MAX && is_wanted(plan->selection, step->rule))
            want(&c, step); /* what only stands for others comes with what needs it */
    }
    follow(&c);
    leave_out(&c);
    look_for_inputs(&c);
    for (size_t i = 0; i < c.queue.n; i++)
        if (!check_inputs(&c, c.queue.v[i]))
            c.queue.v[i]->broken = true;
    put_in_order(&c);
    free_choice(&c);
}

void plan_leave(struct plan *plan, const struct step *step) {
    plan->place.v[step->id] = UINT32_MAX - 1;
}

bool plan_has(const struct plan *plan, const struct step *step) {
    return step->id < plan->place.n && plan->place.v[step->id] < UINT32_MAX - 1;
}

void plan_free(struct plan *plan) {
    if (plan->selection != NULL) {
        for (size_t i = 0; i < plan->selection->only.n; i++)
            regex_free(plan->selection->only.v[i]);
        for (size_t i = 0; i < plan->selection->except.n; i++)
            regex_free(plan->selection->except.v[i]);
        vec_free(&plan->selection->only);
        vec_free(&plan->selection->except);
        vec_free(&plan->selection->rules);
        vec_free(&plan->selection->inputs);
        free(plan->selection);
    }
    vec_free(&plan->steps);
    vec_free(&plan->left_out);
    vec_free(&plan->asked);
    vec_free(&plan->place);
    vec_free(&plan->group);
    vec_free(&plan->late);
    *plan = (struct plan){0};
}
