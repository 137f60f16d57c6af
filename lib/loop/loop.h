/* The one poll() loop: descriptors, timers, and blocking work done aside. */
#ifndef FORAY_LOOP_LOOP_H
#define FORAY_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

struct loop;

/* A descriptor that is waited for. The owner sets fd, events (POLLIN, POLLOUT or 0), ready and arg,
 * and keeps it alive until loop_unwatch. ready may unwatch and free any watch, its own too. */
struct watch {
    int fd;
    short events; /* may be changed at any time between loop_watch and loop_unwatch */
    void (*ready)(void *arg, short revents);
    void *arg;
    size_t index; /* the loop's: its place + 1; 0: not watched */
};

/* A point in time that is waited for. Zeroed: not set. */
struct timer {
    int64_t at;
    void (*expired)(void *arg);
    void *arg;
    size_t index; /* the loop's: its place in the heap + 1; 0: not set */
};

struct loop *loop_new(void); /* NULL, with errno, if the system has no descriptors left */
void loop_free(struct loop *l);
int64_t loop_now(const struct loop *l); /* monotonic ns, read once a turn */
int64_t loop_clock(void);               /* the same, read now */

void loop_watch(struct loop *l, struct watch *w);
void loop_unwatch(struct loop *l, struct watch *w); /* does nothing if it is not watched */
void loop_timer(struct loop *l, struct timer *t, int64_t at); /* sets or moves it */
void loop_timer_clear(struct loop *l, struct timer *t);       /* does nothing if it is not set */

/* Does work(arg) in a thread, then done(arg) in the loop. For calls that may block and have no
 * other form: name look-ups, fsync. work must touch nothing that the loop uses. */
void loop_aside(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* One turn: waits for something to happen and calls whom it concerns. */
void loop_turn(struct loop *l);

#endif
