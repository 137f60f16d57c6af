/* A channel of an ssh connection, over libssh2. */
#ifndef FORAY_RUN_SSH_CHANNEL_H
#define FORAY_RUN_SSH_CHANNEL_H

#include "run/connection.h"

struct channel *ssh_channel_open(struct connection *c, enum channel_kind kind, struct party party);

#endif
