/* A heap of small entries, least first. Of an indexed heap the entries can be found, moved and
 * taken out by id. */
#ifndef FORAY_SCHED_HEAP_H
#define FORAY_SCHED_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    int64_t key;
    uint32_t tie, id; /* decide, in this order, between equal keys */
};

/* Zeroed: empty. */
struct heap {
    struct heap_entry *v; /* v[0] is the least */
    size_t n, cap;
    bool indexed;
    uint32_t *place; /* by id: where in v, + 1; 0: not there */
    size_t ids;      /* how many of them */
};

void heap_push(struct heap *h, struct heap_entry entry); /* if indexed, its id is not there yet */
void heap_pop(struct heap *h);                           /* there is a first entry */
void heap_free(struct heap *h);

/* Of an indexed heap only. */
void heap_set(struct heap *h, struct heap_entry entry); /* adds it, or moves the entry of that id */
void heap_remove(struct heap *h, uint32_t id);          /* does nothing if it is not there */
const struct heap_entry *heap_find(const struct heap *h, uint32_t id); /* NULL: not there */

#endif
