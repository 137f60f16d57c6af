/* foray's own standard output and standard error: written in order, without ever blocking the loop.
 */
#ifndef FORAY_VIEW_SINK_H
#define FORAY_VIEW_SINK_H

#include "base/str.h"
#include "loop/loop.h"
#include "run/executor.h"

struct sink;

struct sink *sink_new(struct loop *loop); /* of descriptors 1 and 2 */
void sink_free(struct sink *s);
void sink_bytes(struct sink *s, enum stream to, struct str bytes); /* copied */
/* Bytes [offset, offset + n) of a file, which the sink reads when their turn comes. Takes a share
 * of the file, that sink_file_release gives back. */
struct sink_file {
    int fd;
    size_t shares;
};
void sink_file(struct sink *s, enum stream to, struct sink_file *file, uint64_t offset, uint64_t n);
void sink_file_release(struct sink_file *file); /* closes and frees it with the last share */
/* Nothing is written until it is let go, as often as it was held: a step has the terminal, or a
 * person is asked something on it. */
void sink_hold(struct sink *s, bool hold);
/* Tells when much is waiting to be written, and when that is over. */
void sink_tell(struct sink *s, void (*full)(void *arg, bool full), void *arg);
bool sink_is_closed(const struct sink *s, enum stream end); /* nobody reads it any more */
bool sink_empty(const struct sink *s);
/* The error of the first write that failed for good, other than "nobody reads any more" (EPIPE); 0:
 * none. */
int sink_error(const struct sink *s, enum stream *where);

#endif
