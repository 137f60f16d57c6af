/* Any bytes as a stream of tar, in pieces of any size: what is told of it is in order and within
 * its bounds, is the same whatever the pieces, and the end is the end. */
#include "carry/tar.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

/* Who is told. */
struct watcher {
    bool in_file;
    uint64_t size, at; /* of the file; at: the end of what has come */
    size_t stop;       /* so many events from now one says to stop */
    bool stopped;
    uint64_t told; /* a hash of all of it */
};

static void tell(struct watcher *w, const void *what, size_t n) {
    for (const unsigned char *at = what; n-- > 0; at++)
        w->told = (w->told ^ *at) * 0x100000001b3;
}

static void tell_number(struct watcher *w, uint64_t number) {
    tell(w, &number, sizeof number);
}

static bool go_on(struct watcher *w) {
    require(!w->stopped);
    w->stopped = w->stop-- == 0;
    return !w->stopped;
}

static void check_text(struct str text) {
    require(text.s[text.n] == '\0' && memchr(text.s, '\0', text.n) == NULL);
}

static bool entry(void *context, const struct tar_entry *e) {
    struct watcher *w = context;
    bool link = e->kind == TAR_SYMLINK || e->kind == TAR_HARDLINK;
    require(!w->in_file && e->kind <= TAR_OTHER && e->mode <= 07777 && e->modified >= 0);
    require(e->name.n != 0 && (link || e->link.n == 0) && (e->kind == TAR_FILE || e->size == 0));
    check_text(e->name);
    if (e->link.n != 0)
        check_text(e->link);
    tell(w, e->name.s, e->name.n + 1);
    tell(w, e->link.s, e->link.n);
    tell_number(w, (uint64_t)e->kind << 32 | e->mode);
    tell_number(w, e->size);
    w->in_file = e->kind == TAR_FILE;
    w->size = e->size;
    w->at = 0;
    return go_on(w);
}

static bool bytes(void *context, uint64_t offset, struct str some) {
    struct watcher *w = context;
    require(w->in_file && some.n != 0 && offset >= w->at && offset <= w->size);
    require(some.n <= w->size - offset);
    for (size_t i = 0; i < some.n; i++) {
        tell_number(w, offset + i);
        tell(w, some.s + i, 1);
    }
    w->at = offset + some.n;
    return go_on(w);
}

static bool end(void *context) {
    struct watcher *w = context;
    require(w->in_file);
    w->in_file = false;
    tell_number(w, w->size);
    return go_on(w);
}

/* What is told of it. step: the size of the pieces, or 0: any. */
static void read_stream(struct str stream, size_t step, size_t stop, struct watcher *w) {
    *w = (struct watcher){.stop = stop, .told = 1};
    struct tar_reader *r = tar_reader_new(&(struct tar_events){w, entry, bytes, end});
    const char *wrong = NULL;
    uint32_t random = 1;
    while (stream.n != 0 && wrong == NULL) {
        random = random * 1103515245 + 12345;
        size_t n = step != 0 ? step : (random >> 16) % 700;
        n = n < stream.n ? n : stream.n;
        char *piece = mem_alloc(n + 1); /* nothing behind it is to be read */
        memcpy(piece, stream.s, n);
        wrong = tar_read(r, (struct str){piece, n});
        free(piece);
        stream = (struct str){stream.s + n, stream.n - n};
    }
    require(w->stopped ? wrong != NULL && *wrong == '\0' : wrong == NULL || *wrong != '\0');
    if (wrong != NULL) {
        require(!tar_at_end(r) && tar_read(r, STR("x")) != NULL);
        tell(w, wrong, strlen(wrong));
    } else if (tar_at_end(r)) {
        require(!w->in_file);
        tell_number(w, 0);
    }
    tar_reader_free(r);
}

/* Headers get the checksums that they need, or nothing would come of most inputs. */
static void mend(struct buf *stream) {
    for (size_t at = 0; stream->n - at >= TAR_BLOCK; at += TAR_BLOCK) {
        char *h = stream->s + at;
        unsigned sum = 0;
        if (memcmp(h + 257, "ustar", 5) != 0)
            continue;
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
            sum += (unsigned char)h[i];
        for (size_t i = 6; i-- > 0; sum >>= 3)
            h[148 + i] = (char)('0' + (sum & 7));
    }
}

/* The first byte says when an event stops it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t steps[] = {1, TAR_BLOCK, 0};
    struct watcher whole, again;
    struct buf stream = {0};
    if (size == 0)
        return 0;
    buf_add(&stream, data + 1, size - 1);
    mend(&stream);
    size_t stop = data[0] == 0 ? SIZE_MAX : data[0] % 32;
    read_stream(buf_view(&stream), SIZE_MAX, stop, &whole);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        read_stream(buf_view(&stream), steps[i], SIZE_MAX, &again);
        if (stop == SIZE_MAX)
            require(whole.told == again.told);
    }
    buf_free(&stream);
    return 0;
}
