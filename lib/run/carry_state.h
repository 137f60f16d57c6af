/* What a carrier knows; only for carry.c, which moves the files, and carry_look.c, which finds out
 * what there is to fetch. */
#ifndef FORAY_RUN_CARRY_STATE_H
#define FORAY_RUN_CARRY_STATE_H

#include "run/carry.h"

#include <libssh2_sftp.h>

enum { CHUNK = 512 * 1024 };

/* A file or link that has been fetched under a temporary name. */
struct fetched {
    struct buf temporary;
    struct str name; /* an item's */
    int fd;          /* open until it is synced; -1: a link */
};

/* A directory there that is to be looked through: for what matches the rest of a pattern, or, where
 * that is empty, for everything. */
struct look {
    struct buf dir, to; /* the names as they are asked for; to: of trees */
    struct str rest;
    const struct cargo *cargo;
    unsigned depth;
};

struct carrier {
    struct loop *loop;
    struct connection *connection;
    struct carrier_events events;
    struct member member;
    LIBSSH2_SFTP *sftp;
    bool refused;
    struct errand *first, **last;
    /* The errand that is under way. */
    enum {
        IDLE,
        LOOK_PLACE, /* at where something is to go: whether a directory is there */
        LOOK,       /* at what is there: what kind it is */
        LOOK_IN,    /* opens a directory there */
        LOOK_ALL,   /* reads it */
        MAKE_DIRECTORIES,
        OPEN_FILE,
        WRITE_FILE,
        READ_FILE,
        CLOSE_FILE,
        SYNC
    } state;
    VEC(struct look) looks; /* the last one first */
    cargo_list items;
    str_list directories; /* still to be made, from `directory` on */
    size_t directory;
    size_t item;  /* the one that is carried */
    size_t cargo; /* FETCH: the next one to look for */
    size_t found; /* of the items, those of earlier cargo */
    LIBSSH2_SFTP_HANDLE *handle;
    int local; /* the file here, -1: none */
    struct buf path;
    char *chunk; /* from chunk_at to chunk_n: read here, not yet taken there */
    size_t chunk_at, chunk_n;
    bool at_end;
    enum { LINK_MAKE, LINK_LOOK, LINK_REMOVE, LINK_MAKE_AGAIN, LINK_LOOK_AGAIN } linking;
    bool pending; /* the last call waits for its answer */
    uint64_t size, moved;
    uint64_t left;        /* SEND: so much of a part is still to be read here */
    enum carried verdict; /* with why.n != 0: what goes wrong with the file, for when it has been
                             closed there */
    struct buf why;
    VEC(struct fetched) fetched;
    struct sync *syncing;
};

/* carry.c */
/* The open file or directory there must be closed before the errand can end: it ends then. */
bool carry_trouble(struct carrier *k, enum carried verdict, const char *why);
void carry_end(struct carrier *k, enum carried how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void carry_path(struct carrier *k, struct str name); /* its full name there, in k->path */
bool carry_would_wait(struct carrier *k);            /* the last call */
bool carry_was_refused(struct carrier *k);           /* by the server, not by the connection */
const char *carry_reason(struct carrier *k);

/* carry_look.c: a turn of each state; true: it got further. */
/* Whether a directory stands where the cargo goes. */
bool carry_look_place(struct carrier *k, const struct cargo *c, bool *directory);
bool carry_look(struct carrier *k);
bool carry_look_in(struct carrier *k);
bool carry_look_all(struct carrier *k);
void carry_drop_look(struct carrier *k); /* the directory that was looked through */

#endif
