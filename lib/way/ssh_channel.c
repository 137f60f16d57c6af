#include "way/ssh_channel.h"

#include "base/mem.h"
#include "way/tty_modes.h"

#include <stdlib.h>
#include <string.h>

/* How much the other side may send ahead of being read. Of a shell little, since a slot each may
 * have to keep that much when nobody takes what steps write: at a distance of 100 ms that allows
 * 5 MB/s. More where nothing comes that was not asked for: 160 MB/s. And in one packet: more than
 * 32 KiB no server sends.
 *
 * OpenSSH's server keeps what it has not passed on yet in one piece, which it copies whenever that
 * grows: of 2 MiB, until they are there, 128 MiB. So to and from one that is near no more goes
 * ahead than it takes. (Others may say what they have read when half of what they take is full, and
 * not before: with them that could be never.) */
enum { WINDOW = 512 * 1024, WIDE_WINDOW = 16 * 1024 * 1024, PACKET = 32 * 1024 };
enum { WIDENED_BY = 2 * 1024 * 1024 }; /* a channel that was made wide, at least, at once */
enum { AHEAD = 512 * 1024 };           /* bytes sent there, if it is near, before they are read */
#define NEAR (4 * MILLISECOND)         /* there and back, with what the first one takes a server */

struct ssh_channel {
    struct channel base;
    struct connection *connection;
    struct party party;
    struct member member;
    bool freed;               /* nobody has it any more; it waits for the other side's end of it */
    LIBSSH2_CHANNEL *channel; /* NULL: being opened */
    int64_t asked;            /* for it; 0: not yet */
    bool near;                /* of an OpenSSH server */
    unsigned long window;     /* there, when everything was read: the most that was seen */
    enum channel_kind kind;
    bool wide;
    unsigned long more;      /* bytes by which its window is being made wider; 0: it is not */
    struct request *request; /* for a terminal there; NULL: none */
    enum channel_state state;
};

/* What a terminal there is to be. */
struct request {
    struct buf command, name, modes;
    unsigned columns, rows;
    bool granted;
    bool changed; /* the size, which is to be told */
};

/* NULL: not yet, or refused, or the connection fails by it. */
static LIBSSH2_CHANNEL *open_channel(struct ssh_channel *c) {
    LIBSSH2_SESSION *session = connection_session(c->connection);
    if (c->asked == 0)
        c->asked = loop_clock();
    LIBSSH2_CHANNEL *channel =
        libssh2_channel_open_ex(session, "session", 7, WINDOW, PACKET, NULL, 0);
    int error = channel == NULL ? libssh2_session_last_errno(session) : 0;
    if (error == LIBSSH2_ERROR_EAGAIN)
        return NULL;
    /* What runs in it is asked for while the next one opens. */
    connection_opened(c->connection, &c->member);
    if (error == LIBSSH2_ERROR_CHANNEL_FAILURE)
        c->state = CHANNEL_REFUSED;
    else if (channel == NULL)
        connection_fail(c->connection, "cannot open a channel");
    const char *server = libssh2_session_banner_get(session);
    int64_t took = loop_clock() - c->asked;
    connection_answered(c->connection, took);
    c->near = took < NEAR && server != NULL && strstr(server, "OpenSSH") != NULL;
    return channel;
}

static int ask_for_pty(struct ssh_channel *c) {
    struct request *r = c->request;
    int rc =
        libssh2_channel_request_pty_ex(c->channel, r->name.s, (unsigned)r->name.n, r->modes.s,
                                       (unsigned)r->modes.n, (int)r->columns, (int)r->rows, 0, 0);
    r->granted = rc == 0;
    return rc;
}

static int begin(struct ssh_channel *c) {
    if (c->request != NULL && !c->request->granted) {
        int rc = ask_for_pty(c);
        if (rc != 0)
            return rc;
    }
    if (c->request != NULL)
        return libssh2_channel_process_startup(c->channel, "exec", 4, c->request->command.s,
                                               (unsigned)c->request->command.n);
    return c->kind == CHANNEL_SFTP
               ? libssh2_channel_process_startup(c->channel, "subsystem", 9, "sftp", 4)
               : libssh2_channel_process_startup(c->channel, "exec", 4, "exec /bin/sh", 12);
}

static enum channel_state state_of(struct channel *base) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    if (c->state == CHANNEL_OPENING && c->channel == NULL &&
        connection_may_open(c->connection, &c->member))
        c->channel = open_channel(c);
    if (c->state != CHANNEL_OPENING || c->channel == NULL)
        return c->state;
    int rc = begin(c);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return CHANNEL_OPENING;
    connection_serves(c->connection);
    return c->state = rc == 0 ? CHANNEL_OPEN : CHANNEL_FAILED;
}

/* libssh2 itself brings the window back to what it was in the beginning. false: it is being made
 * wider, and nothing else of the channel may make it so. */
static bool widen_window(struct ssh_channel *c) {
    unsigned long now = libssh2_channel_window_read_ex(c->channel, NULL, NULL);
    if (c->more == 0 && c->wide && !c->near && now + WIDENED_BY <= WIDE_WINDOW)
        c->more = WIDE_WINDOW - now;
    if (c->more != 0 && libssh2_channel_receive_window_adjust2(c->channel, c->more, 1, NULL) ==
                            LIBSSH2_ERROR_EAGAIN)
        return false;
    c->more = 0;
    return true;
}

static void widen(struct channel *base, bool on) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    c->wide = on;
    if (on)
        connection_kick(c->connection);
}

static ssize_t read_some(struct channel *base, enum stream stream, void *bytes, size_t n) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    if (!widen_window(c))
        return 0;
    ssize_t got = libssh2_channel_read_ex(
        c->channel, stream == STREAM_ERR ? SSH_EXTENDED_DATA_STDERR : 0, bytes, n);
    return got > 0 ? got : 0;
}

/* What comes for others on the connection is to be read all the same. Reading from this channel
 * would widen its window, even if nothing is taken; waiting for its end reads and does not. */
static void leave(struct channel *base) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    (void)libssh2_channel_wait_eof(c->channel);
}

/* So many bytes may go now; 0: what is ahead is to be read first. */
static size_t room_ahead(struct ssh_channel *c) {
    unsigned long now = libssh2_channel_window_write_ex(c->channel, NULL);
    if (now > c->window)
        c->window = now;
    unsigned long ahead = c->window - now;
    return !c->near ? SIZE_MAX : ahead < AHEAD ? AHEAD - ahead : 0;
}

static size_t write_some(struct channel *base, const void *bytes, size_t n) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    size_t room = room_ahead(c);
    if (n > room)
        n = room;
    if (n == 0 || connection_is_full(c->connection, &c->member))
        return 0;
    /* EAGAIN: the channel's window is full; errors show when reading. */
    ssize_t taken = libssh2_channel_write(c->channel, bytes, n);
    if (taken > 0)
        connection_sent(c->connection, &c->member);
    return taken > 0 ? (size_t)taken : 0;
}

static bool finish(struct channel *base) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    return libssh2_channel_send_eof(c->channel) != LIBSSH2_ERROR_EAGAIN;
}

static bool ended(struct channel *base) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    return libssh2_channel_eof(c->channel) == 1;
}

static void kick(struct channel *base) {
    connection_kick(((struct ssh_channel *)base)->connection);
}

/* What is half open cannot be left so: libssh2 opens one channel at a time. */
static bool close_channel(struct ssh_channel *c) {
    if (connection_is_ready(c->connection)) {
        if (c->state == CHANNEL_OPENING && state_of(&c->base) == CHANNEL_OPENING)
            return false;
        if (c->channel != NULL && libssh2_channel_free(c->channel) == LIBSSH2_ERROR_EAGAIN)
            return false;
    }
    connection_leave(c->connection, &c->member);
    if (c->request != NULL) {
        buf_free(&c->request->command);
        buf_free(&c->request->name);
        buf_free(&c->request->modes);
        free(c->request);
    }
    free(c);
    return true;
}

static void tell_size(struct ssh_channel *c) {
    struct request *r = c->request;
    r->changed = libssh2_channel_request_pty_size_ex(c->channel, (int)r->columns, (int)r->rows, 0,
                                                     0) == LIBSSH2_ERROR_EAGAIN;
}

static void resize(struct channel *base, unsigned columns, unsigned rows) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    c->request->columns = columns;
    c->request->rows = rows;
    c->request->changed = true;
    connection_kick(c->connection);
}

static bool advance(void *arg) {
    struct ssh_channel *c = arg;
    if (!c->freed && c->state == CHANNEL_OPEN && c->request != NULL && c->request->changed)
        tell_size(c);
    return c->freed ? close_channel(c) : c->party.advance(c->party.arg);
}

static int64_t delay(const struct channel *base) {
    return connection_delay(((const struct ssh_channel *)base)->connection);
}

static void free_channel(struct channel *base) {
    struct ssh_channel *c = (struct ssh_channel *)base;
    c->freed = true;
    connection_kick(c->connection);
}

static const struct channel_table table = {state_of, read_some, leave, write_some,
                                           finish,   ended,     kick,  free_channel,
                                           resize,   widen,     delay};

struct channel *ssh_channel_open(struct connection *c, enum channel_kind kind, struct party party) {
    struct ssh_channel *channel = mem_zalloc(sizeof *channel);
    *channel = (struct ssh_channel){
        .base = {&table}, .connection = c, .party = party, .kind = kind, .state = CHANNEL_OPENING};
    channel->wide = kind == CHANNEL_SFTP;
    channel->member = (struct member){.advance = advance, .arg = channel};
    connection_join(c, &channel->member);
    return &channel->base;
}

struct channel *ssh_channel_open_pty(struct connection *c, const struct pty *pty,
                                     struct party party) {
    struct channel *base = ssh_channel_open(c, CHANNEL_SHELL, party);
    struct request *r = mem_zalloc(sizeof *r);
    buf_str(&r->command, pty->command);
    buf_str(&r->name, pty->name);
    tty_modes_add(&r->modes, pty->usual);
    r->columns = pty->columns;
    r->rows = pty->rows;
    ((struct ssh_channel *)base)->request = r;
    return base;
}
