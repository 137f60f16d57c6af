#include "view/sink.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct entry {
    struct entry *next;
    enum stream to;
    struct buf bytes; /* not yet written: from `at` on */
    size_t at;
    size_t waits;           /* what of it counts as waiting */
    struct sink_file *file; /* else: from there */
    uint64_t offset, n;
};

struct end {
    int fd;
    bool reopened;    /* fd is our own, and does not block */
    bool never_waits; /* a file: writing to it needs no asking */
    bool dead;        /* nobody reads, or the disk is full: what comes is dropped */
    int error;
    struct watch watch;
};

/* Bytes that wait: much, and little enough again. */
enum { MUCH = 8 * 1024 * 1024, LITTLE = 1024 * 1024 };

struct sink {
    struct loop *loop;
    size_t waiting;
    bool told_full;
    void (*full)(void *arg, bool full); /* NULL: nobody asks */
    void *arg;
    struct end ends[2];
    struct entry *first, **last;
    size_t holds; /* nothing is written while there are any */
};

/* The terminal or pipe behind the descriptor is shared with others, who may not expect O_NONBLOCK
 * on it: a second opening of it is ours alone. Where that cannot be had, as much is written as
 * POLLOUT promises room for. */
static void open_end(struct end *end, int fd) {
    struct stat st;
    end->fd = fd;
    if (fstat(fd, &st) != 0) {
        end->dead = true;
        return;
    }
    end->never_waits = S_ISREG(st.st_mode);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
        char name[32];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        int own = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_APPEND);
        if (own >= 0) {
            end->fd = own;
            end->reopened = true;
        }
    }
}

static void flush(struct sink *s);

void sink_hold(struct sink *s, bool hold) {
    s->holds = hold ? s->holds + 1 : s->holds - 1;
    flush(s);
}

static void ready(void *arg, short revents) {
    (void)revents;
    flush(arg);
}

struct sink *sink_new(struct loop *loop) {
    struct sink *s = mem_zalloc(sizeof *s);
    s->loop = loop;
    s->last = &s->first;
    for (int i = 0; i < 2; i++) {
        open_end(&s->ends[i], i + 1);
        s->ends[i].watch = (struct watch){.fd = s->ends[i].fd, .ready = ready, .arg = s};
        loop_watch(loop, &s->ends[i].watch);
    }
    return s;
}

void sink_tell(struct sink *s, void (*full)(void *arg, bool full), void *arg) {
    s->full = full;
    s->arg = arg;
}

static void look_at_level(struct sink *s) {
    bool full = s->told_full ? s->waiting > LITTLE : s->waiting > MUCH;
    if (s->full == NULL || full == s->told_full)
        return;
    s->told_full = full;
    s->full(s->arg, full);
}

static void drop_first(struct sink *s) {
    struct entry *e = s->first;
    s->waiting -= e->waits;
    s->first = e->next;
    if (s->first == NULL)
        s->last = &s->first;
    buf_free(&e->bytes);
    if (e->file != NULL)
        sink_file_release(e->file);
    free(e);
}

void sink_free(struct sink *s) {
    if (s == NULL)
        return;
    while (s->first != NULL)
        drop_first(s);
    for (int i = 0; i < 2; i++) {
        loop_unwatch(s->loop, &s->ends[i].watch);
        if (s->ends[i].reopened)
            close(s->ends[i].fd);
    }
    free(s);
}

static struct entry *add(struct sink *s, enum stream to) {
    struct entry *e = mem_zalloc(sizeof *e);
    e->to = to;
    *s->last = e;
    s->last = &e->next;
    return e;
}

void sink_bytes(struct sink *s, enum stream to, struct str bytes) {
    if (bytes.n == 0)
        return;
    bool first = s->first == NULL;
    struct entry *e = add(s, to);
    buf_str(&e->bytes, bytes);
    e->waits = bytes.n;
    s->waiting += bytes.n;
    if (first)
        flush(s);
    look_at_level(s);
}

void sink_file(struct sink *s, enum stream to, struct sink_file *file, uint64_t offset,
               uint64_t n) {
    bool first = s->first == NULL;
    struct entry *e = add(s, to);
    file->shares++;
    e->file = file;
    e->offset = offset;
    e->n = n;
    if (first)
        flush(s);
}

void sink_file_release(struct sink_file *file) {
    if (--file->shares != 0)
        return;
    close(file->fd);
    free(file);
}

/* Makes the next piece of a file ready in the entry's buffer; false at the end. */
static bool load(struct entry *e) {
    if (e->at < e->bytes.n)
        return true;
    buf_clear(&e->bytes);
    e->at = 0;
    if (e->file == NULL || e->n == 0)
        return false;
    size_t want = e->n < 256 * 1024 ? (size_t)e->n : 256 * 1024;
    buf_reserve(&e->bytes, want);
    ssize_t n = pread(e->file->fd, e->bytes.s, want, (off_t)e->offset);
    if (n <= 0)
        return false;
    e->bytes.n = (size_t)n;
    e->offset += (uint64_t)n;
    e->n -= (uint64_t)n;
    return true;
}

static bool has_room(const struct end *end) {
    if (end->never_waits || end->reopened)
        return true;
    struct pollfd p = {.fd = end->fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1;
}

static void flush(struct sink *s) {
    /* Not for ever: the others in the loop have their turn too. */
    for (int rounds = 0; s->first != NULL && s->holds == 0 && rounds < 64; rounds++) {
        struct entry *e = s->first;
        struct end *end = &s->ends[e->to];
        if (end->dead || !load(e)) {
            drop_first(s);
            continue;
        }
        if (!has_room(end))
            break;
        size_t n = e->bytes.n - e->at;
        if (!end->never_waits && !end->reopened && n > 512)
            n = 512;
        ssize_t written = write(end->fd, e->bytes.s + e->at, n);
        if (written >= 0) {
            e->at += (size_t)written;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            end->dead = true;
            end->error = errno;
        }
    }
    for (int i = 0; i < 2; i++)
        s->ends[i].watch.events = 0;
    if (s->first != NULL && s->holds == 0)
        s->ends[s->first->to].watch.events = POLLOUT;
    look_at_level(s);
}

bool sink_is_closed(const struct sink *s, enum stream end) {
    return s->ends[end].error == EPIPE;
}

bool sink_empty(const struct sink *s) {
    return s->first == NULL;
}

int sink_error(const struct sink *s, enum stream *where) {
    for (int i = 0; i < 2; i++)
        if (s->ends[i].error != 0 && s->ends[i].error != EPIPE) {
            *where = (enum stream)i;
            return s->ends[i].error;
        }
    return 0;
}
