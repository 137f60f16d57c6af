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

static XXH3_state_t *new_state(void) {
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL)
        mem_alloc(SIZE_MAX);
    return state;
}

/* Has each piece added by one of the two functions. */
static int read_all(int fd, XXH3_state_t *state,
                    XXH_errorcode (*update)(XXH3_state_t *state, const void *bytes, size_t n)) {
    char *chunk = mem_alloc(CHUNK);
    int error = 0;
    for (ssize_t n; error == 0 && (n = read(fd, chunk, CHUNK)) != 0;)
        if (n > 0)
            update(state, chunk, (size_t)n);
        else if (errno != EINTR)
            error = errno;
    free(chunk);
    return error;
}

int hash_descriptor(int fd, uint64_t *hash) {
    XXH3_state_t *state = new_state();
    XXH3_64bits_reset(state);
    int error = read_all(fd, state, XXH3_64bits_update);
    *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return error;
}

struct hash_stream {
    XXH3_state_t *state;
};

struct hash_stream *hash_stream_new(void) {
    struct hash_stream *s = mem_zalloc(sizeof *s);
    s->state = new_state();
    XXH3_128bits_reset(s->state);
    return s;
}

void hash_stream_add(struct hash_stream *s, struct str bytes) {
    XXH3_128bits_update(s->state, bytes.s, bytes.n);
}

struct digest hash_stream_end(struct hash_stream *s) {
    XXH128_hash_t hash = XXH3_128bits_digest(s->state);
    XXH3_freeState(s->state);
    free(s);
    return (struct digest){hash.high64, hash.low64};
}

int hash_digest_descriptor(int fd, struct digest *digest) {
    struct hash_stream *s = hash_stream_new();
    int error = read_all(fd, s->state, XXH3_128bits_update);
    *digest = hash_stream_end(s);
    return error;
}
