/* Steps on hosts, in the same loop as everything else. hosts.c is the executor, links.c has its
 * connections, seats.c the slots on them; remote.c is one try of a step there. */
#ifndef FORAY_RUN_HOSTS_H
#define FORAY_RUN_HOSTS_H

#include "loop/loop.h"
#include "run/executor.h"
#include "way/prompt.h"

struct hosts_options {
    const char *config; /* an ssh configuration file instead of the user's; NULL: the user's */
    bool keep_scratch;
    /* While it is true, what steps write is not taken any more, so that in the end it is not
     * written. NULL: it never is. */
    const bool *held;
    const struct watcher *watcher;
    struct prompter *prompter; /* freed after the executor */
    bool no_samples;           /* loads are not asked for every now and then */
    bool carries; /* whatever runs on a host has files to be carried: that is got ready at once */
};

struct executor *hosts_new(struct loop *loop, const struct executor_events *events,
                           const struct hosts_options *options);

/* What steps write is taken again: hosts_options.held is over. */
void hosts_go_on(struct executor *x);

/* How a host is reached ("ssh ana@10.0.0.3:22 via gate"), the fingerprint of its key and where
 * scratch directories are made; empty where that is not known (yet). */
void hosts_describe(struct executor *x, const struct host *host, struct buf *way_in,
                    struct buf *key, struct buf *scratch);
/* Of a host that is up and where nothing runs: the answers are host_load, and host_facts with the
 * free memory and the free disk below its scratch directory, in bytes (UINT64_MAX: not known). */
void hosts_ask_load(struct executor *x, const struct host *host);
void hosts_ask_facts(struct executor *x, const struct host *host);
/* Tells all hosts that nothing is heard of us for a while, until hosts_resume: we are being
 * stopped.
 */
void hosts_pause(struct executor *x);
void hosts_resume(struct executor *x);
void hosts_resized(struct executor *x); /* SIGWINCH came */
/* SIGCHLD came. */
void hosts_child_ended(struct executor *x);

#endif
