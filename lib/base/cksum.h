/* The sum of POSIX cksum(1), which every host can tell of its files. It finds what went wrong on
 * the way, and nothing that somebody made on purpose. */
#ifndef FORAY_BASE_CKSUM_H
#define FORAY_BASE_CKSUM_H

#include "base/str.h"

#include <stdint.h>

struct cksum {
    uint32_t tables[8][256];
    uint32_t far[2], near[2]; /* what moves a block further on; not everywhere */
    uint32_t sum;
    uint64_t size; /* bytes so far */
};

struct cksum *cksum_new(void);     /* for free() */
void cksum_reset(struct cksum *c); /* nothing was added */
void cksum_add(struct cksum *c, struct str bytes);
void cksum_join(struct cksum *c, const struct cksum *next); /* as if next's bytes were added */
uint32_t cksum_end(const struct cksum *c);                  /* of all that was added */

#endif
