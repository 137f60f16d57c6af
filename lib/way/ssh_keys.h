/* Logging in with keys: those of the agent that stand in the configuration, its others, then files,
 * as ssh does it. */
#ifndef FORAY_WAY_SSH_KEYS_H
#define FORAY_WAY_SSH_KEYS_H

#include "way/ssh_auth.h"

struct ssh_keys;

struct ssh_keys *ssh_keys_new(const struct auth_context *context);
void ssh_keys_free(struct ssh_keys *k); /* NULL: does nothing */
enum auth ssh_keys_advance(struct ssh_keys *k);
bool ssh_keys_wait(const struct ssh_keys *k); /* for a person, or an agent that may ask one */
/* A key that is there, and that only the ssh program can use: "a FIDO key"; NULL: none. */
const char *ssh_keys_only_ssh(const struct ssh_keys *k);
/* Appends what has become of them: "none of ...". */
void ssh_keys_explain(const struct ssh_keys *k, struct buf *reason);

#endif
