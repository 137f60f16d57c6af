/* Steps on ssh hosts, over libssh2, in the same loop as everything else.
 *
 *   ssh.c          the executor: hosts, and which connection and slot a job gets
 *   ssh_config.c   asks ssh what the user's configuration says of a host (ssh -G)
 *   ssh_target.c   what it says; ssh_tokens.c: "%h" and the like in it
 *   dial.c         from that to a socket; proxy.c: round by ProxyJump and ProxyCommand
 *   connection.c   one connection: handshake, host key, log-in, and whose turn it is on it
 *   known_hosts.c  is this the host it says it is?
 *   ssh_auth.c     logging in
 *   slot.c         one slot: a long-lived shell on the host (keeper.sh) that runs one step after
 *                  another
 *   carry.c        files there and back, over SFTP
 *   remote.c       one try of a step: prepare, send, run, fetch, clean */
#ifndef FORAY_RUN_SSH_H
#define FORAY_RUN_SSH_H

#include "run/executor.h"
#include "run/loop.h"

struct ssh_options {
    const char *config; /* an ssh configuration file instead of the user's; NULL: the user's */
    bool keep_scratch;
    const struct watcher *watcher;
};

struct executor *ssh_new(struct loop *loop, const struct executor_events *events,
                         const struct ssh_options *options);

#endif
