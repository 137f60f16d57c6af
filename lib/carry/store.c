#include "carry/store.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct store {
    struct contents *contents;
    uint64_t most, total; /* total: of what is there or coming */
    enum store_state state;
    struct map names;
    struct arena arena;
    VEC(struct object *) objects; /* those that were listed: what was of use least lately first */
    size_t oldest;                /* of them, the first that may still be there */
};

struct store *store_new(struct contents *contents, uint64_t most) {
    struct store *s = mem_zalloc(sizeof *s);
    *s = (struct store){
        .contents = contents, .most = most, .state = most != 0 ? STORE_UNKNOWN : STORE_CLOSED};
    return s;
}

void store_free(struct store *s) {
    if (s == NULL)
        return;
    map_free(&s->names);
    arena_free(&s->arena);
    vec_free(&s->objects);
    free(s);
}

struct contents *store_contents(struct store *s) {
    return s->contents;
}

enum store_state store_state(const struct store *s) {
    return s->state;
}

static int by_use(const void *a, const void *b) {
    int64_t x = (*(struct object *const *)a)->used, y = (*(struct object *const *)b)->used;
    return x < y ? -1 : x > y;
}

void store_now(struct store *s, enum store_state state) {
    s->state = state;
    if (state == STORE_KNOWN && s->objects.n != 0)
        qsort(s->objects.v, s->objects.n, sizeof *s->objects.v, by_use);
    if (state != STORE_LISTING)
        contents_ring(s->contents);
}

static struct object *add(struct store *s, struct str name, uint64_t size) {
    struct object *o = arena_alloc(&s->arena, sizeof *o);
    *o = (struct object){.name = arena_str(&s->arena, name), .size = size};
    *map_put(&s->names, o->name) = o;
    return o;
}

/* 32 hexadecimal digits, a dash, and the size. */
static bool is_name(struct str name, uint64_t size) {
    char tail[24];
    if (name.n < 34 || name.n > 32 + sizeof tail)
        return false;
    for (size_t i = 0; i < 32; i++)
        if (strchr("0123456789abcdef", name.s[i]) == NULL)
            return false;
    int n = snprintf(tail, sizeof tail, "-%llu", (unsigned long long)size);
    return name.n == 32 + (size_t)n && memcmp(name.s + 32, tail, (size_t)n) == 0;
}

bool store_list(struct store *s, struct str name, uint64_t size, int64_t modified) {
    if (!is_name(name, size))
        return false;
    if (map_get(&s->names, name) != NULL)
        return true;
    struct object *o = add(s, name, size);
    o->state = OBJECT_THERE;
    o->used = modified;
    *vec_push(&s->objects) = o;
    s->total += size;
    return true;
}

struct object *store_object(struct store *s, const struct digest *digest, uint64_t size) {
    char name[64];
    int n = snprintf(name, sizeof name, "%016llx%016llx-%llu", (unsigned long long)digest->high,
                     (unsigned long long)digest->low, (unsigned long long)size);
    struct str text = {name, (size_t)n};
    struct object *o = map_get(&s->names, text);
    return o != NULL ? o : add(s, text, size);
}

/* What was of use least lately goes first; what this run wants stays. */
static struct object *next_to_go(struct store *s) {
    while (s->oldest < s->objects.n) {
        struct object *o = s->objects.v[s->oldest++];
        if (o->state == OBJECT_THERE && !o->wanted)
            return o;
    }
    return NULL;
}

bool store_admit(struct store *s, struct object *o, void (*remove)(void *arg, struct object *o),
                 void *arg) {
    if ((o->size < STORE_AT_ONCE && !o->wanted) || o->size > s->most) {
        o->wanted = true;
        return false;
    }
    o->wanted = true;
    while (s->total > s->most - o->size) {
        struct object *old = next_to_go(s);
        if (old == NULL)
            return false;
        remove(arg, old);
        store_forget(s, old);
    }
    o->state = OBJECT_COMING;
    s->total += o->size;
    return true;
}

void store_arrived(struct store *s, struct object *o) {
    o->wanted = true;
    if (o->state == OBJECT_THERE)
        return;
    o->state = OBJECT_THERE;
    contents_ring(s->contents);
}

void store_forget(struct store *s, struct object *o) {
    if (o->state != OBJECT_SENT)
        s->total -= o->size;
    o->state = OBJECT_SENT;
    o->proved = false;
    contents_ring(s->contents);
}
