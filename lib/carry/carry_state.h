/* What a carrier knows; only for carry.c, which does errands, carry_send.c and carry_fetch.c, which
 * move files, and those who find out before what there is (carry_look.c), which of it the host has
 * (carry_store.c), and by which way it goes (carry_weigh.c). */
#ifndef FORAY_CARRY_CARRY_STATE_H
#define FORAY_CARRY_CARRY_STATE_H

#include "carry/carry.h"
#include "carry/landing.h"
#include "carry/outcome.h"
#include "carry/sftp.h"
#include "carry/store.h"

enum {
    LOADS_MAX = 16,   /* errands under way at once, per carrier */
    PARCELS_MAX = 64, /* files under way at once, per errand */
    LOOKS_MAX = 64,   /* directories that are read at once */
    SYNC_EACH = 8,    /* with more files than that, none stays open until it is synced */
};

/* A directory there that is to be made. */
struct directory {
    struct load *load;
    struct str path; /* its full name there; its own */
    bool sent;       /* it is one of what is sent, and not only above that: */
    bool preserve;
    bool made; /* it was not there before */
    struct marks marks;
};

struct held {
    struct load *load;
    struct buf path, temporary;
};

/* An errand that is under way. */
struct load {
    struct carrier *carrier;
    struct errand *errand;
    enum {
        PLACING,  /* SEND: asks whether a directory stands where something goes */
        WEIGHING, /* whether it is to be carried by another way */
        KNOWING,  /* SEND: waits for what is to be known of the contents of files, and of the store
                   */
        MAKING,   /* SEND: directories there */
        LOOKING,  /* FETCH: what there is */
        CARRYING,
        PROVING, /* until the errand may go on */
        NAMING,  /* SEND: what was held gets its own name */
        MARKING, /* SEND: directories there, when nothing more is put into them */
        SYNCING,
        OVER,
    } state;
    size_t busy; /* requests, and files and directories that are being looked at or carried */
    struct errand_cargo {
        struct load *load;
        size_t found; /* FETCH: so much it stands for */
    } * cargo;        /* for each of the errand's */
    cargo_list items;
    uint32_t family, relatives;        /* SEND: of temporary names: so many are used */
    size_t item;                       /* the next one to be carried */
    bool weighed;                      /* FETCH: likewise */
    VEC(struct directory) directories; /* SEND: to be made, from `directory` on */
    size_t directory, marked;          /* marked: so many of them, from the last one on, are done */
    VEC(struct look *) looks;          /* FETCH: directories to be looked through, from `look` on */
    size_t look, looking;
    size_t seen;  /* names, whether they were wanted or not */
    bool sampled; /* whether the first of them are many small files */
    VEC(struct parcel *) parcels;
    VEC(struct object *) unproved; /* SEND: were copied, and are of an earlier run */
    VEC(struct held) held;         /* SEND: whole under temporary names, till all of them are */
    size_t freed;                  /* so many of them have their own names, or are gone */
    struct landing *landing;
    bool sync_each; /* few: each is synced by itself */
    bool came;      /* what is proved can be read there; so the errand was told */
    uint64_t bytes; /* as far as they are known before */
    struct weighing *weighing;
    enum given { KEPT, GIVEN_FOR_BULK, GIVEN_AS_STREAM } given; /* back, see carry.h */
    bool packs;        /* as a stream it is packed; FETCH: if that pays */
    struct buf packed; /* the reason, if there is one before */
    struct outcome outcome;
};

/* A file or link that is being carried. */
struct parcel {
    struct load *load;
    size_t item, place; /* place: in the load's parcels */
    enum { BEGUN, PUT_OFF, WAITING, MOVING, CLOSING, RENAMING, COPYING } state;
    size_t busy; /* requests */
    int fd;      /* here; -1: none */
    struct buf handle, path, temporary;
    uint64_t size;
    uint32_t mode;               /* SEND */
    uint64_t start;              /* SEND: of a part */
    uint64_t at;                 /* so much was written there, or asked for */
    struct piece *pieces, *idle; /* FETCH: its reads, and those of them that were answered */
    bool sparse;                 /* it has holes */
    size_t proof;                /* FETCH, if all is proved: its number there */
    struct cksum *sum;           /* likewise: of what has come; NULL: it is to be read again */
    struct object *object; /* SEND: it goes into the store, or comes from there; WAITING: until it
                              is there; NULL: neither */
    bool storing;          /* it is on its way into the store */
    bool unkept;           /* it was refused there: it goes to its own place without */
    struct buf source;     /* COPYING: the handle of the object */
    bool taken;            /* COPYING: none of it has gone wrong */
    bool unproved;         /* COPYING: the object was not proved when that began */
    struct hash_stream *hash;     /* SEND, into the store: of what was sent */
    bool dropped;                 /* it is not carried after all, since its load ends */
    struct lane_file *lane_files; /* SEND: as each lane has it; NULL: it goes by none */
};

/* A directory there that is to be looked through: for what matches the rest of a pattern, or, where
 * that is empty, for everything. */
struct look {
    struct load *load;
    size_t cargo;       /* the errand's */
    struct buf dir, to; /* the names as they are asked for; to: of trees */
    struct str rest;
    unsigned depth;
    struct marks marks; /* of the root of a tree they are not known at first */
    struct buf handle;
    /* Of the root of a tree, which is looked at and opened at once: answers that are missing, what
     * it is, and what came of opening it. */
    unsigned unanswered;
    bool directory, regular;
    uint32_t status;
    bool link; /* it matches a pattern: counts as what it points to, if that is there */
};

enum { CARRY_LANES = 3 }; /* with the carrier's own server: four times the pace */

struct carrier {
    struct loop *loop;
    struct way *way;
    int64_t patience;
    struct lane {
        struct carrier *carrier;
        struct sftp *sftp; /* NULL: none was needed yet */
        bool gone;         /* it is of no use: it was refused */
    } lanes[CARRY_LANES];
    struct store *store; /* NULL: there is none */
    struct listener listener;
    struct listing *listing; /* of the store, under way; NULL: none */
    struct carrier_events events;
    struct sftp *sftp;
    struct errand *first, **last; /* not begun */
    uint64_t pace[2];             /* of the way, by kind of errand: bytes a second; 0: not known */
    int64_t journey;              /* there and back, when that was measured */
    struct load *weigher;         /* who measures it */
    struct load *loads[LOADS_MAX];
    size_t n_loads, turn; /* turn: whose it is first in the next round */
};

/* carry.c */
void load_path(const struct load *l, struct str name, struct buf *path); /* its full name there */
struct parcel *parcel_new(struct load *l, size_t item);
void parcel_free(struct parcel *p); /* with what it has half made here */
/* As the server tells them; mode: where it does not. */
struct marks carry_marks(const struct sftp_attributes *a, uint32_t mode);
void carry_ignore(void *arg, const struct sftp_answer *answer);

/* A turn of each; true: something was asked of the server. */
bool send_begin(struct load *l);
bool send_place(struct load *l);
bool send_begin_parcel(struct load *l);
bool send_more(struct parcel *p);    /* a chunk */
void send_weighed(struct load *l);   /* it is carried by this carrier */
void send_drop(struct parcel *p);    /* its load ends before it was carried */
bool send_free_held(struct load *l); /* renames what is held; if the load ends, removes it */

/* carry_send.c, for carry_store.c */
void send_file(struct parcel *p); /* opens it there, under p->path or p->temporary */
void send_over(struct parcel *p); /* it is there */
/* carry_send.c, for carry_lanes.c */
struct str send_name_there(const struct parcel *p);
/* Writes the next bytes through that server, and counts the request; false: none are left. */
bool send_chunk(struct parcel *p, struct sftp *sftp, struct str handle, sftp_done *done, void *arg);
void send_answered(struct parcel *p);                                  /* a request */
void send_written(struct parcel *p, const struct sftp_answer *answer); /* likewise, a write */
void send_prove(struct parcel *p, struct str there); /* one of all that is proved */
void send_trouble(struct parcel *p, enum carried verdict, const char *why);

/* carry_lanes.c */
void lanes_join(struct parcel *p); /* SEND: it was opened; if it is for lanes, they have it, too */
bool lanes_are_busy(const struct parcel *p); /* not all that they were given is written */
void lanes_leave(struct parcel *p);          /* they close it */
void lanes_forget(struct parcel *p);
void lanes_hurry(struct carrier *k);
void lanes_stop(struct carrier *k); /* nothing is heard of them any more */
void lanes_close(struct carrier *k);
void lanes_close_unused(struct carrier *k); /* they take channels that others may have use for */

/* carry_store.c */
/* What of the load's files could be kept there? true: nothing has to be waited for. */
bool keep_know(struct load *l);
/* The file is sent into the store, or copied from there; false: it has nothing to do with it. */
bool keep_begin(struct parcel *p);
bool keep_wait(struct parcel *p);   /* WAITING: a turn */
bool keep_stored(struct parcel *p); /* what was sent stands there under its own name: on to its
                                       copy;  false: it was no object */
/* The proof has ended: whether it holds for what came from the store. */
void keep_proved(struct load *l, bool holds);
/* Something that was sent for it: whether that was only to be kept. Nothing more is, in this run.
 */
bool keep_refused(struct parcel *p);
void keep_no_more(struct parcel *p); /* p->path is its own place again */
bool keep_is_true(struct parcel *p); /* what was sent is what its name says */
void keep_stop(struct carrier *k);
void keep_drop(struct parcel *p); /* what was to become an object does not */

/* carry_directories.c: of a SEND; the first one when all items are known */
void directories_list(struct load *l);
bool directories_make(struct load *l);
bool directories_mark(struct load *l); /* when all is in them */

/* carry_weigh.c */
/* l->bytes are about to be carried. Afterwards the load is either stopping, since it is given back,
 * or WEIGHING, until send_weighed or fetch_weighed is called or it is stopping, or goes on. path:
 * FETCH: of what is large there. */
void weigh(struct load *l, struct str path);
/* When it is known what there is: many small files are given back, to go as a stream; false: they
 * are not many. packed: why they are to be compressed on their way; NULL: they are not. */
bool weigh_many(struct load *l, const char *packed);
bool weigh_go(struct load *l);   /* a turn */
void weigh_drop(struct load *l); /* if it is being weighed */

bool look_begin(struct load *l);
bool look_further(struct load *l);
void look_free(struct look *look);

bool fetch_begin_parcel(struct load *l);
void fetch_weighed(struct load *l);
bool fetch_all_opened(const struct load *l); /* here and there, or carried already */
bool fetch_more(struct parcel *p);
void fetch_drop(struct parcel *p);
void fetch_free_pieces(struct parcel *p);

#endif
