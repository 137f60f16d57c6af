/* What the parts of copy.h share: copy.c, which reads the words, and copy_parts.c, for a file that
 * is scattered or gathered. */
#ifndef FORAY_READ_COPY_STATE_H
#define FORAY_READ_COPY_STATE_H

#include "graph/template.h"
#include "read/copy.h"
#include "read/reader.h"

/* A source or the destination. */
struct place_of {
    struct str text; /* as it was written */
    struct str path;
    bool there;
    bool pattern;      /* a source there: the path is one */
    struct pool *pool; /* there */
};

struct copy_reading {
    struct graph *graph;
    struct diags *diags;
    const struct copy_order *order;
    struct copy_steps *steps;
    VEC(struct place_of) sources;
    struct place_of to;
    bool each_apart; /* what comes from each host goes into a directory of its own */
    struct rule *rule;
    VEC(struct copy) copies; /* of one step */
    VEC(uint64_t) starts;    /* of the parts of what is scattered */
    VEC(uint32_t) sums;      /* of parts that are as long as another one */
    size_t missing;          /* of the mistakes: sources that cannot be read */
};

/* copy.c */
bool copy_wrong(struct copy_reading *r, struct str word, const char *what); /* told; false */
bool copy_is_directory(struct str name); /* here; followed by a NUL */
bool copy_ends_in_slash(struct str path);
struct str copy_base_of(struct str path); /* the last component; empty for the root */
bool copy_has_host(struct copy_reading *r, struct str text); /* {{host}} */
/* A source that is here, and what is wrong with it. file: it must be one. */
bool copy_check_here(struct copy_reading *r, struct str name, bool file);
struct str copy_join(struct copy_reading *r, struct str a, struct str b, struct str c);
/* For a script there: where a copy has come to, in $p. */
void copy_say_place(const struct copy *copy, struct buf *out);
/* A script as one piece, whatever it looks like; frees it. */
struct template copy_script(struct copy_reading *r, struct buf *script);

/* copy_relay.c */
/* All hosts but the first ones get files from one that has them, if they can, before they are sent
 * what is still missing. */
void copy_add_relays(struct copy_reading *r, const struct pool *hosts);

/* copy_parts.c */
/* Which file is cut into n parts, and where. */
bool copy_cut(struct copy_reading *r, size_t n);
/* When all hosts have their parts: each looks whether it is still its own, or one of another host
 * with which it shares the directory. */
void copy_add_checks(struct copy_reading *r, const struct pool *hosts);
/* Where what is gathered goes, and a directory beside it for the parts. */
bool copy_place_whole(struct copy_reading *r);

#endif
