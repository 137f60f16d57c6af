/* How a terminal behaves, as ssh tells it to the other side (RFC 4254, section 8). */
#ifndef FORAY_WAY_TTY_MODES_H
#define FORAY_WAY_TTY_MODES_H

#include "base/str.h"

#include <termios.h>

/* Appends it; at most TTY_MODES_MAX bytes, since libssh2 takes no more than 256 with TERM. */
enum { TTY_MODES_MAX = 192 };
void tty_modes_add(struct buf *out, const struct termios *t);

#endif
