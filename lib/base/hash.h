/* XXH3 (xxhash.com): quick, and not meant to stand against who makes collisions on
 * purpose. */
#ifndef FORAY_BASE_HASH_H
#define FORAY_BASE_HASH_H

#include "base/str.h"

#include <stdint.h>

uint64_t hash_bytes(struct str bytes, uint64_t seed);
/* Of two texts, told apart: hash_pair("ab", "c") is not that of ("a", "bc"). */
uint64_t hash_pair(struct str a, struct str b);
/* Of what can be read from a descriptor, from where it stands to its end. 0 or errno. */
int hash_descriptor(int fd, uint64_t *hash);

/* The same with 128 bits: enough to take what has the same digest and size for the same. */
struct digest {
    uint64_t high, low;
};
int hash_digest_descriptor(int fd, struct digest *digest);
/* Of what comes in pieces. */
struct hash_stream *hash_stream_new(void);
void hash_stream_add(struct hash_stream *s, struct str bytes);
struct digest hash_stream_end(struct hash_stream *s); /* frees it */

#endif
