#include "plan/kept.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

/* Of all runs together. */
#define ALL_RUNS (INT64_C(256) * 1024 * 1024)
enum { LEVEL = 1 }; /* of compression: output is plain text most of the time, and waited for */

struct kept {
    struct buf dir;
    uint32_t run;
    bool begun;
    int fd; /* -1: nothing can be kept */
    ZSTD_CCtx *context;
    struct buf raw, piece;
};

/* Before each piece; behind it the step's name, then the compressed bytes: for each stretch of a
 * stream one byte that says which, its length (4 bytes), and what it is. */
struct piece_head {
    char magic[8];
    uint32_t name, attempt, compressed, raw;
};

static const char magic[8] = "FORAYOUT";
enum { STRETCH = 5, RAW_MOST = 16 * (KEPT_FIRST + KEPT_LAST) };

static void path_of(const char *dir, uint32_t run, struct buf *out) {
    buf_printf(out, "%s/output/%u.zst", dir, (unsigned)run);
}

struct old {
    uint32_t run;
    off_t size;
};

static int by_run(const void *a, const void *b) {
    const struct old *x = a, *y = b;
    return x->run < y->run ? 1 : x->run > y->run ? -1 : 0;
}

/* The newest ones stay. */
static void remove_old(const char *dir) {
    VEC(struct old) all = {0};
    struct buf path = {0};
    buf_printf(&path, "%s/output", dir);
    DIR *d = opendir(path.s);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        unsigned run;
        int end = 0;
        struct stat st;
        if (sscanf(e->d_name, "%u.zst%n", &run, &end) == 1 && end != 0 && e->d_name[end] == '\0' &&
            fstatat(dirfd(d), e->d_name, &st, 0) == 0)
            *vec_push(&all) = (struct old){run, st.st_size};
    }
    if (d != NULL)
        closedir(d);
    if (all.n != 0)
        qsort(all.v, all.n, sizeof *all.v, by_run);
    int64_t sum = 0;
    for (size_t i = 0; i < all.n; i++) {
        sum += all.v[i].size;
        if (sum <= ALL_RUNS)
            continue;
        buf_clear(&path);
        path_of(dir, all.v[i].run, &path);
        unlink(path.s);
    }
    vec_free(&all);
    buf_free(&path);
}

struct kept *kept_new(const char *dir, uint32_t run) {
    struct kept *k = mem_zalloc(sizeof *k);
    *k = (struct kept){.fd = -1, .run = run};
    buf_puts(&k->dir, dir);
    return k;
}

/* When there is something to keep. false: nothing can be kept. */
static bool begin(struct kept *k) {
    struct buf path = {0};
    if (k->begun)
        return k->fd >= 0;
    k->begun = true;
    remove_old(k->dir.s);
    buf_printf(&path, "%s/output", k->dir.s);
    if (mkdir(path.s, 0700) == 0 || errno == EEXIST) {
        buf_clear(&path);
        path_of(k->dir.s, k->run, &path);
        k->fd = open(path.s, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    }
    buf_free(&path);
    k->context = ZSTD_createCCtx();
    if (k->context == NULL)
        mem_alloc(SIZE_MAX);
    ZSTD_CCtx_setParameter(k->context, ZSTD_c_compressionLevel, LEVEL);
    return k->fd >= 0;
}

void kept_free(struct kept *k) {
    if (k == NULL)
        return;
    if (k->fd >= 0)
        close(k->fd);
    ZSTD_freeCCtx(k->context);
    buf_free(&k->dir);
    buf_free(&k->raw);
    buf_free(&k->piece);
    free(k);
}

void kept_stretch(struct kept *k, bool error, struct str bytes) {
    uint32_t n = (uint32_t)bytes.n;
    buf_putc(&k->raw, error ? 1 : 0);
    buf_add(&k->raw, &n, sizeof n);
    buf_str(&k->raw, bytes);
}

void kept_add(struct kept *k, struct str step, uint32_t attempt) {
    if (!begin(k)) {
        buf_clear(&k->raw);
        return;
    }
    struct piece_head head = {
        .name = (uint32_t)step.n, .attempt = attempt, .raw = (uint32_t)k->raw.n};
    size_t most = ZSTD_compressBound(k->raw.n);
    memcpy(head.magic, magic, sizeof magic);
    buf_clear(&k->piece);
    buf_add(&k->piece, &head, sizeof head);
    buf_str(&k->piece, step);
    buf_reserve(&k->piece, most);
    size_t n = ZSTD_compress2(k->context, k->piece.s + k->piece.n, most, k->raw.s, k->raw.n);
    buf_clear(&k->raw);
    if (ZSTD_isError(n))
        return;
    head.compressed = (uint32_t)n;
    memcpy(k->piece.s, &head, sizeof head);
    k->piece.n += n;
    if (io_write_all(k->fd, buf_view(&k->piece)) != 0) {
        close(k->fd);
        k->fd = -1;
    }
}

/* --- reading --- */

static void give(struct str raw, void (*take)(void *context, bool error, struct str bytes),
                 void *context) {
    while (raw.n >= STRETCH) {
        uint32_t n;
        memcpy(&n, raw.s + 1, sizeof n);
        if (raw.n - STRETCH < n)
            return;
        take(context, raw.s[0] != 0, (struct str){raw.s + STRETCH, n});
        raw = (struct str){raw.s + STRETCH + n, raw.n - STRETCH - n};
    }
}

/* The piece at `at`: its head and name. false: there is no whole one. */
static bool piece_at(int fd, off_t at, off_t size, struct piece_head *head, struct buf *name) {
    if (size - at < (off_t)sizeof *head || pread(fd, head, sizeof *head, at) != sizeof *head ||
        memcmp(head->magic, magic, sizeof magic) != 0 ||
        size - at - (off_t)sizeof *head < (off_t)head->name + (off_t)head->compressed ||
        head->raw > RAW_MOST)
        return false;
    buf_clear(name);
    buf_reserve(name, head->name);
    if (pread(fd, name->s, head->name, at + (off_t)sizeof *head) != (ssize_t)head->name)
        return false;
    name->n = head->name;
    return true;
}

static bool unpack(int fd, off_t at, const struct piece_head *head, struct buf *raw) {
    char *packed = mem_alloc(head->compressed + 1);
    buf_clear(raw);
    buf_reserve(raw, head->raw);
    bool good = pread(fd, packed, head->compressed, at + (off_t)sizeof *head + head->name) ==
                (ssize_t)head->compressed;
    size_t n = good ? ZSTD_decompress(raw->s, head->raw, packed, head->compressed) : 0;
    free(packed);
    if (!good || ZSTD_isError(n))
        return false;
    raw->n = n;
    return true;
}

bool kept_read(const char *dir, uint32_t run, struct str step, uint32_t attempt,
               void (*take)(void *context, bool error, struct str bytes), void *context) {
    struct buf path = {0}, name = {0}, raw = {0};
    struct piece_head head, best = {0};
    struct stat st;
    off_t at = 0, best_at = -1;
    path_of(dir, run, &path);
    int fd = open(path.s, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &st) == 0;
    while (good && piece_at(fd, at, st.st_size, &head, &name)) {
        if (str_eq(buf_view(&name), step) && (attempt == 0 || head.attempt == attempt)) {
            best = head;
            best_at = at;
        }
        at += (off_t)sizeof head + head.name + head.compressed;
    }
    good = best_at >= 0 && unpack(fd, best_at, &best, &raw);
    if (good)
        give(buf_view(&raw), take, context);
    if (fd >= 0)
        close(fd);
    buf_free(&path);
    buf_free(&name);
    buf_free(&raw);
    return good;
}
