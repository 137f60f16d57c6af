/* Files on their way: under a temporary name beside their own until they are whole. The names are
 * written down as long as a run lasts, so that the watcher (loop/watcher.h) can remove what is left
 * of them when foray is killed; if it is killed, too, the next run does. */
#ifndef FORAY_CARRY_TEMPORARY_H
#define FORAY_CARRY_TEMPORARY_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Removes what is left of the last run in this directory; from now on names are written down in
 * DIR/temporary. The caller holds the lock of DIR. That this fails does no harm. */
void temporary_begin(const char *dir);
/* They are written down in a file without a name; nobody does if this fails. Its descriptor, which
 * is for the watcher to keep; -1: none. */
int temporary_begin_unnamed(void);
void temporary_end(void);    /* none is left */
void temporary_remove(void); /* whatever is: in another process, when this one is gone */

/* Opens a new file beside `name`, to be renamed to it when it is whole; makes the directories
 * above. The descriptor, and the temporary name; -1 with errno (the name is then of no use). */
int temporary_open(struct str name, mode_t mode, struct buf *temporary);

/* A name beside `name` that nothing has, for a file on another machine. */
void temporary_name(struct str name, struct buf *temporary);
bool temporary_is(struct str name); /* whether a name is such a one */
/* A name beside `name` for number i of a family, which is random: whoever knows the family finds
 * them all. */
uint32_t temporary_family(void);
void temporary_of_family(struct str name, uint32_t family, uint32_t i, struct buf *temporary);

/* Makes a symbolic link beside `name`, likewise. 0 or errno. */
int temporary_link(struct str name, const char *target, struct buf *temporary);

#endif
