/* What the parts of the YAML reader share. */
#ifndef FORAY_READ_READER_H
#define FORAY_READ_READER_H

#include "base/strlist.h"
#include "graph/expand.h"
#include "graph/graph.h"
#include "read/nodes.h"

struct reader {
    struct graph *graph;
    struct diags *diags;
    str_list rule_names; /* for suggestions */
    /* How much lists in lists may still unfold to: a few lines can stand for billions of names. */
    size_t texts_left, bytes_left;
};

/* What references of a text may name, beyond variables and the environment. */
enum {
    SEES_ITEM = 1,  /* {{item}} and its parts */
    SEES_STEPS = 2, /* {{STEP.out}} */
    SEES_STEP = 4,  /* {{step}} */
    SEES_FILES = 8, /* {{in}} and {{out}} */
    SEES_HOST = 16,
};

/* Templates with the places of their references. A script's quoting is followed, and mistakes in it
 * are told. (references.c) */
struct template parse_text(struct reader *r, const struct node *scalar);
struct template parse_script(struct reader *r, const struct node *scalar);
/* Unknown references are told. */
bool check_references(struct reader *r, const struct template *t, unsigned sees);
/* The texts that a template stands for; what is not there yet is made in the arena. false if they
 * would be too many, which is told once, or if a reference has no value. */
bool expand_texts(struct reader *r, const struct template *t, struct place at, struct scope *scope,
                  struct arena *arena, str_list *out);

/* Letters, `_`, and, but for the first character, digits and those of `also`. */
bool is_identifier(struct str name, const char *also);
bool is_reserved(struct str name);

/* The keys of the top level; context is a struct reader. */
void read_hosts(void *context, const struct node *value);
void read_variables(void *context, const struct node *value);
void read_steps(void *context, const struct node *value);

/* The pool of that name, or one of a single host of that name; NULL if there is none. */
struct pool *find_pool(struct graph *g, struct str name);

#endif
