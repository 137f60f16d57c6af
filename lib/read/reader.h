/* What the parts of the YAML reader share. */
#ifndef FORAY_READ_READER_H
#define FORAY_READ_READER_H

#include "base/nodeset.h"
#include "base/strlist.h"
#include "graph/expand.h"
#include "graph/graph.h"
#include "read/nodes.h"

/* One file, of those that include one another. */
struct document {
    const struct source *source;
    const struct node *root;     /* NULL, when all is read */
    const struct node *defaults; /* for its steps; NULL: none, or with mistakes, which were told */
};

struct reader {
    struct graph *graph;
    struct diags *diags;
    VEC(struct document *) documents; /* included ones before those that include them */
    struct arena nodes;               /* of the documents, until all is read */
    str_list rule_names;              /* for suggestions */
    /* How much lists in lists may still unfold to: a few lines can stand for billions of names. */
    size_t texts_left, bytes_left;
    struct map told; /* references that a mistake was told of, by where they stand */
};

/* What references of a text may name, beyond variables and the environment. */
enum {
    SEES_ITEM = 1,   /* {{item}} and its parts */
    SEES_STEPS = 2,  /* {{STEP.out}}, {{STEP.stdout}} */
    SEES_STEP = 4,   /* {{step}} */
    SEES_FILES = 8,  /* {{in}} and {{out}} */
    SEES_HOST = 16,  /* {{host}} */
    SEES_STATUS = 32 /* {{STEP.status}} */
};

struct draft_rule;

/* Templates with the places of their references. A script's quoting is followed, and mistakes in it
 * are told. (references.c) */
struct template parse_text(struct reader *r, const struct node *scalar);
struct template parse_script(struct reader *r, const struct node *scalar);
/* Unknown references are told. d: whose items a text may name; may be NULL. */
bool check_references(struct reader *r, const struct draft_rule *d, const struct template *t,
                      unsigned sees);
/* The texts that a template stands for; what is not there yet is made in the arena. pattern: as
 * patterns of names. false if they would be too many, which is told once, or if a reference has no
 * value. */
bool expand_texts(struct reader *r, const struct template *t, struct place at, struct scope *scope,
                  bool pattern, struct arena *arena, str_list *out);
/* Whether so many texts of so many bytes are still allowed; told once if not. */
bool spend_texts(struct reader *r, size_t count, size_t bytes, struct place at);

/* Letters, `_`, and, but for the first character, digits and those of `also`. */
bool is_identifier(struct str name, const char *also);
bool is_reserved(struct str name);

/* The document and all that it includes, in r->documents. false, told, if that went wrong.
 * (include.c) */
bool read_documents(struct reader *r, const struct source *source);

/* The keys of the top level, of all documents together. */
void read_hosts(struct reader *r);
void read_variables(struct reader *r);
void read_limits(struct reader *r);
void read_steps(struct reader *r);

/* A host as it is written, in its parts; or what is wrong with it. (hostlist.c) */
const char *split_host(struct str name, struct str *user, struct str *target, uint16_t *port);

enum { HOSTS_MAX = 100 * 1000, LISTED_MAX = 2 * 1000 * 1000 };

/* Is told what stands in a host list, from the left. */
struct host_list_reader {
    struct arena *arena; /* names are made in it */
    struct diags *diags;
    void *context;
    /* A word begins: how it is combined with those before it. */
    void (*word)(void *context, enum nodeset_op op);
    /* A host that it stands for; or `@` and a pool, which need not be there. false: no more. */
    bool (*name)(void *context, struct str name, struct place at);
};

/* false: there were mistakes, which were told. */
bool read_host_list(const struct host_list_reader *r, const struct node *list);

/* How the hosts of a pool are reached, if not by ssh. (launch.c) */
struct launch *read_launch(struct reader *r, const struct node *value);
void read_stage(struct reader *r, const struct node *value, bool *stage);
bool launch_names_host(const struct launch *launch);
/* Appends the same text for the same way to a host. */
void launch_key(const struct launch *launch, struct buf *key);

/* The pool of that name, or one of a single host of that name; NULL if there is none. */
struct pool *find_pool(struct graph *g, struct str name);

#endif
