/* The SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), over a channel, with OpenSSH's
 * extensions where the server has them. Requests go out without waiting for the answers to earlier
 * ones; each is answered once, in the order in which the server likes. Nothing that the server says
 * is trusted: what does not belong to a request, or is longer than it may be, ends the channel. */
#ifndef FORAY_CARRY_SFTP_H
#define FORAY_CARRY_SFTP_H

#include "base/str.h"
#include "loop/loop.h"
#include "way/way.h"

#include <stdint.h>

struct sftp;

enum sftp_status {
    SFTP_OK,
    SFTP_EOF,
    SFTP_NO_SUCH_FILE,
    SFTP_PERMISSION_DENIED,
    SFTP_FAILURE,
    SFTP_BAD_MESSAGE,
    SFTP_NO_CONNECTION,
    SFTP_CONNECTION_LOST,
    SFTP_UNSUPPORTED,
};

/* What is known of a file there: which of the fields counts is told by `has`. */
struct sftp_attributes {
    enum { SFTP_HAS_SIZE = 1, SFTP_HAS_OWNER = 2, SFTP_HAS_MODE = 4, SFTP_HAS_TIMES = 8 } has;
    uint64_t size;
    uint32_t mode; /* as st_mode on Linux: kind and permissions */
    uint32_t accessed, modified;
};

struct sftp_entry {
    struct str name;
    struct sftp_attributes attributes;
};

/* Lives as long as the call that it is given to. */
struct sftp_answer {
    uint32_t status;  /* an enum sftp_status, or another number */
    struct str bytes; /* a handle; data that was read */
    struct sftp_attributes attributes;
    const struct sftp_entry *entries; /* of a directory; of a link: what it points to */
    size_t n_entries;
};

typedef void sftp_done(void *arg, const struct sftp_answer *answer);

struct sftp_events {
    void *context;
    /* There is room for more requests; called in every turn of the channel. Returns whether it made
     * some. */
    bool (*room)(void *context);
    /* It cannot be used, or no more: nothing is answered any more. refused: the way takes no more
     * channels. Only good for sftp_free now, not from within. */
    void (*broken)(void *context, bool refused, const char *reason);
};

/* Begins. Requests are made from within `room`, and the functions that take answers. patience: ns
 * that may pass without an answer. */
struct sftp *sftp_open(struct loop *loop, struct way *w, int64_t patience,
                       const struct sftp_events *events);
void sftp_free(struct sftp *s); /* without a word to those who wait for answers */
/* Hears nothing any more: no event and no answer comes. Only good for sftp_free then, not from
 * within. NULL: does nothing. */
void sftp_stop(struct sftp *s);
void sftp_kick(struct sftp *s); /* room is to be called soon */
/* Who waits wants an end: what is asked so far must be answered soon. */
void sftp_hurry(struct sftp *s);

/* How many more bytes should be written or asked for now. */
size_t sftp_room(const struct sftp *s);
/* There is room for more at once than a server takes on one channel (WAY_FAR). */
bool sftp_is_far(const struct sftp *s);
/* The most that one read or write should be about: the server says it, late. */
size_t sftp_chunk(const struct sftp *s);
const char *sftp_reason(uint32_t status); /* for people */

enum { SFTP_READ = 1, SFTP_WRITE = 2, SFTP_CREATE = 8, SFTP_TRUNCATE = 16, SFTP_EXCLUSIVE = 32 };
void sftp_open_file(struct sftp *s, struct str path, uint32_t flags, uint32_t mode, sftp_done *done,
                    void *arg);
void sftp_open_directory(struct sftp *s, struct str path, sftp_done *done, void *arg);
void sftp_read_directory(struct sftp *s, struct str handle, sftp_done *done, void *arg);
void sftp_read(struct sftp *s, struct str handle, uint64_t offset, uint32_t n, sftp_done *done,
               void *arg);
/* Room for n bytes, to be filled in at once, before anything else is asked of s. */
char *sftp_write(struct sftp *s, struct str handle, uint64_t offset, uint32_t n, sftp_done *done,
                 void *arg);
void sftp_close(struct sftp *s, struct str handle, sftp_done *done, void *arg);
void sftp_look_at(struct sftp *s, struct str path, bool follow, sftp_done *done, void *arg);
void sftp_look_at_open(struct sftp *s, struct str handle, sftp_done *done, void *arg);
void sftp_set(struct sftp *s, struct str handle, const struct sftp_attributes *attributes,
              sftp_done *done, void *arg);
void sftp_set_named(struct sftp *s, struct str path, const struct sftp_attributes *attributes,
                    sftp_done *done, void *arg);
void sftp_make_directory(struct sftp *s, struct str path, uint32_t mode, sftp_done *done,
                         void *arg);
void sftp_make_link(struct sftp *s, struct str path, struct str target, sftp_done *done, void *arg);
void sftp_read_link(struct sftp *s, struct str path, sftp_done *done, void *arg);
void sftp_remove(struct sftp *s, struct str path, sftp_done *done, void *arg);
/* All of one file into another, over there; only where the server can. */
bool sftp_can_copy(const struct sftp *s);
void sftp_copy(struct sftp *s, struct str from, struct str to, sftp_done *done, void *arg);
/* To the disk; only where the server can. */
bool sftp_can_sync(const struct sftp *s);
void sftp_sync(struct sftp *s, struct str handle, sftp_done *done, void *arg);
/* Over what stands there, at once, where the server can. */
void sftp_rename(struct sftp *s, struct str from, struct str to, sftp_done *done, void *arg);

#endif
