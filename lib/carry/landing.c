#include "carry/landing.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BLOCK = 4096 }; /* of most file systems: smaller holes are not worth it */

struct landed {
    struct buf temporary;
    bool named; /* it has its own name */
    struct buf name;
    int fd;
};

/* A directory that lacks its marks. */
struct unmarked {
    struct buf name;
    struct marks marks;
    bool preserve;
};

struct landing {
    struct loop *loop;
    VEC(struct landed) files;
    VEC(struct unmarked) directories; /* those above others before them */
    bool syncing;
    bool abandoned; /* while it is synced */
    bool all;
    int error;
    struct str failed;
    void (*done)(void *arg, int error, struct str failed);
    void *arg;
};

struct landing *landing_new(struct loop *loop) {
    struct landing *l = mem_zalloc(sizeof *l);
    l->loop = loop;
    return l;
}

void landing_free(struct landing *l) {
    if (l == NULL)
        return;
    if (l->syncing) { /* the program may end before that does */
        for (size_t i = 0; i < l->files.n; i++)
            unlink(l->files.v[i].temporary.s);
        l->abandoned = true;
        return;
    }
    for (size_t i = 0; i < l->files.n; i++) {
        struct landed *f = &l->files.v[i];
        if (f->fd >= 0)
            close(f->fd);
        if (!f->named)
            unlink(f->temporary.s);
        buf_free(&f->temporary);
        buf_free(&f->name);
    }
    for (size_t i = 0; i < l->directories.n; i++)
        buf_free(&l->directories.v[i].name);
    vec_free(&l->directories);
    vec_free(&l->files);
    free(l);
}

void landing_add(struct landing *l, struct buf *temporary, struct str name, int fd) {
    struct landed *f = vec_push(&l->files);
    *f = (struct landed){.temporary = *temporary, .fd = fd};
    *temporary = (struct buf){0};
    buf_str(&f->name, name);
}

size_t landing_count(const struct landing *l) {
    return l->files.n;
}

bool landing_is_empty(const struct landing *l) {
    return l->files.n + l->directories.n == 0;
}

struct str landing_temporary(const struct landing *l, size_t i) {
    return buf_view(&l->files.v[i].temporary);
}

static int sync_file(struct landed *f) {
    int error = 0;
    if (f->fd < 0)
        return 0;
    if (fsync(f->fd) != 0)
        error = errno;
    if (close(f->fd) != 0 && error == 0)
        error = errno;
    f->fd = -1;
    return error;
}

static int sync_all(struct landing *l) {
#ifdef HAVE_SYNCFS
    dev_t done = 0;
    struct str last = {0}; /* a directory whose file system was synced */
    for (size_t i = 0; i < l->files.n; i++) {
        struct stat st;
        struct str dir = str_directory(buf_view(&l->files.v[i].temporary));
        if (last.s != NULL && str_eq(dir, last))
            continue;
        if (lstat(l->files.v[i].temporary.s, &st) != 0)
            return errno;
        if (!S_ISREG(st.st_mode))
            continue;
        last = dir;
        if (done != 0 && st.st_dev == done)
            continue;
        int fd = open(l->files.v[i].temporary.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return errno;
        int error = syncfs(fd) != 0 ? errno : 0;
        close(fd);
        if (error != 0)
            return error;
        done = st.st_dev;
    }
#else
    for (size_t i = 0; i < l->files.n; i++) {
        struct landed *f = &l->files.v[i];
        f->fd = open(f->temporary.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int error = sync_file(f); /* a link is not opened, and not synced */
        if (error != 0)
            return error;
    }
#endif
    return 0;
}

static int mark_directory(const struct unmarked *d) {
    int fd = open(d->name.s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = fd < 0 ? errno : landing_mark(fd, &d->marks, d->preserve);
    if (fd >= 0)
        close(fd);
    return error;
}

/* Aside. */
static void sync_files(void *arg) {
    struct landing *l = arg;
    for (size_t i = 0; i < l->files.n && l->error == 0; i++) {
        l->failed = buf_view(&l->files.v[i].name);
        l->error = sync_file(&l->files.v[i]);
    }
    if (l->all && l->error == 0)
        l->error = sync_all(l);
    for (size_t i = 0; i < l->files.n && l->error == 0; i++) {
        struct landed *f = &l->files.v[i];
        l->failed = buf_view(&f->name);
        if (rename(f->temporary.s, f->name.s) != 0)
            l->error = errno;
        else
            f->named = true;
    }
    for (size_t i = l->directories.n; i-- > 0 && l->error == 0;) {
        l->failed = buf_view(&l->directories.v[i].name);
        l->error = mark_directory(&l->directories.v[i]);
    }
}

static void synced(void *arg) {
    struct landing *l = arg;
    l->syncing = false;
    if (l->abandoned)
        landing_free(l);
    else
        l->done(l->arg, l->error, l->failed);
}

void landing_sync(struct landing *l, bool all,
                  void (*done)(void *arg, int error, struct str failed), void *arg) {
    l->all = all;
    l->done = done;
    l->arg = arg;
    l->syncing = true;
    loop_aside(l->loop, sync_files, synced, l);
}

bool landing_is_syncing(const struct landing *l) {
    return l->syncing;
}

/* --- what comes --- */

int landing_make_directory(struct landing *l, struct str name, const struct marks *marks,
                           bool preserve) {
    struct stat st;
    int error = io_make_parents(name);
    if (error != 0)
        return error;
    bool made = mkdir(name.s, (mode_t)marks->mode | 0700) == 0;
    if (!made && errno != EEXIST)
        return errno;
    if (!made && lstat(name.s, &st) != 0)
        return errno;
    if (!made && !S_ISDIR(st.st_mode))
        return ENOTDIR;
    if (preserve || (made && (marks->mode & 0700) != 0700)) {
        struct unmarked *d = vec_push(&l->directories);
        *d = (struct unmarked){.marks = *marks, .preserve = preserve};
        buf_str(&d->name, name);
    }
    return 0;
}

int landing_mark(int fd, const struct marks *marks, bool preserve) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    mode_t mode =
        preserve ? (mode_t)marks->mode : (st.st_mode & 0777 & ~(mode_t)0700) | (marks->mode & 0700);
    if ((st.st_mode & 0777) != mode && fchmod(fd, mode) != 0)
        return errno;
    const struct timespec times[] = {{.tv_sec = (time_t)marks->accessed},
                                     {.tv_sec = (time_t)marks->modified}};
    return preserve && futimens(fd, times) != 0 ? errno : 0;
}

bool landing_has_room(struct str name, uint64_t size) {
    struct statvfs fs;
    struct buf dir = {0};
    if (size > INT64_MAX)
        return false;
    if (size < 64 * 1024 * 1024)
        return true;
    buf_str(&dir, name);
    int known = -1;
    for (char *slash; known != 0 && (slash = bytes_last(dir.s, '/', dir.n)) != NULL;) {
        dir.n = (size_t)(slash - dir.s);
        *slash = '\0';
        known = statvfs(dir.n != 0 ? dir.s : "/", &fs); /* it may not have been made yet */
    }
    buf_free(&dir);
    if (known != 0 && statvfs(".", &fs) != 0)
        return true;
    return size / fs.f_frsize <= fs.f_bavail;
}

static bool is_zero(struct str s) {
    return s.s[0] == '\0' && memcmp(s.s, s.s + 1, s.n - 1) == 0;
}

static int write_all(int fd, struct str bytes, uint64_t offset) {
    while (bytes.n != 0) {
        ssize_t n = pwrite(fd, bytes.s, bytes.n, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes = (struct str){bytes.s + n, bytes.n - (size_t)n};
        offset += (uint64_t)n;
    }
    return 0;
}

/* A stream comes in pieces of any size: each block of the file, or what has come of it, is looked
 * at by itself. */
int landing_write(int fd, struct str bytes, uint64_t offset, bool *sparse) {
    size_t from = 0; /* what is to be written begins there */
    int error = 0;
    for (size_t at = 0; at < bytes.n && error == 0;) {
        size_t n = BLOCK - (size_t)((offset + at) % BLOCK);
        n = n < bytes.n - at ? n : bytes.n - at;
        if (is_zero((struct str){bytes.s + at, n})) {
            *sparse = true;
            error = write_all(fd, (struct str){bytes.s + from, at - from}, offset + from);
            from = at + n;
        }
        at += n;
    }
    return error != 0 ? error
                      : write_all(fd, (struct str){bytes.s + from, bytes.n - from}, offset + from);
}
