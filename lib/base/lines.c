#include "base/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The first line that begins at `from` or behind it; `size` if there is none. */
static int next_line(int fd, uint64_t from, uint64_t size, uint64_t *start) {
    char bytes[64 * 1024];
    for (uint64_t at = from - 1; at < size;) {
        ssize_t n = pread(fd, bytes, sizeof bytes, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            break;
        const char *end = memchr(bytes, '\n', (size_t)n);
        if (end != NULL) {
            at += (uint64_t)(end - bytes) + 1;
            *start = at < size ? at : size;
            return 0;
        }
        at += (uint64_t)n;
    }
    *start = size;
    return 0;
}

int lines_split(int fd, uint64_t size, size_t n, uint64_t *starts) {
    int error = 0;
    starts[0] = 0;
    starts[n] = size;
    for (size_t i = 1; i < n && error == 0; i++) {
        uint64_t from = size / n * i + size % n * i / n;
        if (from <= starts[i - 1])
            starts[i] = starts[i - 1];
        else
            error = next_line(fd, from, size, &starts[i]);
    }
    return error;
}
