/* What has to run: the steps that the targets need. */
#ifndef FORAY_PLAN_PLAN_H
#define FORAY_PLAN_PLAN_H

#include "base/diag.h"
#include "base/strlist.h"
#include "graph/graph.h"

struct plan_options {
    const struct str *targets; /* what to do; none: everything */
    size_t n_targets;
    /* Regular expressions (pcre2) over the names of steps: only what matches one of `only`, and
     * nothing that matches one of `except`, is run; the rest counts as done. */
    str_list only, except;
};

struct plan {
    const struct graph *graph;
    VEC(struct step *) steps;    /* in an order in which every step comes after what it needs */
    VEC(struct step *) left_out; /* they count as done */
    VEC(struct step *) asked;    /* those that the targets themselves name */
    VEC(uint32_t) place; /* by step id: its place in steps; UINT32_MAX: it is not in the plan */
    VEC(uint8_t)
    group;                   /* by step id: the target that brought it, counted from 0; those beyond
                                the 16th count as one */
    VEC(struct rule *) late; /* rules whose steps will belong to it once they are known */
    struct selection *selection;
};

/* Chooses the steps for the targets: names of rules or steps, files that a step makes, /regex/ of
 * step names (pcre2); none: all steps. A target that nobody knows, and an input that nobody makes
 * and that is not there, are errors (with the name that may have been meant). A target that is an
 * existing file nobody makes needs nothing. false if there were errors. The options must outlive
 * it. */
bool plan_make(struct plan *plan, const struct graph *g, const struct plan_options *options,
               struct diags *diags);
/* The graph has grown: of its steps from `first` on, those that belong to the plan come to its end.
 * What they miss makes them `broken`. */
void plan_grow(struct plan *plan, size_t first, struct diags *diags);
/* Takes a step out, which then counts as done; the caller takes it out of plan->steps. */
void plan_leave(struct plan *plan, const struct step *step);
bool plan_has(const struct plan *plan, const struct step *step);
void plan_free(struct plan *plan);

#endif
