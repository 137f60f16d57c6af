#include "sched/heap.h"

#include "base/vec.h"

/* Four children to an entry: they share a cache line, and the heap is half as deep. */
enum { CHILDREN = 4 };

/* Without branches: which entry is less is a coin toss, that no processor foresees. */
static bool before(const struct heap_entry *a, const struct heap_entry *b) {
    uint64_t x = (uint64_t)a->tie << 32 | a->id, y = (uint64_t)b->tie << 32 | b->id;
    return (a->key < b->key) | ((a->key == b->key) & (x < y));
}

static void put(struct heap *h, size_t at, struct heap_entry entry) {
    h->v[at] = entry;
    if (h->indexed)
        h->place[entry.id] = (uint32_t)at + 1;
}

static void rise(struct heap *h, size_t at, struct heap_entry entry) {
    while (at > 0) {
        size_t parent = (at - 1) / CHILDREN;
        if (!before(&entry, &h->v[parent]))
            break;
        put(h, at, h->v[parent]);
        at = parent;
    }
    put(h, at, entry);
}

static void sink(struct heap *h, size_t at, struct heap_entry entry) {
    for (;;) {
        size_t first = at * CHILDREN + 1, least = first;
        if (first >= h->n)
            break;
        for (size_t i = first + 1; i < first + CHILDREN && i < h->n; i++)
            least = before(&h->v[i], &h->v[least]) ? i : least;
        if (!before(&h->v[least], &entry))
            break;
        put(h, at, h->v[least]);
        at = least;
    }
    put(h, at, entry);
}

static void settle(struct heap *h, size_t at, struct heap_entry entry) {
    if (at > 0 && before(&entry, &h->v[(at - 1) / CHILDREN]))
        rise(h, at, entry);
    else
        sink(h, at, entry);
}

static void make_place(struct heap *h, uint32_t id) {
    if (id < h->ids)
        return;
    size_t old = h->ids;
    while (h->ids <= id)
        h->place = vec_grow(h->place, &h->ids, sizeof *h->place);
    memset(&h->place[old], 0, (h->ids - old) * sizeof *h->place);
}

void heap_push(struct heap *h, struct heap_entry entry) {
    if (h->indexed)
        make_place(h, entry.id);
    (void)vec_push(h);
    rise(h, h->n - 1, entry);
}

static void take_out(struct heap *h, size_t at) {
    if (h->indexed)
        h->place[h->v[at].id] = 0;
    struct heap_entry last = h->v[--h->n];
    if (at < h->n)
        settle(h, at, last);
}

void heap_pop(struct heap *h) {
    take_out(h, 0);
}

void heap_set(struct heap *h, struct heap_entry entry) {
    const struct heap_entry *found = heap_find(h, entry.id);
    if (found == NULL)
        heap_push(h, entry);
    else if (found->key != entry.key || found->tie != entry.tie)
        settle(h, (size_t)(found - h->v), entry);
}

void heap_remove(struct heap *h, uint32_t id) {
    const struct heap_entry *found = heap_find(h, id);
    if (found != NULL)
        take_out(h, (size_t)(found - h->v));
}

const struct heap_entry *heap_find(const struct heap *h, uint32_t id) {
    return id < h->ids && h->place[id] != 0 ? &h->v[h->place[id] - 1] : NULL;
}

void heap_free(struct heap *h) {
    vec_free(h);
    free(h->place);
    h->place = NULL;
    h->ids = 0;
}
