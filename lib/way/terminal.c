#include "way/terminal.h"

#include "base/mem.h"
#include "loop/console.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE = 16 * 1024, /* is shown before more is taken */
    TYPED = 4096,
    CAREFUL = 512, /* as much POLLOUT promises room for */
};
#define LAST_WORDS (2 * SECOND) /* for what comes when the command has ended */
#define OPENING_DEADLINE (30 * SECOND)
#define BEHIND (200 * MILLISECOND) /* between looks whether we are in front again */

struct terminal {
    struct loop *loop;
    const struct watcher *watcher;
    struct prompt *claim; /* NULL: it is not ours, nor asked for */
    void (*granted)(void *arg, const char *why_not);
    void *arg;
    struct terminal_events events;
    enum { CLAIMING, GRANTED, OPENING, JOINED, OVER } state;
    int fd;
    struct termios usual;
    bool raw;  /* it is not as usual */
    bool dead; /* nobody sees what we show */
    struct watch keys, screen;
    struct channel *channel;
    char typed[TYPED], said[PIECE];
    size_t typed_at, typed_n, said_at, said_n;
    struct timer again, last, news;
    const char *why_not;
};

/* --- here --- */

static void look_for_keys(struct terminal *t, bool look) {
    loop_unwatch(t->loop, &t->keys);
    if (look && t->raw && t->typed_n == 0)
        loop_watch(t->loop, &t->keys);
}

static void enter(struct terminal *t) {
    if (!console_is_ours()) { /* when we were stopped, and go on in the background */
        loop_timer(t->loop, &t->again, loop_now(t->loop) + BEHIND);
        return;
    }
    struct termios raw = t->usual;
    console_make_raw(&raw);
    watcher_terminal(t->watcher, &t->usual, &raw);
    t->raw = true;
    console_set(t->fd, &raw);
    look_for_keys(t, true);
}

static void leave(struct terminal *t) {
    loop_timer_clear(t->loop, &t->again);
    look_for_keys(t, false);
    if (!t->raw)
        return;
    console_set(t->fd, &t->usual);
    t->raw = false;
    watcher_terminal(t->watcher, NULL, NULL);
}

static void look_again(void *arg) {
    struct terminal *t = arg;
    enter(t);
    terminal_resized(t);
}

static void key_ready(void *arg, short revents) {
    (void)revents;
    struct terminal *t = arg;
    ssize_t n = console_read(t->fd, t->typed, sizeof t->typed);
    if (n > 0) {
        t->typed_n = (size_t)n;
        channel_kick(t->channel);
    }
    if (n >= 0 || (errno != EAGAIN && errno != EINTR)) /* it is gone, or that is to be sent first */
        look_for_keys(t, false);
}

/* --- what comes --- */

static size_t write_some(struct terminal *t, const char *bytes, size_t n) {
    if (t->dead)
        return n;
    if (t->screen.fd != t->fd) {
        struct pollfd p = {.fd = t->screen.fd, .events = POLLOUT};
        if (poll(&p, 1, 0) != 1)
            return 0;
        n = n < CAREFUL ? n : CAREFUL;
    }
    ssize_t written = write(t->screen.fd, bytes, n);
    if (written < 0 && errno != EAGAIN && errno != EINTR)
        t->dead = true;
    return written > 0 ? (size_t)written : 0;
}

/* Shows what there is, as far as it can be shown now: true if that is all. */
static bool show(struct terminal *t) {
    size_t n = 1;
    while (t->said_at < t->said_n && n != 0) {
        n = write_some(t, t->said + t->said_at, t->said_n - t->said_at);
        t->said_at += n;
    }
    bool all = t->said_at == t->said_n;
    loop_unwatch(t->loop, &t->screen);
    if (all)
        t->said_at = t->said_n = 0;
    else
        loop_watch(t->loop, &t->screen);
    return all;
}

static void screen_ready(void *arg, short revents) {
    (void)revents;
    struct terminal *t = arg;
    if (show(t) && t->channel != NULL)
        channel_kick(t->channel);
}

/* --- there --- */

static void tell(void *arg) {
    struct terminal *t = arg;
    t->events.over(t->events.context, t->why_not);
}

static void finish(struct terminal *t, const char *why_not) {
    terminal_leave(t);
    t->why_not = why_not;
    loop_timer(t->loop, &t->news, loop_now(t->loop)); /* not from within */
}

static bool open_channel(struct terminal *t) {
    switch (channel_state(t->channel)) {
    case CHANNEL_OPENING:
        return false;
    case CHANNEL_REFUSED:
        loop_timer_clear(t->loop, &t->last);
        channel_free(t->channel);
        t->channel = NULL;
        t->state = GRANTED;
        t->events.no_room(t->events.context);
        return false;
    case CHANNEL_FAILED:
        finish(t, "it gives no terminal (see PermitTTY in its sshd_config; what `launch` starts "
                  "must have /dev/ptmx, and find the same scratch directory each time)");
        return false;
    case CHANNEL_OPEN:
        break;
    }
    loop_timer_clear(t->loop, &t->last);
    t->state = JOINED;
    enter(t);
    terminal_resized(t);
    return true;
}

static bool send_typed(struct terminal *t) {
    size_t n = 0;
    if (t->typed_n == 0)
        return false;
    while (t->typed_at < t->typed_n &&
           (n = channel_write(t->channel, t->typed + t->typed_at, t->typed_n - t->typed_at)) != 0)
        t->typed_at += n;
    if (t->typed_at == t->typed_n) {
        t->typed_at = t->typed_n = 0;
        look_for_keys(t, true);
    }
    return n != 0;
}

static bool take_said(struct terminal *t) {
    bool moved = false;
    if (!show(t)) {
        channel_leave(t->channel);
        return false;
    }
    for (int i = 0; i < 4 && show(t); i++) {
        ssize_t n = channel_read(t->channel, (enum stream)(i % 2), t->said, sizeof t->said);
        t->said_n = n > 0 ? (size_t)n : 0;
        moved = moved || n > 0;
    }
    if (t->said_n == 0 && channel_ended(t->channel))
        finish(t, NULL);
    return moved;
}

static bool advance(void *arg) {
    struct terminal *t = arg;
    if (t->state == OPENING)
        return open_channel(t);
    if (t->state != JOINED)
        return false;
    bool sent = send_typed(t);
    return take_said(t) || sent;
}

/* --- from the outside --- */

static void claimed(void *arg, int fd) {
    struct terminal *t = arg;
    t->state = GRANTED;
    t->fd = t->keys.fd = fd;
    t->screen.fd = isatty(STDOUT_FILENO) ? fd : STDOUT_FILENO;
    if (tcgetattr(fd, &t->usual) == 0) {
        t->granted(t->arg, NULL);
        return;
    }
    t->granted(t->arg, "the terminal was lost");
}

static void refused(void *arg, const struct str *answer, const char *why_not) {
    (void)answer;
    struct terminal *t = arg;
    t->claim = NULL;
    t->state = OVER;
    t->granted(t->arg, why_not);
}

static void too_late(void *arg) {
    struct terminal *t = arg;
    if (t->state == OPENING)
        finish(t, "its terminal did not open within 30 s");
    else if (t->said_n != 0) /* who reads it may take as long as it likes */
        loop_timer(t->loop, &t->last, loop_now(t->loop) + LAST_WORDS);
    else
        finish(t, NULL);
}

struct terminal *terminal_claim(struct loop *loop, struct prompter *prompter,
                                const struct watcher *watcher,
                                void (*granted)(void *arg, const char *why_not), void *arg) {
    struct terminal *t = mem_zalloc(sizeof *t);
    *t = (struct terminal){
        .loop = loop, .watcher = watcher, .granted = granted, .arg = arg, .fd = -1};
    t->keys = (struct watch){.fd = -1, .events = POLLIN, .ready = key_ready, .arg = t};
    t->screen = (struct watch){.fd = -1, .events = POLLOUT, .ready = screen_ready, .arg = t};
    t->again = (struct timer){.expired = look_again, .arg = t};
    t->last = (struct timer){.expired = too_late, .arg = t};
    t->news = (struct timer){.expired = tell, .arg = t};
    t->claim = prompt_claim(prompter, claimed, refused, t);
    return t;
}

void terminal_join(struct terminal *t, struct way *w, struct str command, struct str place,
                   const struct terminal_events *events) {
    struct pty pty = {
        .command = command, .name = str_of(console_name()), .place = place, .usual = &t->usual};
    console_size(t->fd, &pty.columns, &pty.rows);
    t->events = *events;
    t->state = OPENING;
    loop_timer(t->loop, &t->last, loop_now(t->loop) + OPENING_DEADLINE);
    t->channel = channel_open_pty(w, &pty, (struct party){advance, t});
}

void terminal_lose(struct terminal *t) {
    finish(t, NULL);
}

bool terminal_end(struct terminal *t) {
    if (t->state != JOINED)
        return true;
    if (t->last.index == 0)
        loop_timer(t->loop, &t->last, loop_now(t->loop) + LAST_WORDS);
    return false;
}

bool terminal_is_granted(const struct terminal *t) {
    return t->state == GRANTED;
}

void terminal_resized(struct terminal *t) {
    unsigned columns, rows;
    if (t->state != JOINED || !t->raw)
        return;
    console_size(t->fd, &columns, &rows);
    channel_resize(t->channel, columns, rows);
}

void terminal_pause(struct terminal *t) {
    if (t->state == JOINED)
        leave(t);
}

void terminal_resume(struct terminal *t) {
    if (t->state == JOINED && !t->raw)
        look_again(t);
}

void terminal_leave(struct terminal *t) {
    leave(t);
    loop_unwatch(t->loop, &t->screen);
    loop_timer_clear(t->loop, &t->last);
    loop_timer_clear(t->loop, &t->news);
    channel_free(t->channel);
    t->channel = NULL;
    if (t->claim != NULL)
        prompt_cancel(t->claim);
    t->claim = NULL;
    t->state = OVER;
}

void terminal_free(struct terminal *t) {
    if (t == NULL)
        return;
    terminal_leave(t);
    free(t);
}
