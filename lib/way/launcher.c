#include "way/launcher.h"

#include "base/mem.h"
#include "way/pty_relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAID_MOST = 16 * 1024, /* bytes of what a command says that are kept */
    LAST_WORDS = 300,      /* of these, at most so many are told */
};

struct launcher {
    struct way base;
    struct loop *loop;
    struct children *children;
    struct way_events events;
    struct launching words;
    struct channel *first; /* NULL: there is none, or it has ended */
    struct buf said;       /* by it */
    bool spoken;
    enum { OPENING, READY, DEAD } state;
    bool for_good;
    struct buf reason;
    struct timer news, late;
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

static void tell(void *arg) {
    struct launcher *l = arg;
    if (l->state == DEAD) {
        l->events.lost(l->events.context, &l->base, l->for_good, l->reason.s);
    } else if (l->state == OPENING) {
        l->state = READY;
        l->events.ready(l->events.context, &l->base);
    }
}

/* --- the command that keeps the way --- */

/* The end of what it said, on one line. */
static struct str last_words(struct launcher *l) {
    for (size_t i = 0; i < l->said.n; i++)
        if (l->said.s[i] == '\n' || l->said.s[i] == '\r')
            l->said.s[i] = ' ';
    struct str said = buf_view(&l->said);
    while (said.n != 0 && said.s[said.n - 1] == ' ')
        said.n--;
    if (said.n > LAST_WORDS)
        said = (struct str){said.s + said.n - LAST_WORDS, LAST_WORDS};
    return said;
}

static void first_ended(struct launcher *l) {
    struct buf why = {0};
    channel_free(l->first);
    l->first = NULL;
    buf_visible(&why, last_words(l));
    if (why.n == 0)
        buf_printf(&why, "`%s` ended", l->words.first.v[0].s);
    fail(l, l->words.is_final(why.s), "%s", why.s);
    buf_free(&why);
}

static bool hear_first(void *arg) {
    struct launcher *l = arg;
    char bytes[1024];
    ssize_t n = channel_read(l->first, STREAM_OUT, bytes, sizeof bytes);
    if (n > 0 && !l->spoken) {
        l->spoken = true;
        loop_timer_clear(l->loop, &l->late);
        loop_timer(l->loop, &l->news, loop_now(l->loop));
    }
    ssize_t said = channel_read(l->first, STREAM_ERR, bytes, sizeof bytes);
    if (said > 0) {
        if (l->said.n > SAID_MOST)
            buf_clear(&l->said);
        buf_add(&l->said, bytes, (size_t)said);
    }
    if (n <= 0 && said <= 0 && channel_ended(l->first)) {
        first_ended(l);
        return false;
    }
    return n > 0 || said > 0;
}

static void too_late(void *arg) {
    fail(arg, false, "it was not ready in time");
}

/* --- channels --- */

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

static struct channel *begin(struct launcher *l, const str_list *words, unsigned kind,
                             const struct pty *pty, struct party party) {
    struct channel *c = child_open(l->children, words, kind, pty, party);
    if (c != NULL)
        return c;
    struct buf name = {0};
    buf_visible(&name, words->v[0]);
    fail(l, errno == ENOENT || errno == EACCES || errno == ENOEXEC, "cannot run `%s`: %s", name.s,
         strerror(errno));
    buf_free(&name);
    return NULL;
}

static struct channel *or_none(struct channel *c) {
    if (c == NULL) {
        c = mem_zalloc(sizeof *c);
        c->table = &none;
    }
    return c;
}

static struct channel *open_channel(struct way *base, enum channel_kind kind, struct party party) {
    struct launcher *l = (struct launcher *)base;
    return or_none(kind == CHANNEL_SFTP
                       ? begin(l, &l->words.sftp, CHILD_LIFELINE | CHILD_MUCH, NULL, party)
                       : begin(l, &l->words.shell, CHILD_LIFELINE, NULL, party));
}

static struct channel *open_pty(struct way *base, const struct pty *pty, struct party party) {
    struct launcher *l = (struct launcher *)base;
    str_list words = {0};
    if (l->words.terminal.n == 0)
        return pty_relay_open(base, pty, party);
    for (size_t i = 0; i < l->words.terminal.n; i++)
        str_list_add(&words, l->words.terminal.v[i]);
    str_list_add(&words, pty->command);
    struct channel *c = begin(l, &words, CHILD_PLAIN, pty, party);
    str_list_free(&words);
    return or_none(c);
}

static bool is_ready(const struct way *base) {
    return ((const struct launcher *)base)->state == READY;
}

static void drop(struct way *base, const char *reason) {
    fail((struct launcher *)base, false, "%s", reason);
}

static void close_way(struct way *base) {
    struct launcher *l = (struct launcher *)base;
    channel_free(l->first);
    loop_timer_clear(l->loop, &l->news);
    loop_timer_clear(l->loop, &l->late);
    launching_free(&l->words);
    buf_free(&l->said);
    buf_free(&l->reason);
    free(l);
}

static void no_key(const struct way *base, struct buf *out) {
    (void)base;
    (void)out;
}

static const struct way_table table = {.open = open_channel,
                                       .open_pty = open_pty,
                                       .is_ready = is_ready,
                                       .drop = drop,
                                       .close = close_way,
                                       .key = no_key};

struct way *launcher_open(struct loop *loop, struct children *children, struct launching *words,
                          const struct way_events *events) {
    struct launcher *l = mem_zalloc(sizeof *l);
    *l = (struct launcher){
        .base = {&table}, .loop = loop, .children = children, .events = *events, .words = *words};
    *words = (struct launching){0};
    l->news = (struct timer){.expired = tell, .arg = l};
    l->late = (struct timer){.expired = too_late, .arg = l};
    if (l->words.first.n == 0) { /* that there is such a command shows with the first channel */
        loop_timer(loop, &l->news, loop_now(loop));
    } else {
        l->first = begin(l, &l->words.first, CHILD_PLAIN, NULL, (struct party){hear_first, l});
        if (l->first != NULL && l->words.leaves != NULL)
            child_leaves(l->first, l->words.leaves);
        loop_timer(loop, &l->late, loop_now(loop) + l->words.patience);
    }
    return &l->base;
}

void launching_free(struct launching *words) {
    str_list_free(&words->shell);
    str_list_free(&words->sftp);
    str_list_free(&words->terminal);
    str_list_free(&words->first);
    free(words->leaves);
}
