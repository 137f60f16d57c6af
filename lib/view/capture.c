#include "view/capture.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/vec.h"
#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MEMORY = 256 * 1024, TAIL = 4096 };

struct piece {
    enum stream stream;
    uint64_t n;
};

struct capture {
    VEC(struct piece) pieces; /* neighbours of one stream are joined */
    struct buf memory;        /* what is not in the file */
    struct sink_file *file;
    uint64_t in_file;
    bool no_file; /* none can be made or written: all stays in memory */
};

struct capture *capture_new(void) {
    return mem_zalloc(sizeof(struct capture));
}

void capture_free(struct capture *c) {
    if (c == NULL)
        return;
    vec_free(&c->pieces);
    buf_free(&c->memory);
    if (c->file != NULL)
        sink_file_release(c->file);
    free(c);
}

static int nameless_file(void) {
    const char *tmp = getenv("TMPDIR");
    struct buf name = {0};
    buf_printf(&name, "%s/foray-output-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    int fd = mkstemp(name.s);
    if (fd >= 0) {
        unlink(name.s);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    buf_free(&name);
    return fd;
}

static void spill(struct capture *c) {
    if (c->file == NULL) {
        int fd = nameless_file();
        if (fd < 0) {
            c->no_file = true;
            return;
        }
        c->file = mem_alloc(sizeof *c->file);
        *c->file = (struct sink_file){.fd = fd, .shares = 1};
    }
    if (io_write_all(c->file->fd, buf_view(&c->memory)) != 0) {
        /* A full disk: what is in the file so far stays good, the rest is kept here. */
        if (lseek(c->file->fd, (off_t)c->in_file, SEEK_SET) < 0)
            buf_clear(&c->memory);
        c->no_file = true;
        return;
    }
    c->in_file += c->memory.n;
    buf_clear(&c->memory);
}

void capture_add(struct capture *c, enum stream stream, struct str bytes) {
    if (c->pieces.n != 0 && c->pieces.v[c->pieces.n - 1].stream == stream)
        c->pieces.v[c->pieces.n - 1].n += bytes.n;
    else
        *vec_push(&c->pieces) = (struct piece){stream, bytes.n};
    buf_str(&c->memory, bytes);
    if (c->memory.n > MEMORY && !c->no_file)
        spill(c);
}

bool capture_is_empty(const struct capture *c) {
    return c->pieces.n == 0;
}

void capture_show(struct capture *c, struct sink *sink) {
    uint64_t at = 0;
    for (size_t i = 0; i < c->pieces.n; i++) {
        uint64_t n = c->pieces.v[i].n;
        uint64_t from_file = at >= c->in_file ? 0 : at + n <= c->in_file ? n : c->in_file - at;
        if (from_file != 0)
            sink_file(sink, c->pieces.v[i].stream, c->file, at, from_file);
        if (n > from_file) {
            size_t offset = (size_t)(at + from_file - c->in_file);
            sink_bytes(sink, c->pieces.v[i].stream,
                       (struct str){c->memory.s + offset, (size_t)(n - from_file)});
        }
        at += n;
    }
}

/* Bytes [at, at + n), that are of one stream. */
static void take_bytes(const struct capture *c, uint64_t at, uint64_t n, enum stream stream,
                       void (*take)(void *context, enum stream stream, struct str bytes),
                       void *context) {
    struct buf b = {0};
    uint64_t from_file = at >= c->in_file ? 0 : at + n <= c->in_file ? n : c->in_file - at;
    buf_reserve(&b, (size_t)n);
    if (from_file != 0) {
        ssize_t got = pread(c->file->fd, b.s, (size_t)from_file, (off_t)at);
        b.n = got > 0 ? (size_t)got : 0;
    }
    if (n > from_file)
        buf_add(&b, c->memory.s + (at + from_file - c->in_file), (size_t)(n - from_file));
    take(context, stream, buf_view(&b));
    buf_free(&b);
}

void capture_ends(const struct capture *c, uint64_t first, uint64_t last,
                  void (*take)(void *context, enum stream stream, struct str bytes),
                  void *context) {
    uint64_t total = c->in_file + c->memory.n, at = 0;
    uint64_t gap = total > first + last ? first : total,
             again = total > first + last ? total - last : total;
    bool told = gap == again;
    for (size_t i = 0; i < c->pieces.n; i++) {
        enum stream stream = c->pieces.v[i].stream;
        uint64_t end = at + c->pieces.v[i].n;
        if (at < gap)
            take_bytes(c, at, (end < gap ? end : gap) - at, stream, take, context);
        if (end > gap && !told) {
            struct buf line = {0};
            buf_printf(&line, "\n... %llu bytes are not kept ...\n",
                       (unsigned long long)(again - gap));
            take(context, STREAM_ERR, buf_view(&line));
            buf_free(&line);
            told = true;
        }
        if (end > again && gap != again) {
            uint64_t from = at > again ? at : again;
            take_bytes(c, from, end - from, stream, take, context);
        }
        at = end;
    }
}

void capture_tail(const struct capture *c, size_t lines, struct buf *out) {
    char bytes[TAIL];
    size_t n = 0;
    uint64_t total = c->in_file + c->memory.n;
    if (c->memory.n < TAIL && c->in_file != 0) {
        uint64_t want = total < TAIL ? total - c->memory.n : TAIL - c->memory.n;
        ssize_t got = pread(c->file->fd, bytes, (size_t)want, (off_t)(c->in_file - want));
        n = got > 0 ? (size_t)got : 0;
    }
    struct str rest = buf_view(&c->memory);
    if (rest.n > TAIL - n)
        rest = (struct str){rest.s + rest.n - (TAIL - n), TAIL - n};
    for (size_t i = 0; i < rest.n; i++)
        bytes[n++] = rest.s[i];
    size_t start = n;
    for (size_t seen = 0; start > 0; start--)
        if (bytes[start - 1] == '\n' && start != n && ++seen == lines)
            break;
    /* Cut in the middle of a line by the size: begin with a whole one, if there is one. */
    if (start == 0 && total > n) {
        size_t first = 0;
        while (first < n && bytes[first] != '\n')
            first++;
        start = first + 1 < n ? first + 1 : 0;
    }
    buf_add(out, bytes + start, n - start);
}
