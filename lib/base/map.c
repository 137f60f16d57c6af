#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>

/* FNV-1a with a final mix (the finalizer of MurmurHash3): short keys, no hostile choice of keys
 * beyond the user's own file, whose owner would only slow down himself. */
static uint64_t hash_of(struct str key) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ (unsigned char)key.s[i]) * 0x100000001b3u;
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 33);
}

static struct map_entry *place(struct map_entry *entries, size_t cap, struct str key,
                               uint64_t hash) {
    size_t i = (size_t)hash & (cap - 1);
    while (entries[i].key.s != NULL && !(entries[i].hash == hash && str_eq(entries[i].key, key)))
        i = (i + 1) & (cap - 1);
    return &entries[i];
}

void *map_get(const struct map *m, struct str key) {
    return m->cap != 0 ? place(m->entries, m->cap, key, hash_of(key))->value : NULL;
}

static void grow(struct map *m) {
    size_t cap = m->cap != 0 ? m->cap * 2 : 16;
    struct map_entry *entries = mem_array(NULL, cap, sizeof *entries);
    for (size_t i = 0; i < cap; i++)
        entries[i] = (struct map_entry){0};
    for (size_t i = 0; i < m->cap; i++)
        if (m->entries[i].key.s != NULL)
            *place(entries, cap, m->entries[i].key, m->entries[i].hash) = m->entries[i];
    free(m->entries);
    m->entries = entries;
    m->cap = cap;
}

void **map_put(struct map *m, struct str key) {
    if ((m->n + 1) * 4 > m->cap * 3)
        grow(m);
    uint64_t hash = hash_of(key);
    if (key.s == NULL)
        key = STR("");
    struct map_entry *e = place(m->entries, m->cap, key, hash);
    if (e->key.s == NULL) {
        *e = (struct map_entry){key, hash, NULL};
        m->n++;
    }
    return &e->value;
}

void map_free(struct map *m) {
    free(m->entries);
    *m = (struct map){0};
}
