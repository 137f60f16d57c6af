/* What is asked for in a handshake: ciphers, MACs, key exchanges and kinds of host keys. */
#ifndef FORAY_WAY_SSH_METHODS_H
#define FORAY_WAY_SSH_METHODS_H

#include "way/known_hosts.h"

#include <libssh2.h>

/* What the configuration allows and the library has, the fastest first where the configuration does
 * not prefer anything, and kinds of host keys first of which one is known. False, with the reason,
 * if nothing is left of something: then only another ssh could do it. */
bool ssh_methods_set(LIBSSH2_SESSION *session, const struct ssh_target *t,
                     const struct known_name *known, struct buf *reason);

/* For the ssh program: the ciphers that it offers by default, the fastest first. Empty if the
 * configuration has chosen, or if this processor has no instructions for AES. */
void ssh_methods_ciphers(const struct ssh_target *t, struct buf *out);

#endif
