/* A step as written, between its keys and the steps of the graph that it becomes. */
#ifndef FORAY_READ_DRAFT_H
#define FORAY_READ_DRAFT_H

#include "base/vec.h"
#include "read/reader.h"

struct draft_text {
    struct template t;
    struct place at;
    bool bad; /* it refers to what is not there, which was told */
};

struct draft_texts {
    struct draft_text *v;
    size_t n;
};

struct draft_rule {
    struct reader *reader;
    struct rule *rule;
    struct draft_texts in, out, items, scripts;
    VEC(const struct node *) needs;
    VEC(struct env) env;
    struct place in_at, out_at, each_at, on_at;
    struct str on;
    struct pool *pool;
    bool each, each_list;   /* it has items; they are written as a list */
    bool broken;            /* a mistake in its keys was told */
    bool in_told, out_told; /* a mistake in a name of one item, told once for all of them */

    /* Rules whose outputs its own items and outputs are made of: they come first. */
    VEC(struct draft_rule *) after;
    VEC(struct draft_rule *) before;
    size_t waiting;                        /* for so many of `after` */
    VEC(struct draft_rule *) script_needs; /* rules whose outputs its script names */
    size_t on_path;                        /* 1 + its place on a path that is followed */
    struct step *gate;                     /* stands for all its steps, where many wait for them */
};

typedef VEC(struct draft_rule *) draft_rules;

/* The steps of all rules, with their files and what was said that they need. (unfold.c) */
void unfold_rules(struct reader *r, const draft_rules *drafts);

#endif
