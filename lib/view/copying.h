/* What people see of `foray copy`: failures as they come, on a terminal how far it is, and one line
 * at the end. */
#ifndef FORAY_VIEW_COPYING_H
#define FORAY_VIEW_COPYING_H

#include "run/run.h"
#include "view/sink.h"

struct copying_options {
    size_t hosts;
    bool fetch;
    bool quiet;    /* only failures */
    bool verbose;  /* also each host that is done */
    bool terminal; /* standard error is one: a line there says how far it is */
    bool colour;
};

struct copying;

struct copying *copying_new(struct loop *loop, struct sink *sink,
                            const struct copying_options *options);
void copying_free(struct copying *c);
struct run_view copying_view(struct copying *c);
void copying_interrupted(struct copying *c, int signal);
/* No host has anything more to do; the line that says how far it is goes. */
void copying_over(struct copying *c);
bool copying_all_well(const struct copying *c); /* all hosts are done, and nothing failed there */
/* How it went. failed: something went wrong behind the last host. */
void copying_summary(struct copying *c, bool failed);

#endif
