/* The way to a host by the ssh program, for what libssh2 cannot do (certificates, keys on devices,
 * GSSAPI): one process logs in and shares its connection (ControlMaster of ssh_config(5)), each
 * channel is one more that goes through it. Nobody is asked anything. */
#ifndef FORAY_WAY_SSH_PROGRAM_H
#define FORAY_WAY_SSH_PROGRAM_H

#include "way/launcher.h"
#include "way/ssh_target.h"

/* compress: whatever the user's configuration says of it. */
struct way *ssh_program_open(struct loop *loop, struct children *children, const struct host *host,
                             const struct ssh_target *target, bool compress,
                             const struct way_events *events);

#endif
