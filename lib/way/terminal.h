/* The terminal of the person here, joined with one on a host: what is typed goes there as it is,
 * what comes is shown as it is, until the command there has ended. */
#ifndef FORAY_WAY_TERMINAL_H
#define FORAY_WAY_TERMINAL_H

#include "loop/watcher.h"
#include "way/prompt.h"
#include "way/way.h"

struct terminal;

struct terminal_events {
    void *context;
    void (*no_room)(
        void *context); /* the way takes no more channels: it may be joined by another */
    /* It is as it was before, and nothing more is shown; why_not, if it was never joined. */
    void (*over)(void *context, const char *why_not);
};

/* Waits until it can be had; granted comes from the loop, once, and says why it cannot, if so. The
 * watcher makes it as it was, should foray be killed. */
struct terminal *terminal_claim(struct loop *loop, struct prompter *prompter,
                                const struct watcher *watcher,
                                void (*granted)(void *arg, const char *why_not), void *arg);
/* Has a command run on a terminal there, for the slot with this directory. From loop: one of the
 * events. */
void terminal_join(struct terminal *t, struct way *w, struct str command, struct str place,
                   const struct terminal_events *events);
/* The command has ended: true when this has, too. Else it does when all is shown: `over` follows.
 */
bool terminal_end(struct terminal *t);
/* The way by which it was joined, or was to be, is gone; `over` follows, without a reason. */
void terminal_lose(struct terminal *t);
bool terminal_is_granted(const struct terminal *t); /* and not yet joined */
void terminal_resized(struct terminal *t);
/* We are being stopped: it is as it was before; or go on. */
void terminal_pause(struct terminal *t);
void terminal_resume(struct terminal *t);
void terminal_leave(struct terminal *t); /* at once; there are no more events */
void terminal_free(struct terminal *t);  /* likewise; NULL: does nothing */

#endif
