#include "run/carry_state.h"

#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "run/files.h"
#include "run/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool advance(void *arg);

struct carrier *carrier_open(struct loop *loop, struct connection *c,
                             const struct carrier_events *events) {
    struct carrier *k = mem_zalloc(sizeof *k);
    *k = (struct carrier){.loop = loop, .connection = c, .events = *events, .local = -1};
    k->last = &k->first;
    k->member = (struct member){.advance = advance, .arg = k};
    k->chunk = mem_alloc(CHUNK);
    connection_join(c, &k->member);
    return k;
}

/* Temporary files of an errand that did not come to its end go. */
static void drop_fetched(struct carrier *k) {
    for (size_t i = 0; i < k->fetched.n; i++) {
        if (k->fetched.v[i].fd >= 0)
            close(k->fetched.v[i].fd);
        if (k->fetched.v[i].temporary.n != 0)
            unlink(k->fetched.v[i].temporary.s);
        buf_free(&k->fetched.v[i].temporary);
    }
    k->fetched.n = 0;
}

static void clear_looks(struct carrier *k) {
    for (size_t i = 0; i < k->looks.n; i++) {
        buf_free(&k->looks.v[i].dir);
        buf_free(&k->looks.v[i].to);
    }
    k->looks.n = 0;
}

static void clear_directories(struct carrier *k) {
    for (size_t i = 0; i < k->directories.n; i++)
        free((char *)k->directories.v[i].s);
    k->directories.n = k->directory = 0;
}

/* --- syncing and renaming, aside --- */

struct sync {
    struct carrier *k; /* NULL: nobody waits for it */
    struct fetched *files;
    size_t n;
    cargo_list items; /* whose names the files have; taken over if nobody waits */
    int error;
    struct str failed;
};

static void sync_files(void *arg) {
    struct sync *s = arg;
    for (size_t i = 0; i < s->n && s->error == 0; i++) {
        s->failed = s->files[i].name;
        if (s->files[i].fd < 0)
            continue;
        if (fsync(s->files[i].fd) != 0)
            s->error = errno;
        if (close(s->files[i].fd) != 0 && s->error == 0)
            s->error = errno;
        s->files[i].fd = -1;
    }
    for (size_t i = 0; i < s->n && s->error == 0; i++) {
        s->failed = s->files[i].name;
        if (rename(s->files[i].temporary.s, s->files[i].name.s) != 0)
            s->error = errno;
        else
            buf_clear(&s->files[i].temporary);
    }
}

static void synced(void *arg) {
    struct sync *s = arg;
    struct carrier *k = s->k;
    if (k == NULL) {
        for (size_t i = 0; i < s->n; i++) {
            if (s->files[i].fd >= 0)
                close(s->files[i].fd);
            if (s->files[i].temporary.n != 0)
                unlink(s->files[i].temporary.s);
            buf_free(&s->files[i].temporary);
        }
        free(s->files);
        cargo_free(&s->items);
        free(s);
        return;
    }
    k->syncing = NULL;
    int error = s->error;
    struct buf name = {0};
    buf_visible(&name, s->failed);
    free(s);
    if (error != 0)
        carry_end(k, CARRY_LOST, "cannot keep %s: %s", name.s, strerror(error));
    else
        carry_end(k, CARRIED, "done");
    buf_free(&name);
    connection_kick(k->connection);
}

static void start_sync(struct carrier *k) {
    struct sync *s = mem_zalloc(sizeof *s);
    *s = (struct sync){.k = k, .files = k->fetched.v, .n = k->fetched.n};
    k->syncing = s;
    k->state = SYNC;
    loop_aside(k->loop, sync_files, synced, s);
}

/* --- errands --- */

/* The open file there must be closed before the errand can end. */
bool carry_trouble(struct carrier *k, enum carried verdict, const char *why) {
    k->verdict = verdict;
    buf_clear(&k->why);
    buf_puts(&k->why, why);
    k->state = CLOSE_FILE;
    return true;
}

/* Ends the one under way and begins the next. */
void carry_end(struct carrier *k, enum carried how, const char *fmt, ...) {
    struct buf reason = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&reason, fmt, ap);
    va_end(ap);
    if (k->local >= 0)
        close(k->local);
    k->local = -1;
    drop_fetched(k);
    clear_directories(k);
    clear_looks(k);
    buf_clear(&k->why);
    if (how == CARRIED && k->first->kind == ERRAND_FETCH && k->first->made != NULL)
        for (size_t i = 0; i < k->items.n; i++)
            if (k->items.v[i].found && k->items.v[i].kind == CARGO_FILE)
                *vec_push(k->first->made) =
                    (struct str){mem_strdup(k->items.v[i].to.s), k->items.v[i].to.n};
    cargo_free(&k->items);
    k->state = IDLE;
    struct errand *e = k->first;
    k->first = e->next;
    if (k->first == NULL)
        k->last = &k->first;
    e->done(e->arg, how, reason.s);
    buf_free(&reason);
}

void carrier_free(struct carrier *k) {
    if (k->syncing != NULL) {
        k->syncing->k = NULL; /* its files are its own from now on */
        k->syncing->items.v = k->items.v;
        k->syncing->items.n = k->items.n;
        k->syncing->items.cap = k->items.cap;
        k->items.v = NULL;
        k->items.n = k->items.cap = 0;
        k->fetched.v = NULL;
        k->fetched.n = 0;
    }
    if (k->local >= 0)
        close(k->local);
    drop_fetched(k);
    vec_free(&k->fetched);
    clear_directories(k);
    vec_free(&k->directories);
    clear_looks(k);
    vec_free(&k->looks);
    cargo_free(&k->items);
    connection_leave(k->connection, &k->member);
    buf_free(&k->path);
    buf_free(&k->why);
    free(k->chunk);
    free(k);
}

void carrier_do(struct carrier *k, struct errand *e) {
    e->next = NULL;
    *k->last = e;
    k->last = &e->next;
    connection_kick(k->connection);
}

size_t carrier_waiting(const struct carrier *k) {
    size_t n = 0;
    for (const struct errand *e = k->first; e != NULL; e = e->next)
        n++;
    return n;
}

struct errand *carrier_take_back(struct carrier *k) {
    struct errand **from = k->state == IDLE ? &k->first : &k->first->next;
    struct errand *rest = *from;
    *from = NULL;
    k->last = from;
    return rest;
}

bool carry_would_wait(struct carrier *k) {
    return libssh2_session_last_errno(connection_session(k->connection)) == LIBSSH2_ERROR_EAGAIN;
}

bool carry_was_refused(struct carrier *k) {
    return libssh2_session_last_errno(connection_session(k->connection)) ==
           LIBSSH2_ERROR_SFTP_PROTOCOL;
}

const char *carry_reason(struct carrier *k) {
    static const char *const reasons[] = {
        [LIBSSH2_FX_OK] = "failed",
        [LIBSSH2_FX_EOF] = "unexpected end",
        [LIBSSH2_FX_NO_SUCH_FILE] = "no such file or directory",
        [LIBSSH2_FX_PERMISSION_DENIED] = "permission denied",
        [LIBSSH2_FX_FAILURE] = "failed there (is the disk full?)",
    };
    unsigned long code = libssh2_sftp_last_error(k->sftp);
    if (code < sizeof reasons / sizeof *reasons)
        return reasons[code];
    return code == LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM ? "no space left on the device" : "refused";
}

void carry_path(struct carrier *k, struct str name) {
    struct str where = k->first->where;
    buf_clear(&k->path);
    if (name.n != 0 && name.s[0] == '/') {
        buf_str(&k->path, name);
        return;
    }
    buf_str(&k->path, where);
    if (where.n != 0 && where.s[where.n - 1] != '/')
        buf_putc(&k->path, '/');
    buf_str(&k->path, name);
}

/* The directories above a file, as far as they have not been listed yet. */
static void list_parents(struct carrier *k, struct str name, struct map *seen) {
    for (size_t i = 1; i < name.n; i++) {
        if (name.s[i] != '/')
            continue;
        struct str parent = {name.s, i};
        if (map_get(seen, parent) != NULL)
            continue;
        *map_put(seen, parent) = k;
        carry_path(k, parent);
        struct buf copy = {0};
        buf_str(&copy, buf_view(&k->path));
        *vec_push(&k->directories) = (struct str){copy.s, copy.n};
    }
}

static void list_directory(struct carrier *k, struct str name, struct map *seen) {
    if (map_get(seen, name) != NULL)
        return;
    *map_put(seen, name) = k;
    carry_path(k, name);
    struct buf copy = {0};
    buf_str(&copy, buf_view(&k->path));
    *vec_push(&k->directories) = (struct str){copy.s, copy.n};
}

static void begin_to_send(struct carrier *k) {
    struct errand *e = k->first;
    for (size_t i = 0; e->tally != NULL && i < k->items.n; i++)
        e->tally->expected += k->items.v[i].size;
    struct map seen = {0};
    if (e->make_where) {
        struct buf copy = {0};
        buf_str(&copy, e->where);
        *vec_push(&k->directories) = (struct str){copy.s, copy.n};
    }
    for (size_t i = 0; i < k->items.n; i++) {
        list_parents(k, k->items.v[i].to, &seen);
        if (k->items.v[i].kind == CARGO_DIRECTORY)
            list_directory(k, k->items.v[i].to, &seen);
    }
    for (size_t i = 0; i < e->n_parents; i++)
        list_parents(k, e->parents[i], &seen);
    map_free(&seen);
    k->state = MAKE_DIRECTORIES;
}

/* What the next cargo comes to, as soon as it is known where it goes. */
static bool look_place(struct carrier *k) {
    struct errand *e = k->first;
    if (k->cargo == e->n_cargo) {
        begin_to_send(k);
        return true;
    }
    struct cargo c = e->cargo[k->cargo];
    bool directory = true;
    if (c.or_name && !carry_look_place(k, &c, &directory))
        return false;
    if (!directory)
        c.to.n--;
    struct buf why = {0};
    k->cargo++;
    if (!cargo_expand(&c, &k->items, &why))
        carry_end(k, CARRY_FAILED, "%s", why.s);
    buf_free(&why);
    return true;
}

static void begin(struct carrier *k) {
    k->item = k->cargo = k->found = 0;
    k->moved = 0;
    k->state = k->first->kind == ERRAND_SEND ? LOOK_PLACE : LOOK;
}

static bool make_directory(struct carrier *k) {
    if (k->directory == k->directories.n) {
        k->state = OPEN_FILE;
        return true;
    }
    struct str path = k->directories.v[k->directory];
    bool scratch = k->first->make_where && k->directory == 0;
    int rc = libssh2_sftp_mkdir_ex(k->sftp, path.s, (unsigned)path.n, scratch ? 0700 : 0777);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc != 0 && rc != LIBSSH2_ERROR_SFTP_PROTOCOL) {
        connection_fail(k->connection, "cannot make a directory there");
        return false;
    }
    /* Where the step has a directory of its own, those in it may stand already; if not, opening a
     * file will tell. */
    if (rc != 0 && scratch)
        carry_end(k, CARRY_LOST, "cannot make the scratch directory %.*s: %s", STR_FMT(path),
                  carry_reason(k));
    else
        k->directory++;
    return true;
}

static struct cargo_item *current(struct carrier *k) {
    while (k->item < k->items.n && k->items.v[k->item].kind == CARGO_DIRECTORY)
        k->item++;
    return k->item < k->items.n ? &k->items.v[k->item] : NULL;
}

static bool is_same_file(struct carrier *k, const char *name, struct stat *st) {
    struct stat own;
    return fstat(k->local, &own) == 0 && stat(name, st) == 0 && own.st_ino == st->st_ino;
}

/* Opens the local side of the current input; false: the errand has ended. */
static bool open_input(struct carrier *k, const struct cargo_item *f) {
    struct stat st;
    struct buf name = {0};
    buf_visible(&name, f->from);
    if (k->local < 0)
        k->local = open(f->from.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = k->local >= 0 && is_same_file(k, f->from.s, &st) && S_ISREG(st.st_mode);
    if (k->local < 0)
        carry_end(k, CARRY_FAILED, "cannot read its input %s: %s", name.s, strerror(errno));
    else if (!good)
        carry_end(k, CARRY_FAILED, "its input %s is not a regular file: only those can be carried",
                  name.s);
    buf_free(&name);
    return good;
}

static bool link_failed(struct carrier *k, const struct cargo_item *f, const char *why) {
    struct buf name = {0};
    buf_visible(&name, f->from);
    carry_end(k, CARRY_LOST, "cannot send %s: %s", name.s, why);
    buf_free(&name);
    return true;
}

/* Makes a link there, in the place of one that is there. libssh2 1.10 takes the answer "done" for a
 * mistake: what stands there then tells. */
static bool send_link(struct carrier *k, const struct cargo_item *f) {
    char target[4096], there[4096];
    ssize_t n = readlink(f->from.s, target, sizeof target);
    if (n <= 0 || (size_t)n == sizeof target)
        return link_failed(k, f, strerror(n < 0 ? errno : EINVAL));
    carry_path(k, f->to);
    char *path = k->path.s;
    unsigned length = (unsigned)k->path.n;
    int rc = 0;
    switch (k->linking) {
    case LINK_MAKE:
    case LINK_MAKE_AGAIN:
        /* OpenSSH wants the two the other way round than the SFTP draft; so does libssh2. */
        rc = libssh2_sftp_symlink_ex(k->sftp, target, (unsigned)n, path, length,
                                     LIBSSH2_SFTP_SYMLINK);
        break;
    case LINK_LOOK:
    case LINK_LOOK_AGAIN:
        rc = libssh2_sftp_symlink_ex(k->sftp, path, length, there, sizeof there - 1,
                                     LIBSSH2_SFTP_READLINK);
        break;
    case LINK_REMOVE:
        rc = libssh2_sftp_unlink_ex(k->sftp, path, length);
        break;
    }
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc < 0 && !carry_was_refused(k)) {
        connection_fail(k->connection, "cannot make a link there");
        return true;
    }
    bool looked = k->linking == LINK_LOOK || k->linking == LINK_LOOK_AGAIN;
    bool made = looked ? rc == n && memcmp(there, target, (size_t)n) == 0
                       : k->linking != LINK_REMOVE && rc == 0;
    if (made) {
        k->linking = LINK_MAKE;
        k->item++;
    } else if (k->linking == LINK_LOOK_AGAIN || (k->linking == LINK_LOOK && rc < 0) ||
               (k->linking == LINK_REMOVE && rc < 0)) {
        const char *why = k->linking == LINK_LOOK ? "something else stands there" : carry_reason(k);
        k->linking = LINK_MAKE;
        return link_failed(k, f, why);
    } else {
        k->linking++;
    }
    return true;
}

static bool open_to_send(struct carrier *k) {
    struct cargo_item *f = current(k);
    if (f == NULL) {
        carry_end(k, CARRIED, "done");
        return true;
    }
    if (f->kind == CARGO_LINK)
        return send_link(k, f);
    if (k->local < 0 && !open_input(k, f))
        return true;
    struct stat st;
    long mode = fstat(k->local, &st) == 0 ? (long)(st.st_mode & 0777) : 0644;
    carry_path(k, f->to);
    k->handle = libssh2_sftp_open_ex(k->sftp, k->path.s, (unsigned)k->path.n,
                                     LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
                                     mode | 0200, LIBSSH2_SFTP_OPENFILE);
    if (k->handle == NULL) {
        if (carry_would_wait(k))
            return false;
        if (libssh2_session_last_errno(connection_session(k->connection)) !=
            LIBSSH2_ERROR_SFTP_PROTOCOL)
            connection_fail(k->connection, "cannot write a file there");
        else
            carry_end(k, CARRY_LOST, "cannot write %s there: %s", k->path.s, carry_reason(k));
        return true;
    }
    k->chunk_at = k->chunk_n = 0;
    k->at_end = false;
    k->size = f->part ? f->size : (uint64_t)st.st_size;
    k->left = f->part ? f->size : UINT64_MAX;
    k->moved = 0;
    if (f->part && lseek(k->local, (off_t)f->start, SEEK_SET) < 0)
        return carry_trouble(k, CARRY_FAILED, strerror(errno));
    k->state = WRITE_FILE;
    return true;
}

/* Keeps the chunk filled: libssh2 sends ahead of the answers, and counts what has been answered.
 * What it has been shown must be shown again, with more behind it. */
static bool fill_chunk(struct carrier *k) {
    if (k->at_end || k->chunk_n - k->chunk_at > CHUNK / 2)
        return true;
    memmove(k->chunk, k->chunk + k->chunk_at, k->chunk_n - k->chunk_at);
    k->chunk_n -= k->chunk_at;
    k->chunk_at = 0;
    while (k->chunk_n < CHUNK) {
        size_t room = CHUNK - k->chunk_n;
        ssize_t n = read(k->local, k->chunk + k->chunk_n, k->left < room ? (size_t)k->left : room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) {
            k->at_end = true;
            break;
        }
        k->chunk_n += (size_t)n;
        k->left -= (uint64_t)n;
    }
    return true;
}

static void count_moved(struct carrier *k, size_t n) {
    k->moved += n;
    if (k->first->tally != NULL)
        k->first->tally->bytes += n;
}

static bool write_file(struct carrier *k) {
    if (!fill_chunk(k))
        return carry_trouble(k, CARRY_FAILED, strerror(errno));
    if (k->chunk_at == k->chunk_n) {
        k->state = CLOSE_FILE;
        return true;
    }
    if (connection_is_full(k->connection))
        return false;
    ssize_t n = libssh2_sftp_write(k->handle, k->chunk + k->chunk_at, k->chunk_n - k->chunk_at);
    if (n == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (n < 0) {
        if (n != LIBSSH2_ERROR_SFTP_PROTOCOL) {
            connection_fail(k->connection, "cannot write a file there");
            return false;
        }
        return carry_trouble(k, CARRY_LOST, carry_reason(k));
    }
    k->chunk_at += (size_t)n;
    count_moved(k, (size_t)n);
    return true;
}

/* What may not be there, and is not. */
static void forget_item(struct carrier *k) {
    struct cargo_item *item = &k->items.v[k->item];
    free((char *)item->from.s);
    free((char *)item->to.s);
    memmove(item, item + 1, (k->items.n - k->item - 1) * sizeof *item);
    k->items.n--;
}

/* A link comes as a link, wherever it points to: nothing here goes through it. */
static bool fetch_link(struct carrier *k, const struct cargo_item *f) {
    char target[4096];
    carry_path(k, f->from);
    int n = libssh2_sftp_symlink_ex(k->sftp, k->path.s, (unsigned)k->path.n, target,
                                    sizeof target - 1, LIBSSH2_SFTP_READLINK);
    if (n == LIBSSH2_ERROR_EAGAIN)
        return false;
    struct buf name = {0};
    buf_visible(&name, f->from);
    if (n <= 0 && n != LIBSSH2_ERROR_SFTP_PROTOCOL) {
        connection_fail(k->connection, "cannot read a link there");
    } else if (n <= 0 || memchr(target, '\0', (size_t)n) != NULL) {
        carry_end(k, CARRY_FAILED, "cannot fetch %s: %s", name.s, carry_reason(k));
    } else {
        struct fetched *to = vec_push(&k->fetched);
        *to = (struct fetched){.name = f->to, .fd = -1};
        target[n] = '\0';
        int error = temporary_link(f->to, target, &to->temporary);
        if (error != 0) {
            buf_clear(&to->temporary);
            carry_end(k, CARRY_LOST, "cannot keep %s: %s", name.s, strerror(error));
        } else {
            k->item++;
        }
    }
    buf_free(&name);
    return true;
}

static bool open_to_fetch(struct carrier *k) {
    struct cargo_item *f = current(k);
    if (f == NULL) {
        start_sync(k);
        return true;
    }
    if (f->kind == CARGO_LINK)
        return fetch_link(k, f);
    carry_path(k, f->from);
    struct buf shown = {0};
    buf_visible(&shown, f->from);
    if (k->handle == NULL) {
        k->handle = libssh2_sftp_open_ex(k->sftp, k->path.s, (unsigned)k->path.n, LIBSSH2_FXF_READ,
                                         0, LIBSSH2_SFTP_OPENFILE);
        if (k->handle == NULL && !carry_would_wait(k)) {
            if (libssh2_session_last_errno(connection_session(k->connection)) !=
                LIBSSH2_ERROR_SFTP_PROTOCOL)
                connection_fail(k->connection, "cannot read a file there");
            else if (libssh2_sftp_last_error(k->sftp) == LIBSSH2_FX_NO_SUCH_FILE && f->optional)
                forget_item(k);
            else if (libssh2_sftp_last_error(k->sftp) == LIBSSH2_FX_NO_SUCH_FILE)
                carry_end(k, CARRY_FAILED,
                          f->from.s[0] == '/' ? "%s is not there" : "it did not make %s", shown.s);
            else
                carry_end(k, CARRY_FAILED, "cannot fetch %s: %s", shown.s, carry_reason(k));
            buf_free(&shown);
            return true;
        }
    }
    buf_free(&shown);
    LIBSSH2_SFTP_ATTRIBUTES attributes = {0};
    if (k->handle == NULL ||
        libssh2_sftp_fstat_ex(k->handle, &attributes, 0) == LIBSSH2_ERROR_EAGAIN)
        return false;
    struct fetched *to = vec_push(&k->fetched);
    *to = (struct fetched){.name = f->to, .fd = -1};
    bool regular = (attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) == 0 ||
                   LIBSSH2_SFTP_S_ISREG(attributes.permissions);
    k->size = (attributes.flags & LIBSSH2_SFTP_ATTR_SIZE) != 0 ? attributes.filesize : 0;
    k->moved = 0;
    k->at_end = false;
    if (k->first->tally != NULL)
        k->first->tally->expected += k->size;
    mode_t mode = (attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0
                      ? (mode_t)attributes.permissions & 0777
                      : 0666;
    if (!regular)
        return carry_trouble(k, CARRY_FAILED,
                             "it is not a regular file, and only those can be carried");
    to->fd = temporary_open(f->to, mode, &to->temporary);
    if (to->fd < 0) {
        int error = errno;
        buf_clear(&to->temporary);
        return carry_trouble(k, CARRY_LOST, strerror(error));
    }
    k->state = READ_FILE;
    return true;
}

static bool read_file(struct carrier *k) {
    ssize_t n = libssh2_sftp_read(k->handle, k->chunk, CHUNK);
    if (n == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (n < 0 && n != LIBSSH2_ERROR_SFTP_PROTOCOL) {
        connection_fail(k->connection, "cannot read a file there");
        return false;
    }
    if (n <= 0) {
        k->state = CLOSE_FILE;
        return true;
    }
    struct fetched *to = &k->fetched.v[k->fetched.n - 1];
    int error = io_write_all(to->fd, (struct str){k->chunk, (size_t)n});
    count_moved(k, (size_t)n);
    if (error != 0)
        return carry_trouble(k, CARRY_LOST, strerror(error));
    /* More than was announced: a file that still grows, or a host that means ill; there is an end
     * to it. */
    if (k->moved > k->size)
        return carry_trouble(k, CARRY_FAILED, "it still grew while it was read");
    return true;
}

static bool close_file(struct carrier *k) {
    if (libssh2_sftp_close_handle(k->handle) == LIBSSH2_ERROR_EAGAIN)
        return false;
    k->handle = NULL;
    bool sending = k->first->kind == ERRAND_SEND;
    const char *verb = sending ? "send" : "fetch";
    struct buf name = {0};
    if (k->looks.n != 0) { /* a directory that was looked through */
        buf_visible(&name, buf_view(&k->looks.v[k->looks.n - 1].dir));
        carry_drop_look(k);
        k->state = LOOK;
        k->moved = k->size = 0;
    } else {
        buf_visible(&name, current(k)->from);
        k->item++;
        if (k->first->tally != NULL && k->why.n == 0 && k->moved == k->size)
            k->first->tally->files++;
        k->state = OPEN_FILE;
    }
    if (sending) {
        close(k->local);
        k->local = -1;
    }
    if (k->why.n != 0)
        carry_end(k, k->verdict, "cannot %s %s: %s", verb, name.s, k->why.s);
    else if (k->moved != k->size)
        carry_end(k, sending ? CARRY_FAILED : CARRY_LOST,
                  "%s changed while it was carried (%llu bytes of %llu)", name.s,
                  (unsigned long long)k->moved, (unsigned long long)k->size);
    buf_free(&name);
    return true;
}

/* A call that waits for its answer must be ended first: the next call on this channel would be
 * taken for its continuation. true: the errand has ended. */
static bool give_up(struct carrier *k) {
    static const char why[] = "given up";
    bool between = k->state == IDLE || k->handle == NULL;
    if (between && !k->pending && k->state != SYNC) {
        carry_end(k, CARRY_LOST, "%s", why);
        return true;
    }
    if (k->state == READ_FILE || (k->state == LOOK_ALL && !k->pending)) {
        carry_trouble(k, CARRY_LOST, why);
    } else if (k->state == WRITE_FILE && !k->at_end) {
        carry_trouble(k, CARRY_LOST, why);
        k->state = WRITE_FILE; /* until what libssh2 has begun to send is through */
        k->at_end = true;
    }
    return false;
}

static bool advance(void *arg) {
    struct carrier *k = arg;
    if (k->refused || k->first == NULL)
        return false;
    if (k->sftp == NULL) {
        if (!connection_may_open(k->connection, &k->member))
            return false;
        k->sftp = libssh2_sftp_init(connection_session(k->connection));
        if (k->sftp == NULL && carry_would_wait(k))
            return false;
        connection_opened(k->connection, &k->member);
        if (k->sftp == NULL) {
            k->refused = true;
            k->events.refused(k->events.context, k);
            return false;
        }
    }
    if (*k->first->give_up && give_up(k))
        return true;
    k->pending = true;
    bool moved = false;
    switch (k->state) {
    case IDLE:
        begin(k);
        moved = true;
        break;
    case LOOK_PLACE:
        moved = look_place(k);
        break;
    case LOOK:
        moved = carry_look(k);
        break;
    case LOOK_IN:
        moved = carry_look_in(k);
        break;
    case LOOK_ALL:
        moved = carry_look_all(k);
        break;
    case MAKE_DIRECTORIES:
        moved = make_directory(k);
        break;
    case OPEN_FILE:
        moved = k->first->kind == ERRAND_SEND ? open_to_send(k) : open_to_fetch(k);
        break;
    case WRITE_FILE:
        moved = write_file(k);
        break;
    case READ_FILE:
        moved = read_file(k);
        break;
    case CLOSE_FILE:
        moved = close_file(k);
        break;
    case SYNC:
        break;
    }
    k->pending = !moved;
    return moved;
}
