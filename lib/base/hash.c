#include "base/hash.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { CHUNK = 256 * 1024 };

uint64_t hash_bytes(struct str bytes, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.s, bytes.n, seed);
}

uint64_t hash_pair(struct str a, struct str b) {
    return hash_bytes(b, hash_bytes(a, a.n));
}

int hash_descriptor(int fd, uint64_t *hash) {
    XXH3_state_t *state = XXH3_createState();
    char *chunk = mem_alloc(CHUNK);
    if (state == NULL)
        mem_alloc(SIZE_MAX);
    XXH3_64bits_reset(state);
    int error = 0;
    for (ssize_t n; error == 0 && (n = read(fd, chunk, CHUNK)) != 0;)
        if (n > 0)
            XXH3_64bits_update(state, chunk, (size_t)n);
        else if (errno != EINTR)
            error = errno;
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    free(chunk);
    return error;
}
