/* The watcher: a small process, forked at the start, that ends the local steps when foray dies
 * without being able to (SIGKILL, a crash). It knows the steps' process groups from a pipe, and
 * learns of foray's death by the pipe's end. */
#ifndef FORAY_LOOP_WATCHER_H
#define FORAY_LOOP_WATCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

/* How long what is asked to end (TERM) may take before it is ended (KILL). */
#define GRACE (2 * INT64_C(1000000000))

struct watcher {
    int pipe; /* -1: none */
    pid_t pid;
};

/* keep: a descriptor that it holds as long as it lives; -1: none. So a lock on it is free only when
 * no step runs any more. tidy: is called there when foray is gone; NULL: nothing is. 0, or errno;
 * call it before the first thread. */
int watcher_start(struct watcher *w, int keep, void (*tidy)(void));
/* lifeline: the group ends by itself when its standard input does, with what it runs elsewhere: it
 * is given the time for that, and ended only then. */
void watcher_add(const struct watcher *w, pid_t group, bool lifeline);
void watcher_remove(const struct watcher *w,
                    pid_t group); /* call it before the group's leader is reaped */
/* Whether steps run on hosts now: when foray dies, it takes up to GRACE to end them there, and
 * `keep` is held for that time. */
void watcher_elsewhere(const struct watcher *w, bool any);
/* Standard input's terminal is `raw` now: when foray dies, it is to be made as usual. NULL: it is
 * so by itself. */
void watcher_terminal(const struct watcher *w, const struct termios *usual,
                      const struct termios *raw);
/* It ends what is left. wait: until it has; else it does that alone. */
void watcher_stop(struct watcher *w, bool wait);

#endif
