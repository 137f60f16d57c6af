/* Whole reads and writes of files. Not for what may keep us waiting, such as pipes and sockets. */
#ifndef FORAY_BASE_IO_H
#define FORAY_BASE_IO_H

#include "base/str.h"

/* All of it. 0 or errno. */
int io_write_all(int fd, struct str bytes);
/* Appends what comes up to the end; more than `most` bytes are EFBIG. 0 or errno; what came is
 * there in any case, and followed by a NUL. */
int io_read_all(int fd, size_t most, struct buf *out);
/* The same of a file with that name, a plain one: EINVAL for others. */
int io_read_file(const char *name, size_t most, struct buf *out);

/* Makes the directories above a name, where they are not there. 0 or errno. */
int io_make_parents(struct str name);

#endif
