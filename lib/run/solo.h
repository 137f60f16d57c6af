/* Steps on hosts whose launcher is told what a step needs, such as `srun -c{{cpus}}`: each has a
 * process of the launcher, and the shell at its end, for itself. What starts them bounds and places
 * them: such a host is up from the start, and has as many cores as anybody wants. */
#ifndef FORAY_RUN_SOLO_H
#define FORAY_RUN_SOLO_H

#include "loop/loop.h"
#include "loop/watcher.h"
#include "run/executor.h"
#include "way/prompt.h"

/* held is as hosts_options has it. */
struct executor *solo_new(struct loop *loop, const struct executor_events *events,
                          const struct watcher *watcher, struct prompter *prompter,
                          bool keep_scratch, const bool *held);
/* As hosts_go_on, hosts_pause, hosts_resume and hosts_resized. */
void solo_go_on(struct executor *x);
void solo_pause(struct executor *x);
void solo_resume(struct executor *x);
void solo_resized(struct executor *x);
/* SIGCHLD came. */
void solo_child_ended(struct executor *x);

#endif
