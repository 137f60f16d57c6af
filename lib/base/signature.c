#include "base/signature.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define RECENT INT64_C(20000000) /* ns: two ticks of the slowest clocks of file systems */

int64_t signature_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

struct signature signature_of_stat(const struct stat *st, int64_t now) {
    struct signature s = {.flags = SIGNATURE_THERE, .inode = (uint64_t)st->st_ino};
    if (!S_ISREG(st->st_mode))
        return s;
    s.size = (uint64_t)st->st_size;
    s.changed = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
    if (now != 0 && s.changed > now - RECENT)
        s.flags |= SIGNATURE_RECENT;
    return s;
}

struct signature signature_of(const char *name, bool recent) {
    struct stat st;
    if (stat(name, &st) != 0)
        return (struct signature){0};
    return signature_of_stat(&st, recent ? signature_now() : 0);
}

bool signature_hash(const char *name, struct signature *s) {
    /* Nothing that could make us wait, such as a pipe that has taken the file's place. */
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    uint64_t hash;
    if (fd < 0)
        return false;
    int error = fstat(fd, &st) != 0 ? errno : 0;
    if (error == 0 && S_ISREG(st.st_mode))
        error = hash_descriptor(fd, &hash);
    else if (error == 0)
        error = EINVAL;
    if (error == 0 && fstat(fd, &st) == 0) {
        struct signature now = signature_of_stat(&st, 0);
        if (!signature_same_stat(&now, s))
            error = EAGAIN;
    }
    close(fd);
    errno = error;
    if (error != 0)
        return false;
    s->hash = hash;
    s->flags |= SIGNATURE_HASHED;
    return true;
}

bool signature_same_stat(const struct signature *a, const struct signature *b) {
    return a->size == b->size && a->changed == b->changed && a->inode == b->inode &&
           (a->flags & b->flags & SIGNATURE_THERE) != 0;
}

enum sameness signature_compare(const struct signature *was, const struct signature *is,
                                bool contents) {
    if ((was->flags & is->flags & SIGNATURE_THERE) == 0)
        return ((was->flags ^ is->flags) & SIGNATURE_THERE) == 0 ? SAME : DIFFERENT;
    bool same = signature_same_stat(was, is);
    if (same && (was->flags & SIGNATURE_RECENT) == 0)
        return SAME;
    if (was->size != is->size || (was->flags & SIGNATURE_HASHED) == 0)
        return DIFFERENT;
    if ((is->flags & SIGNATURE_HASHED) != 0)
        return was->hash == is->hash ? SAME : DIFFERENT;
    return contents || same ? SAME_IF_HASH : DIFFERENT;
}
