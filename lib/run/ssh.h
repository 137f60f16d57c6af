/* Steps on ssh hosts, over libssh2, in the same loop as everything else.
 *
 *   ssh.c          the executor: hosts, and which connection and slot a job gets
 *   ssh_asker.c    what the user's configuration says of hosts, with few questions
 *   ssh_config.c   one of these questions (ssh -G)
 *   ssh_blocks.c   for which other hosts its answer is good
 *   ssh_target.c   what it says; ssh_tokens.c: "%h" and the like in it
 *   gate.c         when its turn to log in has come
 *   dial.c         from that to a socket; proxy.c: round by ProxyJump and ProxyCommand
 *   connection.c   one connection: handshake, host key, log-in, whose turn it is on it
 *   ssh_methods.c  ciphers and the like, to agree on with the host
 *   known_hosts.c  is this the host it says it is?
 *   ssh_auth.c     logging in: ssh_keys.c with keys, ssh_typed.c with what a person types
 *   keyring.c      keys that want a passphrase, unlocked once for all hosts
 *   ssh_shared.c   what all connections have in common
 *   slot.c         one slot: a long-lived shell (keeper.sh) that runs one step after another
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
    bool no_samples; /* loads are not asked for every now and then */
};

struct executor *ssh_new(struct loop *loop, const struct executor_events *events,
                         const struct ssh_options *options);

/* What is written there is not taken any more, so that in the end it is not written; or it is
 * again. Both are only a wish. */
void ssh_hold(struct executor *x, bool hold);

/* How a host is reached ("ssh ana@10.0.0.3:22 via gate"), the fingerprint of its key and where
 * scratch directories are made; empty where that is not known (yet). */
void ssh_describe(struct executor *x, const struct host *host, struct buf *way_in, struct buf *key,
                  struct buf *scratch);
/* Of a host that is up and where nothing runs: the answers are host_load, and host_facts with the
 * free memory and the free disk below its scratch directory, in bytes (UINT64_MAX: not known). */
void ssh_ask_load(struct executor *x, const struct host *host);
void ssh_ask_facts(struct executor *x, const struct host *host);
/* Tells all hosts that nothing is heard of us for a while, until ssh_resume: we are being stopped.
 */
void ssh_pause(struct executor *x);
void ssh_resume(struct executor *x);
/* SIGCHLD came. */
void ssh_child_ended(struct executor *x);

#endif
