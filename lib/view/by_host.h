/* The view of one command on many hosts: what each wrote, as lines with its name, or gathered where
 * several wrote the same; at the end, where it did not go well, and a summary. */
#ifndef FORAY_VIEW_BY_HOST_H
#define FORAY_VIEW_BY_HOST_H

#include "run/run.h"
#include "view/sink.h"

enum by_host_look {
    BY_HOST_LINES,  /* each line at once, with the host's name in front */
    BY_HOST_RAW,    /* as it comes, without names */
    BY_HOST_GATHER, /* when all have ended: equal output once, under the names of its hosts */
};

struct by_host_options {
    enum by_host_look look;
    bool quiet;   /* no summary where all went well */
    bool verbose; /* also when a host begins and ends */
    bool colour;
};

struct by_host;

/* hosts: so many are to run it. */
struct by_host *by_host_new(struct loop *loop, struct sink *sink, size_t hosts,
                            const struct by_host_options *options);
void by_host_free(struct by_host *v);
struct run_view by_host_view(struct by_host *v);
void by_host_interrupted(struct by_host *v, int signal);
void by_host_summary(struct by_host *v);

#endif
