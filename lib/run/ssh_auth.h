/* Logging in: with the agent's keys, then with key files, as ssh does it. Never asks anybody
 * anything. */
#ifndef FORAY_RUN_SSH_AUTH_H
#define FORAY_RUN_SSH_AUTH_H

#include "run/ssh_target.h"

#include <libssh2.h>

enum auth { AUTH_WAIT, AUTH_GRANTED, AUTH_REFUSED, AUTH_BROKEN };

struct ssh_auth;

struct ssh_auth *ssh_auth_new(LIBSSH2_SESSION *session, const struct ssh_target *target);
void ssh_auth_free(struct ssh_auth *a);
/* Goes on as far as it can. REFUSED: reason says what was tried and what to do. BROKEN: the
 * connection failed. */
enum auth ssh_auth_advance(struct ssh_auth *a, struct buf *reason);

/* Appends the session's host key as ssh prints it: "SHA256:...". */
void ssh_auth_fingerprint(LIBSSH2_SESSION *session, struct buf *out);

#endif
