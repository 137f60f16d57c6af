/* What a script in a slot reads: the bytes of a source, on their way through the slot's channel.
 *
 * A server takes only so much on one channel ahead of who reads it there (OpenSSH 2 MiB): to what
 * is far that, and the time there and back, are the pace, and not the network. So much that goes
 * far goes through several channels, the lanes: in portions, each in the channel that has room, and
 * the slot's says which it is. At their far end lanes are named pipes, which who reads the slot's
 * channel there reads, too. */
#ifndef FORAY_WAY_PUT_H
#define FORAY_WAY_PUT_H

#include "base/str.h"
#include "way/way.h"

#include <stdint.h>

/* Gives at most n bytes, at least one; 0: there are none any more. */
struct put_source {
    void *context;
    size_t (*read)(void *context, char *bytes, size_t n);
    uint64_t about; /* how many there may be, of PUT_AS_MANY */
};

struct put;

/* So many bytes: those the source gives, and zeros if they are fewer; PUT_AS_MANY: as it gives, in
 * portions, each behind its length in three bytes, the highest first, and before these the number
 * of its lane; 0: it follows. An empty one is the last. */
#define PUT_AS_MANY UINT64_MAX
struct put *put_new(struct channel *channel, uint64_t bytes, const struct put_source *source);
/* NULL: does nothing */
void put_free(struct put *p);

/* How many lanes it is worth to have. */
unsigned put_lanes(const struct put *p);
/* Opens them on a way: number N ends in the named pipe PIPES.N, which comes to be soon. Those that
 * the way has no channel for, or that do not come to their pipe, are done without. */
void put_open_lanes(struct put *p, struct way *w, struct str pipes);

/* Whether there is something to be drawn now: only the first bytes are, before put_feed. */
bool put_has_more(const struct put *p);
void put_feed(struct put *p);
/* Appends what goes into the slot's channel next, when all before it has gone. */
void put_draw(struct put *p, struct buf *out);
/* A lane has gone with what was in it: the script will not have it. */
bool put_is_broken(const struct put *p);
/* Appends what is still promised, in the shortest way; false: that is too much to be sent in vain.
 */
bool put_end(struct put *p, struct buf *out);

#endif
