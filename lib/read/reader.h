/* What the parts of the YAML reader share. */
#ifndef FORAY_READ_READER_H
#define FORAY_READ_READER_H

#include "base/strlist.h"
#include "graph/graph.h"
#include "read/nodes.h"

struct reader {
    struct graph *graph;
    struct diags *diags;
    struct map pool_drafts, variable_drafts;
    str_list pool_names, rule_names; /* for suggestions */
};

/* What references of a text may name, beyond the environment. */
enum {
    SEES_VARIABLES = 0,
    SEES_ITEM = 1,  /* {{item}} and its parts */
    SEES_STEPS = 2, /* {{STEP.out}} */
    SEES_FILES = 4, /* {{in}}, {{out}}, {{step}} */
    SEES_HOST = 8,
};

/* Templates with the places of their references. A script's quoting is followed, and mistakes in it are told. */
struct template parse_text(struct reader *r, const struct node *scalar);
struct template parse_script(struct reader *r, const struct node *scalar);
bool check_references(struct reader *r, const struct template *t, unsigned sees); /* unknown ones are told */

/* Letters, `_`, and, but for the first character, digits and those of `also`. */
bool is_identifier(struct str name, const char *also);
bool is_reserved(struct str name);
/* The pool of that name, or one of a single host of that name; NULL if there is none. */
struct pool *find_pool(struct reader *r, struct str name);

/* The key `steps`: makes rules and steps of the graph. context is a struct reader. (steps.c) */
void read_steps(void *context, const struct node *value);

#endif
