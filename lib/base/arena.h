/* Memory that lives as long as the run: many small pieces, given back all at once. */
#ifndef FORAY_BASE_ARENA_H
#define FORAY_BASE_ARENA_H

#include "base/str.h"

struct arena {
    struct arena_block *blocks;
    char *at, *end;
    size_t block_size; /* of the next block */
};

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */
void *arena_copy(struct arena *a, const void *p, size_t size);
struct str arena_str(struct arena *a, struct str s); /* a copy, followed by a NUL */
struct str arena_join(struct arena *a, const struct str *parts, size_t n); /* one after another */
struct str arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

#endif
