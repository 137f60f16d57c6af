#include "way/launcher.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct launcher {
    struct way base;
    struct loop *loop;
    struct children *children;
    struct way_events events;
    VEC(char *) shell; /* NULL at its end */
    enum { OPENING, READY, DEAD } state;
    bool for_good;
    struct buf reason;
    struct timer news;
};

static void fail(struct launcher *l, bool for_good, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct launcher *l, bool for_good, const char *fmt, ...) {
    if (l->state == DEAD)
        return;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&l->reason, fmt, ap);
    va_end(ap);
    l->for_good = for_good;
    l->state = DEAD;
    loop_timer(l->loop, &l->news, loop_now(l->loop));
}

/* That there is such a command shows with the first channel. */
static void tell(void *arg) {
    struct launcher *l = arg;
    if (l->state == DEAD) {
        l->events.lost(l->events.context, &l->base, l->for_good, l->reason.s);
    } else if (l->state == OPENING) {
        l->state = READY;
        l->events.ready(l->events.context, &l->base);
    }
}

/* A channel of a way that is lost: nothing comes of it. */
static enum channel_state never_open(struct channel *c) {
    (void)c;
    return CHANNEL_OPENING;
}

static void kick_none(struct channel *c) {
    (void)c;
}

static void free_none(struct channel *c) {
    free(c);
}

static const struct channel_table none = {
    .state = never_open, .kick = kick_none, .free = free_none};

static struct channel *open_channel(struct way *base, enum channel_kind kind, struct party party) {
    struct launcher *l = (struct launcher *)base;
    (void)kind; /* files go through shells: carriers are not opened on this way */
    struct channel *c = child_open(l->children, l->shell.v, party);
    if (c != NULL)
        return c;
    struct buf name = {0};
    buf_visible(&name, str_of(l->shell.v[0]));
    fail(l, errno == ENOENT || errno == EACCES || errno == ENOEXEC, "cannot run `%s`: %s", name.s,
         strerror(errno));
    buf_free(&name);
    c = mem_zalloc(sizeof *c);
    c->table = &none;
    return c;
}

static bool is_ready(const struct way *base) {
    return ((const struct launcher *)base)->state == READY;
}

static void drop(struct way *base, const char *reason) {
    fail((struct launcher *)base, false, "%s", reason);
}

static void close_way(struct way *base) {
    struct launcher *l = (struct launcher *)base;
    loop_timer_clear(l->loop, &l->news);
    vec_free(&l->shell);
    buf_free(&l->reason);
    free(l);
}

static void no_key(const struct way *base, struct buf *out) {
    (void)base;
    (void)out;
}

static const struct way_table table = {open_channel, is_ready, drop, close_way, no_key};

struct way *launcher_open(struct loop *loop, struct children *children, const str_list *words,
                          const struct way_events *events) {
    static char sh[] = "sh";
    struct launcher *l = mem_zalloc(sizeof *l);
    *l = (struct launcher){.base = {&table}, .loop = loop, .children = children, .events = *events};
    for (size_t i = 0; i < words->n; i++)
        *vec_push(&l->shell) = (char *)words->v[i].s;
    *vec_push(&l->shell) = sh;
    *vec_push(&l->shell) = NULL;
    l->news = (struct timer){.expired = tell, .arg = l};
    loop_timer(loop, &l->news, loop_now(loop));
    return &l->base;
}
