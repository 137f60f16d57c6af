#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What the program keeps in arenas: pointers, integers, doubles. */
union any {
    void *pointer;
    int64_t integer;
    double number;
};

struct arena_block {
    struct arena_block *next;
    union any data[];
};

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 256 * 1024 };

/* A new block for a piece that the current one has no room for. Blocks grow with their number: an
 * arena for a moment costs little, one for a run has few. */
static char *add_block(struct arena *a, size_t size) {
    size_t block_size = a->block_size == 0 ? FIRST_BLOCK : a->block_size;
    if (block_size < LARGEST_BLOCK)
        a->block_size = block_size * 2;
    size_t room = size > block_size / 4 ? size : block_size;
    struct arena_block *block = mem_zalloc(sizeof *block + room);
    block->next = a->blocks;
    a->blocks = block;
    if (room == size) /* a large piece gets a block of its own; the current one stays in use */
        return (char *)block->data;
    a->at = (char *)block->data + size;
    a->end = (char *)block->data + room;
    return (char *)block->data;
}

/* align: a power of two. */
static char *take(struct arena *a, size_t size, size_t align) {
    size_t gap = -(uintptr_t)a->at & (align - 1);
    if (size > SIZE_MAX - LARGEST_BLOCK)
        return mem_alloc(SIZE_MAX);
    if ((size_t)(a->end - a->at) < size + gap)
        return add_block(a, size);
    char *p = a->at + gap;
    a->at = p + size;
    return p;
}

void *arena_alloc(struct arena *a, size_t size) {
    return take(a, size != 0 ? size : 1, alignof(union any));
}

void *arena_copy(struct arena *a, const void *p, size_t size) {
    void *copy = arena_alloc(a, size);
    if (size != 0)
        memcpy(copy, p, size);
    return copy;
}

struct str arena_str(struct arena *a, struct str s) {
    char *copy = take(a, s.n + 1, 1);
    if (s.n != 0)
        memcpy(copy, s.s, s.n);
    return (struct str){copy, s.n};
}

struct str arena_join(struct arena *a, const struct str *parts, size_t n) {
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        length += parts[i].n;
    char *joined = take(a, length + 1, 1), *end = joined;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n != 0)
            memcpy(end, parts[i].s, parts[i].n);
        end += parts[i].n;
    }
    return (struct str){joined, length};
}

struct str arena_printf(struct arena *a, const char *fmt, ...) {
    struct buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    struct str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

void arena_free(struct arena *a) {
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    *a = (struct arena){0};
}
