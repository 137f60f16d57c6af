#include "plan/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* "1234 on myhost" */
static void read_holder(int fd, char *holder, size_t size) {
    ssize_t n = pread(fd, holder, size - 1, 0);
    holder[n > 0 ? n : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
}

static void write_holder(int fd) {
    char host[256] = "";
    struct buf line = {0};
    gethostname(host, sizeof host - 1);
    buf_printf(&line, "%ld on %s\n", (long)getpid(), host);
    /* For people: only the first line counts, and that it cannot be written, on a full disk, does
     * no harm. */
    if (pwrite(fd, line.s, line.n, 0) < 0)
        errno = 0;
    buf_free(&line);
}

static int lock(int fd, int how) {
    int rc;
    do
        rc = flock(fd, how);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

/* Whether the holder is among these processes: numbers with spaces between. */
static bool is_among(const char *own, const char *holder) {
    long pid = atol(holder);
    for (char *end; pid > 0 && own != NULL; own = end) {
        long one = strtol(own, &end, 10);
        if (end == own)
            break;
        if (one == pid)
            return true;
    }
    return false;
}

int lock_take(const char *dir, const char *own, void (*waits)(const char *holder), struct buf *why,
              bool *waited) {
    struct buf path = {0};
    char holder[300];
    *waited = false;
    buf_printf(&path, "%s/lock", dir);
    int fd = open(path.s, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int error = fd < 0 ? errno : lock(fd, LOCK_EX | LOCK_NB);
    if (error == EWOULDBLOCK) {
        read_holder(fd, holder, sizeof holder);
        if (is_among(own, holder)) {
            buf_printf(why,
                       "this foray was started by a step of the one that works in this directory "
                       "(%s), and would wait for it for ever",
                       holder);
            close(fd);
            buf_free(&path);
            errno = 0;
            return -1;
        }
        waits(holder);
        *waited = true;
        error = lock(fd, LOCK_EX);
    }
    if (error != 0) {
        buf_printf(why, "%s: %s", path.s, strerror(error));
        if (fd >= 0)
            close(fd);
        buf_free(&path);
        errno = error;
        return -1;
    }
    write_holder(fd);
    buf_free(&path);
    return fd;
}

bool lock_is_held(const char *dir) {
    struct buf path = {0};
    buf_printf(&path, "%s/lock", dir);
    int fd = open(path.s, O_RDONLY | O_CLOEXEC);
    bool held = fd >= 0 && lock(fd, LOCK_SH | LOCK_NB) == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    buf_free(&path);
    return held;
}
