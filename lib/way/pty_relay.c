#include "way/pty_relay.h"

#include "base/mem.h"
#include "base/shell.h"
#include "far_end.h"

#include <stdlib.h>
#include <termios.h>

enum {
    PORTION = 255,
    WAITING_MOST = 4096, /* bytes that are not sent yet, before no more is taken */
};

struct relay {
    struct channel base;
    struct channel *channel;
    struct party party;
    struct buf out;
    size_t sent;
    bool made; /* the terminal */
};

/* As `stty -g` writes them, which differs from system to system. */
static void add_modes(struct buf *out, const struct termios *t) {
#ifdef __linux__
    buf_printf(out, "%x:%x:%x:%x", t->c_iflag, t->c_oflag, t->c_cflag, t->c_lflag);
    for (size_t i = 0; i < NCCS; i++)
        buf_printf(out, ":%x", t->c_cc[i]);
#else
    (void)t;
    buf_puts(out, "sane");
#endif
}

static bool advance(void *arg) {
    struct relay *r = arg;
    if (channel_state(r->channel) == CHANNEL_OPEN)
        channel_send(r->channel, &r->out, &r->sent);
    return r->party.advance(r->party.arg);
}

/* What is said before that it is there is no output of it. */
static enum channel_state state_of(struct channel *c) {
    struct relay *r = (struct relay *)c;
    enum channel_state state = channel_state(r->channel);
    char bytes[256];
    while (!r->made && state == CHANNEL_OPEN) {
        ssize_t err = channel_read(r->channel, STREAM_ERR, bytes, sizeof bytes),
                out = channel_read(r->channel, STREAM_OUT, bytes, 1);
        r->made = out > 0 && *bytes == '\036';
        if (out <= 0 && err <= 0)
            return channel_ended(r->channel) ? CHANNEL_FAILED : CHANNEL_OPENING;
    }
    return state;
}

static ssize_t read_some(struct channel *c, enum stream stream, void *bytes, size_t n) {
    return channel_read(((struct relay *)c)->channel, stream, bytes, n);
}

static void leave(struct channel *c) {
    channel_leave(((struct relay *)c)->channel);
}

static size_t write_some(struct channel *c, const void *bytes, size_t n) {
    struct relay *r = (struct relay *)c;
    if (r->out.n - r->sent >= WAITING_MOST)
        return 0;
    if (n > PORTION)
        n = PORTION;
    buf_putc(&r->out, (char)n);
    buf_add(&r->out, bytes, n);
    channel_send(r->channel, &r->out, &r->sent);
    return n;
}

static void resize(struct channel *c, unsigned columns, unsigned rows) {
    struct relay *r = (struct relay *)c;
    const char size[] = {0, (char)(columns >> 8), (char)columns, (char)(rows >> 8), (char)rows};
    buf_add(&r->out, size, sizeof size);
    channel_kick(r->channel);
}

static bool finish(struct channel *c) {
    return channel_finish(((struct relay *)c)->channel);
}

static bool ended(struct channel *c) {
    return channel_ended(((struct relay *)c)->channel);
}

static void kick(struct channel *c) {
    channel_kick(((struct relay *)c)->channel);
}

static void free_relay(struct channel *c) {
    struct relay *r = (struct relay *)c;
    channel_free(r->channel);
    buf_free(&r->out);
    free(r);
}

static const struct channel_table table = {.state = state_of,
                                           .read = read_some,
                                           .leave = leave,
                                           .write = write_some,
                                           .finish = finish,
                                           .ended = ended,
                                           .kick = kick,
                                           .free = free_relay,
                                           .resize = resize};

struct channel *pty_relay_open(struct way *w, const struct pty *pty, struct party party) {
    struct relay *r = mem_zalloc(sizeof *r);
    *r = (struct relay){.base = {&table}, .party = party};
    buf_puts(&r->out, "exec perl -e ");
    shell_quote(&r->out, str_of(pty_relay_pl));
    buf_putc(&r->out, ' ');
    shell_quote(&r->out, pty->place);
    buf_printf(&r->out, " %u %u ", pty->columns, pty->rows);
    add_modes(&r->out, pty->usual);
    buf_putc(&r->out, '\n');
    r->channel = channel_open(w, CHANNEL_SHELL, (struct party){advance, r});
    return &r->base;
}
