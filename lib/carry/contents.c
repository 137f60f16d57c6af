#include "carry/contents.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/signature.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 3 }; /* times that a file is read in vain */

/* A file that was asked for. */
struct content {
    struct contents *all; /* NULL: nobody waits any more */
    char *name;
    struct signature as; /* what it was like when it was read */
    enum { READING, KNOWN, UNREADABLE } state;
    unsigned in_vain; /* so often in a row it was not readable, or changed meanwhile */
    struct digest digest;
};

struct contents {
    struct loop *loop;
    struct map files; /* by name */
    VEC(struct content *) list;
    VEC(struct listener *) listeners;
};

struct contents *contents_new(struct loop *loop) {
    struct contents *c = mem_zalloc(sizeof *c);
    c->loop = loop;
    return c;
}

static void free_content(struct content *f) {
    free(f->name);
    free(f);
}

void contents_free(struct contents *c) {
    for (size_t i = 0; i < c->list.n; i++)
        if (c->list.v[i]->state == READING)
            c->list.v[i]->all = NULL; /* a thread has it; it is freed when that is done */
        else
            free_content(c->list.v[i]);
    vec_free(&c->list);
    vec_free(&c->listeners);
    map_free(&c->files);
    free(c);
}

/* In a thread. */
static void read_file(void *arg) {
    struct content *f = arg;
    struct stat before, after;
    int fd = open(f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &before) == 0 && S_ISREG(before.st_mode) &&
                hash_digest_descriptor(fd, &f->digest) == 0 && fstat(fd, &after) == 0;
    if (good) {
        struct signature was = signature_of_stat(&before, 0), is = signature_of_stat(&after, 0);
        good = signature_same_stat(&was, &is) && signature_same_stat(&f->as, &is);
    }
    if (fd >= 0)
        close(fd);
    if (!good)
        f->digest = (struct digest){0};
}

static void was_read(void *arg) {
    struct content *f = arg;
    if (f->all == NULL) {
        free_content(f);
        return;
    }
    f->state = f->digest.low == 0 && f->digest.high == 0 ? UNREADABLE : KNOWN;
    f->in_vain = f->state == KNOWN ? 0 : f->in_vain + 1;
    contents_ring(f->all);
}

enum contents_answer contents_ask(struct contents *c, struct str name, const struct stat *st,
                                  struct digest *digest) {
    struct signature is = signature_of_stat(st, 0);
    struct content *f = map_get(&c->files, name);
    if (f != NULL && f->state == READING)
        return CONTENTS_SOON;
    if (f == NULL) {
        f = mem_zalloc(sizeof *f);
        f->name = mem_alloc(name.n + 1);
        memcpy(f->name, name.s, name.n);
        f->name[name.n] = '\0';
        *vec_push(&c->list) = f;
        *map_put(&c->files, (struct str){f->name, name.n}) = f;
    } else if (signature_same_stat(&f->as, &is)) {
        *digest = f->digest;
        return f->state == KNOWN ? CONTENTS_KNOWN : CONTENTS_NONE;
    } else if (f->in_vain >= PATIENCE) {
        return CONTENTS_NONE;
    }
    f->all = c;
    f->as = is;
    f->state = READING;
    loop_aside(c->loop, read_file, was_read, f);
    return CONTENTS_SOON;
}

void contents_listen(struct contents *c, struct listener *l) {
    *vec_push(&c->listeners) = l;
    l->index = c->listeners.n;
}

void contents_unlisten(struct contents *c, struct listener *l) {
    if (l->index == 0)
        return;
    struct listener *last = c->listeners.v[--c->listeners.n];
    c->listeners.v[l->index - 1] = last;
    last->index = l->index;
    l->index = 0;
}

void contents_ring(struct contents *c) {
    for (size_t i = 0; i < c->listeners.n; i++)
        c->listeners.v[i]->ring(c->listeners.v[i]->arg);
}
