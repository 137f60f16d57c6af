/* Logging in, by the methods that the server and the configuration allow: keys (ssh_keys.h), then
 * what a person types (ssh_typed.h). */
#ifndef FORAY_WAY_SSH_AUTH_H
#define FORAY_WAY_SSH_AUTH_H

#include "way/ssh_shared.h"

#include <libssh2.h>

enum auth {
    AUTH_WAIT,
    AUTH_GRANTED,
    AUTH_REFUSED,
    AUTH_BROKEN,    /* the connection failed */
    AUTH_NEEDS_SSH, /* there are other ways in, which only the ssh program knows */
    AUTH_MORE,      /* of a method: the server may want another one besides */
};

/* What the parts of a log-in need. wake: something may go on now. */
struct auth_context {
    LIBSSH2_SESSION *session;
    const struct ssh_shared *shared;
    const struct ssh_target *target;
    void (*wake)(void *arg);
    void *arg;
};

struct ssh_auth;

struct ssh_auth *ssh_auth_new(const struct auth_context *context);
void ssh_auth_free(struct ssh_auth *a); /* while the session is still there */
/* Goes on as far as it can. REFUSED and NEEDS_SSH: reason says what was tried and what to do. */
enum auth ssh_auth_advance(struct ssh_auth *a, struct buf *reason);
/* A person, or an agent that may ask one, has their time. */
bool ssh_auth_waits_for_person(const struct ssh_auth *a);

/* Appends the session's host key as ssh prints it: "SHA256:...". */
void ssh_auth_fingerprint(LIBSSH2_SESSION *session, struct buf *out);

/* For its parts: an answer of libssh2 that is an end, and no refusal. */
bool auth_is_broken(int rc);

#endif
