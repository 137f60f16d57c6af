#include "plan/journal.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* It is made small when it is larger than this and more than half of it is of no use any more. All
 * records of so many runs stay, and from before them the last word on each step. */
enum { SMALL = 1024 * 1024, RUNS_KEPT = 20 };

struct entry {
    uint64_t key;
    size_t end, start; /* where their records are; 0: there is none. start: only after end */
};

struct journal {
    struct buf path, damage;
    int fd; /* -1: only read */
    int error;
    bool dirty; /* something was written since it was opened */
    uint64_t number;
    struct buf bytes; /* as it was when it was opened */
    size_t size;      /* of the file, that is good */
    struct entry *entries;
    size_t n_entries, cap; /* a power of two */
    version_list versions;
    uint32_t last_run;
    /* Writing: */
    uint32_t written;   /* versions that the file has */
    struct map by_name; /* numbers + 1 of the newest versions, once something is written */
    bool named;
    struct buf record;
};

uint64_t journal_key(struct str file, struct str step) {
    return hash_pair(file, step);
}

static struct entry *find_entry(const struct journal *j, uint64_t key) {
    size_t i = (size_t)key & (j->cap - 1);
    while (j->entries[i].key != key && (j->entries[i].end | j->entries[i].start) != 0)
        i = (i + 1) & (j->cap - 1);
    return &j->entries[i];
}

static struct entry *put_entry(struct journal *j, uint64_t key) {
    if ((j->n_entries + 1) * 2 > j->cap) {
        struct entry *old = j->entries;
        size_t n = j->cap;
        j->cap = n != 0 ? n * 2 : 64;
        j->entries = mem_zalloc(j->cap * sizeof *j->entries);
        for (size_t i = 0; i < n; i++)
            if ((old[i].end | old[i].start) != 0)
                *find_entry(j, old[i].key) = old[i];
        free(old);
    }
    struct entry *e = find_entry(j, key);
    j->n_entries += (e->end | e->start) == 0;
    e->key = key;
    return e;
}

static void take(struct journal *j, size_t at, enum record_kind kind, struct str payload) {
    struct record_run run;
    struct record_start start;
    struct record_end end;
    switch (kind) {
    case RECORD_RUN:
        if (record_get_run(payload, &run) && run.run > j->last_run)
            j->last_run = run.run;
        break;
    case RECORD_START:
        if (record_get_start(payload, &start))
            put_entry(j, start.key)->start = at;
        break;
    case RECORD_END:
        if (record_get_end(payload, &end, &j->versions, j->bytes.n)) {
            struct entry *e = put_entry(j, end.key);
            e->end = at;
            e->start = 0;
        }
        break;
    case RECORD_RUN_END:
        break;
    }
}

/* Takes all good records, those after damaged ones too; returns where the last good one ends. */
static size_t take_all(struct journal *j, struct str bytes) {
    size_t at = JOURNAL_HEADER, good = at, bad = 0;
    while (at < bytes.n) {
        enum record_kind kind;
        struct str payload;
        size_t next;
        if (record_at(bytes, at, j->number, &kind, &payload, &next)) {
            if (good != at)
                bad += at - good;
            take(j, at, kind, payload);
            good = at = next;
        } else {
            at += RECORD_ALIGN;
        }
    }
    if (bad != 0)
        buf_printf(&j->damage,
                   "%s is damaged: %zu bytes in it are not as they were written; steps that they "
                   "told of run again",
                   j->path.s, bad);
    return good;
}

int journal_directory(const char *dir) {
    struct buf path = {0};
    int error = mkdir(dir, 0777) != 0 && errno != EEXIST ? errno : 0;
    buf_printf(&path, "%s/.gitignore", dir);
    int fd = error == 0 ? open(path.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        error = io_write_all(fd, STR("*\n"));
        if (close(fd) != 0 && error == 0)
            error = errno;
        if (error != 0)
            unlink(path.s);
    } else if (error == 0 && errno != EEXIST) {
        error = errno;
    }
    buf_free(&path);
    return error;
}

static bool refuse(struct journal *j, struct buf *why, int error) {
    buf_printf(why, "%s: %s", j->path.s, strerror(error));
    errno = error;
    return false;
}

/* A file without a record, or with not even a whole header: it begins anew. */
static bool begin_file(struct journal *j, struct buf *why) {
    struct buf header = {0};
    if (getentropy(&j->number, sizeof j->number) != 0)
        return refuse(j, why, errno);
    record_header(j->number, &header);
    int error = ftruncate(j->fd, 0) == 0 ? io_write_all(j->fd, buf_view(&header)) : errno;
    j->size = header.n;
    buf_free(&header);
    return error == 0 || refuse(j, why, error);
}

static bool load(struct journal *j, struct buf *why) {
    switch (record_read_header(buf_view(&j->bytes), &j->number)) {
    case HEADER_FOREIGN:
        buf_printf(why,
                   "%s is no journal of this foray, or of this machine: move it away, and all "
                   "steps run again",
                   j->path.s);
        errno = 0;
        return false;
    case HEADER_CUT:
        buf_clear(&j->bytes);
        return j->fd < 0 || begin_file(j, why);
    case HEADER_GOOD:
        break;
    }
    j->size = take_all(j, buf_view(&j->bytes));
    /* What a kill has left of a record is in the way of the next one. */
    if (j->fd >= 0 && j->size < j->bytes.n && ftruncate(j->fd, (off_t)j->size) != 0)
        return refuse(j, why, errno);
    j->written = (uint32_t)j->versions.n;
    return true;
}

static void free_journal(struct journal *j) {
    if (j->fd >= 0)
        close(j->fd);
    buf_free(&j->path);
    buf_free(&j->damage);
    buf_free(&j->bytes);
    buf_free(&j->record);
    vec_free(&j->versions);
    map_free(&j->by_name);
    free(j->entries);
    free(j);
}

static struct journal *open_file(const char *path, bool write, struct buf *why) {
    struct journal *j = mem_zalloc(sizeof *j);
    j->fd = -1;
    j->cap = 64;
    j->entries = mem_zalloc(j->cap * sizeof *j->entries);
    buf_puts(&j->path, path);
    int fd =
        open(path, write ? O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 || (!write && errno == ENOENT) || refuse(j, why, errno);
    int error = fd >= 0 ? io_read_all(fd, SIZE_MAX / 2, &j->bytes) : 0;
    if (write)
        j->fd = fd;
    else if (fd >= 0)
        close(fd);
    if (error != 0)
        good = refuse(j, why, error);
    if (!good || !load(j, why)) {
        error = errno;
        free_journal(j);
        errno = error;
        return NULL;
    }
    return j;
}

int journal_close(struct journal *j) {
    if (j == NULL)
        return 0;
    int error = j->error;
    if (j->dirty && error == 0)
        error = journal_sync(j);
    free_journal(j);
    return error;
}

struct str journal_damage(const struct journal *j) {
    return buf_view(&j->damage);
}

bool journal_find(const struct journal *j, uint64_t key, struct past *past) {
    const struct entry *e = find_entry(j, key);
    *past = (struct past){.ended = e->end != 0, .unfinished = e->start != 0};
    if (past->ended)
        record_get_end_again(record_payload(j->bytes.s + e->end), &past->last);
    if (past->unfinished)
        record_get_start(record_payload(j->bytes.s + e->start), &past->begun);
    return past->ended || past->unfinished;
}

bool journal_is_last(const struct journal *j, const struct record_end *r) {
    struct past past; /* its texts stand in the file, as those of r do */
    return journal_find(j, r->key, &past) && past.ended && past.last.name.s == r->name.s;
}

const struct version *journal_version(const struct journal *j, uint32_t number) {
    return &j->versions.v[number];
}

uint32_t journal_last_run(const struct journal *j) {
    return j->last_run;
}

void journal_read(const struct journal *j, const struct journal_reader *reader) {
    struct str bytes = buf_view(&j->bytes);
    version_list versions = {0};
    for (size_t at = JOURNAL_HEADER; at < bytes.n;) {
        enum record_kind kind;
        struct str payload;
        struct record_run run;
        struct record_start start;
        struct record_end end;
        struct record_run_end run_end;
        size_t next = at + RECORD_ALIGN;
        if (!record_at(bytes, at, j->number, &kind, &payload, &next)) {
            at += RECORD_ALIGN;
            continue;
        }
        if (kind == RECORD_RUN && reader->run != NULL && record_get_run(payload, &run))
            reader->run(reader->context, &run);
        else if (kind == RECORD_START && reader->start != NULL && record_get_start(payload, &start))
            reader->start(reader->context, &start);
        else if (kind == RECORD_END && reader->end != NULL &&
                 record_get_end(payload, &end, &versions, bytes.n))
            reader->end(reader->context, &end);
        else if (kind == RECORD_RUN_END && reader->run_end != NULL &&
                 record_get_run_end(payload, &run_end))
            reader->run_end(reader->context, &run_end);
        at = next;
    }
    vec_free(&versions);
}

/* --- writing --- */

bool journal_is_written(const struct journal *j) {
    return j->fd >= 0;
}

int journal_error(const struct journal *j) {
    return j->error;
}

void journal_fail(struct journal *j, int error) {
    if (j->error == 0)
        j->error = error;
}

/* Whole, or not at all. */
static bool append(struct journal *j) {
    if (j->error != 0)
        return false;
    j->error = io_write_all(j->fd, buf_view(&j->record));
    if (j->error != 0) {
        /* If its beginning stays, it is no record: its checksum is not right. */
        int rc = ftruncate(j->fd, (off_t)j->size);
        (void)rc;
        return false;
    }
    j->size += j->record.n;
    j->dirty = true;
    return true;
}

bool journal_run(struct journal *j, const struct record_run *r) {
    buf_clear(&j->record);
    record_put_run(&j->record, j->number, r);
    j->last_run = r->run;
    return append(j);
}

bool journal_start(struct journal *j, const struct record_start *r) {
    buf_clear(&j->record);
    record_put_start(&j->record, j->number, r);
    return append(j);
}

bool journal_run_end(struct journal *j, const struct record_run_end *r) {
    buf_clear(&j->record);
    record_put_run_end(&j->record, j->number, r);
    return append(j);
}

static void name_versions(struct journal *j) {
    for (size_t i = 0; i < j->versions.n && !j->named; i++)
        if (j->versions.v[i].name.s != NULL)
            *map_put(&j->by_name, j->versions.v[i].name) = (void *)(uintptr_t)(i + 1);
    j->named = true;
}

static bool same_signature(const struct signature *a, const struct signature *b) {
    return a->size == b->size && a->changed == b->changed && a->inode == b->inode &&
           a->hash == b->hash && a->flags == b->flags;
}

uint32_t journal_file(struct journal *j, struct str name, const struct signature *was) {
    name_versions(j);
    void **known = map_put(&j->by_name, name);
    uintptr_t i = (uintptr_t)*known;
    if (i != 0 && same_signature(&j->versions.v[i - 1].was, was))
        return (uint32_t)(i - 1);
    *vec_push(&j->versions) = (struct version){name, *was};
    *known = (void *)(uintptr_t)j->versions.n;
    return (uint32_t)(j->versions.n - 1);
}

bool journal_end(struct journal *j, const struct record_end *r) {
    struct record_end end = *r;
    end.base = j->written;
    end.fresh = j->versions.v + j->written;
    end.n_fresh = (uint32_t)(j->versions.n - j->written);
    buf_clear(&j->record);
    record_put_end(&j->record, j->number, &end);
    if (!append(j))
        return false;
    j->written = (uint32_t)j->versions.n;
    return true;
}

int journal_sync(const struct journal *j) {
    return fsync(j->fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

/* --- making it small again --- */

struct copying {
    const struct journal *from;
    struct journal *to;
    uint32_t first; /* of the runs of which all stays */
};

static void copy_run(void *context, const struct record_run *r) {
    struct copying *c = context;
    if (r->run >= c->first)
        journal_run(c->to, r);
}

static void copy_run_end(void *context, const struct record_run_end *r) {
    struct copying *c = context;
    if (r->run >= c->first)
        journal_run_end(c->to, r);
}

static void copy_start(void *context, const struct record_start *r) {
    struct copying *c = context;
    struct past past;
    if (r->run >= c->first ||
        (journal_find(c->from, r->key, &past) && past.unfinished && past.begun.name.s == r->name.s))
        journal_start(c->to, r);
}

static void copy_numbers(struct copying *c, const uint32_t *numbers, uint32_t n, uint32_t *out) {
    for (uint32_t i = 0; i < n; i++) {
        const struct version *v = journal_version(c->from, numbers[i]);
        out[i] = journal_file(c->to, v->name, &v->was);
    }
}

static void copy_end(void *context, const struct record_end *r) {
    struct copying *c = context;
    if (r->run < c->first && !journal_is_last(c->from, r))
        return;
    struct record_end end = *r;
    uint32_t *numbers =
        mem_array(NULL, (size_t)r->n_in + r->n_out + r->n_deps + 1, sizeof *numbers);
    copy_numbers(c, r->in, r->n_in, numbers);
    copy_numbers(c, r->out, r->n_out, numbers + r->n_in);
    copy_numbers(c, r->deps, r->n_deps, numbers + r->n_in + r->n_out);
    end.in = numbers;
    end.out = numbers + r->n_in;
    end.deps = end.out + r->n_out;
    journal_end(c->to, &end);
    free(numbers);
}

/* How much of it is of use. */
struct weighing {
    const struct journal *j;
    uint32_t first;
    size_t useful;
};

static void weigh_run(void *context, const struct record_run *r) {
    struct weighing *w = context;
    w->useful += r->run >= w->first ? RECORD_HEAD + 48 + r->file.n + r->words.n : 0;
}

static void weigh_start(void *context, const struct record_start *r) {
    struct weighing *w = context;
    w->useful += r->run >= w->first ? RECORD_HEAD + 40 + r->name.n + r->host.n : 0;
}

static void weigh_end(void *context, const struct record_end *r) {
    struct weighing *w = context;
    if (r->run >= w->first || journal_is_last(w->j, r))
        w->useful += RECORD_HEAD + 96 + r->name.n + r->host.n + r->command.n + r->settings.n +
                     r->output.n + r->n_fresh * 64 + (r->n_in + r->n_out + r->n_deps) * 4;
}

static void weigh_run_end(void *context, const struct record_run_end *r) {
    struct weighing *w = context;
    w->useful += r->run >= w->first ? RECORD_HEAD + sizeof *r : 0;
}

static uint32_t first_kept(const struct journal *j) {
    return j->last_run > RUNS_KEPT ? j->last_run - RUNS_KEPT : 0;
}

static bool is_worth_it(const struct journal *j) {
    if (j->size < SMALL || first_kept(j) == 0)
        return false;
    struct weighing w = {j, first_kept(j), 0};
    journal_read(j, &(struct journal_reader){&w, weigh_run, weigh_start, weigh_end, weigh_run_end});
    return w.useful < j->size / 2;
}

static int sync_directory(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return error;
}

/* Into a new file, that takes the place of the old one when it is whole. That this does not work,
 * on a full disk for one, is no reason not to go on with the old one. */
static void make_small(const char *dir, const struct journal *j) {
    struct buf name = {0}, why = {0};
    buf_printf(&name, "%s/journal.new", dir);
    unlink(name.s);
    struct journal *small = open_file(name.s, true, &why);
    if (small != NULL) {
        struct copying c = {j, small, first_kept(j)};
        journal_read(j, &(struct journal_reader){&c, copy_run, copy_start, copy_end, copy_run_end});
        if (small->error == 0 && journal_sync(small) == 0 && rename(name.s, j->path.s) == 0)
            sync_directory(dir);
        else
            unlink(name.s);
        free_journal(small);
    }
    buf_free(&name);
    buf_free(&why);
}

struct journal *journal_open(const char *dir, bool write, struct buf *why) {
    struct buf path = {0};
    buf_printf(&path, "%s/journal", dir);
    struct journal *j = open_file(path.s, write, why);
    if (j != NULL && write && is_worth_it(j)) {
        struct buf damage = j->damage;
        j->damage = (struct buf){0};
        make_small(dir, j);
        free_journal(j);
        j = open_file(path.s, true, why);
        if (j != NULL)
            j->damage = damage;
        else
            buf_free(&damage);
    }
    int error = errno;
    buf_free(&path);
    errno = error;
    return j;
}
