/* Logging in with what a person types: a password, or answers to what the server asks
 * (keyboard-interactive). */
#ifndef FORAY_WAY_SSH_TYPED_H
#define FORAY_WAY_SSH_TYPED_H

#include "way/ssh_auth.h"

struct ssh_typed;

struct ssh_typed *ssh_typed_new(const struct auth_context *context, bool keyboard_interactive);
void ssh_typed_free(struct ssh_typed *t); /* NULL: does nothing */
enum auth ssh_typed_advance(struct ssh_typed *t);
bool ssh_typed_waits(const struct ssh_typed *t); /* for a person */
/* Why it came to nothing: "the password was not accepted"; "" without a reason, or if t is NULL. */
const char *ssh_typed_why(const struct ssh_typed *t);

#endif
