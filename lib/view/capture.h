/* What one try of a step has written so far: both streams in the order in which they were read.
 * Small amounts stay in memory, large ones go to a nameless file, so that memory stays bounded
 * whatever a step writes. */
#ifndef FORAY_VIEW_CAPTURE_H
#define FORAY_VIEW_CAPTURE_H

#include "view/sink.h"

struct capture;

struct capture *capture_new(void);
void capture_free(struct capture *c);
void capture_add(struct capture *c, enum stream stream, struct str bytes);
bool capture_is_empty(const struct capture *c);
void capture_show(struct capture *c, struct sink *sink); /* all of it, each stream to its own */
/* Calls take for its pieces in order; of more than first + last bytes only for these, with a line
 * between them that says how much is missing. */
void capture_ends(const struct capture *c, uint64_t first, uint64_t last,
                  void (*take)(void *context, enum stream stream, struct str bytes), void *context);
/* Appends the last lines (at most `lines`, and 4 KiB) of both streams together. */
void capture_tail(const struct capture *c, size_t lines, struct buf *out);

#endif
