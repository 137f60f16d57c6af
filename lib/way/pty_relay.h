/* A terminal there, where the way itself brings none: a relay at the far end of a plain channel,
 * written in perl for Linux, makes one, and passes on what is written to it, behind the byte \036,
 * which says that there is one. What is typed goes to it in portions: a byte with their length, and
 * so many bytes; after a zero comes the terminal's new size: columns and rows, two bytes each, the
 * high one first. */
#ifndef FORAY_WAY_PTY_RELAY_H
#define FORAY_WAY_PTY_RELAY_H

#include "way/way.h"

/* As channel_open_pty. */
struct channel *pty_relay_open(struct way *w, const struct pty *pty, struct party party);

#endif
