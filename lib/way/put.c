#include "way/put.h"

#include "base/mem.h"
#include "base/shell.h"
#include "far_end.h"
#include "loop/loop.h"

#include <stdlib.h>
#include <string.h>

enum {
    PORTION = 64 * 1024,
    EARLY = 256 * 1024,    /* bytes that are sent before anybody reads them */
    IN_VAIN = 1024 * 1024, /* as much may be sent though nobody reads it */
    LANES = 3, /* with the slot's own: four times the pace (keeper.sh has their pipes) */
    MUCH = 4 * 1024 * 1024, /* bytes: less is over before a lane is there */
    HEARD = 512,
    SAID_MAX = 64 * 1024, /* bytes: start-up files may say as much */
};

struct lane {
    struct put *put;
    struct channel *channel; /* NULL: it is no more */
    enum { OPENING, JOINING, JOINED } state;
    struct buf out; /* its script, then portions; and how much of it has been sent */
    size_t sent;
    struct buf pipe, said[2]; /* said: by it, or before it by others, on both streams */
};

struct put {
    struct channel *channel;  /* the slot's */
    struct put_source source; /* read NULL: there is no more */
    bool portions;
    uint64_t promised, early; /* bytes that are still to be sent; so many of them now */
    struct lane lanes[LANES];
    unsigned turn; /* whose it is: 0 is the slot's channel */
    bool broken;
};

struct put *put_new(struct channel *channel, uint64_t bytes, const struct put_source *source) {
    struct put *p = mem_zalloc(sizeof *p);
    *p = (struct put){.channel = channel,
                      .source = *source,
                      .portions = bytes == PUT_AS_MANY,
                      .promised = bytes,
                      .early = EARLY};
    return p;
}

static void close_lane(struct lane *l) {
    channel_free(l->channel);
    l->channel = NULL;
}

void put_free(struct put *p) {
    if (p == NULL)
        return;
    for (size_t i = 0; i < LANES; i++) {
        close_lane(&p->lanes[i]);
        buf_free(&p->lanes[i].out);
        buf_free(&p->lanes[i].pipe);
        buf_free(&p->lanes[i].said[0]);
        buf_free(&p->lanes[i].said[1]);
    }
    free(p);
}

/* --- lanes --- */

static bool is_free(const struct lane *l) {
    return l->channel != NULL && l->state == JOINED && l->out.n == 0;
}

/* What became of the bytes that it still has nobody knows. */
static void lose_lane(struct lane *l) {
    struct put *p = l->put;
    p->broken = p->broken || l->state == JOINED;
    close_lane(l);
    channel_kick(p->channel);
}

static bool open_lane(struct lane *l) {
    enum channel_state state = channel_state(l->channel);
    if (state == CHANNEL_REFUSED || state == CHANNEL_FAILED)
        lose_lane(l);
    if (state != CHANNEL_OPEN)
        return false;
    buf_puts(&l->out, "exec perl -e ");
    shell_quote(&l->out, str_of(lane_pl));
    buf_putc(&l->out, ' ');
    shell_quote(&l->out, buf_view(&l->pipe));
    buf_putc(&l->out, '\n');
    l->state = JOINING;
    return true;
}

static bool send_some(struct lane *l) {
    bool moved = channel_send(l->channel, &l->out, &l->sent);
    if (moved && l->out.n == 0)
        channel_kick(l->put->channel); /* it may have the next portion */
    return moved;
}

/* That it has come to its pipe, behind whatever start-up files have to say. */
static bool says_joined(const struct lane *l) {
    for (const char *at = l->said[0].s, *end = at + l->said[0].n;
         at != NULL && (at = memchr(at, '\036', (size_t)(end - at))) != NULL; at++) {
        struct str rest = {at + 1, (size_t)(end - at) - 1};
        if (str_starts(rest, buf_view(&l->pipe)))
            return true;
    }
    return false;
}

static bool listen(struct lane *l) {
    bool moved = false;
    for (int stream = 0; stream < 2; stream++) {
        struct buf *said = &l->said[stream];
        buf_reserve(said, HEARD);
        ssize_t n = channel_read(l->channel, (enum stream)stream, said->s + said->n, HEARD);
        said->n += n > 0 ? (size_t)n : 0;
        moved = moved || n > 0;
    }
    if (moved && l->state == JOINING && says_joined(l)) {
        l->state = JOINED;
        channel_kick(l->put->channel);
    }
    return moved;
}

static bool advance(void *arg) {
    struct lane *l = arg;
    if (l->state == OPENING && !open_lane(l))
        return false;
    bool moved = send_some(l);
    moved = listen(l) || moved;
    if (channel_ended(l->channel) || l->said[0].n + l->said[1].n > SAID_MAX)
        lose_lane(l);
    return moved;
}

unsigned put_lanes(const struct put *p) {
    return p->portions && p->source.about >= MUCH && channel_is_far(p->channel) ? LANES : 0;
}

void put_open_lanes(struct put *p, struct way *w, struct str pipes) {
    for (unsigned i = 0; i < put_lanes(p); i++) {
        struct lane *l = &p->lanes[i];
        l->put = p;
        buf_printf(&l->pipe, "%.*s.%u", (int)pipes.n, pipes.s, i + 1);
        l->channel = channel_open(w, CHANNEL_SHELL, (struct party){advance, l});
    }
}

/* --- what goes --- */

bool put_has_more(const struct put *p) {
    return p->promised != 0 && p->early != 0;
}

void put_feed(struct put *p) {
    p->early = UINT64_MAX;
}

bool put_is_broken(const struct put *p) {
    return p->broken;
}

/* Appends at most n bytes of what the source has; how many. */
static size_t draw_some(struct put *p, struct buf *out, size_t n) {
    size_t got = 0;
    buf_reserve(out, n);
    while (p->source.read != NULL && got < n) {
        size_t more = p->source.read(p->source.context, out->s + out->n + got, n - got);
        if (more == 0)
            p->source.read = NULL;
        got += more;
    }
    out->n += got;
    return got;
}

/* The first one that has nothing left to send, from the one whose turn it is; 0 never has. */
static unsigned choose_lane(struct put *p) {
    unsigned lane = p->turn;
    while (lane != 0 && !is_free(&p->lanes[lane - 1]))
        lane = (lane + 1) % (LANES + 1);
    p->turn = (lane + 1) % (LANES + 1);
    return lane;
}

static size_t draw_portion(struct put *p, struct buf *out) {
    size_t head = out->n;
    unsigned lane = p->source.read != NULL ? choose_lane(p) : 0;
    buf_add(out, "\0\0\0", 4);
    size_t n = draw_some(p, lane != 0 ? &p->lanes[lane - 1].out : out, PORTION);
    for (int i = 1; i < 4; i++)
        out->s[head + (size_t)i] = (char)(n >> (24 - 8 * i));
    if (n == 0)
        p->promised = 0;
    else
        out->s[head] = (char)lane;
    if (lane != 0)
        channel_kick(p->lanes[lane - 1].channel);
    return n;
}

static size_t draw_promised(struct put *p, struct buf *out) {
    static const char zeros[PORTION];
    size_t n = p->promised < PORTION ? (size_t)p->promised : PORTION, got = draw_some(p, out, n);
    buf_add(out, zeros, n - got);
    p->promised -= n;
    return n;
}

void put_draw(struct put *p, struct buf *out) {
    size_t n = p->portions ? draw_portion(p, out) : draw_promised(p, out);
    p->early -= n < p->early ? n : p->early;
}

bool put_end(struct put *p, struct buf *out) {
    p->source.read = NULL;
    if (!p->portions && p->promised > IN_VAIN)
        return false;
    while (p->promised != 0)
        put_draw(p, out);
    return true;
}
