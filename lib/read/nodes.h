/* A YAML text as a tree of nodes with their places, over libyaml's events. */
#ifndef FORAY_READ_NODES_H
#define FORAY_READ_NODES_H

#include "base/arena.h"
#include "base/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;        /* a scalar without quotes, not a block */
    bool flow;         /* a list or map in [ ] or { } */
    bool refused;      /* a map with a key that was refused, and told: no more need be said of it */
    struct str text;   /* of a scalar */
    struct place at;   /* where it starts */
    size_t start, end; /* its bytes in the source */
    /* Items of a list; of a map: key, value, key, value ... Keys are scalars, each there once. */
    struct node **items;
    size_t n;
};

/* The tree of the one document of a source, in the arena; NULL after a mistake of syntax, which is then in diags (an
 * empty document is one). Duplicate keys, keys that are no scalars and the like are reported and left out. Aliases share
 * nodes: a tree may be met on several ways, but not without an end. */
struct node *nodes_read(struct arena *arena, const struct source *source, struct diags *diags);

/* The value of a key in a map; NULL if it is not there. */
struct node *node_get(const struct node *map, const char *key);
/* "a list", "a map", "a text": for messages. */
const char *node_kind_name(const struct node *node);

/* The place of length bytes at offset in a scalar's text, for a piece that stands in the source as it is (a
 * reference): found again behind the scalar's start as the k-th occurrence of its first two bytes. */
struct place node_place(const struct node *scalar, size_t offset, size_t length);

#endif
