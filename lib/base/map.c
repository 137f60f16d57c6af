#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>

/* Slots are few bytes, so that looking for what is not there, and growing, go through little
 * memory. */
struct map_slot {
    uint32_t hash;
    uint32_t entry; /* 1 + its index; 0: a free slot */
};

/* FNV-1a with a final mix (the finalizer of MurmurHash3): short keys, no hostile choice of keys
 * beyond the user's own file, whose owner would only slow down himself. */
static uint32_t hash_of(struct str key) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.s[i]) * 0x100000001b3u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return (uint32_t)(h ^ (h >> 33));
}

/* The slot of a key, or the free one where it would be. */
static struct map_slot *find(const struct map *m, struct str key, uint32_t hash) {
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].entry != 0 &&
           !(m->slots[i].hash == hash && str_eq(m->entries[m->slots[i].entry - 1].key, key)))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

void *map_get(const struct map *m, struct str key) {
    if (m->cap == 0)
        return NULL;
    const struct map_slot *slot = find(m, key, hash_of(key));
    return slot->entry != 0 ? m->entries[slot->entry - 1].value : NULL;
}

static void grow_slots(struct map *m) {
    size_t cap = m->cap != 0 ? m->cap * 2 : 16;
    if (cap > UINT32_MAX)
        mem_alloc(SIZE_MAX);
    struct map_slot *slots = mem_zalloc(cap * sizeof *slots);
    for (size_t i = 0; i < m->cap; i++) {
        size_t k = m->slots[i].hash & (cap - 1);
        while (m->slots[i].entry != 0 && slots[k].entry != 0)
            k = (k + 1) & (cap - 1);
        if (m->slots[i].entry != 0)
            slots[k] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
}

struct map_entry *map_at(struct map *m, struct str key) {
    if ((m->n + 1) * 4 > m->cap * 3)
        grow_slots(m);
    uint32_t hash = hash_of(key);
    struct map_slot *slot = find(m, key, hash);
    if (slot->entry == 0) {
        if (m->n == m->room) {
            m->room = m->room != 0 ? m->room * 2 : 8;
            m->entries = mem_array(m->entries, m->room, sizeof *m->entries);
        }
        m->entries[m->n++] = (struct map_entry){key, NULL};
        *slot = (struct map_slot){hash, (uint32_t)m->n};
    }
    return &m->entries[slot->entry - 1];
}

void **map_put(struct map *m, struct str key) {
    return &map_at(m, key)->value;
}

void map_free(struct map *m) {
    free(m->entries);
    free(m->slots);
    *m = (struct map){0};
}
