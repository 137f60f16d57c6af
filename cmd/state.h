/* What is remembered in the directory where foray works, for the verbs that need it. */
#ifndef FORAY_CMD_STATE_H
#define FORAY_CMD_STATE_H

#include "cmd/options.h"
#include "plan/fresh.h"

#define STATE_DIRECTORY ".foray"

struct state {
    int lock;                /* -1: not held */
    bool waited;             /* for the lock */
    struct journal *journal; /* NULL: nothing can be remembered here, which was told */
    struct fresh *fresh;
};

/* What the graph's file is known by: ./foray.yaml is foray.yaml. */
struct str state_file(const struct arguments *args);
/* Reads the graph, opens its state, calls work with both, and closes all again. write: the lock is
 * taken, and waited for. The status that work gave, or what went wrong before. */
int state_with(const struct arguments *args, const struct fresh_options *options, bool write,
               int (*work)(void *context, struct input *in, struct state *state), void *context);

#endif
