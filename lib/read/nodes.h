/* A YAML text as a tree of nodes with their places, over libyaml's events. */
#ifndef FORAY_READ_NODES_H
#define FORAY_READ_NODES_H

#include "base/arena.h"
#include "base/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool plain;        /* a scalar without quotes, not a block */
    bool block;        /* a scalar behind `|` or `>` */
    bool flow;         /* a list or map in [ ] or { } */
    bool refused;      /* a map with a key that was refused, and told: no more need be said of it */
    struct str text;   /* of a scalar */
    struct place at;   /* where it starts */
    size_t start, end; /* its bytes in the source */
    /* Items of a list; of a map: key, value, key, value ... Keys are scalars, each there once. */
    struct node **items;
    size_t n;
};

/* The tree of the one document of a source, in the arena; NULL after a mistake of syntax, which is
 * then in diags (an empty document is one). Duplicate keys, keys that are no scalars and the like
 * are reported and left out. Aliases share nodes: a tree may be met on several ways, but not
 * without an end. */
struct node *nodes_read(struct arena *arena, const struct source *source, struct diags *diags);

/* The value of a key in a map; NULL if it is not there. */
struct node *node_get(const struct node *map, const char *key);
/* Nothing at all, `~` or `null`. */
bool node_is_nothing(const struct node *node);
/* "a list", "a map", "a text", "nothing": for messages. */
const char *node_kind_name(const struct node *node);

/* Finds the places of pieces of a scalar's text in the source, where the text may stand in quotes,
 * with escapes, indented or folded. Asked in the order of the text it goes through both once. */
struct node_finder {
    const struct node *scalar;
    bool same; /* the text stands in the source as it is */
    size_t text, source, line_start;
    uint32_t line;
};

void node_finder_init(struct node_finder *f, const struct node *scalar);
/* Of length bytes at offset in the text. Where text and source differ only what begins with "{{" is
 * found; the place of anything else is the scalar's. */
struct place node_find(struct node_finder *f, size_t offset, size_t length);

#endif
