/* What all ssh connections of a run have in common. */
#ifndef FORAY_RUN_SSH_SHARED_H
#define FORAY_RUN_SSH_SHARED_H

#include "run/known_hosts.h"
#include "run/proxy.h"

struct ssh_shared {
    struct loop *loop;
    const struct watcher *watcher;
    struct proxies *proxies;
    struct known_hosts *known_hosts;
    bool held; /* what comes is left in the sockets, until whoever takes it has room again */
};

struct ssh_shared *ssh_shared_new(struct loop *loop, const struct watcher *watcher);
void ssh_shared_free(struct ssh_shared *s); /* after all connections */

#endif
