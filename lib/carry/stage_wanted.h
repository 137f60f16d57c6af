/* What is to come from a host; only for stage_fetch.c, which fetches it, stage_look.c, which finds
 * out what that is, and stage_take.c, which takes what comes. */
#ifndef FORAY_CARRY_STAGE_WANTED_H
#define FORAY_CARRY_STAGE_WANTED_H

#include "carry/gauge.h"
#include "carry/landing.h"
#include "carry/pack.h"
#include "carry/stage_state.h"
#include "carry/tar.h"

/* Something there that is to come: a file, or a directory with all that is in it. */
struct wanted {
    struct str from, to;
    size_t cargo;
    bool tree, found, came; /* found: by a pattern, or because nobody knew what it is */
};

struct fetching {
    enum { LOOK, PLAN, LEGS, SYNC, OVER } state;
    struct buf answers; /* what has come of the next one */
    size_t answered;    /* bytes of all of them */
    VEC(struct wanted) wanted;
    VEC(size_t) counts;                             /* for each cargo: so much of it is there */
    VEC(struct part { VEC(size_t) wanted; }) parts; /* for each leg: of its names */
    size_t leg;
    struct tar_reader *reader;
    /* Where it may be packed. */
    struct unpacker *unpacker; /* of the leg; NULL: it comes as tar writes it */
    struct gauge *gauge;
    bool packs; /* from now on */
    bool flows; /* some of the leg has come: pack.pl is there, and waits for TERM */
    struct landing *landing;
    bool many;
    struct map landed; /* of the leg, by name: 1 + the place in the landing */
    struct map made;   /* directories here that stand, by name */
    struct map taken;  /* names here of what has come */
    size_t names;      /* that have come */
    size_t name_bytes; /* of what was found, or came: they are kept */
    /* The file that comes. */
    struct buf clean, to, temporary;
    struct marks marks;
    int fd;
    uint64_t size, end; /* end: of what was written */
    bool sparse;
    str_list files; /* the names here of those in directories */
    /* What of a leg is to be proved. */
    struct stage_sum *sum;     /* of what came; NULL: nothing is */
    VEC(struct summed) summed; /* in their order; the names are the arena's */
    bool proving;              /* it is asked what cksum says there: */
    struct buf answer;
    bool by_length; /* for the second time, since some may have grown */
};

/* stage_look.c */
void stage_look_ask(struct stage *s, struct buf *script); /* a script that tells what there is */
void stage_look_take(struct stage *s, struct str bytes);  /* what it tells */
void stage_look_plan(struct stage *s);                    /* then: the legs */
void stage_not_regular(struct stage *s, struct str name);

/* Nobody has files with so long names, or so many. */
enum { WANTED_NAME = 4096, WANTED_NAMES = 64 * 1024 * 1024 };

/* stage_take.c: events of the tar reader, whose context is the stage. */
bool stage_take_entry(void *context, const struct tar_entry *e);
bool stage_take_bytes(void *context, uint64_t offset, struct str bytes);
bool stage_take_end(void *context);

#endif
