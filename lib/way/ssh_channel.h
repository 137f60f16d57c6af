/* A channel of an ssh connection, over libssh2. */
#ifndef FORAY_WAY_SSH_CHANNEL_H
#define FORAY_WAY_SSH_CHANNEL_H

#include "way/connection.h"

struct channel *ssh_channel_open(struct connection *c, enum channel_kind kind, struct party party);

struct channel *ssh_channel_open_pty(struct connection *c, const struct pty *pty,
                                     struct party party);

#endif
