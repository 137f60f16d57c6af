#include "way/prompt.h"

#include "base/mem.h"
#include "loop/console.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { ANSWER_MAX = 1024 };
#define BEHIND (200 * MILLISECOND) /* between looks whether we have the terminal (again) */
#define PATIENCE (30 * SECOND)     /* for that */

struct prompt {
    struct prompter *prompter;
    struct prompt *next;
    struct buf before, question;
    bool echo;
    prompt_answer *answer;
    void (*granted)(void *arg, int terminal); /* it is no question, but a claim; else NULL */
    void *arg;
};

struct prompter {
    struct loop *loop;
    void (*showing)(void *context, bool on);
    void *context;
    struct prompt *first, **last; /* the first one's turn it is */
    struct watch terminal;        /* fd -1: nothing stands on it */
    struct termios usual;
    struct buf typed;
    struct timer turn; /* to look after the first */
    int64_t since;     /* when it began to wait for the terminal; 0: it does not */
};

static void take_turn(void *arg);
static void typed(void *arg, short revents);

struct prompter *prompter_new(struct loop *loop, void (*showing)(void *context, bool on),
                              void *context) {
    struct prompter *p = mem_zalloc(sizeof *p);
    *p = (struct prompter){.loop = loop, .showing = showing, .context = context};
    p->last = &p->first;
    p->terminal = (struct watch){.fd = -1, .events = POLLIN, .ready = typed, .arg = p};
    p->turn = (struct timer){.expired = take_turn, .arg = p};
    return p;
}

void secret_free(struct buf *secret) {
    if (secret->s != NULL)
        OPENSSL_cleanse(secret->s, secret->cap);
    buf_free(secret);
}

static void set_terminal(struct prompter *p, const struct termios *how) {
    console_set(p->terminal.fd, how);
    console_forget_typed(p->terminal.fd);
}

static void say(struct prompter *p, struct str text) {
    console_write(p->terminal.fd, text);
}

/* Takes the question off the terminal. */
static void leave(struct prompter *p) {
    bool question = p->first->granted == NULL;
    if (p->terminal.fd < 0)
        return;
    if (question)
        set_terminal(p, &p->usual);
    loop_unwatch(p->loop, &p->terminal);
    close(p->terminal.fd);
    p->terminal.fd = -1;
    secret_free(&p->typed);
    if (question && p->showing != NULL)
        p->showing(p->context, false);
}

static void free_prompt(struct prompt *q) {
    buf_free(&q->before);
    buf_free(&q->question);
    free(q);
}

static void look_soon(struct prompter *p, int64_t wait) {
    if (p->first != NULL)
        loop_timer(p->loop, &p->turn, loop_now(p->loop) + wait);
    else
        loop_timer_clear(p->loop, &p->turn);
}

static void unlink_prompt(struct prompt *q) {
    struct prompter *p = q->prompter;
    struct prompt **at = &p->first;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
    if (*at == NULL)
        p->last = at;
}

void prompt_cancel(struct prompt *q) {
    struct prompter *p = q->prompter;
    bool current = p->first == q;
    if (current && p->terminal.fd >= 0 && q->granted == NULL)
        say(p, STR("\n"));
    if (current)
        leave(p);
    unlink_prompt(q);
    free_prompt(q);
    if (current) {
        p->since = 0;
        look_soon(p, 0);
    }
}

void prompter_free(struct prompter *p) {
    while (p->first != NULL)
        prompt_cancel(p->first);
    loop_timer_clear(p->loop, &p->turn);
    free(p);
}

/* Gives the first one its answer; the last thing done. */
static void settle(struct prompter *p, const struct str *answer, const char *why_not) {
    struct prompt *q = p->first;
    unlink_prompt(q);
    p->since = 0;
    look_soon(p, 0);
    q->answer(q->arg, answer, why_not);
    free_prompt(q);
}

/* A line may come in pieces: some terminals give what stands so far. */
static void typed(void *arg, short revents) {
    (void)revents;
    struct prompter *p = arg;
    buf_reserve(&p->typed, ANSWER_MAX + 1);
    size_t room = ANSWER_MAX - p->typed.n;
    ssize_t n = console_read(p->terminal.fd, p->typed.s + p->typed.n, room);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        p->typed.n += (size_t)n;
    bool whole = n > 0 && p->typed.s[p->typed.n - 1] == '\n';
    if (n > 0 && !whole && p->typed.n < ANSWER_MAX)
        return;
    struct buf line = p->typed;
    p->typed = (struct buf){0};
    if (!p->first->echo || n <= 0)
        say(p, STR("\n"));
    leave(p);
    struct str answer = {line.s, line.n - whole};
    /* A terminal that is gone, or was taken away, has no more answers; its end alone is an empty
     * one, as the user's ^D. */
    settle(p, n < 0 ? NULL : &answer, "the terminal was lost");
    secret_free(&line);
}

static void show(struct prompter *p) {
    struct prompt *q = p->first;
    struct termios how = p->usual;
    if (!q->echo)
        how.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    how.c_lflag |= ICANON | ISIG;
    how.c_cc[VSUSP] = _POSIX_VDISABLE; /* who is stopped cannot make the terminal as it was */
    if (p->showing != NULL)
        p->showing(p->context, true);
    set_terminal(p, &how);
    say(p, buf_view(&q->before));
    say(p, buf_view(&q->question));
    loop_watch(p->loop, &p->terminal);
}

static void take_turn(void *arg) {
    struct prompter *p = arg;
    int64_t now = loop_now(p->loop);
    if (p->first == NULL || p->terminal.fd >= 0)
        return;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &p->usual) != 0) {
        if (fd >= 0)
            close(fd);
        settle(p, NULL, "there is no terminal to ask on");
        return;
    }
    if (tcgetpgrp(fd) == getpgrp()) {
        p->terminal.fd = fd;
        if (p->first->granted != NULL)
            p->first->granted(p->first->arg, fd);
        else
            show(p);
        return;
    }
    close(fd);
    if (p->since == 0)
        p->since = now;
    if (now - p->since < PATIENCE)
        look_soon(p, BEHIND);
    else
        settle(p, NULL, "foray is not in the foreground of its terminal");
}

static void add_visible_lines(struct buf *out, struct str text, bool end) {
    while (text.n != 0) {
        const char *newline = memchr(text.s, '\n', text.n);
        size_t n = newline != NULL ? (size_t)(newline - text.s) : text.n;
        size_t shown = n != 0 && text.s[n - 1] == '\r' ? n - 1 : n;
        buf_visible(out, (struct str){text.s, shown});
        if (newline != NULL || end)
            buf_putc(out, '\n');
        n += newline != NULL;
        text = (struct str){text.s + n, text.n - n};
    }
}

static struct prompt *add_prompt(struct prompter *p, const struct prompt *what) {
    struct prompt *q = mem_alloc(sizeof *q);
    *q = *what;
    q->prompter = p;
    *p->last = q;
    p->last = &q->next;
    if (p->first == q)
        look_soon(p, 0);
    return q;
}

struct prompt *prompt_claim(struct prompter *p, void (*granted)(void *arg, int terminal),
                            prompt_answer *refused, void *arg) {
    return add_prompt(p, &(struct prompt){.granted = granted, .answer = refused, .arg = arg});
}

struct prompt *prompt_ask(struct prompter *p, struct str before, struct str question, bool echo,
                          prompt_answer *answer, void *arg) {
    struct prompt q = {.echo = echo, .answer = answer, .arg = arg};
    add_visible_lines(&q.before, before, true);
    add_visible_lines(&q.question, question, false);
    return add_prompt(p, &q);
}
