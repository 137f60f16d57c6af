/* A hash map from byte strings to pointers. Keys are not copied: they must outlive the map. */
#ifndef FORAY_BASE_MAP_H
#define FORAY_BASE_MAP_H

#include "base/str.h"

#include <stdint.h>

struct map_entry {
    struct str key;
    void *value;
};

struct map {
    struct map_entry *entries; /* n of them, in the order in which they came */
    struct map_slot *slots;    /* where they are found; a power of two, at most 3/4 full */
    size_t n, room, cap;       /* room: of entries; cap: of slots */
};

void *map_get(const struct map *m, struct str key); /* NULL if it is not there */
/* The place of the key's value; new ones start as NULL. Valid until the next map_put. */
void **map_put(struct map *m, struct str key);
/* The same with its key, for which the caller may put an equal one that lives longer. */
struct map_entry *map_at(struct map *m, struct str key);
void map_free(struct map *m);

#endif
