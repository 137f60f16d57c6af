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
