#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int files_make_parents(struct str name) {
    struct buf path = {0};
    int error = 0;
    buf_str(&path, name);
    char *slash = bytes_last(path.s, '/', path.n);
    if (slash != NULL && slash != path.s) {
        /* Most often all of them stand: look from the end, then make from where one is missing. */
        *slash = '\0';
        if (mkdir(path.s, 0777) != 0 && errno == ENOENT) {
            for (char *at = path.s + 1; at <= slash && error == 0; at++) {
                if (*at != '/' && at != slash)
                    continue;
                *at = '\0';
                if (mkdir(path.s, 0777) != 0 && errno != EEXIST)
                    error = errno;
                if (at != slash)
                    *at = '/';
            }
        } else if (errno != EEXIST && errno != 0) {
            struct stat st;
            int failure = errno;
            if (stat(path.s, &st) != 0)
                error = failure;
        }
    }
    buf_free(&path);
    return error;
}

int files_make_directories_for_outputs(const struct step *step, const char **failed) {
    for (size_t i = 0; i < step->n_out; i++) {
        struct str name = step->out[i]->name;
        if (memchr(name.s, '/', name.n) == NULL)
            continue;
        errno = 0;
        int error = files_make_parents(name);
        if (error != 0) {
            *failed = "cannot make the directory of an output";
            return error;
        }
    }
    return 0;
}

void files_check_made(struct job *job) {
    for (size_t i = 0; i < job->step->n_out; i++) {
        struct stat st;
        struct str name = job->step->out[i]->name;
        if (stat(name.s, &st) == 0)
            continue;
        job->end = JOB_FAILED;
        buf_puts(&job->reason, "it did not make ");
        buf_visible(&job->reason, name);
        if (errno != ENOENT)
            buf_printf(&job->reason, " (%s)", strerror(errno));
        return;
    }
}

void files_way_back(struct str dir, struct buf *out) {
    struct buf way = {0};
    bool plain = dir.n != 0 && dir.s[0] != '/';
    for (size_t i = 0; plain && i < dir.n;) {
        size_t n = 0;
        while (i + n < dir.n && dir.s[i + n] != '/')
            n++;
        struct str part = {dir.s + i, n};
        if (str_eq(part, STR("..")))
            plain = false;
        else if (n != 0 && !str_eq(part, STR(".")))
            buf_puts(&way, "../");
        i += n + 1;
    }
    if (plain) {
        buf_str(out, buf_view(&way));
    } else {
        char *here = realpath(".", NULL);
        if (here != NULL) {
            buf_puts(out, here);
            if (here[1] != '\0')
                buf_putc(out, '/');
        }
        free(here);
    }
    buf_free(&way);
}

int files_write_all(int fd, struct str bytes) {
    while (bytes.n != 0) {
        ssize_t n = write(fd, bytes.s, bytes.n);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            bytes = (struct str){bytes.s + n, bytes.n - (size_t)n};
    }
    return 0;
}

int files_open_temporary(struct str name, mode_t mode, struct buf *temporary) {
    int error = files_make_parents(name);
    if (error != 0) {
        errno = error;
        return -1;
    }
    const char *slash = bytes_last(name.s, '/', name.n);
    size_t dir = slash != NULL ? (size_t)(slash - name.s) + 1 : 0;
    for (int tries = 0; tries < 100; tries++) {
        uint64_t number;
        if (getentropy(&number, sizeof number) != 0)
            return -1;
        buf_clear(temporary);
        buf_str(temporary, (struct str){name.s, dir});
        /* Not made from the name, which may have all the 255 bytes that a name may have. */
        buf_printf(temporary, ".foray-%016llx.tmp", (unsigned long long)number);
        int fd =
            open(temporary->s, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode | 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}
