#include "carry/stage_state.h"

#include "base/mem.h"
#include "base/shell.h"

#include <stdlib.h>
#include <string.h>

enum {
    SAID = 2048,                   /* is kept of what a script complains of */
    COMPLAINTS = 64 * 1024 * 1024, /* may come of that: a line for each file is much */
    IN_VAIN = 1024 * 1024,         /* may come that nobody wants, or wants any more */
    WORDS = 32 * 1024,             /* bytes of them that one command is given */
    LONG_SCRIPT = 4 * 1024,        /* bytes: a shell that reads a request takes them one by one */
    LONGER_SCRIPT = 32 * 1024,     /* where that is put up with, since it can be signalled then */
};
#define LAST_GRACE (5 * SECOND) /* for a script there that was killed */

/* --- its end --- */

static void release(struct stage *s) {
    loop_timer_clear(s->loop, &s->turn);
    loop_timer_clear(s->loop, &s->harder);
    for (size_t i = 0; i < s->legs.n; i++) {
        vec_free(&s->legs.v[i]->items);
        map_free(&s->legs.v[i]->places);
    }
    vec_free(&s->legs);
    map_free(&s->bases);
    if (s->send != NULL)
        stage_send_free(s->send);
    if (s->fetch != NULL)
        stage_fetch_free(s->fetch);
    buf_free(&s->outcome.why);
    buf_free(&s->said);
    buf_free(&s->script);
    arena_free(&s->arena);
    free(s);
}

void stage_free(struct stage *s) {
    if (s != NULL)
        release(s);
}

static void end(struct stage *s) {
    struct errand *e = s->errand;
    struct outcome outcome = s->outcome;
    s->outcome.why = (struct buf){0};
    if (!outcome.stopping && s->fetch != NULL)
        stage_fetch_done(s);
    release(s);
    outcome_tell(outcome, e);
}

/* Its first line: the last one of a tar says only that it has failed. */
void stage_trouble_there(struct stage *s, enum carried verdict, const char *what) {
    struct buf shown = {0};
    const char *newline = s->said.n != 0 ? memchr(s->said.s, '\n', s->said.n) : NULL;
    size_t n = newline != NULL ? (size_t)(newline - s->said.s) : s->said.n;
    buf_visible(&shown, (struct str){s->said.s, n < 200 ? n : 200});
    if (n != 0)
        outcome_trouble(&s->outcome, verdict, "%s: %s", what, shown.s);
    else
        outcome_trouble(&s->outcome, verdict, "%s", what);
    buf_free(&shown);
}

/* --- turns --- */

void stage_go(struct stage *s) {
    loop_timer(s->loop, &s->turn, loop_now(s->loop));
}

static void turn(void *arg) {
    struct stage *s = arg;
    if (!s->outcome.stopping && (s->send != NULL ? stage_send_next(s) : stage_fetch_next(s)))
        return;
    if (!s->running)
        end(s);
}

/* The slot breaks by it. */
static void too_slow(void *arg) {
    struct stage *s = arg;
    slot_give_up(s->slot, "it does not end what runs there");
}

struct stage *stage_begin(struct loop *loop, struct slot *slot, struct errand *errand) {
    struct stage *s = mem_zalloc(sizeof *s);
    *s = (struct stage){.loop = loop, .slot = slot, .errand = errand};
    s->turn = (struct timer){.expired = turn, .arg = s};
    s->harder = (struct timer){.expired = too_slow, .arg = s};
    if (errand->kind == ERRAND_SEND)
        s->send = stage_send_new();
    else
        s->fetch = stage_fetch_new(loop);
    stage_go(s);
    return s;
}

/* It goes on and on. A script that takes a stream has no end but that of the slot. */
static void kill_script(struct stage *s) {
    s->killed = true;
    outcome_trouble(&s->outcome, CARRY_LOST, "the host goes on and on");
    if (s->send != NULL) {
        too_slow(s);
        return;
    }
    slot_signal(s->slot, true);
    loop_timer(s->loop, &s->harder, loop_now(s->loop) + LAST_GRACE);
}

void stage_output(struct stage *s, enum stream stream, struct str bytes) {
    if (stream == STREAM_ERR) {
        s->complained += bytes.n;
        buf_add(&s->said, bytes.s, bytes.n < SAID - s->said.n ? bytes.n : SAID - s->said.n);
    } else if (s->outcome.stopping) {
        s->in_vain += bytes.n;
    } else if (s->send != NULL) {
        s->in_vain += bytes.n;
        stage_send_take(s, bytes);
    } else {
        stage_fetch_take(s, bytes);
    }
    if ((s->in_vain > IN_VAIN || s->complained > COMPLAINTS) && s->running && !s->killed)
        kill_script(s);
}

void stage_ended(struct stage *s, int status) {
    s->running = false;
    loop_timer_clear(s->loop, &s->harder);
    if (!s->outcome.stopping && s->send != NULL)
        stage_send_ended(s, status);
    else if (!s->outcome.stopping)
        stage_fetch_ended(s, status);
    stage_go(s);
}

void stage_unable(struct stage *s, const char *reason) {
    s->running = false;
    loop_timer_clear(s->loop, &s->harder);
    outcome_trouble(&s->outcome, CARRY_LOST, "%s", reason);
    stage_go(s);
}

void stage_broken(struct stage *s, const char *reason) {
    s->running = false;
    loop_timer_clear(s->loop, &s->harder);
    s->slot = NULL;
    if (s->said.n != 0)
        stage_trouble_there(s, CARRY_LOST, reason);
    else
        outcome_trouble(&s->outcome, CARRY_LOST, "%s", reason);
    stage_go(s);
}

void stage_give_up(struct stage *s) {
    outcome_trouble(&s->outcome, CARRY_LOST, "given up");
    if (s->running)
        slot_give_up(s->slot, "given up");
    else
        stage_go(s);
}

/* --- legs --- */

bool stage_leaves(struct str name) {
    bool leaves = name.n != 0 && name.s[0] == '/';
    struct str part;
    for (size_t at = 0; !leaves && str_component(name, &at, &part);)
        leaves = str_eq(part, STR(".."));
    return leaves;
}

struct str stage_parent(struct str name) {
    const char *slash = bytes_last(name.s, '/', name.n);
    return (struct str){name.s, slash != NULL ? (size_t)(slash - name.s) : 0};
}

bool stage_clean(struct str name, struct buf *out) {
    if (stage_leaves(name))
        return false;
    size_t start = out->n;
    struct str part;
    for (size_t at = 0; str_component(name, &at, &part);) {
        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        if (out->n != start)
            buf_putc(out, '/');
        buf_str(out, part);
    }
    return true;
}

/* The leg that takes names of that base and kind; or its place. */
static void **find_leg(struct stage *s, struct str base, bool preserve) {
    struct buf key = {0};
    buf_putc(&key, preserve ? 'p' : '-');
    buf_str(&key, base);
    struct map_entry *e = map_at(&s->bases, buf_view(&key));
    if (e->value == NULL)
        e->key = arena_str(&s->arena, buf_view(&key));
    buf_free(&key);
    return &e->value;
}

struct leg *stage_leg(struct stage *s, struct str base, struct str name, bool alone, bool preserve,
                      size_t *place) {
    struct buf text = {0};
    if (!stage_clean(name, &text)) {
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot carry", name,
                             "it is a name that is none");
        return NULL;
    }
    struct str clean = arena_str(&s->arena, buf_view(&text));
    buf_free(&text);
    void **known = alone ? NULL : find_leg(s, base, preserve);
    struct leg *leg = alone ? NULL : *known;
    if (leg == NULL || (s->fetch != NULL && map_get(&leg->places, clean) != NULL)) {
        leg = arena_alloc(&s->arena, sizeof *leg);
        *leg = (struct leg){.base = arena_str(&s->arena, base),
                            .alone = alone,
                            .preserve = preserve,
                            .number = s->legs.n};
        *vec_push(&s->legs) = leg;
        if (!alone)
            *known = leg;
    }
    *place = leg->items.n;
    *vec_push(&leg->items) = clean;
    *map_put(&leg->places, clean) = (void *)(uintptr_t)leg->items.n;
    return leg;
}

/* --- scripts --- */

void stage_word(struct buf *script, struct str prefix, struct str name) {
    struct buf word = {0};
    buf_str(&word, prefix);
    buf_str(&word, name);
    buf_putc(script, ' ');
    shell_insert(script, SHELL_BARE, buf_view(&word));
    buf_free(&word);
}

void stage_words_end(struct words *w) {
    if (w->begun != SIZE_MAX)
        buf_puts(w->script, w->end);
    w->begun = SIZE_MAX;
}

void stage_words_add(struct words *w, struct str prefix, struct str name) {
    if (w->begun != SIZE_MAX && w->script->n - w->begun > (w->most != 0 ? w->most : WORDS))
        stage_words_end(w);
    if (w->begun == SIZE_MAX) {
        w->begun = w->script->n;
        buf_puts(w->script, w->command);
    }
    stage_word(w->script, prefix, name);
}

void stage_enter(const struct leg *leg, struct buf *script) {
    if (leg->base.n == 0)
        return;
    buf_puts(script, "CDPATH= cd --");
    stage_word(script, STR(""), leg->base);
    buf_putc(script, '\n');
}

void stage_want_tar(struct buf *script) {
    buf_puts(script, "command -v tar >/dev/null || {\n"
                     "    echo 'there is no tar: install it, or say `stage: none` where the same "
                     "files are there' >&2\n"
                     "    exit 127\n"
                     "}\n");
}

/* A put_source. */
static size_t read_script(void *context, char *bytes, size_t n) {
    struct stage *s = context;
    size_t left = s->script.n - s->script_at;
    n = n < left ? n : left;
    memcpy(bytes, s->script.s + s->script_at, n);
    s->script_at += n;
    return n;
}

void stage_run(struct stage *s, struct str where, struct buf *script) {
    buf_clear(&s->said);
    s->running = true;
    s->to_hear = s->to_hear && script->n < LONGER_SCRIPT;
    if (script->n < LONG_SCRIPT || s->to_hear) {
        slot_run(s->slot, where, buf_view(script), NULL, false);
        buf_free(script);
        return;
    }
    buf_free(&s->script);
    s->script = *script;
    s->script_at = 0;
    *script = (struct buf){0};
    slot_put(s->slot, where, STR("s=$(cat; echo .)\neval \"${s%.}\"\n"), s->script.n,
             &(struct put_source){s, read_script, 0});
    slot_feed(s->slot);
}
