/* From a host's configuration to a descriptor that its sshd is behind: a TCP connection, or the end
 * of a proxy. */
#ifndef FORAY_WAY_DIAL_H
#define FORAY_WAY_DIAL_H

#include "loop/loop.h"
#include "way/proxy.h"
#include "way/ssh_target.h"

struct dial;

struct dial_events {
    void *context;
    void (*begun)(void *context);        /* it is its turn: from now on its time is running */
    void (*done)(void *context, int fd); /* non-blocking; the receiver's */
    /* for_good: another try would end alike. */
    void (*failed)(void *context, bool for_good, const char *reason);
};

/* The target must outlive it. The events come from the loop, never from within. */
struct dial *dial_start(struct loop *loop, struct proxies *proxies, const struct ssh_target *target,
                        const struct dial_events *events);
/* What has not happened so far, for "...within 15 s"; connected: what has not, if it is. */
const char *dial_waits_for(const struct dial *d, const char *connected);
/* The server has answered. */
void dial_answered(struct dial *d);
/* Whether a proxy that has closed the connection has ended itself, or has had the time to. */
bool dial_has_ended(struct dial *d);
/* Appends what a proxy has to say to the end of the connection; true if another try would end
 * alike. */
bool dial_explain(struct dial *d, struct buf *out);
/* After its descriptor was closed. */
void dial_free(struct dial *d);

#endif
