#include "plan/seal.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "plan/fresh_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char magic[16] = "foray fresh 1\n";

/* The head; then the uses, the files, and all names, each with a NUL behind it. */
struct head {
    char magic[16];
    uint64_t checksum; /* of all that follows */
    uint64_t command_line;
    uint64_t steps, uses, files, names;
};

struct sealed_use {
    uint64_t size, inode, hash;
    int64_t changed;
    uint32_t kind, name; /* where its name begins */
};

struct sealed_file {
    uint64_t size, inode;
    int64_t changed;
    uint32_t name, reserved;
};

static void path_of(const char *dir, const char *suffix, struct buf *out) {
    buf_printf(out, "%s/fresh%s", dir, suffix);
}

static uint64_t hash_command_line(struct str command_line) {
    return hash_pair(STR(PACKAGE_VERSION), command_line);
}

static uint64_t checksum_of(const char *bytes, size_t n) {
    size_t from = sizeof magic + sizeof(uint64_t);
    return hash_bytes((struct str){bytes + from, n - from}, 0);
}

/* --- looking --- */

struct looking {
    const struct sealed_file *files;
    const char *names;
    atomic_bool changed;
};

static void look_at_some(void *context, size_t from, size_t to) {
    struct looking *l = context;
    for (size_t i = from; i < to && !l->changed; i++) {
        const struct sealed_file *f = &l->files[i];
        struct stat st;
        if (stat(l->names + f->name, &st) != 0 || (uint64_t)st.st_size != f->size ||
            (uint64_t)st.st_ino != f->inode ||
            st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec != f->changed)
            l->changed = true;
    }
}

static bool uses_hold(const struct sealed_use *uses, uint64_t n, const char *names) {
    for (uint64_t i = 0; i < n; i++) {
        const struct sealed_use *u = &uses[i];
        struct use use = {.kind = (enum use_kind)u->kind,
                          .name = str_of(names + u->name),
                          .hash = u->hash,
                          .file = {.size = u->size,
                                   .changed = u->changed,
                                   .inode = u->inode,
                                   .flags = SIGNATURE_THERE}};
        if (!use_holds(&use))
            return false;
    }
    return true;
}

/* Lengths are what they say, and every name is within the names. */
static bool is_whole(const char *bytes, size_t n, const struct head *h) {
    if (n < sizeof *h || memcmp(h->magic, magic, sizeof magic) != 0)
        return false;
    size_t left = n - sizeof *h;
    if (h->uses > left / sizeof(struct sealed_use) || h->files > left / sizeof(struct sealed_file))
        return false;
    size_t tables = h->uses * sizeof(struct sealed_use) + h->files * sizeof(struct sealed_file);
    if (tables > left || left - tables != h->names || h->names == 0 || bytes[n - 1] != '\0' ||
        checksum_of(bytes, n) != h->checksum)
        return false;
    const struct sealed_use *uses = (const void *)(bytes + sizeof *h);
    const struct sealed_file *files = (const void *)(uses + h->uses);
    for (uint64_t i = 0; i < h->uses; i++)
        if (uses[i].name >= h->names)
            return false;
    for (uint64_t i = 0; i < h->files; i++)
        if (files[i].name >= h->names)
            return false;
    return true;
}

bool seal_holds(const char *dir, struct str command_line, size_t *steps) {
    struct buf path = {0}, bytes = {0};
    struct head h = {0};
    bool holds = false;
    path_of(dir, "", &path);
    if (io_read_file(path.s, SIZE_MAX / 2, &bytes) == 0 && bytes.n >= sizeof h)
        memcpy(&h, bytes.s, sizeof h);
    if (h.command_line == hash_command_line(command_line) && is_whole(bytes.s, bytes.n, &h)) {
        const struct sealed_use *uses = (const void *)(bytes.s + sizeof h);
        const struct sealed_file *files = (const void *)(uses + h.uses);
        struct looking l = {files, bytes.s + bytes.n - h.names, false};
        if (uses_hold(uses, h.uses, l.names)) {
            parallel((size_t)h.files, look_at_some, &l);
            holds = !l.changed;
        }
        *steps = (size_t)h.steps;
    }
    buf_free(&bytes);
    buf_free(&path);
    return holds;
}

/* --- writing --- */

static void add_use(const struct use *u, struct buf *table, struct buf *names) {
    struct sealed_use sealed = {.size = u->file.size,
                                .inode = u->file.inode,
                                .changed = u->file.changed,
                                .hash = u->hash,
                                .kind = u->kind,
                                .name = (uint32_t)names->n};
    buf_add(table, &sealed, sizeof sealed);
    buf_str(names, u->name);
    buf_add(names, "", 1);
}

static void add_file(struct str name, const struct signature *is, struct buf *table,
                     struct buf *names) {
    struct sealed_file sealed = {
        .size = is->size, .inode = is->inode, .changed = is->changed, .name = (uint32_t)names->n};
    buf_add(table, &sealed, sizeof sealed);
    buf_str(names, name);
    buf_add(names, "", 1);
}

/* false: one of them was changed so shortly ago that its time does not tell enough. */
static bool add_files(const struct fresh *f, struct buf *table, struct buf *names,
                      uint64_t *n_files) {
    for (size_t i = 0; i < f->files.n; i++) {
        const struct known *k = &f->files.v[i];
        if (!k->looked)
            continue;
        if ((k->is.flags & SIGNATURE_THERE) == 0 || (k->is.flags & SIGNATURE_RECENT) != 0 ||
            names->n > UINT32_MAX / 2)
            return false;
        add_file(f->graph->files.v[i]->name, &k->is, table, names);
        ++*n_files;
    }
    return true;
}

static void write_file(const char *dir, struct buf *bytes) {
    struct buf path = {0}, temporary = {0};
    path_of(dir, "", &path);
    path_of(dir, ".new", &temporary);
    int fd = open(temporary.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && io_write_all(fd, buf_view(bytes)) == 0;
    if (fd >= 0 && close(fd) != 0)
        good = false;
    if (!good || rename(temporary.s, path.s) != 0)
        unlink(temporary.s);
    buf_free(&path);
    buf_free(&temporary);
}

void seal_write(const char *dir, struct str command_line, const struct uses *uses,
                const struct fresh *fresh, size_t steps) {
    struct buf bytes = {0}, names = {0};
    struct head h = {
        .command_line = hash_command_line(command_line), .steps = steps, .uses = uses->all.n};
    bool good = !uses->unknown && !fresh->moved && fresh->journal != NULL;
    memcpy(h.magic, magic, sizeof magic);
    buf_add(&bytes, &h, sizeof h);
    for (size_t i = 0; i < uses->all.n; i++) {
        good = good && (uses->all.v[i].file.flags & SIGNATURE_RECENT) == 0;
        add_use(&uses->all.v[i], &bytes, &names);
    }
    good = good && add_files(fresh, &bytes, &names, &h.files) && names.n != 0;
    if (good) {
        h.names = names.n;
        buf_str(&bytes, buf_view(&names));
        memcpy(bytes.s, &h, sizeof h);
        h.checksum = checksum_of(bytes.s, bytes.n);
        memcpy(bytes.s, &h, sizeof h);
        write_file(dir, &bytes);
    }
    buf_free(&bytes);
    buf_free(&names);
}

void seal_remove(const char *dir) {
    struct buf path = {0};
    path_of(dir, "", &path);
    unlink(path.s);
    buf_free(&path);
}
