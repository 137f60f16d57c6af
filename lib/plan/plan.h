/* What has to run: the steps that the targets need. */
#ifndef FORAY_PLAN_PLAN_H
#define FORAY_PLAN_PLAN_H

#include "base/diag.h"
#include "graph/graph.h"

struct plan {
    struct step **steps; /* in an order in which every step comes after what it needs */
    size_t n;
};

/* Chooses the steps for the targets: names of rules or steps, files that a step makes, /regex/ of
 * step names (pcre2); none: all steps. A target that nobody knows, and an input that nobody makes
 * and that is not there, are errors (with the name that may have been meant). A target that is an
 * existing file nobody makes needs nothing. false if there were errors. */
bool plan_make(struct plan *plan, const struct graph *g, const struct str *targets,
               size_t n_targets, struct diags *diags);
void plan_free(struct plan *plan);

#endif
