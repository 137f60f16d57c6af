#include "way/slot.h"

#include "base/mem.h"
#include "base/shell.h"
#include "far_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NONCE = 32,                      /* characters: 128 bits */
    READ = 64 * 1024,                /* from a channel at once */
    SCRIPT_ARGUMENT_MAX = 90 * 1024, /* see local.c; a longer script goes through a file there */
    NOISE_MAX = 64 * 1024,           /* that a login shell may print before the keeper is ready */
    WORDS_MAX = 200,                 /* of that, or of the keeper, in a message */
    ROOT_MAX = 1024,                 /* the name of its directory there */
    MARK_MAX = 16 * 1024,            /* nothing that the keeper says of a step is longer */
};
#define READY_DEADLINE (30 * SECOND)

enum state { OPENING, WAITING, IDLE, RUNNING, LEAVING, CLOSED, BROKEN };

/* One of the two streams while a step runs: what belongs to the step stands between two marks. */
struct tap {
    enum { BEFORE, WITHIN, AFTER } at;
    struct buf held; /* read, not yet decided upon */
};

struct slot {
    struct loop *loop;
    struct slot_events events;
    struct way *way;
    struct channel *channel;
    enum state state;
    struct slot_options options;
    char id[NONCE + 1], nonce[NONCE + 1]; /* the slot's, the running step's */
    struct tap taps[2];
    struct buf to_send;
    size_t sent;
    bool eof_due, eof_sent;
    struct put *put;           /* what runs is given as its standard input; NULL: nothing */
    struct terminal *terminal; /* what runs has it; else NULL */
    bool table_laid;           /* it is waited for there */
    bool crowded;              /* it found no room on our own way */
    struct buf scratch;
    int status;         /* of the step that has ended */
    struct buf refusal; /* why it could not be started, or was ended there; empty: neither */
    struct buf noise;   /* the last line that came on standard output before it was ready */
    bool deserted;      /* who waited for its end there was killed */
    bool clean;
    bool adopts;
    double load;
    struct timer deadline;
    struct timer harder; /* against a step that does not end without its terminal */
    char *buffer;
};

static void make_nonce(char out[NONCE + 1]) {
    unsigned char bytes[NONCE / 2];
    if (getentropy(bytes, sizeof bytes) != 0)
        abort(); /* never fails for so few bytes on a system that has it */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void let_terminal_go(struct slot *s) {
    if (s->terminal != NULL)
        terminal_leave(s->terminal);
    s->terminal = NULL;
    loop_timer_clear(s->loop, &s->harder);
}

static void break_slot(struct slot *s, const char *reason) {
    if (s->state == BROKEN || s->state == CLOSED)
        return;
    let_terminal_go(s);
    bool leaving = s->state == LEAVING;
    s->state = leaving ? CLOSED : BROKEN;
    loop_timer_clear(s->loop, &s->deadline);
    if (!leaving)
        s->events.broken(s->events.context, s, reason);
}

/* --- sending --- */

static bool flush(struct slot *s) {
    return channel_send(s->channel, &s->to_send, &s->sent);
}

static bool send_some(struct slot *s) {
    bool moved = flush(s);
    for (int i = 0; i < 16 && s->to_send.n == 0 && s->put != NULL && put_has_more(s->put); i++) {
        put_draw(s->put, &s->to_send);
        moved = flush(s) || moved;
    }
    if (s->eof_due && !s->eof_sent && s->to_send.n == 0)
        s->eof_sent = channel_finish(s->channel);
    if (s->put != NULL && put_is_broken(s->put))
        break_slot(s, "a part of what was sent there was lost");
    return moved;
}

/* One word of a request, which is one line: newlines go as an expansion. */
static void add_word(struct buf *line, struct str word) {
    buf_putc(line, ' ');
    while (word.n != 0) {
        const char *newline = memchr(word.s, '\n', word.n);
        size_t n = newline != NULL ? (size_t)(newline - word.s) : word.n;
        shell_insert(line, SHELL_BARE, (struct str){word.s, n});
        if (newline != NULL) {
            buf_puts(line, "\"$_foray_nl\"");
            n++;
        }
        word = (struct str){word.s + n, word.n - n};
        if (word.n == 0)
            return;
    }
    buf_puts(line, "''");
}

static void request(struct slot *s, const char *line) {
    buf_puts(&s->to_send, line);
    buf_putc(&s->to_send, '\n');
    channel_kick(s->channel);
}

/* --- receiving --- */

static double parse_load(const char *text) {
    char *end;
    double load = strtod(text, &end);
    return end != text && load >= 0 && load < 1e6 ? load : -1;
}

static void make_no_sense(struct slot *s) {
    break_slot(s, "what the shell there says makes no sense");
}

/* What the keeper says of the step, on standard output: of its end, mostly. */
static void take_end(struct slot *s, const char *said) {
    struct tap *tap = &s->taps[STREAM_OUT];
    unsigned status;
    char left, load[32];
    if (sscanf(said, " %3u %c %31s", &status, &left, load) == 3 && status <= 255) {
        tap->at = AFTER;
        s->status = (int)status;
        s->clean = left == 'e';
        s->load = parse_load(load);
    } else if (strncmp(said, " - ", 3) == 0) {
        tap->at = AFTER;
        buf_visible(&s->refusal, (struct str){said + 3, strnlen(said + 3, WORDS_MAX)});
    } else if (strcmp(said, " !") == 0) {
        s->deserted = true;
    } else if (strcmp(said, " t") == 0 && s->terminal != NULL) {
        s->table_laid = true;
        slot_take_terminal(s, s->way);
    } else if (*said != '+') {
        make_no_sense(s);
    }
}

/* Where the next mark begins, or may begin: it is \036 and the nonce, and may have come in part. */
static size_t find_mark(const struct slot *s, const struct buf *held, size_t at) {
    for (const char *start; at < held->n; at = (size_t)(start - held->s) + 1) {
        start = memchr(held->s + at, '\036', held->n - at);
        if (start == NULL)
            break;
        size_t left = held->n - (size_t)(start - held->s) - 1;
        if (memcmp(start + 1, s->nonce, left < NONCE ? left : NONCE) == 0)
            return (size_t)(start - held->s);
    }
    return held->n;
}

/* Takes the marks out of what a stream has brought; gives the rest to the step. */
static void sift(struct slot *s, enum stream stream) {
    struct tap *tap = &s->taps[stream];
    struct buf *held = &tap->held;
    size_t at = 0;
    while (s->state == RUNNING) {
        size_t mark = find_mark(s, held, at);
        if (mark != at && tap->at == WITHIN)
            s->events.output(s->events.context, s, stream, (struct str){held->s + at, mark - at});
        at = mark;
        char *end = at < held->n ? memchr(held->s + at, '\n', held->n - at) : NULL;
        if (end == NULL)
            break;
        *end = '\0';
        const char *rest = held->s + at + 1 + NONCE; /* which has no newline */
        if (tap->at == BEFORE && *rest == '+')
            tap->at = WITHIN;
        else if (tap->at == WITHIN && stream == STREAM_ERR && *rest == '.')
            tap->at = AFTER;
        else if (stream == STREAM_OUT && (tap->at == WITHIN || strcmp(rest, " !") == 0))
            take_end(s, rest); /* who waited for it may have been killed before it began */
        at = (size_t)(end - held->s) + 1;
    }
    buf_drop(held, at);
    if (held->n > MARK_MAX) /* the step cannot know the nonce: this is the host */
        make_no_sense(s);
}

/* What is still to be sent of what a script was given is not read by it any more: much of it is not
 * sent in vain. */
static bool end_put(struct slot *s) {
    if (!put_end(s->put, &s->to_send)) {
        break_slot(s, "what was sent there was not read");
        return false;
    }
    put_free(s->put);
    s->put = NULL;
    buf_printf(&s->to_send, "go %s", s->nonce);
    request(s, "");
    return true;
}

static void check_ended(struct slot *s) {
    if (s->state != RUNNING)
        return;
    if (s->deserted) {
        break_slot(s, "the shell that waited for the step there was killed");
        return;
    }
    if (s->taps[0].at != AFTER || s->taps[1].at != AFTER)
        return;
    if (s->put != NULL && !end_put(s))
        return;
    if (s->terminal != NULL && !terminal_end(s->terminal))
        return;
    let_terminal_go(s);
    channel_widen(s->channel, false);
    s->state = IDLE;
    if (s->refusal.n != 0)
        s->events.unable(s->events.context, s, s->refusal.s);
    else
        s->events.ended(s->events.context, s, s->status, s->clean, s->load);
}

/* --- a step's terminal --- */

static void kill_step(void *arg) {
    slot_signal(arg, true);
}

/* Nothing runs yet, or what runs is to be lost. */
static void give_no_terminal(struct slot *s, const char *why_not) {
    if (s->refusal.n == 0)
        buf_puts(&s->refusal, why_not);
    kill_step(s);
}

static void no_room_for_terminal(void *context) {
    struct slot *s = context;
    if (s->crowded) {
        give_no_terminal(s, "it has no session left for a terminal (MaxSessions)");
        return;
    }
    s->crowded = true;
    s->events.no_room(s->events.context, s);
}

/* If the step has not ended, it has lost its terminal. */
static void terminal_over(void *context, const char *why_not) {
    struct slot *s = context;
    if (why_not != NULL) {
        give_no_terminal(s, why_not);
    } else if (s->taps[STREAM_OUT].at != AFTER) {
        slot_signal(s, false);
        loop_timer(s->loop, &s->harder, loop_now(s->loop) + GRACE);
    }
    check_ended(s);
}

void slot_take_terminal(struct slot *s, struct way *w) {
    struct terminal_events events = {s, no_room_for_terminal, terminal_over};
    struct buf command = {0}, script = {0};
    if (!s->table_laid || s->terminal == NULL || !terminal_is_granted(s->terminal))
        return;
    buf_str(&script, buf_view(&s->scratch));
    buf_puts(&script, "/terminal");
    buf_puts(&command, "exec perl ");
    shell_quote(&command, buf_view(&script));
    terminal_join(s->terminal, w, buf_view(&command), buf_view(&s->scratch), &events);
    buf_free(&command);
    buf_free(&script);
}

void slot_lose_terminal(struct slot *s) {
    static const char lost[] = "the connection for its terminal was lost";
    if (s->terminal == NULL || !s->crowded)
        return;
    if (!terminal_is_granted(s->terminal))
        terminal_lose(s->terminal);
    give_no_terminal(s, lost);
}

/* The last line of a text that says anything. */
static struct str last_line(struct str text) {
    while (text.n != 0 && (unsigned char)text.s[text.n - 1] <= ' ')
        text.n--;
    size_t start = text.n;
    while (start > 0 && text.s[start - 1] != '\n' && text.n - start < WORDS_MAX)
        start--;
    return (struct str){text.s + start, text.n - start};
}

/* The last line that a login shell has printed, in case it says why there is no keeper. */
static void keep_noise(struct slot *s, struct str text) {
    struct str line = last_line(text);
    if (line.n == 0)
        return;
    buf_clear(&s->noise);
    buf_add(&s->noise, line.s, line.n);
}

/* In bytes. */
static uint64_t parse_kib(const char *text) {
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    return end != text && *text != '-' && n < UINT64_MAX / 1024 ? n * 1024 : UINT64_MAX;
}

/* A line of the keeper's own, after its mark. */
static void take_word(struct slot *s, const char *said) {
    unsigned cores, adopts;
    unsigned long long memory; /* KiB */
    char load[32], disk[32];
    int at = 0;
    if (s->state == WAITING && strncmp(said, " no ", 4) == 0) {
        struct buf reason = {0};
        buf_visible(&reason, (struct str){said + 4, strnlen(said + 4, WORDS_MAX)});
        break_slot(s, reason.s);
        buf_free(&reason);
    } else if (s->state == WAITING &&
               sscanf(said, " ready %u %llu %31s %1u %n", &cores, &memory, load, &adopts, &at) ==
                   4 &&
               at > 0 && said[at] == '/' && strlen(said + at) <= ROOT_MAX) {
        buf_clear(&s->scratch);
        buf_puts(&s->scratch, said + at);
        s->adopts = adopts != 0;
        s->state = IDLE;
        loop_timer_clear(s->loop, &s->deadline);
        s->events.ready(s->events.context, s, cores, memory < UINT64_MAX / 1024 ? memory * 1024 : 0,
                        parse_load(load));
    } else if (s->state == IDLE && sscanf(said, " load %31s", load) == 1) {
        s->events.load(s->events.context, s, parse_load(load));
    } else if (s->state == IDLE && sscanf(said, " facts %31s %31s", load, disk) == 2) {
        s->events.facts(s->events.context, s, parse_kib(load), parse_kib(disk));
    } else if (s->state == WAITING) {
        make_no_sense(s);
    } else if (s->state == LEAVING && strcmp(said, " bye") == 0) {
        s->state = CLOSED;
    }
}

/* Where the keeper's own words begin, from `at` on: noise may stand before them, in the same line
 * too. The text's length: nowhere. */
static size_t find_words(const struct slot *s, const struct buf *text, size_t at) {
    for (const char *mark; at < text->n; at = (size_t)(mark - text->s) + 1) {
        mark = memchr(text->s + at, '\036', text->n - at);
        if (mark == NULL)
            break;
        if (strncmp(mark + 1, s->id, NONCE) == 0)
            return (size_t)(mark - text->s) + 1 + NONCE;
    }
    return text->n;
}

/* While nothing runs: the keeper's own lines; anything else is noise of the login shell, or of what
 * a step left. */
static void listen(struct slot *s) {
    struct buf line = {0}, *held = &s->taps[STREAM_OUT].held;
    size_t at = 0;
    for (;;) {
        size_t words = find_words(s, held, at);
        char *end = words < held->n ? memchr(held->s + words, '\n', held->n - words) : NULL;
        if (end == NULL) { /* only whole lines count */
            size_t noise = words < held->n ? words - NONCE - 1 : held->n;
            char *last = bytes_last(held->s + at, '\n', noise - at);
            if (last != NULL && s->state == WAITING)
                keep_noise(s, (struct str){held->s + at, (size_t)(last - held->s) - at});
            at = last != NULL ? (size_t)(last - held->s) + 1 : at;
            break;
        }
        buf_clear(&line);
        buf_add(&line, held->s + words, (size_t)(end - held->s) - words);
        at = (size_t)(end - held->s) + 1;
        take_word(s, line.s);
        if (s->state == RUNNING || s->state == CLOSED || s->state == BROKEN) {
            /* nothing of this is held any more */
            buf_free(&line);
            return;
        }
    }
    buf_free(&line);
    buf_drop(held, at);
    if (held->n > NOISE_MAX)
        buf_drop(held, held->n - NONCE - 2);
}

static void take(struct slot *s, enum stream stream, size_t n) {
    struct buf *held = &s->taps[stream].held;
    buf_add(held, s->buffer, n);
    if (s->state == RUNNING) {
        sift(s, stream);
        check_ended(s);
    } else if (stream == STREAM_OUT) {
        listen(s);
    } else if (s->state == IDLE || held->n > NOISE_MAX) {
        buf_clear(held); /* nobody's */
    }
}

/* What a login shell said last, for a message: complaints first. */
static void add_last_words(const struct slot *s, struct buf *out) {
    const struct buf *said[] = {&s->taps[STREAM_ERR].held, &s->taps[STREAM_OUT].held, &s->noise};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct str line = last_line(buf_view(said[i]));
        if (line.n == 0)
            continue;
        buf_puts(out, ": ");
        buf_visible(out, line);
        return;
    }
}

static bool receive_some(struct slot *s) {
    bool moved = false;
    if (s->state == RUNNING && s->options.held != NULL && *s->options.held) {
        channel_leave(s->channel);
        return false;
    }
    for (int stream = 0; stream < 2; stream++) {
        for (int i = 0; i < 4; i++) {
            ssize_t n = channel_read(s->channel, (enum stream)stream, s->buffer, READ);
            if (n <= 0)
                break;
            moved = true;
            take(s, (enum stream)stream, (size_t)n);
            if (s->state == BROKEN || s->state == CLOSED)
                return true;
        }
    }
    if (channel_ended(s->channel)) {
        struct buf reason = {0};
        buf_puts(&reason, s->state == WAITING ? "its shell ended before it was ready"
                                              : "the shell there was ended");
        if (s->state == WAITING)
            add_last_words(s, &reason);
        break_slot(s, reason.s);
        buf_free(&reason);
        return true;
    }
    return moved;
}

/* --- opening --- */

static void too_late(void *arg) {
    struct slot *s = arg;
    struct buf reason = {0};
    buf_puts(&reason, "its login shell was not ready within 30 s; see what its start-up files do");
    add_last_words(s, &reason);
    break_slot(s, reason.s);
    buf_free(&reason);
}

static bool open_channel(struct slot *s) {
    switch (channel_state(s->channel)) {
    case CHANNEL_OPENING:
        return false;
    case CHANNEL_REFUSED:
        s->state = BROKEN;
        loop_timer_clear(s->loop, &s->deadline);
        s->events.refused(s->events.context, s);
        return false;
    case CHANNEL_FAILED:
        break_slot(s, "it does not let us run a command");
        return false;
    case CHANNEL_OPEN:
        break;
    }
    s->state = WAITING;
    struct buf text = {0};
    buf_printf(&text, "_foray_id=%s _foray_ask=%s _foray_keep=%s _foray_tick=%u\n", s->id,
               s->options.count_cores ? "1" : "", s->options.keep_scratch ? "1" : "",
               s->options.silence / 3);
    buf_puts(&text, keeper_sh);
    buf_printf(&s->to_send, "_foray_sure=%s _foray_text=", s->options.perl_works ? "1" : "");
    shell_quote(&s->to_send, buf_view(&text));
    buf_puts(&s->to_send, " _foray_adopt=");
    shell_quote(&s->to_send, str_of(keeper_pl));
    buf_puts(&s->to_send, "\n");
    buf_puts(&s->to_send, keeper_start_sh);
    buf_free(&text);
    return true;
}

static bool advance(void *arg) {
    struct slot *s = arg;
    bool moved = false;
    switch (s->state) {
    case OPENING:
        return open_channel(s);
    case WAITING:
    case IDLE:
    case RUNNING:
    case LEAVING:
        moved = receive_some(s);
        if (s->state != BROKEN && s->state != CLOSED)
            moved = send_some(s) || moved;
        return moved;
    case CLOSED:
    case BROKEN:
        return false;
    }
    return false;
}

struct slot *slot_open(struct loop *loop, struct way *w, const struct slot_options *options,
                       const struct slot_events *events) {
    struct slot *s = mem_zalloc(sizeof *s);
    *s = (struct slot){.loop = loop, .events = *events, .options = *options};
    s->deadline = (struct timer){.expired = too_late, .arg = s};
    s->harder = (struct timer){.expired = kill_step, .arg = s};
    s->buffer = mem_alloc(READ);
    make_nonce(s->id);
    if (!options->patient)
        loop_timer(loop, &s->deadline, loop_now(loop) + READY_DEADLINE);
    s->way = w;
    s->channel = channel_open(w, CHANNEL_SHELL, (struct party){advance, s});
    return s;
}

void slot_free(struct slot *s) {
    let_terminal_go(s);
    put_free(s->put);
    channel_free(s->channel);
    loop_timer_clear(s->loop, &s->deadline);
    for (int i = 0; i < 2; i++)
        buf_free(&s->taps[i].held);
    buf_free(&s->to_send);
    buf_free(&s->scratch);
    buf_free(&s->refusal);
    buf_free(&s->noise);
    free(s->buffer);
    free(s);
}

struct str slot_scratch(const struct slot *s) {
    return buf_view(&s->scratch);
}

char *slot_first_directory(const struct slot *s) {
    struct buf name = {0};
    buf_str(&name, buf_view(&s->scratch));
    buf_puts(&name, "/0");
    return name.s;
}

bool slot_has_perl(const struct slot *s) {
    return s->adopts;
}

/* how: what the keeper calls it, beyond c and f. */
static void start(struct slot *s, struct str where, struct str script, const str_list *variables,
                  const char *how) {
    for (int i = 0; i < 2; i++) {
        s->taps[i].at = BEFORE;
        buf_clear(&s->taps[i].held);
    }
    buf_clear(&s->refusal);
    s->state = RUNNING;
    struct buf *b = &s->to_send;
    buf_puts(b, s->nonce);
    add_word(b, where);
    buf_puts(b, script.n > SCRIPT_ARGUMENT_MAX ? " f" : " c");
    buf_puts(b, how);
    add_word(b, script);
    for (size_t i = 0; variables != NULL && i < variables->n; i++)
        add_word(b, variables->v[i]);
    request(s, "");
}

void slot_run(struct slot *s, struct str where, struct str script, const str_list *variables,
              bool detach) {
    make_nonce(s->nonce);
    buf_puts(&s->to_send, "run ");
    start(s, where, script, variables, detach ? "d" : "");
}

void slot_run_on(struct slot *s, struct str where, struct str script, const str_list *variables,
                 struct terminal *t) {
    make_nonce(s->nonce);
    buf_puts(&s->to_send, "run ");
    s->terminal = t;
    s->table_laid = s->crowded = false;
    start(s, where, script, variables, "t");
}

void slot_resized(struct slot *s) {
    if (s->terminal != NULL)
        terminal_resized(s->terminal);
}

void slot_put(struct slot *s, struct str where, struct str script, uint64_t bytes,
              const struct put_source *source) {
    struct buf pipes = {0};
    make_nonce(s->nonce);
    s->put = put_new(s->channel, bytes, source);
    if (bytes == PUT_AS_MANY)
        buf_printf(&s->to_send, "put -%u ", put_lanes(s->put));
    else
        buf_printf(&s->to_send, "put %llu ", (unsigned long long)bytes);
    start(s, where, script, NULL, "");
    buf_printf(&pipes, "%s/%s", s->scratch.s, s->nonce);
    put_open_lanes(s->put, s->way, buf_view(&pipes));
    buf_free(&pipes);
}

void slot_widen(struct slot *s) {
    channel_widen(s->channel, true);
}

void slot_feed(struct slot *s) {
    if (s->put == NULL)
        return;
    put_feed(s->put);
    slot_go_on(s);
}

void slot_signal(struct slot *s, bool at_once) {
    if (s->state == RUNNING && s->put == NULL)
        request(s, at_once ? "kill" : "term");
}

void slot_give_up(struct slot *s, const char *reason) {
    break_slot(s, reason);
}

void slot_clean(struct slot *s, struct str directory) {
    buf_puts(&s->to_send, "clean");
    add_word(&s->to_send, directory);
    request(s, "");
}

void slot_leave(struct slot *s, const str_list *words) {
    buf_puts(&s->to_send, "leave");
    for (size_t i = 0; i < words->n; i++)
        add_word(&s->to_send, words->v[i]);
    request(s, "");
}

void slot_remove_left(struct slot *s) {
    request(s, "remove");
}

void slot_ask_load(struct slot *s) {
    if (s->state == IDLE)
        request(s, "load");
}

void slot_go_on(struct slot *s) {
    if (s->channel != NULL)
        channel_kick(s->channel);
}

void slot_ask_facts(struct slot *s) {
    if (s->state == IDLE)
        request(s, "facts");
}

void slot_ping(struct slot *s) {
    if ((s->state == IDLE || s->state == RUNNING) && s->to_send.n == 0 && s->put == NULL)
        request(s, "ping");
}

void slot_resume(struct slot *s) {
    if (s->terminal != NULL)
        terminal_resume(s->terminal);
}

void slot_pause(struct slot *s) {
    if (s->terminal != NULL)
        terminal_pause(s->terminal);
    if ((s->state == IDLE || s->state == RUNNING) && s->put == NULL)
        request(s, "hold");
}

void slot_close(struct slot *s) {
    if (s->state == IDLE)
        request(s, "end");
    else if (s->state != WAITING && s->state != RUNNING)
        return;
    s->state = LEAVING;
    s->eof_due = true;
    loop_timer_clear(s->loop, &s->deadline);
    channel_kick(s->channel);
}

bool slot_is_closed(const struct slot *s) {
    return s->state == CLOSED || s->state == BROKEN || s->state == OPENING;
}
