#include "run/temporary.h"
#include "base/io.h"

#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = ".foray-", suffix[] = ".tmp";
enum { DIGITS = 16 };

static int list = -1; /* the names, with a NUL behind each */

/* --- what is left of the last run --- */

/* Nothing else goes, whatever stands in the list. */
static bool is_temporary(struct str name) {
    size_t n = sizeof prefix - 1 + DIGITS + sizeof suffix - 1;
    const char *slash = bytes_last(name.s, '/', name.n);
    const char *base = slash != NULL ? slash + 1 : name.s;
    return name.n - (size_t)(base - name.s) == n && strncmp(base, prefix, sizeof prefix - 1) == 0 &&
           strcmp(base + n - (sizeof suffix - 1), suffix) == 0;
}

static void remove_left(int fd) {
    struct buf names = {0};
    ssize_t n;
    do {
        buf_reserve(&names, 64 * 1024);
        n = read(fd, names.s + names.n, 64 * 1024);
        names.n += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    for (size_t at = 0, end; at < names.n; at = end + 1) {
        const char *nul = memchr(names.s + at, '\0', names.n - at);
        if (nul == NULL)
            break; /* cut: it was not made either */
        end = (size_t)(nul - names.s);
        if (is_temporary((struct str){names.s + at, end - at}))
            unlink(names.s + at);
    }
    buf_free(&names);
}

void temporary_begin(const char *dir) {
    struct buf path = {0};
    buf_printf(&path, "%s/temporary", dir);
    list = open(path.s, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    buf_free(&path);
    if (list < 0)
        return;
    remove_left(list);
    if (ftruncate(list, 0) != 0) {
        close(list);
        list = -1;
    }
}

void temporary_end(const char *dir) {
    struct buf path = {0};
    if (list < 0)
        return;
    close(list);
    list = -1;
    buf_printf(&path, "%s/temporary", dir);
    unlink(path.s);
    buf_free(&path);
}

/* --- making them --- */

/* A name beside this one that nothing has yet. Not made from the name, which may have all the 255
 * bytes that a name may have. */
static int find_name(struct str name, struct buf *temporary) {
    const char *slash = bytes_last(name.s, '/', name.n);
    size_t dir = slash != NULL ? (size_t)(slash - name.s) + 1 : 0;
    uint64_t number;
    if (getentropy(&number, sizeof number) != 0)
        return errno;
    buf_clear(temporary);
    buf_str(temporary, (struct str){name.s, dir});
    buf_printf(temporary, "%s%0*llx%s", prefix, DIGITS, (unsigned long long)number, suffix);
    if (list >= 0)
        io_write_all(list, (struct str){temporary->s, temporary->n + 1});
    return 0;
}

int temporary_link(struct str name, const char *target, struct buf *temporary) {
    int error = files_make_parents(name);
    for (int tries = 0; error == 0 && tries < 100; tries++) {
        error = find_name(name, temporary);
        if (error != 0 || symlink(target, temporary->s) == 0)
            return error;
        if (errno != EEXIST)
            return errno;
    }
    return error != 0 ? error : EEXIST;
}

int temporary_open(struct str name, mode_t mode, struct buf *temporary) {
    int error = files_make_parents(name);
    for (int tries = 0; error == 0 && tries < 100; tries++) {
        error = find_name(name, temporary);
        if (error != 0)
            break;
        int fd =
            open(temporary->s, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode | 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    errno = error != 0 ? error : EEXIST;
    return -1;
}
