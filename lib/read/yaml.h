/* foray.yaml into the graph, over libyaml's events, which carry the places. */
#ifndef FORAY_READ_YAML_H
#define FORAY_READ_YAML_H

#include "base/diag.h"
#include "graph/graph.h"

/* A variable given on the command line; it wins over one of the file. */
struct assignment {
    struct str name, value;
};

/* Reads a whole text into an empty graph and links it. source and its text must outlive the graph.
 * All mistakes of the text go to diags; false if there was an error: the graph is then only good
 * for graph_free. Reads directories (for `each` patterns), runs nothing. */
bool yaml_read(const struct source *source, const struct assignment *assignments,
               size_t n_assignments, struct graph *graph, struct diags *diags);

/* The same, but of its hosts and pools only; the rest is not looked at. */
bool yaml_read_hosts(const struct source *source, struct graph *graph, struct diags *diags);

#endif
