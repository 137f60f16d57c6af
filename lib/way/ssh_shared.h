/* What all ssh connections of a run have in common. */
#ifndef FORAY_WAY_SSH_SHARED_H
#define FORAY_WAY_SSH_SHARED_H

#include "way/gate.h"
#include "way/keyring.h"
#include "way/known_hosts.h"
#include "way/prompt.h"
#include "way/proxy.h"
#include "way/secrets.h"

struct ssh_shared {
    struct loop *loop;
    const struct watcher *watcher;
    struct proxies *proxies;
    struct gate *gate;
    struct known_hosts *known_hosts;
    struct prompter *prompter;
    struct keyring *keyring;
    struct secrets *secrets;
};

struct ssh_shared *ssh_shared_new(struct loop *loop, const struct watcher *watcher,
                                  struct prompter *prompter);
void ssh_shared_free(struct ssh_shared *s); /* after all connections */

#endif
