/* One foray at a time works in a directory. The lock is held by an open descriptor, and so by those
 * who inherit it: it is free again when the last of them has ended, however that came. */
#ifndef FORAY_PLAN_LOCK_H
#define FORAY_PLAN_LOCK_H

#include "base/str.h"

#include <stdbool.h>

/* Takes DIR/lock and writes down who has it. If somebody else holds it: tells who that is, waits.
 * The descriptor, to be closed by the caller; -1, with the reason and errno, if it cannot be had.
 * own: the FORAY_PID of a step's environment, NULL outside of steps: what a run's own step started,
 * and what that started, must not wait for that run to end (errno 0). waited: whether it had to be
 * waited for: what was looked at before may have changed. */
int lock_take(const char *dir, const char *own, void (*waits)(const char *holder), struct buf *why,
              bool *waited);
/* Whether somebody holds it now. */
bool lock_is_held(const char *dir);

#endif
