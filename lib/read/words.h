/* Hosts as they are named on the command line. */
#ifndef FORAY_READ_WORDS_H
#define FORAY_READ_WORDS_H

#include "base/diag.h"
#include "base/vec.h"
#include "graph/graph.h"

/* What options were given: their names, and texts. They must outlive the graph. */
typedef VEC(struct source) option_list;

/* A pool of the hosts that `on` stands for, without those of `except`: each once, in the order
 * written. Both are host lists (base/nodeset.h), in which `@` and a pool's name, or only that, is
 * the hosts of the pool, and `@*` those of all pools. Hosts that the graph does not have are added
 * to it; what `except` names need not be there. NULL: there was a mistake, or no host is left,
 * which was told. */
struct pool *words_pool(struct graph *g, const option_list *on, const option_list *except,
                        struct diags *diags);

#endif
