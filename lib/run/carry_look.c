/* Before anything is fetched: what patterns and directories stand for there. */
#include "run/carry_state.h"

#include "run/files.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_excepted(const struct carrier *k, struct str name) {
    for (size_t i = 0; i < k->first->n_except; i++)
        if (str_eq(k->first->except[i], name))
            return true;
    return false;
}

static struct look *add_look(struct carrier *k, const struct cargo *c, struct str dir,
                             struct str rest, unsigned depth) {
    struct look *look = vec_push(&k->looks);
    look->cargo = c;
    look->rest = rest;
    look->depth = depth;
    buf_str(&look->dir, dir);
    buf_add(&look->dir, "", 0);
    buf_add(&look->to, "", 0);
    return look;
}

static void add_found(struct carrier *k, const struct cargo *c, struct str from,
                      enum cargo_kind kind, struct str to) {
    struct buf place = {0};
    if (to.n == 0)
        cargo_place(c, from, &place);
    else
        buf_str(&place, to);
    cargo_add(&k->items, kind, from, buf_view(&place));
    k->items.v[k->items.n - 1].found = true;
    buf_free(&place);
}

/* The part of a pattern that has nothing to look for goes with the directory. */
static void begin_pattern(struct carrier *k, const struct cargo *c) {
    struct str rest = c->from;
    struct buf dir = {0};
    bool wild = false;
    while (rest.n != 0) {
        if (rest.s[0] == '/') {
            buf_putc(&dir, '/');
            rest = (struct str){rest.s + 1, rest.n - 1};
            continue;
        }
        size_t n = cargo_component(rest, &wild);
        if (wild || n == rest.n)
            break;
        cargo_unescape((struct str){rest.s, n}, &dir);
        rest = (struct str){rest.s + n, rest.n - n};
    }
    if (!wild) { /* a plain name that may not be there */
        cargo_unescape(rest, &dir);
        struct buf to = {0};
        cargo_place(c, buf_view(&dir), &to);
        cargo_add(&k->items, CARGO_FILE, buf_view(&dir), buf_view(&to));
        k->items.v[k->items.n - 1].optional = c->optional;
        k->items.v[k->items.n - 1].found = true;
        buf_free(&to);
    } else {
        add_look(k, c, buf_view(&dir), rest, 0);
    }
    buf_free(&dir);
}

static bool is_directory(int rc, const LIBSSH2_SFTP_ATTRIBUTES *attributes) {
    return rc == 0 && (attributes->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0 &&
           LIBSSH2_SFTP_S_ISDIR(attributes->permissions);
}

bool carry_look_place(struct carrier *k, const struct cargo *c, bool *directory) {
    LIBSSH2_SFTP_ATTRIBUTES attributes = {0};
    carry_path(k, (struct str){c->to.s, c->to.n - 1});
    int rc = libssh2_sftp_stat_ex(k->sftp, k->path.s, (unsigned)k->path.n, LIBSSH2_SFTP_STAT,
                                  &attributes);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc != 0 && !carry_was_refused(k)) {
        connection_fail(k->connection, "cannot look at a file there");
        return false;
    }
    *directory = is_directory(rc, &attributes);
    return true;
}

/* Makes a directory of a fetched tree here. A link in its place is not followed: the host may have
 * sent it before. */
static int make_here(struct str name) {
    struct stat st;
    int error = files_make_parents(name);
    if (error != 0)
        return error;
    if (mkdir(name.s, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    if (lstat(name.s, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

/* What the earlier cargo came to is known: on to the next. */
static bool look_further(struct carrier *k) {
    struct errand *e = k->first;
    if (k->cargo != 0 && k->items.n == k->found && !e->cargo[k->cargo - 1].optional) {
        struct buf name = {0};
        buf_visible(&name, e->cargo[k->cargo - 1].from);
        carry_end(k, CARRY_FAILED,
                  e->cargo[k->cargo - 1].to.n == 0 ? "it made nothing that matches %s"
                                                   : "nothing there matches %s",
                  name.s);
        buf_free(&name);
        return true;
    }
    k->found = k->items.n;
    if (k->cargo == e->n_cargo) {
        k->state = OPEN_FILE;
        return true;
    }
    const struct cargo *c = &e->cargo[k->cargo++];
    if (c->pattern) {
        begin_pattern(k, c);
    } else if (c->tree) {
        struct look *look = add_look(k, c, c->from, STR(""), 0);
        cargo_place(c, c->from, &look->to);
    } else {
        struct buf to = {0};
        cargo_place(c, c->from, &to);
        cargo_add(&k->items, CARGO_FILE, c->from, buf_view(&to));
        k->items.v[k->items.n - 1].optional = c->optional;
        buf_free(&to);
    }
    return true;
}

void carry_drop_look(struct carrier *k) {
    struct look *look = &k->looks.v[--k->looks.n];
    buf_free(&look->dir);
    buf_free(&look->to);
}

/* The root of a tree may be a mere file. */
bool carry_look(struct carrier *k) {
    if (k->looks.n == 0)
        return look_further(k);
    struct look *look = &k->looks.v[k->looks.n - 1];
    if (look->rest.n != 0 || look->depth != 0) {
        k->state = LOOK_IN;
        return true;
    }
    LIBSSH2_SFTP_ATTRIBUTES attributes = {0};
    carry_path(k, buf_view(&look->dir));
    int rc = libssh2_sftp_stat_ex(k->sftp, k->path.s, (unsigned)k->path.n, LIBSSH2_SFTP_STAT,
                                  &attributes);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc != 0 && !carry_was_refused(k)) {
        connection_fail(k->connection, "cannot look at a file there");
        return false;
    }
    if (is_directory(rc, &attributes)) {
        k->state = LOOK_IN;
        return true;
    }
    add_found(k, look->cargo, buf_view(&look->dir), CARGO_FILE, buf_view(&look->to));
    carry_drop_look(k);
    return true;
}

bool carry_look_in(struct carrier *k) {
    struct look *look = &k->looks.v[k->looks.n - 1];
    carry_path(k, look->dir.n != 0 ? buf_view(&look->dir) : STR("."));
    k->handle =
        libssh2_sftp_open_ex(k->sftp, k->path.s, (unsigned)k->path.n, 0, 0, LIBSSH2_SFTP_OPENDIR);
    if (k->handle == NULL && carry_would_wait(k))
        return false;
    if (k->handle == NULL && !carry_was_refused(k)) {
        connection_fail(k->connection, "cannot open a directory there");
        return false;
    }
    struct buf name = {0};
    buf_visible(&name, buf_view(&look->dir));
    int error = 0;
    if (k->handle == NULL && look->rest.n != 0) { /* then nothing in it matches */
        carry_drop_look(k);
        k->state = LOOK;
    } else if (k->handle == NULL) {
        carry_end(k, CARRY_FAILED, "cannot fetch %s: %s", name.s, carry_reason(k));
    } else {
        k->state = LOOK_ALL;
        if (look->rest.n == 0) {
            error = make_here(buf_view(&look->to));
            add_found(k, look->cargo, buf_view(&look->dir), CARGO_DIRECTORY, buf_view(&look->to));
        }
        if (error != 0)
            carry_trouble(k, CARRY_LOST, strerror(error));
    }
    buf_free(&name);
    return true;
}

/* One entry of a directory there, as the host tells it: nothing of that is trusted. */
static bool take_entry(struct carrier *k, struct str name,
                       const LIBSSH2_SFTP_ATTRIBUTES *attributes) {
    struct look *look = &k->looks.v[k->looks.n - 1];
    bool typed = (attributes->flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0;
    bool regular = !typed || LIBSSH2_SFTP_S_ISREG(attributes->permissions);
    bool directory = typed && LIBSSH2_SFTP_S_ISDIR(attributes->permissions);
    bool link = typed && LIBSSH2_SFTP_S_ISLNK(attributes->permissions);
    if (str_eq(name, STR(".")) || str_eq(name, STR("..")))
        return true;
    if (!cargo_is_plain(name))
        return !carry_trouble(k, CARRY_FAILED, "the host gives a name that is none");
    if (k->items.n + k->looks.n >= CARGO_MOST)
        return !carry_trouble(k, CARRY_FAILED, "there are too many files");
    if (look->depth >= CARGO_DEPTH)
        return !carry_trouble(k, CARRY_FAILED, "the directories are too deep");
    struct buf from = {0}, to = {0};
    const struct cargo *c = look->cargo;
    struct str rest = look->rest;
    unsigned depth = look->depth + 1;
    bool good = true;
    if (look->dir.n != 0)
        cargo_join(buf_view(&look->dir), name, &from);
    else
        buf_str(&from, name);
    if (rest.n != 0) {
        bool wild;
        size_t n = cargo_component(rest, &wild);
        struct buf component = {0}, text = {0};
        buf_str(&component, (struct str){rest.s, n});
        buf_str(&text, name);
        bool match = wild ? fnmatch(component.s, text.s, FNM_PERIOD) == 0 : false;
        if (!wild) {
            buf_clear(&component);
            cargo_unescape((struct str){rest.s, n}, &component);
            match = str_eq(buf_view(&component), name);
        }
        buf_free(&component);
        buf_free(&text);
        if (match && n == rest.n && regular && !is_excepted(k, buf_view(&from)))
            add_found(k, c, buf_view(&from), CARGO_FILE, STR(""));
        else if (match && n == rest.n && directory && c->tree)
            cargo_place(c, buf_view(&from), &add_look(k, c, buf_view(&from), STR(""), depth)->to);
        else if (match && n < rest.n && directory)
            add_look(k, c, buf_view(&from), (struct str){rest.s + n + 1, rest.n - n - 1}, depth);
    } else {
        cargo_join(buf_view(&look->to), name, &to);
        if (directory)
            buf_str(&add_look(k, c, buf_view(&from), STR(""), depth)->to, buf_view(&to));
        else if (regular || link)
            add_found(k, c, buf_view(&from), link ? CARGO_LINK : CARGO_FILE, buf_view(&to));
        else
            good = !carry_trouble(k, CARRY_FAILED,
                                  "there is something that is no file, directory or link");
    }
    buf_free(&from);
    buf_free(&to);
    return good;
}

/* The directory that is read stands last but for those it has added: it is taken out when it is
 * done, and these keep their order. */
bool carry_look_all(struct carrier *k) {
    char name[1024];
    LIBSSH2_SFTP_ATTRIBUTES attributes = {0};
    int n = libssh2_sftp_readdir_ex(k->handle, name, sizeof name - 1, NULL, 0, &attributes);
    if (n == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (n < 0 && n != LIBSSH2_ERROR_SFTP_PROTOCOL && n != LIBSSH2_ERROR_BUFFER_TOO_SMALL) {
        connection_fail(k->connection, "cannot read a directory there");
        return false;
    }
    if (n == LIBSSH2_ERROR_BUFFER_TOO_SMALL)
        return carry_trouble(k, CARRY_FAILED, "the host gives a name that is none");
    if (n <= 0) {
        if (n < 0)
            return carry_trouble(k, CARRY_LOST, carry_reason(k));
        k->state = CLOSE_FILE;
        return true;
    }
    struct look own = k->looks.v[k->looks.n - 1];
    size_t before = k->looks.n;
    take_entry(k, (struct str){name, (size_t)n}, &attributes);
    if (k->looks.n != before) { /* it stays the last one while it is read */
        k->looks.v[before - 1] = k->looks.v[k->looks.n - 1];
        k->looks.v[k->looks.n - 1] = own;
    }
    return true;
}
