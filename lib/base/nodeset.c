#include "base/nodeset.h"

#include "base/vec.h"

#include <stdint.h>
#include <string.h>

/* Nothing is gone through to take names away: of each it is known with which word it was last
 * taken away, and with which it was last let stay. Words count from 1. */
struct nodeset_state {
    uint32_t gone, stayed;
    uint32_t added;   /* the last of its things */
    uint32_t toggled; /* the word that was last asked to add it or take it away */
    uint32_t item;    /* the one without a thing: 1 + its index; 0: none */
};

/* The last word that took it away. One that let only its own names stay took away all others. */
static uint32_t gone_since(const struct nodeset_state *state, uint32_t narrowed) {
    return state->stayed >= narrowed || state->gone > narrowed ? state->gone : narrowed;
}

void nodeset_begin(struct nodeset *set, enum nodeset_op op) {
    set->word++;
    set->op = op;
    set->before = set->narrowed;
    if (op == NODESET_INTERSECTION)
        set->narrowed = set->word;
}

/* Where it is written which item that is: 1 + its index; 0: there is none yet. */
static uint32_t *item_of(struct nodeset *set, struct nodeset_state *state, void *thing) {
    if (thing == NULL)
        return &state->item;
    struct map_entry *e = map_at(&set->things, (struct str){(const char *)&thing, sizeof thing});
    if (e->value == NULL) {
        e->key.s = arena_copy(&set->arena, &thing, sizeof thing);
        e->value = arena_alloc(&set->arena, sizeof(uint32_t));
    }
    return e->value;
}

static void put(struct nodeset *set, uint32_t name, void *thing) {
    struct nodeset_state *state = &set->states.v[name];
    uint32_t *item = item_of(set, state, thing);
    if (*item == 0) {
        *vec_push(&set->items) = (struct nodeset_item){
            .name = set->names.entries[name].key, .thing = thing, .state = name};
        *item = (uint32_t)set->items.n;
    }
    set->items.v[*item - 1].added = state->added = set->word;
}

void nodeset_add(struct nodeset *set, struct str name, void *thing) {
    uint32_t index = (uint32_t)(map_at(&set->names, name) - set->names.entries);
    if (index == set->states.n)
        vec_push(&set->states);
    struct nodeset_state *state = &set->states.v[index];
    state->gone = gone_since(state, set->before);
    bool in = state->added > state->gone;
    switch (set->op) {
    case NODESET_UNION:
        put(set, index, thing);
        break;
    case NODESET_DIFFERENCE:
        state->gone = set->word;
        break;
    case NODESET_INTERSECTION:
        if (in)
            state->stayed = set->word;
        break;
    case NODESET_XOR:
        /* Told twice by one word it counts once; what this word took away it cannot add. */
        if (in && state->toggled != set->word)
            state->gone = set->word;
        else
            put(set, index, thing);
        state->toggled = set->word;
        break;
    }
}

const struct nodeset_item *nodeset_next(const struct nodeset *set, size_t *i) {
    while (*i < set->items.n) {
        const struct nodeset_item *item = &set->items.v[(*i)++];
        if (item->added > gone_since(&set->states.v[item->state], set->narrowed))
            return item;
    }
    return NULL;
}

void nodeset_free(struct nodeset *set) {
    map_free(&set->names);
    map_free(&set->things);
    vec_free(&set->states);
    vec_free(&set->items);
    arena_free(&set->arena);
    *set = (struct nodeset){0};
}
