/* Carries files to a host and back, over SFTP. A carrier does several errands at once, and of each
 * several files: how far the host is away costs little. */
#ifndef FORAY_CARRY_CARRY_H
#define FORAY_CARRY_CARRY_H

#include "carry/cargo.h"
#include "carry/proof.h"
#include "carry/store.h"
#include "carry/tally.h"
#include "loop/loop.h"
#include "way/way.h"

struct carrier;

enum carried {
    CARRIED,
    CARRY_FAILED,  /* the step's fault: it did not make what it promised, an input is not there any
                      more */
    CARRY_UNKEPT,  /* the disk's here: the same would come of any host */
    CARRY_REFUSED, /* the host's: the same would be refused there again */
    CARRY_LOST,    /* the way's */
};

struct errand {
    enum { ERRAND_SEND, ERRAND_FETCH } kind;
    const struct cargo *cargo; /* names there start in `where` */
    size_t n_cargo;
    const struct str *parents; /* SEND: names whose directories must stand there too */
    size_t n_parents;
    const struct str *except; /* FETCH: what no pattern stands for */
    size_t n_except;
    struct str where;    /* the directory there */
    bool make_where;     /* SEND: it is a new scratch directory */
    bool *give_up;       /* set to true: the errand ends at the next chance, as lost */
    struct tally *tally; /* NULL: nobody counts */
    void (*done)(void *arg, enum carried how, const char *reason);
    void *arg;
    /* Takes what is to be proved to be the same at both ends before anything gets its own name, or
     * the errand is over: what the host has kept since an earlier run, and with prove_all every
     * file. `came` is called when there is some, and all of it is there, and the errand goes on
     * with errand_go_on. NULL: nothing is. */
    struct proof *proof;
    bool prove_all;
    /* With prove_all: a file that grows goes as long as it was when it was looked at. Else it is
     * an error: who makes it has not ended. */
    bool may_grow;
    void (*came)(void *arg);
    /* SEND: NULL, or is told, as words for slot_leave, where temporary files may be left when this
     * side is gone. */
    void (*leaves)(void *arg, const str_list *words);
    /* NULL, or called instead of `done`: it comes to many small files, and goes faster as a stream
     * (stage.h). Nothing of it was carried so far. SEND: items has what it comes to, then, which is
     * the taker's. */
    void (*as_stream)(void *arg);
    cargo_list items;
    /* Is told why as a stream it is to be packed, and says whether it may be. NULL: it may not. */
    bool (*packs)(void *arg, const char *why);
    bool packed;       /* the carrier's: as a stream it is packed; FETCH: if that pays */
    bool no_tar;       /* the stage's: there is none there */
    struct load *load; /* the carrier's */
    bool much;         /* the carrier's: it has been told so */
    uint32_t family;   /* likewise: of temporary names, where it was said what may be left */
    str_list *made;    /* FETCH: takes the names here of files that patterns stood for; they are the
                          taker's */
    struct errand *next; /* the carrier's */
};

struct carrier_events {
    void *context;
    /* It can do no more. refused: the way takes no further channel (MaxSessions). Errands that had
     * begun end, as lost, behind it; the others can be taken back. Only good for carrier_free then,
     * not from within. */
    void (*broken)(void *context, struct carrier *k, bool refused, const char *reason);
    /* The host keeps what this file here contains. */
    void (*holds)(void *context, struct str name);
    /* With one of the next two: an errand has much to carry, and nothing of it was carried so far.
     * It is given back: another carrier may be the better one, or this one does it after all.
     * packed: the reason why it would come sooner by one whose way compresses; NULL: there is none,
     * but it has CARRY_MUCH bytes. */
    void (*much)(void *context, struct errand *e, const char *packed);
    bool bulk, packs; /* there may be another one for that; one that compresses */
};
enum {
    CARRY_WEIGHED = 4 * 1024 * 1024, /* bytes; with less it is not found out */
    CARRY_MUCH = 64 * 1024 * 1024,
};

/* store: of the host, for the carriers of all ways to it; NULL: nothing is kept there. patience: ns
 * that the other side may owe an answer. */
struct carrier *carrier_open(struct loop *loop, struct way *w, struct store *store,
                             int64_t patience, const struct carrier_events *events);
/* Forgets it and its errands, without a word to those who wait for them. */
void carrier_free(struct carrier *k);
void carrier_do(struct carrier *k, struct errand *e); /* e must live until done is called */
size_t carrier_waiting(const struct carrier *k);      /* errands that are not done */
/* After e->came was called: with another `how` than CARRIED nothing gets its own name, and it ends
 * so. */
void errand_go_on(struct errand *e, enum carried how, const char *reason);
/* Takes all errands that have not begun. */
struct errand *carrier_take_back(struct carrier *k);
/* Its way is gone: as if it had found that out itself. */
void carrier_break(struct carrier *k, const char *reason);

#endif
