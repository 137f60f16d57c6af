/* A way to a host, and the channels on it: what runs there, with its three streams. An ssh
 * connection (connection.h) is one. */
#ifndef FORAY_WAY_WAY_H
#define FORAY_WAY_WAY_H

#include "base/str.h"
#include "base/stream.h"

#include <stdbool.h>
#include <sys/types.h>

struct way;
struct channel;

struct way_events {
    void *context;
    void (*ready)(void *context, struct way *w); /* channels can be opened */
    /* It could not be made, or is gone. for_good: another try would end alike. The way is only good
     * for way_close now, which may be called from within. */
    void (*lost)(void *context, struct way *w, bool for_good, const char *reason);
};

enum channel_kind {
    CHANNEL_SHELL, /* sh, which reads its script from its standard input */
    CHANNEL_SFTP,  /* the server's end of the SFTP protocol */
};

enum channel_state {
    CHANNEL_OPENING,
    CHANNEL_OPEN,
    CHANNEL_REFUSED, /* the way takes no more channels than it has (MaxSessions) */
    CHANNEL_FAILED,  /* there is none of that kind */
};

/* Who has a channel. advance goes on as far as it can without waiting, and says whether anything
 * moved; it is called from the loop until nothing moves, and again when something may. It may free
 * the channel, but not close the way. */
struct party {
    bool (*advance)(void *arg);
    void *arg;
};

/* A command that has a terminal of its own there. */
struct pty {
    struct str command, name;    /* for the user's shell; what TERM is there */
    struct str place;            /* the directory of the slot that it is for */
    const struct termios *usual; /* how it is to behave: as the one here usually does */
    unsigned columns, rows;
};

struct way_table {
    struct channel *(*open)(struct way *w, enum channel_kind kind, struct party party);
    struct channel *(*open_pty)(struct way *w, const struct pty *pty, struct party party);
    bool (*is_ready)(const struct way *w);
    void (*drop)(struct way *w, const char *reason);
    void (*close)(struct way *w);
    void (*key)(const struct way *w, struct buf *out);
};

struct way {
    const struct way_table *table;
};

struct channel_table {
    enum channel_state (*state)(struct channel *c);
    ssize_t (*read)(struct channel *c, enum stream stream, void *bytes, size_t n);
    void (*leave)(struct channel *c);
    size_t (*write)(struct channel *c, const void *bytes, size_t n);
    bool (*finish)(struct channel *c);
    bool (*ended)(struct channel *c);
    void (*kick)(struct channel *c);
    void (*free)(struct channel *c);
    void (*resize)(struct channel *c, unsigned columns, unsigned rows); /* of a pty */
    void (*widen)(struct channel *c, bool on); /* NULL: it is wide enough */
    int64_t (*delay)(const struct channel *c); /* NULL: it is not known */
};

struct channel {
    const struct channel_table *table;
};

/* Begins to open a channel on a way that is ready. */
static inline struct channel *channel_open(struct way *w, enum channel_kind kind,
                                           struct party party) {
    return w->table->open(w, kind, party);
}

/* The same for a channel with a terminal; the texts are copied. */
static inline struct channel *channel_open_pty(struct way *w, const struct pty *pty,
                                               struct party party) {
    return w->table->open_pty(w, pty, party);
}

/* Goes on with opening: to be asked in each turn until it is no more CHANNEL_OPENING. */
static inline enum channel_state channel_state(struct channel *c) {
    return c->table->state(c);
}

/* Reads at most n bytes of what has come; 0: none for now. */
static inline ssize_t channel_read(struct channel *c, enum stream stream, void *bytes, size_t n) {
    return c->table->read(c, stream, bytes, n);
}

/* Much comes soon, and is read as it comes: the other side may send more of it ahead. */
static inline void channel_widen(struct channel *c, bool on) {
    if (c->table->widen != NULL)
        c->table->widen(c, on);
}

/* How long a message and its answer take there and back, in ns; 0: nobody knows. */
static inline int64_t channel_delay(const struct channel *c) {
    return c->table->delay != NULL ? c->table->delay(c) : 0;
}

/* One channel carries less than the network may do: no server takes more than some 2 MiB ahead. */
#define WAY_FAR 8000000 /* ns: 250 MB/s */
static inline bool channel_is_far(const struct channel *c) {
    return channel_delay(c) >= WAY_FAR;
}

/* In place of reading: leaves what has come where it is, so that in the end the other side has to
 * wait. Its party is asked again when it is kicked. */
static inline void channel_leave(struct channel *c) {
    c->table->leave(c);
}

/* Takes at most n bytes to be sent; returns how many, 0: none for now. */
static inline size_t channel_write(struct channel *c, const void *bytes, size_t n) {
    return c->table->write(c, bytes, n);
}

/* Writes what `out` has from *sent on, as far as it can be written now; when that is all both are
 * empty. Whether anything was. */
static inline bool channel_send(struct channel *c, struct buf *out, size_t *sent) {
    size_t n, before = *sent;
    while (*sent < out->n && (n = channel_write(c, out->s + *sent, out->n - *sent)) != 0)
        *sent += n;
    bool moved = *sent != before;
    if (*sent == out->n) {
        buf_clear(out);
        *sent = 0;
    }
    return moved;
}

/* Nothing more will be written; false: to be called again. */
static inline bool channel_finish(struct channel *c) {
    return c->table->finish(c);
}

/* The other side has ended, and all it wrote was read. */
static inline bool channel_ended(struct channel *c) {
    return c->table->ended(c);
}

/* The size of its terminal has changed. */
static inline void channel_resize(struct channel *c, unsigned columns, unsigned rows) {
    c->table->resize(c, columns, rows);
}

/* Its party has something to do. */
static inline void channel_kick(struct channel *c) {
    c->table->kick(c);
}

/* Ends it, whatever its state; the party hears nothing more. Allowed from within advance. NULL:
 * does nothing. */
static inline void channel_free(struct channel *c) {
    if (c != NULL)
        c->table->free(c);
}

static inline bool way_is_ready(const struct way *w) {
    return w->table->is_ready(w);
}

/* Gives it up: `lost` follows, not from within. */
static inline void way_drop(struct way *w, const char *reason) {
    w->table->drop(w, reason);
}

/* Appends what the host is known by, as it may be compared with what others see: its key's
 * fingerprint; nothing, where there is none. */
static inline void way_key(const struct way *w, struct buf *out) {
    w->table->key(w, out);
}

/* Ends it at once. Its channels must have been freed before. */
static inline void way_close(struct way *w) {
    w->table->close(w);
}

#endif
