/* The plain view: no live area. Each step's output appears whole when it ends, under a line that
 * names it; at the end one summary, with all failures repeated. For terminals, pipes and logs
 * alike. */
#ifndef FORAY_VIEW_PLAIN_H
#define FORAY_VIEW_PLAIN_H

#include "plan/kept.h"
#include "plan/plan.h"
#include "run/run.h"
#include "view/sink.h"

struct plain_options {
    size_t fresh;      /* steps that were found to be up to date before the run began */
    struct kept *kept; /* takes what steps write; NULL: nothing does */
    bool quiet;        /* nothing of steps that succeed but what they write */
    bool verbose;      /* also the start of each step, with its script */
    bool colour;
};

struct plain;

struct plain *plain_new(struct loop *loop, struct sink *sink, const struct graph *graph,
                        size_t steps, const struct plain_options *options);
void plain_free(struct plain *p);
struct run_view plain_view(struct plain *p);
void plain_interrupted(struct plain *p,
                       int signal); /* the run is being ended because of that signal */
/* The end: the failures again, and how it went. now: ns of the loop's clock. */
void plain_summary(struct plain *p);

#endif
