#include "carry/cargo.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct str own(struct str s) {
    struct buf b = {0};
    buf_str(&b, s);
    buf_add(&b, "", 0);
    return (struct str){b.s, b.n};
}

void cargo_add(cargo_list *list, enum cargo_kind kind, struct str from, struct str to) {
    *vec_push(list) = (struct cargo_item){.kind = kind, .from = own(from), .to = own(to)};
}

void cargo_free(cargo_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        free((char *)list->v[i].from.s);
        free((char *)list->v[i].to.s);
    }
    vec_free(list);
}

void cargo_looked_at(struct cargo_item *item, const struct marks *marks, uint64_t size) {
    item->looked_at = true;
    item->marks = *marks;
    item->size = size;
}

struct marks cargo_marks(const struct stat *st) {
    return (struct marks){.mode = (uint32_t)st->st_mode & 0777,
                          .accessed = (int64_t)st->st_atime,
                          .modified = (int64_t)st->st_mtime};
}

bool cargo_is_sparse(const struct stat *st) {
    return S_ISREG(st->st_mode) && (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;
}

bool cargo_has_more(int fd, const struct stat *st) {
    char byte;
    return st->st_size == 0 && pread(fd, &byte, 1, 0) > 0;
}

void cargo_join(struct str dir, struct str name, struct buf *out) {
    buf_str(out, dir);
    if (dir.n != 0 && dir.s[dir.n - 1] != '/')
        buf_putc(out, '/');
    buf_str(out, name);
}

void cargo_path(struct str where, struct str name, struct buf *path) {
    if (name.n == 0 || name.s[0] != '/') {
        buf_str(path, where);
        if (where.n != 0 && where.s[where.n - 1] != '/')
            buf_putc(path, '/');
    }
    buf_str(path, name);
}

void cargo_leave(struct str where, char letter, struct str name, str_list *words) {
    struct buf path = {0}, word = {0};
    cargo_path(where, name, &path);
    buf_putc(&word, letter);
    if (path.n == 0 || path.s[0] != '/')
        buf_puts(&word, "./");
    buf_str(&word, buf_view(&path));
    buf_free(&path);
    str_list_take(words, &word);
}

static struct str base_of(struct str name) {
    while (name.n > 1 && name.s[name.n - 1] == '/')
        name.n--;
    const char *slash = bytes_last(name.s, '/', name.n);
    if (slash == NULL || name.n == 1)
        return name;
    return (struct str){slash + 1, (size_t)(name.s + name.n - slash) - 1};
}

void cargo_place(const struct cargo *c, struct str from, struct buf *to) {
    if (c->to.n == 0)
        buf_str(to, from);
    else if (c->to.s[c->to.n - 1] == '/')
        cargo_join(c->to, base_of(from), to);
    else
        buf_str(to, c->to);
}

bool cargo_is_plain(struct str name) {
    return name.n != 0 && name.n <= 255 && memchr(name.s, '/', name.n) == NULL &&
           memchr(name.s, '\0', name.n) == NULL && !str_eq(name, STR(".")) &&
           !str_eq(name, STR(".."));
}

size_t cargo_component(struct str pattern, bool *wild) {
    size_t n = 0;
    *wild = false;
    for (; n < pattern.n && pattern.s[n] != '/'; n++) {
        if (pattern.s[n] == '\\' && n + 1 < pattern.n)
            n++;
        else if (pattern.s[n] == '*' || pattern.s[n] == '?' || pattern.s[n] == '[')
            *wild = true;
    }
    return n;
}

void cargo_unescape(struct str component, struct buf *out) {
    for (size_t i = 0; i < component.n; i++) {
        if (component.s[i] == '\\' && i + 1 < component.n)
            i++;
        buf_putc(out, component.s[i]);
    }
}

static bool refuse(struct buf *why, struct str name, const char *what) {
    buf_puts(why, "cannot send ");
    buf_visible(why, name);
    buf_printf(why, ": %s", what);
    return false;
}

/* A directory with all that is in it, without recursion. */
static bool expand_tree(const struct cargo *c, struct str root, const struct stat *root_st,
                        struct str to, cargo_list *list, struct buf *why) {
    size_t next = list->n;
    cargo_add(list, CARGO_DIRECTORY, root, to);
    list->v[next].marks = cargo_marks(root_st);
    list->v[next].preserve = c->preserve;
    struct buf from = {0}, there = {0};
    bool good = true;
    for (; next < list->n && good; next++) {
        if (list->v[next].kind != CARGO_DIRECTORY)
            continue;
        struct str dir_from = list->v[next].from, dir_to = list->v[next].to;
        DIR *dir = opendir(dir_from.s);
        if (dir == NULL) {
            good = refuse(why, dir_from, strerror(errno));
            break;
        }
        for (struct dirent *e; good && (e = readdir(dir)) != NULL;) {
            struct str name = str_of(e->d_name);
            struct stat st;
            if (!cargo_is_plain(name))
                continue;
            buf_clear(&from);
            buf_clear(&there);
            cargo_join(dir_from, name, &from);
            cargo_join(dir_to, name, &there);
            if (list->n >= CARGO_MOST)
                good = refuse(why, root, "it has too many files");
            else if (lstat(from.s, &st) != 0)
                good = refuse(why, buf_view(&from), strerror(errno));
            else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
                good = refuse(why, buf_view(&from),
                              "it is no file, directory or link: only those can be carried");
            if (!good)
                break;
            cargo_add(list,
                      S_ISREG(st.st_mode)   ? CARGO_FILE
                      : S_ISDIR(st.st_mode) ? CARGO_DIRECTORY
                                            : CARGO_LINK,
                      buf_view(&from), buf_view(&there));
            struct cargo_item *item = &list->v[list->n - 1];
            item->found = true;
            item->marks = cargo_marks(&st);
            item->preserve = c->preserve;
            item->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
            item->sparse = cargo_is_sparse(&st);
        }
        closedir(dir);
    }
    buf_free(&from);
    buf_free(&there);
    return good;
}

static bool expand_one(const struct cargo *c, struct str from, cargo_list *list, struct buf *why) {
    struct buf to = {0};
    struct stat st;
    bool good = true, there = stat(from.s, &st) == 0;
    bool tree = c->tree && there && S_ISDIR(st.st_mode);
    cargo_place(c, from, &to);
    if (tree) {
        good = expand_tree(c, from, &st, buf_view(&to), list, why);
    } else {
        cargo_add(list, CARGO_FILE, from, buf_view(&to));
        struct cargo_item *item = &list->v[list->n - 1];
        item->optional = c->optional;
        item->preserve = c->preserve;
        item->seed = c->seed;
        item->part = c->part;
        item->start = c->start;
        item->size = c->part ? c->length : there ? (uint64_t)st.st_size : 0;
    }
    buf_free(&to);
    return good;
}

bool cargo_expand(const struct cargo *c, cargo_list *list, struct buf *why) {
    if (!c->pattern)
        return expand_one(c, c->from, list, why);
    glob_t found = {0};
    int rc = glob(c->from.s, 0, NULL, &found);
    if (rc == GLOB_NOSPACE)
        mem_alloc(SIZE_MAX);
    size_t n = 0;
    bool good = true, several = c->to.n != 0 && c->to.s[c->to.n - 1] != '/';
    for (size_t i = 0; rc == 0 && i < found.gl_pathc && good; i++) {
        struct stat st;
        struct str name = str_of(found.gl_pathv[i]);
        if (stat(name.s, &st) != 0 || !(S_ISREG(st.st_mode) || (c->tree && S_ISDIR(st.st_mode))))
            continue;
        if (n++ != 0 && several) {
            buf_puts(why, "several files match ");
            buf_visible(why, c->from);
            buf_puts(why, ", and they cannot all become ");
            buf_visible(why, c->to);
            buf_puts(why, ": a directory ends in a slash");
            good = false;
        } else {
            good = expand_one(c, name, list, why);
        }
    }
    globfree(&found);
    if (good && n == 0 && !c->optional) {
        buf_puts(why, "nothing matches ");
        buf_visible(why, c->from);
        good = false;
    }
    return good;
}
