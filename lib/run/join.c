#include "run/join.h"

#include "base/io.h"
#include "carry/cargo.h"
#include "carry/temporary.h"
#include "run/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1024 * 1024, DEPTH = 16 /* directories that are open at once */ };

struct joining {
    int to;
    char *bytes; /* CHUNK of them */
    atomic_bool *stop;
    struct buf *failed;
};

static int append(struct joining *j, struct str name) {
    int fd = open(name.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), error = fd < 0 ? errno : 0;
    buf_clear(j->failed);
    buf_str(j->failed, name);
    while (error == 0) {
        ssize_t n = read(fd, j->bytes, CHUNK);
        if (n == 0)
            break;
        if (atomic_load(j->stop))
            error = ECANCELED;
        else if (n > 0)
            error = io_write_all(j->to, (struct str){j->bytes, (size_t)n});
        else if (errno != EINTR)
            error = errno;
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int by_name(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* All files of a directory, with its name before theirs. */
static int list_files(struct str directory, str_list *names) {
    DIR *dir = opendir(directory.s);
    if (dir == NULL)
        return errno;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct buf name = {0};
        if (!cargo_is_plain(str_of(e->d_name)))
            continue;
        cargo_join(directory, str_of(e->d_name), &name);
        *vec_push(names) = (struct str){name.s, name.n};
    }
    closedir(dir);
    qsort(names->v, names->n, sizeof *names->v, by_name);
    return 0;
}

static int append_all(struct joining *j, struct str name) {
    str_list names = {0};
    if (name.s[name.n - 1] != '/')
        return append(j, name);
    buf_clear(j->failed);
    buf_str(j->failed, name);
    int error = list_files(name, &names);
    for (size_t i = 0; i < names.n && error == 0; i++)
        error = append(j, names.v[i]);
    str_list_free(&names);
    return error;
}

int join_files(struct str directory, const str_list *names, struct str to, atomic_bool *stop,
               struct buf *failed) {
    struct buf temporary = {0}, name = {0};
    struct joining j = {.to = temporary_open(to, 0666, &temporary), .stop = stop, .failed = failed};
    int error = j.to < 0 ? errno : 0;
    buf_str(failed, to);
    j.bytes = mem_alloc(CHUNK);
    for (size_t i = 0; i < names->n && error == 0; i++) {
        buf_clear(&name);
        cargo_join(directory, names->v[i], &name);
        error = append_all(&j, buf_view(&name));
    }
    if (error == 0) {
        buf_clear(failed);
        buf_str(failed, to);
        if (fsync(j.to) != 0)
            error = errno;
    }
    if (j.to >= 0 && close(j.to) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(temporary.s, to.s) != 0)
        error = errno;
    if (error != 0 && j.to >= 0)
        unlink(temporary.s);
    free(j.bytes);
    buf_free(&temporary);
    buf_free(&name);
    return error;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *place) {
    (void)st;
    (void)kind;
    (void)place;
    remove(name);
    return 0;
}

void join_remove(struct str directory) {
    struct buf name = {0};
    buf_str(&name, directory);
    nftw(name.s, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
    buf_free(&name);
}
