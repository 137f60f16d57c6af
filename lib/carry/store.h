/* What a host keeps of the files that were sent there: objects, called by the digest and the size
 * of what they contain, in one directory. A step never gets an object itself, but a copy of it, so
 * that it may do with its inputs what it likes. Here is only what is known of them; carry_store.c
 * looks after the objects themselves. */
#ifndef FORAY_CARRY_STORE_H
#define FORAY_CARRY_STORE_H

#include "base/hash.h"
#include "carry/contents.h"

#include <stdbool.h>

/* Below the directory in which a log-in starts. */
#define STORE_DIRECTORY ".cache/foray/objects"

enum {
    STORE_LEAST = 64 * 1024,         /* what is smaller is not kept: to look for it takes as long */
    STORE_AT_ONCE = 4 * 1024 * 1024, /* what is smaller is kept when it is sent the second time */
};

struct store;

struct object {
    struct str name;
    uint64_t size;
    int64_t used; /* s since 1970, by the host's clock: when it was last of use */
    enum {
        OBJECT_SENT, /* it is no object: but that content was sent once, in this run */
        OBJECT_COMING,
        OBJECT_THERE
    } state;
    bool wanted; /* in this run */
    bool proved; /* it was sent, or compared with what is here, in this run */
};

/* most: so many bytes may be kept there; 0: nothing is. */
struct store *store_new(struct contents *contents, uint64_t most);
void store_free(struct store *s);
struct contents *store_contents(struct store *s);

/* Before anything else is asked of it somebody lists what is there. */
enum store_state { STORE_UNKNOWN, STORE_LISTING, STORE_KNOWN, STORE_CLOSED };
enum store_state store_state(const struct store *s);
void store_now(struct store *s, enum store_state state);
/* A file of the directory, as the host tells it. false: it is none of ours. */
bool store_list(struct store *s, struct str name, uint64_t size, int64_t modified);

/* The object for that content; made, as OBJECT_SENT, if there is none. */
struct object *store_object(struct store *s, const struct digest *digest, uint64_t size);
/* Whether the object should be sent there: it is large, or was sent before, and there is room for
 * it. Then it is OBJECT_COMING. Objects that have to go for it are given to `remove`. */
bool store_admit(struct store *s, struct object *o, void (*remove)(void *arg, struct object *o),
                 void *arg);
void store_arrived(struct store *s, struct object *o);
/* It is no object any more: it is not there, or did not get there. */
void store_forget(struct store *s, struct object *o);

#endif
