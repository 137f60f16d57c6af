#include "carry/proof.h"

#include "base/cksum.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/shell.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK = 256 * 1024,
    LINE_MOST = 32 * 1024, /* of the names of one command */
    BY_LENGTH = 16,        /* of few files, just so many bytes are read there at once */
    NOT_FOUND = 127,       /* as a shell says it of a command */
};

struct part {
    char *name;
    uint64_t start, size;
    struct cksum *sum; /* NULL: to be read */
};

/* What some files are together. */
struct sum {
    struct sums *all;       /* NULL: they are gone while it was read */
    struct digest key;      /* of the parts, as they are on disk */
    VEC(struct part) parts; /* while it is read: the thread's */
    enum { READING, KNOWN } state;
    atomic_bool stop;
    bool useless; /* it was stopped */
    VEC(struct proof *) waiting;
    int error;
    char *failed; /* with error: which could not be read */
    uint32_t sum;
    uint64_t size;
};

struct sums {
    struct loop *loop;
    VEC(struct sum *) list;
};

/* A file there; the name is its own. */
struct copy_there {
    struct str name;
    uint64_t size;
};

struct proof {
    struct sums *sums;
    VEC(struct part) here; /* until they are read */
    VEC(struct copy_there) there;
    struct sum *sum; /* NULL: nothing is read yet */
    bool sync;
    bool by_length; /* just so many bytes of each are to be read there: one grows */
    int status;
    struct buf output;
    void (*done)(void *arg, const char *wrong); /* NULL: the host has not ended */
    void *arg;
};

/* --- here --- */

struct sums *sums_new(struct loop *loop) {
    struct sums *s = mem_zalloc(sizeof *s);
    s->loop = loop;
    return s;
}

static void free_part(struct part *part) {
    free(part->name);
    free(part->sum);
}

static void free_sum(struct sum *s) {
    for (size_t i = 0; i < s->parts.n; i++)
        free_part(&s->parts.v[i]);
    vec_free(&s->parts);
    vec_free(&s->waiting);
    free(s->failed);
    free(s);
}

void sums_free(struct sums *s) {
    for (size_t i = 0; i < s->list.n; i++)
        if (s->list.v[i]->state == READING) {
            s->list.v[i]->all = NULL;
            atomic_store(&s->list.v[i]->stop, true);
        } else {
            free_sum(s->list.v[i]);
        }
    vec_free(&s->list);
    free(s);
}

static int read_part(struct sum *s, const struct part *part, struct cksum *sum, char *bytes) {
    int fd = open(part->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = fd < 0 ? errno : 0;
    for (uint64_t at = 0; at < part->size && error == 0;) {
        uint64_t left = part->size - at;
        ssize_t n =
            pread(fd, bytes, left < CHUNK ? (size_t)left : CHUNK, (off_t)(part->start + at));
        if (atomic_load(&s->stop))
            error = ECANCELED;
        else if (n < 0 && errno != EINTR)
            error = errno;
        else if (n == 0) /* shorter than it was: the sums will differ */
            break;
        if (n > 0)
            cksum_add(sum, (struct str){bytes, (size_t)n});
        at += n > 0 ? (uint64_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

/* In a thread. */
static void read_parts(void *arg) {
    struct sum *s = arg;
    struct cksum *sum = cksum_new();
    char *bytes = mem_alloc(CHUNK);
    for (size_t i = 0; i < s->parts.n && s->error == 0; i++) {
        if (s->parts.v[i].sum != NULL)
            cksum_join(sum, s->parts.v[i].sum);
        else
            s->error = read_part(s, &s->parts.v[i], sum, bytes);
        if (s->error != 0)
            s->failed = mem_strdup(s->parts.v[i].name);
    }
    s->sum = cksum_end(sum);
    s->size = sum->size;
    free(sum);
    free(bytes);
}

static void compare(struct proof *p);

static void were_read(void *arg) {
    struct sum *s = arg;
    struct sums *all = s->all;
    s->state = KNOWN;
    for (size_t i = 0; i < s->parts.n; i++)
        free_part(&s->parts.v[i]);
    vec_free(&s->parts);
    for (size_t i = 0; all != NULL && s->useless && i < all->list.n; i++)
        if (all->list.v[i] == s)
            all->list.v[i] = all->list.v[--all->list.n];
    while (s->waiting.n != 0) {
        struct proof *p = s->waiting.v[--s->waiting.n];
        compare(p);
    }
    if (all == NULL || s->useless)
        free_sum(s);
}

/* What the files are and were when they were last changed: what is equal in that is read once. */
static struct digest key_of(const struct proof *p) {
    struct hash_stream *hash = hash_stream_new();
    for (size_t i = 0; i < p->here.n; i++) {
        const struct part *part = &p->here.v[i];
        struct stat st;
        uint64_t numbers[7] = {part->start, part->size, i};
        if (stat(part->name, &st) == 0) {
            numbers[3] = (uint64_t)st.st_size;
            numbers[4] = (uint64_t)st.st_mtim.tv_sec;
            numbers[5] = (uint64_t)st.st_mtim.tv_nsec;
            numbers[6] = (uint64_t)st.st_ino;
        }
        hash_stream_add(hash, (struct str){part->name, strlen(part->name) + 1});
        hash_stream_add(hash, (struct str){(const char *)numbers, sizeof numbers});
    }
    return hash_stream_end(hash);
}

void proof_read(struct proof *p) {
    struct sums *all = p->sums;
    struct digest key = key_of(p);
    for (size_t i = 0; i < all->list.n && p->sum == NULL; i++) {
        struct sum *s = all->list.v[i];
        if (s->key.high == key.high && s->key.low == key.low && !s->useless && s->error == 0)
            p->sum = s;
    }
    if (p->sum == NULL) {
        p->sum = mem_zalloc(sizeof *p->sum);
        p->sum->all = all;
        p->sum->key = key;
        p->sum->parts.v = p->here.v;
        p->sum->parts.n = p->here.n;
        p->sum->parts.cap = p->here.cap;
        p->here.v = NULL;
        p->here.n = p->here.cap = 0;
        *vec_push(&all->list) = p->sum;
        loop_aside(all->loop, read_parts, were_read, p->sum);
    }
    if (p->sum->state == READING)
        *vec_push(&p->sum->waiting) = p;
    else
        compare(p);
}

/* --- there --- */

struct proof *proof_new(struct sums *sums) {
    struct proof *p = mem_zalloc(sizeof *p);
    p->sums = sums;
    return p;
}

/* Nobody wants to know what is read any more. */
static void leave(struct proof *p) {
    struct sum *s = p->sum;
    for (size_t i = 0; i < s->waiting.n; i++)
        if (s->waiting.v[i] == p)
            s->waiting.v[i--] = s->waiting.v[--s->waiting.n];
    if (s->state == READING && s->waiting.n == 0) {
        s->useless = true;
        atomic_store(&s->stop, true);
    }
}

void proof_free(struct proof *p) {
    if (p == NULL)
        return;
    if (p->sum != NULL)
        leave(p);
    for (size_t i = 0; i < p->here.n; i++)
        free_part(&p->here.v[i]);
    for (size_t i = 0; i < p->there.n; i++)
        free((char *)p->there.v[i].name.s);
    vec_free(&p->here);
    vec_free(&p->there);
    buf_free(&p->output);
    free(p);
}

size_t proof_here(struct proof *p, struct str here, uint64_t start, uint64_t size) {
    char *name = mem_alloc(here.n + 1);
    memcpy(name, here.s, here.n);
    name[here.n] = '\0';
    *vec_push(&p->here) = (struct part){.name = name, .start = start, .size = size};
    *vec_push(&p->there) = (struct copy_there){.size = size};
    return p->there.n - 1;
}

void proof_knows(struct proof *p, size_t i, struct cksum *sum) {
    p->here.v[i].sum = sum;
}

void proof_there(struct proof *p, size_t i, struct str there) {
    struct buf name = {0};
    buf_str(&name, there);
    p->there.v[i].name = (struct str){name.s, name.n};
}

bool proof_is_empty(const struct proof *p) {
    return p->there.n == 0;
}

void proof_need_sync(struct proof *p) {
    p->sync = true;
}

/* As a word that is no option. */
static void add_name(struct buf *out, struct str name) {
    struct buf plain = {0};
    if (name.n != 0 && name.s[0] == '-')
        buf_puts(&plain, "./");
    buf_str(&plain, name);
    buf_putc(out, ' ');
    shell_insert(out, SHELL_BARE, buf_view(&plain));
    buf_free(&plain);
}

/* It is read without a pipe before it, which would take twice as long. */
static void begin_with_one(const struct copy_there *f, struct buf *out) {
    buf_puts(out, "s=$(cksum <");
    add_name(out, f->name);
    buf_printf(out, ") || exit\ncase $s in *' %llu') echo \"$s\"; exit ;; esac\n",
               (unsigned long long)f->size);
}

void proof_script(const struct proof *p, struct buf *out) {
    bool by_length = p->by_length || p->there.n <= BY_LENGTH;
    if (p->sync && p->there.n != 0) {
        buf_puts(out, "sync -f");
        add_name(out, p->there.v[0].name);
        buf_puts(out, " 2>/dev/null || sync\n");
    }
    if (p->there.n == 1)
        begin_with_one(&p->there.v[0], out);
    buf_puts(out, "{");
    size_t line = 0;
    for (size_t i = 0; i < p->there.n; i++) {
        if (by_length)
            buf_printf(out, "\nhead -c %llu", (unsigned long long)p->there.v[i].size);
        else if (line == 0 || out->n - line > LINE_MOST)
            line = (buf_puts(out, "\ncat"), out->n);
        add_name(out, p->there.v[i].name);
    }
    buf_puts(out, "\n} | cksum\n");
}

void proof_output(struct proof *p, struct str bytes) {
    if (p->output.n + bytes.n < 256)
        buf_str(&p->output, bytes);
}

/* --- both --- */

/* What cksum wrote: the sum and the size. */
static bool parse(const struct proof *p, uint32_t *sum, uint64_t *size) {
    char *end;
    errno = 0;
    if (p->output.n == 0)
        return false;
    unsigned long long first = strtoull(p->output.s, &end, 10);
    if (end == p->output.s || *end != ' ' || first > UINT32_MAX || errno != 0)
        return false;
    const char *next = end + 1;
    *sum = (uint32_t)first;
    *size = strtoull(next, &end, 10);
    return end != next && errno == 0;
}

bool proof_goes_on(struct proof *p, int status) {
    uint32_t sum;
    uint64_t size, expected = 0;
    for (size_t i = 0; i < p->there.n; i++)
        expected += p->there.v[i].size;
    if (status != 0 || p->by_length || p->there.n <= BY_LENGTH || !parse(p, &sum, &size) ||
        size <= expected)
        return false;
    p->by_length = true;
    buf_clear(&p->output);
    return true;
}

static void compare(struct proof *p) {
    const struct sum *here = p->sum;
    struct buf wrong = {0};
    uint32_t sum;
    uint64_t size;
    if (p->done == NULL || here == NULL || here->state == READING)
        return;
    if (here->error != 0) {
        buf_puts(&wrong, "cannot read ");
        buf_visible(&wrong, str_of(here->failed));
        buf_printf(&wrong, " again: %s", strerror(here->error));
    } else if (p->status == NOT_FOUND) {
        /* It has no cksum: sizes must do. */
    } else if (!parse(p, &sum, &size)) {
        buf_printf(&wrong, "cannot check what was copied: cksum ends with %d there", p->status);
    } else if (sum != here->sum || size != here->size) {
        buf_puts(&wrong, PROOF_DIFFERS);
    }
    p->done(p->arg, wrong.n != 0 ? wrong.s : NULL);
    buf_free(&wrong);
}

void proof_ended(struct proof *p, int status, void (*done)(void *arg, const char *wrong),
                 void *arg) {
    p->status = status;
    p->done = done;
    p->arg = arg;
    compare(p);
}
