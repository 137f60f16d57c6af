/* What is remembered in the directory where foray works, for the verbs that need it. */
#ifndef FORAY_CMD_STATE_H
#define FORAY_CMD_STATE_H

#include "cmd/options.h"
#include "plan/fresh.h"

#define STATE_DIRECTORY ".foray"

struct state {
    int lock;                /* -1: not held */
    struct journal *journal; /* NULL: nothing can be remembered here, which was told */
    struct fresh *fresh;
};

/* write: to run; the lock is taken, and waited for. -1: go on; else the status to exit with, and
 * what is wrong was told. The graph must outlive it. */
int state_open(struct state *state, struct graph *graph, const struct arguments *args,
               const struct fresh_options *options, bool write);
/* Reads the graph, opens its state, calls work with both, and closes all again. The status that
 * work gave, or what went wrong before. */
int state_with(const struct arguments *args, const struct fresh_options *options, bool write,
               int (*work)(void *context, struct input *in, struct state *state), void *context);
/* 0, or the errno with which the journal could not be written to its end. */
int state_close(struct state *state);

#endif
