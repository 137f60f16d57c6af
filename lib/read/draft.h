/* A step as written, between its keys and the steps of the graph that it becomes. */
#ifndef FORAY_READ_DRAFT_H
#define FORAY_READ_DRAFT_H

#include "base/vec.h"
#include "read/keys.h"
#include "read/reader.h"

struct draft_text {
    struct template t;
    struct place at;
    bool bad;      /* it refers to what is not there, which was told */
    bool pattern;  /* of `out` and copies: it is a pattern of names */
    bool optional; /* of `out`: it may stand for nothing */
};

struct draft_texts {
    struct draft_text *v;
    size_t n;
};

enum each_kind {
    EACH_ONCE,   /* no `each` */
    EACH_TEXT,   /* a pattern of files, numbers, or a reference to a list */
    EACH_LIST,   /* texts */
    EACH_LINES,  /* of a file */
    EACH_MATRIX, /* all combinations of the values of its axes */
};

struct draft_axis {
    struct str name;
    struct place at;
    enum each_kind kind; /* EACH_TEXT or EACH_LIST */
    struct draft_texts values;
};

/* Combinations that a matrix leaves out: all in which these axes have one of these values. */
struct draft_exclusion {
    struct draft_axis *v;
    size_t n;
};

struct draft_copy {
    bool fetch;
    struct draft_text from, to;
};

/* What a step is called by another one. */
struct draft_name {
    struct str text;
    struct place at;
};

struct draft_need {
    struct draft_name name;
    enum when when;
    bool said; /* `when` was said of this one */
    struct draft_rule *rule;
};

/* What a rule refers to. */
struct draft_reference {
    struct draft_rule *to;
    bool names;  /* its items or files are named after the other's: it unfolds after it */
    bool values; /* ... and these are known once the other's steps have run */
    bool edge;   /* its steps wait for those of the other */
    enum when when;
    const struct draft_name *item; /* a need of one step of the other: "NAME[ITEM]"; NULL: of all */
};

/* What few steps say. */
struct draft_rare {
    VEC(struct draft_copy) copies;
    VEC(struct env) env;
    struct place each_at, on_at, console_at, when_at;

    struct draft_texts items; /* EACH_TEXT, EACH_LIST; EACH_LINES: the file */
    struct draft_axis *axes;
    size_t n_axes;
    struct draft_exclusion *exclusions;
    size_t n_exclusions;

    struct draft_text on;   /* `on: POOL`; t.n == 0: not said */
    struct str every;       /* `on: {every: POOL}` */
    struct draft_name same; /* `on: {same: STEP}` */
};

struct draft_rule {
    struct reader *reader;
    struct rule *rule;
    struct document *document;
    struct draft_texts in, out, scripts;
    VEC(struct draft_need) needs;
    const struct draft_rare *rare; /* never NULL; own_rare() to change it */
    struct draft_rare *own_rare;   /* NULL: it says nothing of it */
    struct pool *pool; /* where all its steps run, if `on` has no references; NULL: here */

    enum each_kind each;
    enum when when;         /* of what `needs` names without a `when` of its own */
    bool repeated;          /* there is another one of its name, which was told */
    bool broken;            /* a mistake in its keys was told */
    bool in_told, out_told; /* a mistake in a name of one item, told once for all of them */

    /* The order in which rules unfold. */
    bool unfolded;
    bool over, failed; /* all its steps are over; one of them did not end well */
    uint32_t left;     /* of its steps are not over */
    uint32_t waiting;  /* for so many of `before` and `listeners` of others */
    uint32_t on_path;  /* 1 + its place on a path that is followed */
    VEC(struct draft_reference) refs;
    VEC(struct draft_rule *) before;    /* these wait for it to unfold */
    VEC(struct draft_rule *) listeners; /* these wait for its steps to be over */
    VEC(struct draft_rule *) listed;    /* what its steps listed, where it `yields` */
    struct step *gate;                  /* stands for all its steps, where many wait for them */
};

typedef VEC(struct draft_rule *) draft_rules;

/* Of a step that says nothing rare. (steps.c) */
extern const struct draft_rare no_rare;
struct draft_rare *own_rare(struct draft_rule *d);

/* Reads the keys of a step. (step_keys.c) */
void read_step_keys(struct draft_rule *d, const struct node *value);
/* Mistakes in the keys that may stand in `defaults`. */
void check_defaults(struct reader *r, struct document *document);

/* The key `each`. (each.c) */
void read_each(struct draft_rule *d, const struct node *value);
/* One item, as it unfolds. */
struct item {
    struct str text;
    struct place at;
    bool file;
    struct axis *axes;
    size_t n_axes;
};
typedef VEC(struct item) item_list;
/* All items of a rule with `each`. Mistakes are told. */
void find_items(struct draft_rule *d, item_list *items);

/* The steps of all rules, with their files and what was said that they need, as far as they are
 * known; the rest comes as the graph grows. (unfold.c, grow.c) */
void unfold_rules(struct reader *r, const draft_rules *drafts);
/* Rules for the steps of a map, added to drafts. Mistakes are told. (steps.c) */
void draft_steps(struct reader *r, struct document *document, const struct node *map,
                 draft_rules *drafts);
void free_draft(struct draft_rule *d);

/* What unfolds, and what waits for it. */
struct unfolding {
    struct growth growth;
    struct reader *reader;
    draft_rules by_rule;  /* by the rule's id */
    draft_rules queue;    /* what can unfold now */
    draft_rules batch;    /* what has unfolded since the graph was last linked */
    size_t pending;       /* rules that have not unfolded */
    struct arena scratch; /* of a few steps */
    size_t scratch_names;
    str_list names;           /* of one text */
    VEC(struct file *) files; /* of one step */
};

/* Finds what the rules refer to, and which of them are late. false: there were mistakes. */
void connect_drafts(struct unfolding *u, const draft_rules *drafts);
/* Makes the steps of a rule, but for what they read and need. */
void make_steps(struct unfolding *u, struct draft_rule *d);
/* What they read and need; after the steps of all it refers to are made. */
void find_edges(struct unfolding *u, struct draft_rule *d);
/* Where a step runs: a pool or host of that name; NULL: here. false, told, if there is none.
 * (steps.c) */
bool find_place_to_run(struct draft_rule *d, struct str name, struct pool **pool);
/* The one step that stands for all of a rule. */
struct step *all_of(struct draft_rule *d);
/* A step that cannot be told apart by items, since its rule's items are never known. */
struct step *stand_in(struct unfolding *u, struct draft_rule *d);

#endif
