/* Preloaded into foray, lets calls that write fail: those on files in whose path FAULT_PATH occurs,
 * from the FAULT_AT-th on (from 1), or with FAULT_ONCE only that one, with the error FAULT_ERRNO (a
 * number); with FAULT_KILL that call ends foray by SIGKILL. With FAULT_HALF the call that fails
 * first, if it is a write, writes half of its bytes. Each failure is a line in the file FAULT_LOG.
 *
 * Only in foray: what it starts is left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int calls;

static const char *setting(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : otherwise;
}

static void tell(const char *call, int n, const char *path) {
    const char *log = setting("FAULT_LOG", NULL);
    char line[PATH_MAX + 100];
    int fd = log != NULL
                 ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600)
                 : -1;
    if (fd < 0)
        return;
    int length = snprintf(line, sizeof line, "%d %s %s\n", n, call, path);
    syscall(SYS_write, fd, line, (size_t)length);
    syscall(SYS_close, fd);
}

/* Whether this call is to fail; errno is set then. */
static bool fails(const char *call, const char *path, bool *first) {
    const char *wanted = setting("FAULT_PATH", NULL);
    if (wanted == NULL || strcmp(program_invocation_short_name, "foray") != 0 ||
        strstr(path, wanted) == NULL)
        return false;
    int n = atomic_fetch_add(&calls, 1) + 1, at = atoi(setting("FAULT_AT", "1"));
    if (n < at || (n > at && getenv("FAULT_ONCE") != NULL))
        return false;
    *first = n == at;
    tell(call, n, path);
    errno = atoi(setting("FAULT_ERRNO", "28"));
    return true;
}

static bool fails_at(const char *call, int fd, bool *first) {
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    errno = before;
    if (n <= 0 || path[0] != '/')
        return false;
    path[n] = '\0';
    return fails(call, path, first);
}

static int failed(void) {
    if (getenv("FAULT_KILL") != NULL)
        kill(getpid(), SIGKILL);
    return -1;
}

static void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    bool first;
    if (!fails_at("write", fd, &first))
        return syscall(SYS_write, fd, bytes, n);
    ssize_t half = -1;
    if (first && n > 1 && getenv("FAULT_HALF") != NULL)
        half = syscall(SYS_write, fd, bytes, n / 2);
    failed();
    return half;
}

int fsync(int fd) {
    bool first;
    return fails_at("fsync", fd, &first) ? failed() : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    bool first;
    return fails_at("fdatasync", fd, &first) ? failed() : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t n) {
    bool first;
    int (*real)(int, off_t) = next("ftruncate");
    return fails_at("ftruncate", fd, &first) ? failed() : real(fd, n);
}

int rename(const char *from, const char *to) {
    bool first;
    int (*real)(const char *, const char *) = next("rename");
    return fails("rename", to, &first) ? failed() : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    bool first;
    int (*real)(const char *, mode_t) = next("mkdir");
    return fails("mkdir", path, &first) ? failed() : real(path, mode);
}

static int open_with(const char *path, int flags, mode_t mode) {
    bool first;
    if ((flags & O_CREAT) != 0 && fails("open", path, &first))
        return failed();
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static mode_t mode_of(int flags, va_list more) {
    return (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_with(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, more);
    va_end(more);
    return open_with(path, flags | O_LARGEFILE, mode);
}
