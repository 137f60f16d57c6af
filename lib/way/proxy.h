/* Ways round: ProxyCommand and ProxyJump, a child process that carries a connection on its standard
 * input and output, as ssh does it. The child has no terminal, so it asks nobody anything. */
#ifndef FORAY_WAY_PROXY_H
#define FORAY_WAY_PROXY_H

#include "loop/loop.h"
#include "loop/watcher.h"
#include "way/ssh_target.h"

struct proxies; /* those of a run */
struct proxy;

struct proxies *proxies_new(struct loop *loop, const struct watcher *watcher);
/* Ends those that are left, which takes them a moment at most, and waits for it. */
void proxies_free(struct proxies *all);

/* Starts the child when its turn comes: a server that many others are reached through takes only so
 * many log-ins at once. Then calls started, from the loop: with our end, which is the caller's, or
 * with -1 and errno. The target must outlive it. */
struct proxy *proxy_start(struct proxies *all, const struct ssh_target *target,
                          void (*started)(void *context, int fd, int error), void *context);
/* It has got through: the next one may start. */
void proxy_through(struct proxy *p);
bool proxy_has_ended(struct proxy *p);
/* Appends what it said last, if anything; true if another try would end alike. */
bool proxy_explain(struct proxy *p, struct buf *out);
/* The caller has closed its end; the child goes away behind the scenes. */
void proxy_release(struct proxy *p);

#endif
