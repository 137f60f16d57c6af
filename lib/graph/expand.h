/* What references in templates stand for. */
#ifndef FORAY_GRAPH_EXPAND_H
#define FORAY_GRAPH_EXPAND_H

#include "graph/graph.h"

/* From where a template is looked at. */
struct scope {
    const struct graph *graph;
    const struct step *step; /* NULL: none, as in variables and items */
    struct str item;         /* s NULL: none */
    bool item_file;
    const struct axis *axes; /* of a matrix */
    size_t n_axes;
    bool lines; /* what a step wrote is a list of its lines, not one text */
    struct str host;
    struct str prefix;   /* put before relative names of files */
    struct arena *arena; /* where values are made */
};

/* A template_lookup; context is a struct scope. */
bool scope_lookup(void *scope, const struct reference *reference, struct value *out);

#endif
