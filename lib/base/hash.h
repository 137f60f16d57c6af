/* XXH3 (xxhash.com), 64 bits: quick, and not meant to stand against who makes collisions on
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

#endif
