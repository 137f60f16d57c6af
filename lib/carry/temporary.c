#include "carry/temporary.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = ".foray-", suffix[] = ".tmp";
enum { DIGITS = 16 };

/* One run at a time is in a process; its files are made in many places. */
static struct buf list_path; /* empty: none is written */
static int list = -1;        /* the names, with a NUL behind each; made with the first one */

/* --- what is left --- */

/* Nothing else goes, whatever stands in the list. */
bool temporary_is(struct str name) {
    size_t n = sizeof prefix - 1 + DIGITS + sizeof suffix - 1;
    const char *slash = bytes_last(name.s, '/', name.n);
    const char *base = slash != NULL ? slash + 1 : name.s;
    return name.n - (size_t)(base - name.s) == n && strncmp(base, prefix, sizeof prefix - 1) == 0 &&
           strcmp(base + n - (sizeof suffix - 1), suffix) == 0;
}

static void remove_listed(const struct buf *names) {
    for (size_t at = 0, end; at < names->n; at = end + 1) {
        const char *nul = memchr(names->s + at, '\0', names->n - at);
        if (nul == NULL)
            break; /* cut: it was not made either */
        end = (size_t)(nul - names->s);
        if (temporary_is((struct str){names->s + at, end - at}))
            unlink(names->s + at);
    }
}

void temporary_remove(void) {
    struct buf names = {0};
    if (list_path.n != 0) {
        if (io_read_file(list_path.s, SIZE_MAX / 2, &names) == 0) { /* most often there is none */
            remove_listed(&names);
            unlink(list_path.s);
        }
    } else if (list >= 0 && lseek(list, 0, SEEK_SET) == 0 &&
               io_read_all(list, SIZE_MAX / 2, &names) == 0) {
        remove_listed(&names);
    }
    buf_free(&names);
}

void temporary_begin(const char *dir) {
    buf_clear(&list_path);
    buf_printf(&list_path, "%s/temporary", dir);
    temporary_remove();
}

int temporary_begin_unnamed(void) {
    const char *dir = getenv("TMPDIR");
    struct buf path = {0};
    buf_printf(&path, "%s/foray-XXXXXX", dir != NULL && *dir == '/' ? dir : "/tmp");
    list = mkostemp(path.s, O_APPEND | O_CLOEXEC);
    if (list >= 0)
        unlink(path.s);
    buf_free(&path);
    return list;
}

void temporary_end(void) {
    if (list >= 0) {
        if (list_path.n != 0)
            unlink(list_path.s);
        else if (ftruncate(list, 0) != 0) /* others may have it open */
            errno = 0;                    /* what has its own name is not found under the other */
        close(list);
    }
    list = -1;
    buf_free(&list_path);
}

/* Before the file itself is made. */
static void write_down(const struct buf *name) {
    if (list < 0 && list_path.n != 0)
        list = open(list_path.s, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (list >= 0)
        io_write_all(list, (struct str){name->s, name->n + 1});
}

/* --- making them --- */

static uint64_t make_random(void) {
    uint64_t number;
    if (getentropy(&number, sizeof number) != 0)
        abort(); /* never fails for so few bytes on a system that has it */
    return number;
}

/* No other one is likely to make the same, whoever wants to may guess it. */
static uint64_t make_number(void) {
    static uint64_t last;
    last = last != 0 ? last + 1 : make_random();
    return last;
}

/* Not made from the name, which may have all the 255 bytes that a name may have. */
static void make_name(struct str name, uint64_t number, struct buf *temporary) {
    buf_clear(temporary);
    buf_str(temporary, str_directory(name));
    buf_printf(temporary, "%s%0*llx%s", prefix, DIGITS, (unsigned long long)number, suffix);
}

void temporary_name(struct str name, struct buf *temporary) {
    make_name(name, make_number(), temporary);
}

uint32_t temporary_family(void) {
    return (uint32_t)make_random();
}

void temporary_of_family(struct str name, uint32_t family, uint32_t i, struct buf *temporary) {
    make_name(name, (uint64_t)family << 32 | i, temporary);
}

static void find_name(struct str name, struct buf *temporary) {
    temporary_name(name, temporary);
    write_down(temporary);
}

/* What to do after errno: another name; the same with the directories above it. */
static bool may_try_again(struct str name, int tries) {
    if (errno == ENOENT && tries == 0)
        return (errno = io_make_parents(name)) == 0;
    return errno == EEXIST && tries < 100;
}

int temporary_link(struct str name, const char *target, struct buf *temporary) {
    for (int tries = 0;; tries++) {
        find_name(name, temporary);
        if (symlink(target, temporary->s) == 0)
            return 0;
        if (!may_try_again(name, tries))
            return errno;
    }
}

int temporary_open(struct str name, mode_t mode, struct buf *temporary) {
    for (int tries = 0;; tries++) {
        find_name(name, temporary);
        int fd =
            open(temporary->s, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode | 0600);
        if (fd >= 0 || !may_try_again(name, tries))
            return fd;
    }
}
