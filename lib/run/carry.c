#include "run/carry.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libssh2_sftp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 512 * 1024 };

/* A file that has been fetched under a temporary name. */
struct fetched {
    struct buf temporary;
    struct str name;
    int fd; /* open until it is synced */
};

struct carrier {
    struct loop *loop;
    struct connection *connection;
    struct carrier_events events;
    struct party party;
    LIBSSH2_SFTP *sftp;
    bool refused;
    struct errand *first, **last;
    /* The errand that is under way. */
    enum { IDLE, MAKE_DIRECTORIES, OPEN_FILE, WRITE_FILE, READ_FILE, CLOSE_FILE, SYNC } state;
    str_list directories; /* still to be made, from `directory` on */
    size_t directory;
    size_t file; /* of the step's in or out */
    LIBSSH2_SFTP_HANDLE *handle;
    int local; /* the file here, -1: none */
    struct buf path;
    char *chunk; /* from chunk_at to chunk_n: read here, not yet taken there */
    size_t chunk_at, chunk_n;
    bool at_end;
    bool pending; /* the last call waits for its answer */
    uint64_t size, moved;
    enum carried verdict; /* with why.n != 0: what goes wrong with the file, for when it has been
                             closed there */
    struct buf why;
    VEC(struct fetched) fetched;
    struct sync *syncing;
};

static bool advance(void *arg);

struct carrier *carrier_open(struct loop *loop, struct connection *c,
                             const struct carrier_events *events) {
    struct carrier *k = mem_zalloc(sizeof *k);
    *k = (struct carrier){.loop = loop, .connection = c, .events = *events, .local = -1};
    k->last = &k->first;
    k->party = (struct party){.advance = advance, .arg = k};
    k->chunk = mem_alloc(CHUNK);
    connection_join(c, &k->party);
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
    int error;
    struct str failed;
};

static void sync_files(void *arg) {
    struct sync *s = arg;
    for (size_t i = 0; i < s->n && s->error == 0; i++) {
        s->failed = s->files[i].name;
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

static void end_errand(struct carrier *k, enum carried how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

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
        free(s);
        return;
    }
    k->syncing = NULL;
    int error = s->error;
    struct buf name = {0};
    buf_visible(&name, s->failed);
    free(s);
    if (error != 0)
        end_errand(k, CARRY_LOST, "cannot keep %s: %s", name.s, strerror(error));
    else
        end_errand(k, CARRIED, "done");
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
static bool trouble(struct carrier *k, enum carried verdict, const char *why) {
    k->verdict = verdict;
    buf_clear(&k->why);
    buf_puts(&k->why, why);
    k->state = CLOSE_FILE;
    return true;
}

/* Ends the one under way and begins the next. */
static void end_errand(struct carrier *k, enum carried how, const char *fmt, ...) {
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
    buf_clear(&k->why);
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
        k->fetched.v = NULL;
        k->fetched.n = 0;
    }
    if (k->local >= 0)
        close(k->local);
    drop_fetched(k);
    vec_free(&k->fetched);
    clear_directories(k);
    vec_free(&k->directories);
    connection_leave(k->connection, &k->party);
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

static bool would_wait(struct carrier *k) {
    return libssh2_session_last_errno(connection_session(k->connection)) == LIBSSH2_ERROR_EAGAIN;
}

static const char *sftp_reason(struct carrier *k) {
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

static void full_path(struct carrier *k, struct str name) {
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
        full_path(k, parent);
        struct buf copy = {0};
        buf_str(&copy, buf_view(&k->path));
        *vec_push(&k->directories) = (struct str){copy.s, copy.n};
    }
}

static void begin(struct carrier *k) {
    struct errand *e = k->first;
    k->file = 0;
    k->moved = 0;
    if (e->kind == ERRAND_FETCH) {
        k->state = OPEN_FILE;
        return;
    }
    struct map seen = {0};
    if (e->make_where) {
        struct buf copy = {0};
        buf_str(&copy, e->where);
        *vec_push(&k->directories) = (struct str){copy.s, copy.n};
    }
    for (size_t i = 0; i < e->step->n_in; i++)
        list_parents(k, e->step->in[i]->name, &seen);
    for (size_t i = 0; i < e->step->n_out; i++)
        list_parents(k, e->step->out[i]->name, &seen);
    map_free(&seen);
    k->state = MAKE_DIRECTORIES;
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
    if (rc != 0 && k->first->make_where)
        end_errand(k, CARRY_LOST, "cannot make the scratch directory %.*s: %s", STR_FMT(path),
                   sftp_reason(k));
    else
        k->directory++;
    return true;
}

static struct file *current_file(const struct carrier *k, bool sending) {
    const struct step *step = k->first->step;
    size_t n = sending ? step->n_in : step->n_out;
    return k->file < n ? (sending ? step->in : step->out)[k->file] : NULL;
}

static bool is_same_file(struct carrier *k, const char *name, struct stat *st) {
    struct stat own;
    return fstat(k->local, &own) == 0 && stat(name, st) == 0 && own.st_ino == st->st_ino;
}

/* Opens the local side of the current input; false: the errand has ended. */
static bool open_input(struct carrier *k, const struct file *f) {
    struct stat st;
    struct buf name = {0};
    buf_visible(&name, f->name);
    if (k->local < 0)
        k->local = open(f->name.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = k->local >= 0 && is_same_file(k, f->name.s, &st) && S_ISREG(st.st_mode);
    if (k->local < 0)
        end_errand(k, CARRY_FAILED, "cannot read its input %s: %s", name.s, strerror(errno));
    else if (!good)
        end_errand(k, CARRY_FAILED, "its input %s is not a regular file: only those can be carried",
                   name.s);
    buf_free(&name);
    return good;
}

static bool open_to_send(struct carrier *k) {
    struct file *f = current_file(k, true);
    if (f == NULL) {
        end_errand(k, CARRIED, "done");
        return true;
    }
    if (k->local < 0 && !open_input(k, f))
        return true;
    struct stat st;
    long mode = fstat(k->local, &st) == 0 ? (long)(st.st_mode & 0777) : 0644;
    full_path(k, f->name);
    k->handle = libssh2_sftp_open_ex(k->sftp, k->path.s, (unsigned)k->path.n,
                                     LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC,
                                     mode | 0200, LIBSSH2_SFTP_OPENFILE);
    if (k->handle == NULL) {
        if (would_wait(k))
            return false;
        if (libssh2_session_last_errno(connection_session(k->connection)) !=
            LIBSSH2_ERROR_SFTP_PROTOCOL)
            connection_fail(k->connection, "cannot write a file there");
        else
            end_errand(k, CARRY_LOST, "cannot write %s there: %s", k->path.s, sftp_reason(k));
        return true;
    }
    k->chunk_at = k->chunk_n = 0;
    k->at_end = false;
    k->size = (uint64_t)st.st_size;
    k->moved = 0;
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
        ssize_t n = read(k->local, k->chunk + k->chunk_n, CHUNK - k->chunk_n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) {
            k->at_end = true;
            break;
        }
        k->chunk_n += (size_t)n;
    }
    return true;
}

static bool write_file(struct carrier *k) {
    if (!fill_chunk(k))
        return trouble(k, CARRY_FAILED, strerror(errno));
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
        return trouble(k, CARRY_LOST, sftp_reason(k));
    }
    k->chunk_at += (size_t)n;
    k->moved += (uint64_t)n;
    return true;
}

static bool open_to_fetch(struct carrier *k) {
    struct file *f = current_file(k, false);
    if (f == NULL) {
        start_sync(k);
        return true;
    }
    full_path(k, f->name);
    struct buf shown = {0};
    buf_visible(&shown, f->name);
    if (k->handle == NULL) {
        k->handle = libssh2_sftp_open_ex(k->sftp, k->path.s, (unsigned)k->path.n, LIBSSH2_FXF_READ,
                                         0, LIBSSH2_SFTP_OPENFILE);
        if (k->handle == NULL && !would_wait(k)) {
            if (libssh2_session_last_errno(connection_session(k->connection)) !=
                LIBSSH2_ERROR_SFTP_PROTOCOL)
                connection_fail(k->connection, "cannot read a file there");
            else if (libssh2_sftp_last_error(k->sftp) == LIBSSH2_FX_NO_SUCH_FILE)
                end_errand(k, CARRY_FAILED, "it did not make %s", shown.s);
            else
                end_errand(k, CARRY_FAILED, "cannot fetch %s: %s", shown.s, sftp_reason(k));
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
    *to = (struct fetched){.name = f->name, .fd = -1};
    bool regular = (attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) == 0 ||
                   LIBSSH2_SFTP_S_ISREG(attributes.permissions);
    k->size = (attributes.flags & LIBSSH2_SFTP_ATTR_SIZE) != 0 ? attributes.filesize : 0;
    k->moved = 0;
    k->at_end = false;
    mode_t mode = (attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0
                      ? (mode_t)attributes.permissions & 0777
                      : 0666;
    if (!regular)
        return trouble(k, CARRY_FAILED, "it is not a regular file, and only those can be carried");
    to->fd = files_open_temporary(f->name, mode, &to->temporary);
    if (to->fd < 0) {
        int error = errno;
        buf_clear(&to->temporary);
        return trouble(k, CARRY_LOST, strerror(error));
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
    int error = files_write_all(to->fd, (struct str){k->chunk, (size_t)n});
    k->moved += (uint64_t)n;
    if (error != 0)
        return trouble(k, CARRY_LOST, strerror(error));
    /* More than was announced: a file that still grows, or a host that means ill; there is an end
     * to it. */
    if (k->moved > k->size)
        return trouble(k, CARRY_FAILED, "it still grew while it was read");
    return true;
}

static bool close_file(struct carrier *k) {
    if (libssh2_sftp_close_handle(k->handle) == LIBSSH2_ERROR_EAGAIN)
        return false;
    k->handle = NULL;
    bool sending = k->first->kind == ERRAND_SEND;
    const char *verb = sending ? "send" : "fetch";
    struct buf name = {0};
    buf_visible(&name, current_file(k, sending)->name);
    if (sending) {
        close(k->local);
        k->local = -1;
    }
    k->file++;
    k->state = OPEN_FILE;
    if (k->why.n != 0)
        end_errand(k, k->verdict, "cannot %s %s: %s", verb, name.s, k->why.s);
    else if (k->moved != k->size)
        end_errand(k, sending ? CARRY_FAILED : CARRY_LOST,
                   "%s changed while it was carried (%llu bytes of %llu)", name.s,
                   (unsigned long long)k->moved, (unsigned long long)k->size);
    buf_free(&name);
    return true;
}

/* A call that waits for its answer must be ended first: the next call on this channel would be
 * taken for its continuation. true: the errand has ended. */
static bool give_up(struct carrier *k) {
    static const char why[] = "given up";
    bool between = k->state == IDLE ||
                   ((k->state == MAKE_DIRECTORIES || k->state == OPEN_FILE) && k->handle == NULL);
    if (between && !k->pending) {
        end_errand(k, CARRY_LOST, "%s", why);
        return true;
    }
    if (k->state == READ_FILE) {
        trouble(k, CARRY_LOST, why);
    } else if (k->state == WRITE_FILE && !k->at_end) {
        trouble(k, CARRY_LOST, why);
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
        if (!connection_may_open(k->connection, &k->party))
            return false;
        k->sftp = libssh2_sftp_init(connection_session(k->connection));
        if (k->sftp == NULL && would_wait(k))
            return false;
        connection_opened(k->connection, &k->party);
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
