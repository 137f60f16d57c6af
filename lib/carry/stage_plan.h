/* What goes to a host as streams; only for stage_send.c, which sends it, stage_plan.c, which finds
 * out what that is, and stage_unpack.c, which writes the scripts that take it. */
#ifndef FORAY_CARRY_STAGE_PLAN_H
#define FORAY_CARRY_STAGE_PLAN_H

#include "carry/pack.h"
#include "carry/stage_state.h"

/* A file or link as it will stand in the stream. */
struct planned {
    const struct cargo_item *item;
    struct str name; /* in its leg */
    struct str link; /* what it points to */
    uint64_t size;
    struct marks marks;
    bool sparse;
};

/* A directory that must stand there, in its leg. */
struct directory {
    struct str name;
    const struct cargo_item *sent; /* NULL: it is only above something */
};

/* What goes to one leg. */
struct part {
    VEC(struct planned) files;
    VEC(struct directory) directories;
    struct map known; /* of them: 1 + the index */
};

struct sending {
    enum { PLACE, PLAN, LEGS } state;
    size_t answered; /* of the cargo whose place is asked for */
    cargo_list items;
    VEC(struct part) parts; /* for each leg */
    size_t leg;             /* the next one */
    struct buf hut;         /* the directory beside, where files become whole; empty: none */
    struct stage_sum *sum;  /* of the files of the leg; NULL: nothing is to be proved */
    /* The last entry of the stream: a script that ends it; without it the others are not all there.
     */
    struct buf end_name, end; /* end_name empty: there is none */
    size_t end_sum;           /* where in it SUM_ROOM blanks stand for what cksum is to say */
    /* The stream. */
    size_t made, file; /* the next directory and file */
    bool packs;        /* what goes is made smaller: there is a gzip there */
    struct packer *packer;
    struct buf block;
    size_t block_at;
    int fd;
    uint64_t at, left; /* of the file */
    bool ending;
    int64_t now;
};

/* stage_plan.c */
bool stage_plan_ask(struct stage *s); /* where directories stand; false: there is nothing to ask */
void stage_plan_make(struct stage *s);
struct part *stage_plan_part(struct stage *s, const struct leg *leg);

/* stage_unpack.c: the script that takes a leg's stream from its standard input, with the one at its
 * end. */
enum { SUM_ROOM = 32, STAGE_DIFFERS = 75 /* its status if what has come is not what was sent */ };
void stage_unpack(struct stage *s, const struct leg *leg, struct part *part, struct buf *script);

#endif
