/* Makes a stream smaller on its way, as gzip has it (RFC 1952), or takes one that was; and whether
 * that pays. */
#ifndef FORAY_CARRY_PACK_H
#define FORAY_CARRY_PACK_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    PACK_LEVEL = 6, /* of zlib: as gzip and ssh have it */
    PACK_SAMPLE = 256 * 1024,
    PACK_FAST = 48 * 1024 * 1024, /* bytes a second of a way: nothing that packs is faster */
};
#define PACK_WORTH 1.25 /* so much faster it has to be */

/* What becomes of a sample, and how fast: bytes a second of this thread alone; to is 0 if it is not
 * known. */
struct packing {
    size_t from, to;
    double speed;
};
void pack_measure(struct str sample, struct packing *p);
/* How long so many bytes take like that, by a way of so many bytes a second. */
double packing_seconds(const struct packing *p, double bytes, double pace);
/* The reason why that is done. */
void packing_say(const struct packing *p, double pace, struct buf *out);

struct packer;

/* read gives what is to be packed: at most n bytes; 0: that was all. */
struct packer *packer_new(size_t (*read)(void *context, char *bytes, size_t n), void *context);
/* The same of what it has become. */
size_t packer_read(void *packer, char *bytes, size_t n);
void packer_free(struct packer *p); /* NULL: does nothing */

/* Takes what pack.pl writes. */
struct unpacker;

/* take is given what was packed, piece by piece; false: it wants no more. */
struct unpacker *unpacker_new(bool (*take)(void *context, struct str bytes), void *context);
/* false: that is not what pack.pl writes. */
bool unpacker_take(struct unpacker *u, struct str bytes);
void unpacker_free(struct unpacker *u); /* NULL: does nothing */

#endif
