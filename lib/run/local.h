/* Steps on this machine: /bin/sh in a process group of its own, its output through pipes. */
#ifndef FORAY_RUN_LOCAL_H
#define FORAY_RUN_LOCAL_H

#include "loop/loop.h"
#include "loop/watcher.h"
#include "run/executor.h"

/* events and watcher must outlive it. */
struct executor *local_new(struct loop *loop, const struct executor_events *events,
                           const struct watcher *watcher);
/* Some child has ended (SIGCHLD): to be called where a process cannot be waited for through a
 * descriptor. */
void local_child_ended(struct executor *x);

#endif
