/* Texts of many hosts, told apart only where they differ in more than the host's own name. */
#ifndef FORAY_VIEW_GATHER_H
#define FORAY_VIEW_GATHER_H

#include "base/map.h"
#include "base/strlist.h"
#include "base/vec.h"
#include "graph/graph.h"

struct gathered {
    struct buf text;   /* of the first host */
    struct buf common; /* the same with {{host}} for its name; empty: it is not in it */
    bool differ;       /* others have their own names in it: `common` is what they share */
    str_list hosts;    /* names of the graph's */
    uint32_t first;    /* the lowest id of them */
};

struct gather {
    VEC(struct gathered *) groups; /* in the order in which they began */
    struct map texts, commons;
};

/* Takes the text over, which is {0} then. */
void gather_add(struct gather *g, const struct host *host, struct buf *text);
/* Large groups first, then in the order of the graph's hosts. */
void gather_sort(struct gather *g);
void gather_free(struct gather *g);
/* What the hosts of a group have written. */
struct str gathered_text(const struct gathered *group);

#endif
