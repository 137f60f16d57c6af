/* Steps on ssh hosts, over libssh2, in the same loop as everything else.
 *
 *   ssh.c         the executor: hosts, and which connection and slot a job gets
 *   ssh_config.c  what the user's ssh configuration says of a host (ssh -G)
 *   connection.c  one connection: look-up, handshake, host key, log-in, and whose turn it is on it
 *   known_hosts.c is this the host it says it is?
 *   slot.c        one slot: a long-lived shell on the host (keeper.sh) that runs one step after
 * another carry.c       files there and back, over SFTP remote.c      one try of a step: prepare,
 * send, run, fetch, clean */
#ifndef FORAY_RUN_SSH_H
#define FORAY_RUN_SSH_H

#include "run/executor.h"
#include "run/loop.h"

struct ssh_options {
    const char *config; /* an ssh configuration file instead of the user's; NULL: the user's */
    bool keep_scratch;
};

struct executor *ssh_new(struct loop *loop, const struct executor_events *events,
                         const struct ssh_options *options);

#endif
