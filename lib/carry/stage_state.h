/* What a stage knows; only for stage.c, which does errands, and stage_send.c and stage_fetch.c,
 * which do the two kinds of them. */
#ifndef FORAY_CARRY_STAGE_STATE_H
#define FORAY_CARRY_STAGE_STATE_H

#include "base/arena.h"
#include "base/map.h"
#include "carry/outcome.h"
#include "carry/stage.h"

/* What goes as one stream: names that start in one directory there. A tar neither writes nor takes
 * absolute names, and names with `..`. */
struct leg {
    struct str base;   /* as it is asked for; empty: the errand's `where` */
    bool alone;        /* it takes no second name */
    bool preserve;     /* modes and times, as they are */
    size_t number;     /* its place among them */
    str_list items;    /* the names that it was made for */
    struct map places; /* of them: 1 + the index in `items` */
};

struct stage {
    struct loop *loop;
    struct slot *slot; /* NULL: it is gone */
    struct errand *errand;
    struct arena arena; /* of texts that live as long as this */
    struct timer turn;
    bool running;        /* a script there */
    bool killed;         /* what runs was */
    struct timer harder; /* from there to the end of the slot */
    size_t in_vain;      /* bytes that came when nobody wanted them, or not any more */
    size_t complained;   /* on standard error */
    struct outcome outcome;
    struct buf said; /* by what runs, on standard error: its start */
    VEC(struct leg *) legs;
    struct map bases;     /* those that take names, by base and kind */
    struct sending *send; /* of the one kind */
    struct fetching *fetch;
};

/* --- stage.c --- */

/* What went wrong there, in its own words if there are any. */
void stage_trouble_there(struct stage *s, enum carried verdict, const char *what);
/* The next thing is to be begun, or the errand to be ended, from the loop. */
void stage_go(struct stage *s);

/* Puts a name into the leg of that base, made if there is none; alone: into one of its own. Where
 * something is fetched two equal names never share one. NULL, told, if it cannot be carried. */
struct leg *stage_leg(struct stage *s, struct str base, struct str name, bool alone, bool preserve,
                      size_t *place);
/* Whether a name starts at the root, or climbs. */
bool stage_leaves(struct str name);
struct str stage_parent(struct str name); /* empty: it has none */
/* Appends a name as it stands in a stream, without "." and superfluous slashes. false: it leaves.
 */
bool stage_clean(struct str name, struct buf *out);

/* Text for a script: the change into the directory where a leg's names start; the end of it where
 * there is no tar; a name that is no option, as a word. */
void stage_enter(const struct leg *leg, struct buf *script);
void stage_want_tar(struct buf *script);
void stage_word(struct buf *script, struct str prefix, struct str name);
void stage_run(struct stage *s, struct buf *script); /* frees it */

/* --- stage_send.c, stage_fetch.c --- */

/* Begins what comes next; false: nothing is left to do. */
bool stage_send_next(struct stage *s);
bool stage_fetch_next(struct stage *s);
/* What the script that runs writes; then its end. */
void stage_send_take(struct stage *s, struct str bytes);
void stage_fetch_take(struct stage *s, struct str bytes);
void stage_send_ended(struct stage *s, int status);
void stage_fetch_ended(struct stage *s, int status);
/* All went well, or not. */
void stage_fetch_done(struct stage *s);
void stage_send_free(struct sending *send);
void stage_fetch_free(struct fetching *fetch);
struct sending *stage_send_new(void);
struct fetching *stage_fetch_new(struct loop *loop);

#endif
