/* What a stream from a host brings: each of its entries is held to what was asked for. */
#include "carry/stage_wanted.h"
#include "carry/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct wanted *wanted_of_leg(struct fetching *f, size_t i) {
    return &f->wanted.v[f->parts.v[f->leg - 1].wanted.v[i]];
}

/* All that comes with a leg is of one kind. */
static bool preserves(struct stage *s) {
    return s->errand->cargo[wanted_of_leg(s->fetch, 0)->cargo].preserve;
}

static void trouble(struct stage *s, enum carried verdict, const char *why) {
    outcome_trouble_with(&s->outcome, verdict, "cannot fetch", buf_view(&s->fetch->clean), why);
}

static bool cannot_keep(struct stage *s, int error) {
    outcome_trouble_with(&s->outcome, CARRY_UNKEPT, "cannot keep", buf_view(&s->fetch->to),
                         strerror(error));
    return false;
}

/* A directory here, once. It must not be one only by a link that a host has sent before. */
static bool make_directory(struct stage *s, struct str name, const struct marks *marks) {
    struct fetching *f = s->fetch;
    static const struct marks usual = {.mode = 0777};
    bool preserve = marks != NULL && preserves(s);
    if (name.n == 0 || map_get(&f->made, name) != NULL)
        return true;
    struct str own = arena_str(&s->arena, name);
    int error = landing_make_directory(f->landing, own, marks != NULL ? marks : &usual, preserve);
    *map_put(&f->made, own) = s;
    if (error != 0)
        trouble(s, CARRY_UNKEPT, strerror(error));
    return error == 0;
}

/* Of an entry in a directory: where it goes, in f->to. NULL: it was not asked for. */
static struct wanted *find_in_tree(struct stage *s, const struct leg *leg, struct wanted *w) {
    struct fetching *f = s->fetch;
    struct str name = buf_view(&f->clean), root = leg->items.v[0];
    if (!str_starts(name, root) || (name.n > root.n && root.n != 0 && name.s[root.n] != '/'))
        return NULL;
    struct str rest = {name.s + root.n, name.n - root.n};
    if (rest.n != 0 && rest.s[0] == '/')
        rest = (struct str){rest.s + 1, rest.n - 1};
    if (rest.n != 0)
        cargo_join(w->to, rest, &f->to);
    else
        buf_str(&f->to, w->to);
    unsigned depth = 0;
    for (size_t i = 0; i < rest.n && !s->outcome.stopping; i++) {
        if (rest.s[i] != '/')
            continue;
        if (++depth >= CARGO_DEPTH)
            trouble(s, CARRY_FAILED, "the directories are too deep");
        else
            make_directory(s, (struct str){f->to.s, f->to.n - rest.n + i}, NULL);
    }
    if (rest.n != 0 && !s->outcome.stopping)
        make_directory(s, w->to, NULL);
    return w;
}

static struct wanted *find_wanted(struct stage *s) {
    struct fetching *f = s->fetch;
    const struct leg *leg = s->legs.v[f->leg - 1];
    buf_clear(&f->to);
    if (leg->alone)
        return find_in_tree(s, leg, wanted_of_leg(f, 0));
    size_t place = (size_t)(uintptr_t)map_get(&leg->places, buf_view(&f->clean));
    struct wanted *w = place != 0 ? wanted_of_leg(f, place - 1) : NULL;
    if (w != NULL)
        buf_str(&f->to, w->to);
    return w;
}

static bool begin_file(struct stage *s, uint64_t size) {
    struct fetching *f = s->fetch;
    if (s->errand->tally != NULL)
        s->errand->tally->expected += size;
    if (!landing_has_room(buf_view(&f->to), size)) {
        trouble(s, CARRY_UNKEPT, "it says that it is larger than what is free here");
        return false;
    }
    f->fd = temporary_open(buf_view(&f->to), (mode_t)f->marks.mode, &f->temporary);
    if (f->fd < 0) {
        int error = errno;
        buf_clear(&f->temporary);
        return cannot_keep(s, error);
    }
    f->size = size;
    f->end = 0;
    f->sparse = false;
    return true;
}

bool stage_take_bytes(void *context, uint64_t offset, struct str bytes) {
    struct stage *s = context;
    struct fetching *f = s->fetch;
    int error = landing_write(f->fd, bytes, offset, &f->sparse);
    stage_sum_add_zeros(f->sum, offset - f->end); /* no more than there is room for here */
    stage_sum_add(f->sum, bytes);
    f->end = offset + bytes.n;
    if (s->errand->tally != NULL)
        s->errand->tally->bytes += bytes.n;
    return error == 0 || cannot_keep(s, error);
}

bool stage_take_end(void *context) {
    struct stage *s = context;
    struct fetching *f = s->fetch;
    int fd = f->fd, error = 0;
    struct str name = arena_str(&s->arena, buf_view(&f->clean));
    f->fd = -1;
    if (f->sum != NULL) {
        stage_sum_add_zeros(f->sum, f->size - f->end);
        stage_sum_file(f->sum, name);
        *vec_push(&f->summed) = (struct summed){name, f->size};
    }
    if ((f->sparse || f->end != f->size) && ftruncate(fd, (off_t)f->size) != 0)
        error = errno;
    if (error == 0)
        error = landing_mark(fd, &f->marks, preserves(s));
    if (f->many || error != 0) {
        if (close(fd) != 0 && error == 0)
            error = errno;
        fd = -1;
    }
    if (error != 0)
        return cannot_keep(s, error);
    landing_add(f->landing, &f->temporary, buf_view(&f->to), fd);
    *map_put(&f->landed, name) = (void *)(uintptr_t)landing_count(f->landing);
    if (s->errand->tally != NULL)
        s->errand->tally->files++;
    return true;
}

/* A link comes as a link, wherever it points to: nothing here goes through it. */
static bool take_link(struct stage *s, const struct tar_entry *e) {
    struct fetching *f = s->fetch;
    if (e->link.n == 0 || e->link.n >= WANTED_NAME) {
        trouble(s, CARRY_FAILED, "the host gives a link that is none");
        return false;
    }
    int error = temporary_link(buf_view(&f->to), e->link.s, &f->temporary);
    if (error != 0) {
        buf_clear(&f->temporary);
        return cannot_keep(s, error);
    }
    landing_add(f->landing, &f->temporary, buf_view(&f->to), -1);
    return true;
}

/* A second name of a file that has come: it gets a content of its own. */
static bool take_second_name(struct stage *s, const struct tar_entry *e) {
    struct fetching *f = s->fetch;
    struct buf clean = {0};
    bool good = stage_clean(e->link, &clean);
    size_t place = good ? (size_t)(uintptr_t)map_get(&f->landed, buf_view(&clean)) : 0;
    buf_free(&clean);
    if (place == 0) {
        trouble(s, CARRY_FAILED, "the host gives it the content of what it has not sent");
        return false;
    }
    int fd = open(landing_temporary(f->landing, place - 1).s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !begin_file(s, (uint64_t)st.st_size)) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return s->outcome.stopping ? false : cannot_keep(s, error);
    }
    char bytes[64 * 1024];
    ssize_t n = 0;
    for (uint64_t at = 0; good && (n = pread(fd, bytes, sizeof bytes, (off_t)at)) != 0;
         at += (uint64_t)n)
        good =
            n > 0 ? stage_take_bytes(s, at, (struct str){bytes, (size_t)n}) : cannot_keep(s, errno);
    close(fd);
    return good && stage_take_end(s);
}

static bool take_in_tree(struct stage *s, const struct tar_entry *e) {
    struct fetching *f = s->fetch;
    if (e->kind == TAR_DIRECTORY)
        return make_directory(s, buf_view(&f->to), &f->marks);
    if (f->clean.n == s->legs.v[f->leg - 1]->items.v[0].n) {
        trouble(s, CARRY_FAILED, "the host said that it is a directory, and sends something else");
        return false;
    }
    if (e->kind == TAR_OTHER) {
        trouble(s, CARRY_FAILED, "there is something that is no file, directory or link");
        return false;
    }
    if (e->kind != TAR_SYMLINK)
        *vec_push(&f->files) = arena_str(&s->arena, buf_view(&f->to));
    return e->kind == TAR_SYMLINK    ? take_link(s, e)
           : e->kind == TAR_HARDLINK ? take_second_name(s, e)
                                     : begin_file(s, e->size);
}

/* Two must not become one. */
static bool take_name(struct stage *s) {
    struct fetching *f = s->fetch;
    struct map_entry *e = map_at(&f->taken, buf_view(&f->to));
    if (e->value == NULL) {
        e->key = arena_str(&s->arena, buf_view(&f->to));
        e->value = (void *)arena_str(&s->arena, buf_view(&f->clean)).s;
        return true;
    }
    struct buf names = {0};
    buf_visible(&names, str_of(e->value));
    buf_puts(&names, " and ");
    buf_visible(&names, buf_view(&f->clean));
    buf_puts(&names, " would both become ");
    buf_visible(&names, buf_view(&f->to));
    outcome_trouble(&s->outcome, CARRY_FAILED, "%s", names.s);
    buf_free(&names);
    return false;
}

bool stage_take_entry(void *context, const struct tar_entry *e) {
    struct stage *s = context;
    struct fetching *f = s->fetch;
    buf_clear(&f->clean);
    bool good = e->name.n <= WANTED_NAME && stage_clean(e->name, &f->clean);
    struct wanted *w = good ? find_wanted(s) : NULL;
    if (w == NULL) {
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "the host sends what was not asked for",
                             e->name, "it is left out");
        return false;
    }
    f->name_bytes += e->name.n;
    if (++f->names > CARGO_MOST || f->name_bytes > WANTED_NAMES)
        trouble(s, CARRY_FAILED, "there are too many files");
    else if (e->kind != TAR_DIRECTORY &&
             (w->tree ? map_get(&f->landed, buf_view(&f->clean)) != NULL : w->came))
        trouble(s, CARRY_FAILED, "the host sends it twice");
    w->came = true;
    f->marks = (struct marks){e->mode & 0777, e->modified, e->modified};
    if (s->outcome.stopping || (e->kind != TAR_DIRECTORY && !take_name(s)))
        return false;
    if (w->tree)
        return take_in_tree(s, e);
    if (e->kind == TAR_HARDLINK)
        return take_second_name(s, e);
    if (e->kind == TAR_FILE)
        return begin_file(s, e->size);
    stage_not_regular(s, w->from);
    return false;
}
