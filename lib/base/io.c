#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

int io_write_all(int fd, struct str bytes) {
    while (bytes.n != 0) {
        ssize_t n = write(fd, bytes.s, bytes.n);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            bytes = (struct str){bytes.s + n, bytes.n - (size_t)n};
    }
    return 0;
}

int io_read_all(int fd, size_t most, struct buf *out) {
    struct stat st;
    size_t start = out->n;
    /* As much as there is, in one go, where that is known. */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= most)
        buf_reserve(out, (size_t)st.st_size + 1);
    for (;;) {
        if (out->cap - out->n < 2)
            buf_reserve(out, CHUNK);
        ssize_t n = read(fd, out->s + out->n, out->cap - out->n - 1);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            out->n += (size_t)n;
        if (n == 0 || out->n - start > most)
            break;
    }
    buf_add(out, "", 0);
    return out->n - start > most ? EFBIG : 0;
}

int io_read_file(const char *name, size_t most, struct buf *out) {
    struct stat st;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (error == 0)
        error = io_read_all(fd, most, out);
    close(fd);
    return error;
}

/* path: with a NUL in place of the slash at `last`. */
static int make_missing(char *path, const char *last) {
    for (char *at = path + 1; at <= last; at++) {
        if (*at != '/' && at != last)
            continue;
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return errno;
        if (at != last)
            *at = '/';
    }
    return 0;
}

/* Most often all of them stand: looked at from the end, then made from where one is missing. */
static int make_directories(char *path, char *last) {
    struct stat st;
    *last = '\0';
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    if (errno == ENOENT)
        return make_missing(path, last);
    int error = errno;
    return stat(path, &st) == 0 ? 0 : error; /* on a file system that cannot be written */
}

int io_make_parents(struct str name) {
    struct buf path = {0};
    buf_str(&path, name);
    char *slash = bytes_last(path.s, '/', path.n);
    int error = slash != NULL && slash != path.s ? make_directories(path.s, slash) : 0;
    buf_free(&path);
    return error;
}
