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
    struct map bases;  /* those that take names, by base and kind */
    bool to_hear;      /* what runs, or is to, can be signalled: it is no put */
    struct buf script; /* what runs there, as far as it goes as a stream: from script_at on */
    size_t script_at;
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
enum { STAGE_NO_TAR = 127 }; /* its status then */
void stage_want_tar(struct buf *script);
void stage_word(struct buf *script, struct str prefix, struct str name);
/* COMMAND NAME... as often as it takes for all of them: the names are added one by one, `end`
 * closes each command, and at last stage_words_end. */
struct words {
    struct buf *script;
    const char *command, *end;
    size_t begun; /* where the last one begins; SIZE_MAX: none is open */
    size_t most;  /* bytes of names that one is given; 0: the usual number */
};
void stage_words_add(struct words *w, struct str prefix, struct str name);
void stage_words_end(struct words *w);
/* Frees it; what it writes is for stage_fetch_take and stage_send_take. where: as slot_run has it.
 */
void stage_run(struct stage *s, struct str where, struct buf *script);

/* --- stage_proof.c: files are the same at both ends if this is --- */

struct stage_sum;

struct stage_sum *stage_sum_new(void);
/* NULL: these do nothing */
void stage_sum_free(struct stage_sum *sum);
void stage_sum_add(struct stage_sum *sum, struct str bytes); /* of a file */
void stage_sum_add_zeros(struct stage_sum *sum, uint64_t n);
void stage_sum_file(struct stage_sum *sum, struct str name); /* that was all of it */
/* As cksum does there. by_length: as stage_sum_ask_by_length lets it. */
void stage_sum_say(const struct stage_sum *sum, bool by_length, struct buf *out);
/* The command that says so, without a newline: a beginning, so many names in their order, an end.
 */
struct asking {
    struct words words;
    size_t asked, share; /* names; so many for each that reads */
};
void stage_sum_begin_script(struct asking *a, size_t names, struct buf *script);
void stage_sum_ask(struct asking *a, struct str name);
void stage_sum_end_script(struct asking *a);
/* A file there, and how much of it has come. */
struct summed {
    struct str name;
    uint64_t size;
};
/* The same of files of which some may have grown; takes longer. */
void stage_sum_ask_by_length(const struct summed *files, size_t n, struct buf *script);

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
