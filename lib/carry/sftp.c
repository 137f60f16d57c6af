#include "carry/sftp.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 32 * 1024,       /* that every server takes */
    CHUNK_MAX = 255 * 1024,  /* that OpenSSH's takes; of more there is no use */
    PACKET_MAX = 256 * 1024, /* that OpenSSH's ever sends */
    ROOM = 4 * 1024 * 1024,  /* in bytes asked for or written, and not answered */
    ROOM_FAR = 4 * ROOM,     /* likewise: what our side takes ahead on its channel */
    UNSENT = 1024 * 1024,    /* bytes, to what is far: what waits here is of no use */
    REQUESTS_MAX = 4096,     /* that are not answered */
    HANDLE_MAX = 256,        /* by the draft */
    LATER = 64,              /* packets in one turn */
};
#define HURRY (5 * SECOND)
enum { LONG_WORK = 20 };

enum packet {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_LSTAT = 7,
    FXP_FSTAT = 8,
    FXP_SETSTAT = 9,
    FXP_FSETSTAT = 10,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_REMOVE = 13,
    FXP_MKDIR = 14,
    FXP_STAT = 17,
    FXP_RENAME = 18,
    FXP_READLINK = 19,
    FXP_SYMLINK = 20,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200,
    FXP_EXTENDED_REPLY = 201,
};

/* A request that is not answered yet. */
struct request {
    sftp_done *done;
    void *arg;
    uint32_t id;     /* its place, and above that how often the place was taken */
    uint8_t expects; /* beside FXP_STATUS; 0: the place is free */
    bool long_work;  /* the disk may take its time with it, as much as there is */
    uint32_t weight; /* bytes that were written, or asked for */
    uint32_t next_free;
};
enum { PLACES = 1 << 16, NONE = UINT32_MAX };

struct sftp {
    struct loop *loop;
    struct channel *channel;
    struct sftp_events events;
    enum { OPENING, GREETING, WORKING, BROKEN } state;
    VEC(struct request) requests;
    uint32_t free;         /* the first free place */
    size_t n_requests;     /* not answered */
    size_t n_long;         /* of them long_work */
    size_t outstanding;    /* their weight */
    struct buf out, going; /* what was asked; before that: what of it is being sent, */
    size_t sent;           /* so far */
    char *in;              /* PACKET_MAX + 4 */
    size_t in_n;
    uint32_t chunk;
    bool can_rename, can_copy, can_sync;
    struct buf last_words;
    int64_t patience;     /* so long an answer may be missing, or LONG_WORK times as long */
    bool hurried;         /* ... or no longer than HURRY */
    struct timer silence; /* when it is over */
    VEC(struct sftp_entry) entries;
};

/* --- packets out --- */

static void add_u32(struct buf *b, uint32_t v) {
    unsigned char bytes[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                              (unsigned char)(v >> 8), (unsigned char)v};
    buf_add(b, bytes, 4);
}

static void add_u64(struct buf *b, uint64_t v) {
    add_u32(b, (uint32_t)(v >> 32));
    add_u32(b, (uint32_t)v);
}

static void add_string(struct buf *b, struct str s) {
    add_u32(b, (uint32_t)s.n);
    buf_str(b, s);
}

static void add_attributes(struct buf *b, const struct sftp_attributes *a) {
    add_u32(b, (uint32_t)a->has);
    if ((a->has & SFTP_HAS_SIZE) != 0)
        add_u64(b, a->size);
    if ((a->has & SFTP_HAS_MODE) != 0)
        add_u32(b, a->mode & 07777);
    if ((a->has & SFTP_HAS_TIMES) != 0) {
        add_u32(b, a->accessed);
        add_u32(b, a->modified);
    }
}

static void set_length(struct buf *b, size_t start) {
    size_t n = b->n - start - 4;
    unsigned char bytes[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                              (unsigned char)(n >> 8), (unsigned char)n};
    memcpy(b->s + start, bytes, 4);
}

static void heard(struct sftp *s) {
    bool waits = s->state == OPENING || s->state == GREETING || s->n_requests != 0;
    s->hurried = s->hurried && waits;
    int64_t patience = s->n_long != 0 ? LONG_WORK * s->patience : s->patience;
    if (waits)
        loop_timer(s->loop, &s->silence, loop_now(s->loop) + (s->hurried ? HURRY : patience));
    else
        loop_timer_clear(s->loop, &s->silence);
}

/* Starts the packet of a request; what it is about follows, then set_length. Returns where the
 * packet starts. */
static size_t request(struct sftp *s, enum packet type, enum packet expects, uint32_t weight,
                      sftp_done *done, void *arg) {
    uint32_t place = s->free;
    if (place == NONE) {
        place = (uint32_t)s->requests.n;
        vec_push(&s->requests)->id = place;
        s->requests.v[place].next_free = NONE;
    }
    struct request *r = &s->requests.v[place];
    s->free = r->next_free;
    *r = (struct request){.done = done,
                          .arg = arg,
                          .id = r->id + PLACES,
                          .expects = (uint8_t)expects,
                          .weight = weight};
    if (s->n_requests++ == 0)
        heard(s);
    s->outstanding += weight;
    size_t start = s->out.n;
    add_u32(&s->out, 0);
    buf_putc(&s->out, (char)type);
    add_u32(&s->out, r->id);
    return start;
}

/* A request about one name or handle. */
static void ask(struct sftp *s, enum packet type, struct str what, enum packet expects,
                sftp_done *done, void *arg) {
    size_t start = request(s, type, expects, 0, done, arg);
    add_string(&s->out, what);
    set_length(&s->out, start);
}

void sftp_open_file(struct sftp *s, struct str path, uint32_t flags, uint32_t mode, sftp_done *done,
                    void *arg) {
    size_t start = request(s, FXP_OPEN, FXP_HANDLE, 0, done, arg);
    add_string(&s->out, path);
    add_u32(&s->out, flags);
    struct sftp_attributes a = {.has = (flags & SFTP_CREATE) != 0 ? SFTP_HAS_MODE : 0,
                                .mode = mode};
    add_attributes(&s->out, &a);
    set_length(&s->out, start);
}

void sftp_open_directory(struct sftp *s, struct str path, sftp_done *done, void *arg) {
    ask(s, FXP_OPENDIR, path, FXP_HANDLE, done, arg);
}

void sftp_read_directory(struct sftp *s, struct str handle, sftp_done *done, void *arg) {
    ask(s, FXP_READDIR, handle, FXP_NAME, done, arg);
}

void sftp_read(struct sftp *s, struct str handle, uint64_t offset, uint32_t n, sftp_done *done,
               void *arg) {
    size_t start = request(s, FXP_READ, FXP_DATA, n, done, arg);
    add_string(&s->out, handle);
    add_u64(&s->out, offset);
    add_u32(&s->out, n);
    set_length(&s->out, start);
}

char *sftp_write(struct sftp *s, struct str handle, uint64_t offset, uint32_t n, sftp_done *done,
                 void *arg) {
    size_t start = request(s, FXP_WRITE, FXP_STATUS, n, done, arg);
    add_string(&s->out, handle);
    add_u64(&s->out, offset);
    add_u32(&s->out, n);
    buf_reserve(&s->out, n);
    char *bytes = s->out.s + s->out.n;
    s->out.n += n;
    set_length(&s->out, start);
    return bytes;
}

void sftp_close(struct sftp *s, struct str handle, sftp_done *done, void *arg) {
    ask(s, FXP_CLOSE, handle, FXP_STATUS, done, arg);
}

void sftp_look_at(struct sftp *s, struct str path, bool follow, sftp_done *done, void *arg) {
    ask(s, follow ? FXP_STAT : FXP_LSTAT, path, FXP_ATTRS, done, arg);
}

void sftp_look_at_open(struct sftp *s, struct str handle, sftp_done *done, void *arg) {
    ask(s, FXP_FSTAT, handle, FXP_ATTRS, done, arg);
}

void sftp_set(struct sftp *s, struct str handle, const struct sftp_attributes *attributes,
              sftp_done *done, void *arg) {
    size_t start = request(s, FXP_FSETSTAT, FXP_STATUS, 0, done, arg);
    add_string(&s->out, handle);
    add_attributes(&s->out, attributes);
    set_length(&s->out, start);
}

void sftp_set_named(struct sftp *s, struct str path, const struct sftp_attributes *attributes,
                    sftp_done *done, void *arg) {
    size_t start = request(s, FXP_SETSTAT, FXP_STATUS, 0, done, arg);
    add_string(&s->out, path);
    add_attributes(&s->out, attributes);
    set_length(&s->out, start);
}

void sftp_make_directory(struct sftp *s, struct str path, uint32_t mode, sftp_done *done,
                         void *arg) {
    size_t start = request(s, FXP_MKDIR, FXP_STATUS, 0, done, arg);
    add_string(&s->out, path);
    add_attributes(&s->out, &(struct sftp_attributes){.has = SFTP_HAS_MODE, .mode = mode});
    set_length(&s->out, start);
}

/* The draft has the two names the other way round; what counts is OpenSSH's server (its PROTOCOL,
 * section 4.1). */
void sftp_make_link(struct sftp *s, struct str path, struct str target, sftp_done *done,
                    void *arg) {
    size_t start = request(s, FXP_SYMLINK, FXP_STATUS, 0, done, arg);
    add_string(&s->out, target);
    add_string(&s->out, path);
    set_length(&s->out, start);
}

void sftp_read_link(struct sftp *s, struct str path, sftp_done *done, void *arg) {
    ask(s, FXP_READLINK, path, FXP_NAME, done, arg);
}

void sftp_remove(struct sftp *s, struct str path, sftp_done *done, void *arg) {
    ask(s, FXP_REMOVE, path, FXP_STATUS, done, arg);
}

void sftp_rename(struct sftp *s, struct str from, struct str to, sftp_done *done, void *arg) {
    size_t start = request(s, s->can_rename ? FXP_EXTENDED : FXP_RENAME, FXP_STATUS, 0, done, arg);
    if (s->can_rename)
        add_string(&s->out, STR("posix-rename@openssh.com"));
    add_string(&s->out, from);
    add_string(&s->out, to);
    set_length(&s->out, start);
}

/* Starts the packet of one that does not end before the disk has done its work. */
static size_t long_request(struct sftp *s, sftp_done *done, void *arg) {
    uint32_t place = s->free != NONE ? s->free : (uint32_t)s->requests.n;
    size_t start = request(s, FXP_EXTENDED, FXP_STATUS, 0, done, arg);
    s->requests.v[place].long_work = true;
    s->n_long++;
    heard(s);
    return start;
}

bool sftp_can_copy(const struct sftp *s) {
    return s->can_copy;
}

void sftp_copy(struct sftp *s, struct str from, struct str to, sftp_done *done, void *arg) {
    size_t start = long_request(s, done, arg);
    add_string(&s->out, STR("copy-data"));
    add_string(&s->out, from);
    add_u64(&s->out, 0);
    add_u64(&s->out, 0); /* to its end */
    add_string(&s->out, to);
    add_u64(&s->out, 0);
    set_length(&s->out, start);
}

bool sftp_can_sync(const struct sftp *s) {
    return s->can_sync;
}

void sftp_sync(struct sftp *s, struct str handle, sftp_done *done, void *arg) {
    size_t start = long_request(s, done, arg);
    add_string(&s->out, STR("fsync@openssh.com"));
    add_string(&s->out, handle);
    set_length(&s->out, start);
}

/* --- packets in --- */

/* What is left of a packet; good: nothing was missing so far. */
struct reading {
    const unsigned char *p;
    size_t n;
    bool good;
};

static uint32_t take_u32(struct reading *r) {
    if (r->n < 4) {
        r->good = false;
        return 0;
    }
    uint32_t v = (uint32_t)r->p[0] << 24 | (uint32_t)r->p[1] << 16 | (uint32_t)r->p[2] << 8 |
                 (uint32_t)r->p[3];
    r->p += 4;
    r->n -= 4;
    return v;
}

static uint64_t take_u64(struct reading *r) {
    uint64_t high = take_u32(r);
    return high << 32 | take_u32(r);
}

static struct str take_string(struct reading *r) {
    uint32_t n = take_u32(r);
    if (!r->good || n > r->n) {
        r->good = false;
        return (struct str){"", 0};
    }
    struct str s = {(const char *)r->p, n};
    r->p += n;
    r->n -= n;
    return s;
}

static struct sftp_attributes take_attributes(struct reading *r) {
    struct sftp_attributes a = {0};
    uint32_t flags = take_u32(r);
    a.has = flags & (SFTP_HAS_SIZE | SFTP_HAS_MODE | SFTP_HAS_TIMES);
    if ((flags & SFTP_HAS_SIZE) != 0)
        a.size = take_u64(r);
    if ((flags & SFTP_HAS_OWNER) != 0)
        (void)take_u64(r);
    if ((flags & SFTP_HAS_MODE) != 0)
        a.mode = take_u32(r);
    if ((flags & SFTP_HAS_TIMES) != 0) {
        a.accessed = take_u32(r);
        a.modified = take_u32(r);
    }
    if ((flags & 0x80000000U) != 0) { /* extended: pairs of strings */
        uint32_t n = take_u32(r);
        for (uint32_t i = 0; i < n && r->good; i++) {
            (void)take_string(r);
            (void)take_string(r);
        }
    }
    return a;
}

static void break_off(struct sftp *s, bool refused, const char *reason) {
    if (s->state == BROKEN)
        return;
    sftp_stop(s);
    s->events.broken(s->events.context, refused, reason);
}

static void too_quiet(void *arg) {
    break_off(arg, false, "its SFTP server does not answer");
}

static bool take_entries(struct sftp *s, struct reading *r) {
    uint32_t n = take_u32(r);
    s->entries.n = 0;
    for (uint32_t i = 0; i < n && r->good; i++) {
        struct sftp_entry entry;
        entry.name = take_string(r);
        (void)take_string(r); /* as ls -l shows it */
        entry.attributes = take_attributes(r);
        *vec_push(&s->entries) = entry;
    }
    return r->good;
}

/* One answer; false: it is none. */
static bool take_answer(struct sftp *s, enum packet type, struct reading *r) {
    uint32_t id = take_u32(r), place = id % PLACES;
    if (!r->good || place >= s->requests.n)
        return false;
    struct request q = s->requests.v[place];
    if (q.expects == 0 || q.id != id || (type != FXP_STATUS && type != q.expects))
        return false;
    struct sftp_answer a = {.status = SFTP_OK};
    switch (type) {
    case FXP_STATUS:
        a.status = take_u32(r);
        /* "Done" is no answer to who wants something; nothing read is never told as data. */
        if (a.status == SFTP_OK && q.expects != FXP_STATUS)
            return false;
        break;
    case FXP_HANDLE:
        a.bytes = take_string(r);
        r->good = r->good && a.bytes.n <= HANDLE_MAX;
        break;
    case FXP_DATA:
        a.bytes = take_string(r);
        r->good = r->good && a.bytes.n != 0 && a.bytes.n <= q.weight;
        break;
    case FXP_NAME:
        if (!take_entries(s, r) || s->entries.n == 0)
            return false;
        a.entries = s->entries.v;
        a.n_entries = s->entries.n;
        break;
    case FXP_ATTRS:
        a.attributes = take_attributes(r);
        break;
    default:
        return false;
    }
    if (!r->good)
        return false;
    struct request *old = &s->requests.v[place];
    old->expects = 0;
    old->next_free = s->free;
    s->free = place;
    s->n_requests--;
    s->n_long -= q.long_work;
    s->outstanding -= q.weight;
    heard(s);
    q.done(q.arg, &a);
    return true;
}

static void limits_known(void *arg, const struct sftp_answer *answer) {
    (void)arg;
    (void)answer;
}

/* What OpenSSH's limits@openssh.com tells: packet, read, write, handles. */
static bool take_limits(struct sftp *s, struct reading *r) {
    uint32_t id = take_u32(r), place = id % PLACES;
    if (!r->good || place >= s->requests.n || s->requests.v[place].expects != FXP_EXTENDED_REPLY ||
        s->requests.v[place].id != id)
        return false;
    (void)take_u64(r);
    uint64_t most_read = take_u64(r), most_written = take_u64(r);
    if (!r->good)
        return false;
    uint64_t chunk = most_read < most_written ? most_read : most_written;
    s->chunk = chunk < CHUNK ? CHUNK : chunk > CHUNK_MAX ? CHUNK_MAX : (uint32_t)chunk;
    s->requests.v[place].expects = 0;
    s->requests.v[place].next_free = s->free;
    s->free = place;
    s->n_requests--;
    heard(s);
    return true;
}

static bool take_version(struct sftp *s, struct reading *r) {
    if (take_u32(r) < 3 || !r->good)
        return false;
    bool limits = false;
    while (r->n != 0 && r->good) {
        struct str name = take_string(r), value = take_string(r);
        if (str_eq(name, STR("posix-rename@openssh.com")) && str_eq(value, STR("1")))
            s->can_rename = true;
        else if (str_eq(name, STR("copy-data")) && str_eq(value, STR("1")))
            s->can_copy = true;
        else if (str_eq(name, STR("fsync@openssh.com")) && str_eq(value, STR("1")))
            s->can_sync = true;
        else if (str_eq(name, STR("limits@openssh.com")) && str_eq(value, STR("1")))
            limits = true;
    }
    s->state = WORKING;
    if (limits) {
        size_t start = request(s, FXP_EXTENDED, FXP_EXTENDED_REPLY, 0, limits_known, NULL);
        add_string(&s->out, STR("limits@openssh.com"));
        set_length(&s->out, start);
    }
    heard(s);
    return r->good;
}

static bool take_packet(struct sftp *s, const char *bytes, size_t n) {
    struct reading r = {(const unsigned char *)bytes + 1, n - 1, true};
    enum packet type = (unsigned char)bytes[0];
    if (s->state == GREETING)
        return type == FXP_VERSION && take_version(s, &r);
    return type == FXP_EXTENDED_REPLY ? take_limits(s, &r) : take_answer(s, type, &r);
}

/* Takes whole packets out of what has come. */
static void take_packets(struct sftp *s) {
    size_t at = 0;
    while (s->state != BROKEN && s->in_n - at >= 4) {
        struct reading r = {(const unsigned char *)s->in + at, 4, true};
        uint32_t n = take_u32(&r);
        if (n == 0 || n > PACKET_MAX) {
            break_off(s, false, "its SFTP server does not keep to the protocol");
            return;
        }
        if (s->in_n - at - 4 < n)
            break;
        if (!take_packet(s, s->in + at + 4, n)) {
            break_off(s, false, "its SFTP server does not keep to the protocol");
            return;
        }
        at += 4 + (size_t)n;
    }
    if (at != 0)
        memmove(s->in, s->in + at, s->in_n - at);
    s->in_n -= at;
}

/* --- turns --- */

static bool receive_some(struct sftp *s) {
    bool moved = false;
    for (int i = 0; i < LATER && s->state != BROKEN; i++) {
        ssize_t n =
            channel_read(s->channel, STREAM_OUT, s->in + s->in_n, (size_t)PACKET_MAX + 4 - s->in_n);
        if (n <= 0)
            break;
        moved = true;
        s->in_n += (size_t)n;
        take_packets(s);
    }
    char bytes[512];
    ssize_t n;
    while (s->state != BROKEN &&
           (n = channel_read(s->channel, STREAM_ERR, bytes, sizeof bytes)) > 0) {
        moved = true;
        buf_add(&s->last_words, bytes, (size_t)n);
        if (s->last_words.n > 2 * sizeof bytes)
            buf_drop(&s->last_words, s->last_words.n - sizeof bytes);
    }
    return moved;
}

static bool send_some(struct sftp *s) {
    bool moved = false;
    while (s->sent < s->going.n || s->out.n != 0) {
        if (s->sent == s->going.n) {
            struct buf gone = s->going;
            s->going = s->out;
            s->out = gone;
            buf_clear(&s->out);
            s->sent = 0;
        }
        size_t n = channel_write(s->channel, s->going.s + s->sent, s->going.n - s->sent);
        if (n == 0)
            break;
        s->sent += n;
        moved = true;
    }
    if (moved)
        heard(s);
    return moved;
}

static void ended(struct sftp *s) {
    struct buf reason = {0};
    buf_puts(&reason,
             s->state == GREETING ? "there is no SFTP server there" : "its SFTP server has ended");
    while (s->last_words.n != 0 && (unsigned char)s->last_words.s[s->last_words.n - 1] <= ' ')
        s->last_words.n--;
    if (s->last_words.n != 0) {
        const char *line = bytes_last(s->last_words.s, '\n', s->last_words.n);
        size_t start = line != NULL ? (size_t)(line + 1 - s->last_words.s) : 0;
        buf_puts(&reason, ": ");
        buf_visible(&reason, (struct str){s->last_words.s + start, s->last_words.n - start});
    }
    break_off(s, false, reason.s);
    buf_free(&reason);
}

static void greet(struct sftp *s) {
    add_u32(&s->out, 5);
    buf_putc(&s->out, FXP_INIT);
    add_u32(&s->out, 3);
    s->state = GREETING;
}

static bool open_channel(struct sftp *s) {
    switch (channel_state(s->channel)) {
    case CHANNEL_OPENING:
        return false;
    case CHANNEL_REFUSED:
        break_off(s, true, "it allows no further session");
        return false;
    case CHANNEL_FAILED:
        break_off(s, false, "there is no SFTP server there");
        return false;
    case CHANNEL_OPEN:
        break;
    }
    greet(s);
    return true;
}

static bool advance(void *arg) {
    struct sftp *s = arg;
    if (s->state == BROKEN)
        return false;
    if (s->state == OPENING && !open_channel(s))
        return false;
    bool moved = receive_some(s);
    if (s->state == WORKING && s->events.room(s->events.context))
        moved = true;
    if (s->state != BROKEN)
        moved = send_some(s) || moved;
    if (s->state != BROKEN && channel_ended(s->channel))
        ended(s);
    return moved;
}

struct sftp *sftp_open(struct loop *loop, struct way *w, int64_t patience,
                       const struct sftp_events *events) {
    struct sftp *s = mem_zalloc(sizeof *s);
    *s = (struct sftp){
        .loop = loop, .events = *events, .patience = patience, .free = NONE, .chunk = CHUNK};
    s->in = mem_alloc((size_t)PACKET_MAX + 4);
    s->silence = (struct timer){.expired = too_quiet, .arg = s};
    s->channel = channel_open(w, CHANNEL_SFTP, (struct party){advance, s});
    heard(s);
    return s;
}

void sftp_stop(struct sftp *s) {
    if (s == NULL)
        return;
    s->state = BROKEN;
    loop_timer_clear(s->loop, &s->silence);
}

void sftp_free(struct sftp *s) {
    if (s == NULL)
        return;
    channel_free(s->channel);
    loop_timer_clear(s->loop, &s->silence);
    vec_free(&s->requests);
    vec_free(&s->entries);
    buf_free(&s->out);
    buf_free(&s->going);
    buf_free(&s->last_words);
    free(s->in);
    free(s);
}

void sftp_kick(struct sftp *s) {
    channel_kick(s->channel);
}

void sftp_hurry(struct sftp *s) {
    if (s->state == BROKEN || s->hurried)
        return;
    s->hurried = true;
    heard(s);
}

bool sftp_is_far(const struct sftp *s) {
    return channel_is_far(s->channel);
}

size_t sftp_room(const struct sftp *s) {
    bool far = sftp_is_far(s);
    size_t most = far ? ROOM_FAR : ROOM;
    if (s->state != WORKING || s->n_requests >= REQUESTS_MAX || s->outstanding >= most ||
        (far && s->out.n + s->going.n - s->sent >= UNSENT))
        return 0;
    return most - s->outstanding;
}

size_t sftp_chunk(const struct sftp *s) {
    return s->chunk;
}

const char *sftp_reason(uint32_t status) {
    static const char *const reasons[] = {
        [SFTP_OK] = "failed",
        [SFTP_EOF] = "unexpected end",
        [SFTP_NO_SUCH_FILE] = "no such file or directory",
        [SFTP_PERMISSION_DENIED] = "permission denied",
        [SFTP_FAILURE] = "failed there (is the disk full?)",
        [SFTP_BAD_MESSAGE] = "refused as a bad message",
        [SFTP_NO_CONNECTION] = "no connection",
        [SFTP_CONNECTION_LOST] = "connection lost",
        [SFTP_UNSUPPORTED] = "its SFTP server cannot do that",
    };
    return status < sizeof reasons / sizeof *reasons ? reasons[status] : "refused";
}
