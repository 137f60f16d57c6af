/* A YAML text as a tree of nodes with their places, over libyaml's events. */
#ifndef FORAY_READ_NODES_H
#define FORAY_READ_NODES_H

#include "base/arena.h"
#include "base/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

/* Large files have millions of them. */
struct node {
    const struct source *source;
    union {
        struct str text; /* of a scalar */
        struct {
            /* Items of a list; of a map: key, value, key, value ... Keys are scalars, each there
             * once. */
            struct node *items;
            size_t n;
        };
    };
    uint32_t start, end; /* its bytes in the source */
    uint32_t line, col;  /* where it starts */
    uint32_t length;     /* to underline */
    enum node_kind kind : 8;
    bool plain : 1;   /* a scalar without quotes, not a block */
    bool block : 1;   /* a scalar behind `|` or `>` */
    bool flow : 1;    /* a list or map in [ ] or { } */
    bool refused : 1; /* a map with a key that was refused, and told: no more need be said of it */
};

static inline struct place node_at(const struct node *node) {
    return (struct place){node->source, node->line, node->col, node->length};
}

/* The tree of the one document of a source, with its nodes in one arena and their texts in another,
 * which is to live on when nobody asks for the nodes any more; NULL after a mistake of syntax,
 * which is then in diags (an empty document is one). Duplicate keys, keys that are no scalars and
 * the like are reported and left out. Aliases share what is in them: a tree may be met on several
 * ways, but not without an end. */
struct node *nodes_read(struct arena *nodes, struct arena *texts, const struct source *source,
                        struct diags *diags);

/* The value of a key in a map; NULL if it is not there, or the node is no map. */
const struct node *node_get(const struct node *map, const char *key);
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
