/* The graph, drawn: for people, for Graphviz, for Mermaid, and as JSON. */
#ifndef FORAY_VIEW_DRAWING_H
#define FORAY_VIEW_DRAWING_H

#include "plan/plan.h"

#include <stdio.h>

enum drawing_format { DRAWING_TREE, DRAWING_DOT, DRAWING_MERMAID, DRAWING_JSON };

struct drawing_options {
    enum drawing_format format;
    bool rules; /* as written: not a node for each item */
    bool ascii; /* DRAWING_TREE: without lines that ASCII does not have */
};

/* Prints what the plan holds. Names are made visible; where the format has quotes, escaped. */
void drawing_print(const struct plan *plan, const struct drawing_options *options, FILE *out);

#endif
