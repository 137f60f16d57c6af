/* Channels that are processes here, with pipes for their three streams: what a command that runs
 * commands elsewhere is at this end. */
#ifndef FORAY_WAY_CHILD_H
#define FORAY_WAY_CHILD_H

#include "base/strlist.h"
#include "loop/loop.h"
#include "loop/watcher.h"
#include "way/way.h"

/* All of them, until they have ended: that takes its time when nobody has the channel any more. */
struct children;

struct children *children_new(struct loop *loop, const struct watcher *watcher);
/* Their channels must have been freed. Those that have not ended are left to the watcher. */
void children_free(struct children *all);
bool children_ended(const struct children *all);
/* SIGCHLD came. */
void children_look(struct children *all);

enum child_kind {
    CHILD_PLAIN = 0,
    CHILD_LIFELINE = 1, /* its standard input is one, which ends it; what does not end then is ended
                           a while later */
    CHILD_MUCH = 2,     /* much goes through its pipes */
};

/* Starts words (looked for in PATH), as a session of its own without a terminal; pty: with a new
 * one in the place of all its streams, that is as this one and has nothing to do with what else it
 * says. When the channel is freed it is ended. kind: an enum child_kind, or several. NULL, with
 * errno, if it could not be started. */
struct channel *child_open(struct children *all, const str_list *words, unsigned kind,
                           const struct pty *pty, struct party party);

/* It may leave a file of this name behind, which goes when it has ended. */
void child_leaves(struct channel *c, const char *name);

#endif
