/* Files on their way from a host as a stream. First it is asked what there is; nothing comes that
 * was not asked for then. */
#include "base/mem.h"
#include "base/shell.h"
#include "carry/proof.h"
#include "carry/stage_wanted.h"
#include "far_end.h"

#include <string.h>
#include <unistd.h>

enum { ANSWER = 64 }; /* bytes that cksum says */

struct fetching *stage_fetch_new(struct loop *loop) {
    struct fetching *f = mem_zalloc(sizeof *f);
    f->landing = landing_new(loop);
    f->fd = -1;
    return f;
}

static void drop_file(struct fetching *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    if (f->temporary.n != 0)
        unlink(f->temporary.s);
    buf_clear(&f->temporary);
}

void stage_fetch_free(struct fetching *f) {
    drop_file(f);
    for (size_t i = 0; i < f->parts.n; i++)
        vec_free(&f->parts.v[i].wanted);
    vec_free(&f->parts);
    vec_free(&f->wanted);
    vec_free(&f->counts);
    vec_free(&f->files);
    vec_free(&f->summed);
    stage_sum_free(f->sum);
    buf_free(&f->answer);
    tar_reader_free(f->reader);
    unpacker_free(f->unpacker);
    gauge_free(f->gauge);
    landing_free(f->landing);
    map_free(&f->landed);
    map_free(&f->made);
    map_free(&f->taken);
    buf_free(&f->answers);
    buf_free(&f->clean);
    buf_free(&f->to);
    buf_free(&f->temporary);
    free(f);
}

/* --- asking for it --- */

/* GNU tar takes backslashes in the names that it is given for escapes, others do not. */
static void want_plain_names(const struct leg *leg, struct buf *script) {
    bool any = false;
    for (size_t i = 0; i < leg->items.n && !any; i++)
        any = memchr(leg->items.v[i].s, '\\', leg->items.v[i].n) != NULL;
    buf_puts(script, "q=\n");
    if (any)
        buf_puts(script, "if tar --no-unquote --help >/dev/null 2>&1; then q=--no-unquote; fi\n");
}

/* GNU tar says by 1 that a file changed while it was read, and nothing else; what came of it is
 * proved. */
static const char or_grown[] = " || { s=$?; [ $s = 1 ] && tar --version 2>/dev/null | grep -q GNU"
                               " || exit $s; }\n";

/* Links are followed where a file was asked for, and come as links in a directory. */
static void write_tar(const struct leg *leg, bool may_grow, struct buf *script) {
    const char *well = may_grow ? or_grown : " || exit\n";
    if (leg->alone) {
        struct buf root = {0};
        buf_str(&root, leg->items.v[0]);
        buf_puts(&root, "/.");
        buf_puts(script, "tar $q -cf -");
        stage_word(script, STR("./"), buf_view(&root));
        buf_puts(script, well);
        buf_free(&root);
        return;
    }
    struct words w = {script, "tar $q -chf -", well, SIZE_MAX, 0};
    for (size_t i = 0; i < leg->items.n; i++)
        stage_words_add(&w, STR("./"), leg->items.v[i]);
    stage_words_end(&w);
}

/* The status is tar's. TERM is for pack.pl. */
static void write_packing(const struct stage *s, const struct leg *leg, struct buf *script) {
    buf_printf(script,
               "trap '' TERM\n"
               "p=%d\n"
               "command -v gzip >/dev/null || p=-\n"
               "all() {\n",
               s->fetch->packs);
    write_tar(leg, s->errand->may_grow, script);
    buf_puts(script, "}\n"
                     "exec 3>&1\n"
                     "s=$({ { (all) && echo 0 >&4 || echo $? >&4; } | perl -e ");
    shell_quote(script, str_of(pack_pl));
    buf_puts(script, " $p >&3; } 4>&1)\n"
                     "exit \"${s:-1}\"\n");
}

static void write_script(const struct stage *s, const struct leg *leg, struct buf *script) {
    stage_want_tar(script);
    stage_enter(leg, script);
    want_plain_names(leg, script);
    if (s->fetch->unpacker != NULL)
        write_packing(s, leg, script);
    else
        write_tar(leg, s->errand->may_grow, script);
}

static void write_proof(const struct fetching *f, const struct leg *leg, struct buf *script) {
    struct asking a;
    buf_puts(script, "command -v cksum >/dev/null || exit 0\n");
    stage_enter(leg, script);
    if (f->by_length) {
        stage_sum_ask_by_length(f->summed.v, f->summed.n, script);
        return;
    }
    stage_sum_begin_script(&a, f->summed.n, script);
    for (size_t i = 0; i < f->summed.n; i++)
        stage_sum_ask(&a, f->summed.v[i].name);
    stage_sum_end_script(&a);
    buf_putc(script, '\n');
}

/* --- turns --- */

static bool take_tar(void *context, struct str bytes) {
    struct stage *s = context;
    const char *wrong = tar_read(s->fetch->reader, bytes);
    if (wrong != NULL && *wrong != '\0')
        outcome_trouble(&s->outcome, CARRY_LOST, "cannot fetch its files: tar there gives %s",
                        wrong);
    return !s->outcome.stopping;
}

void stage_fetch_take(struct stage *s, struct str bytes) {
    struct fetching *f = s->fetch;
    if (f->state != LEGS) {
        stage_look_take(s, bytes);
        return;
    }
    if (f->proving) {
        s->in_vain += bytes.n;
        buf_add(&f->answer, bytes.s,
                bytes.n < ANSWER - f->answer.n ? bytes.n : ANSWER - f->answer.n);
        return;
    }
    if (f->unpacker == NULL) {
        take_tar(s, bytes);
        return;
    }
    f->flows = true;
    if (!unpacker_take(f->unpacker, bytes))
        outcome_trouble(&s->outcome, CARRY_LOST,
                        "cannot fetch its files: they come packed, and not as they should");
    gauge_take(f->gauge, bytes);
}

/* --- packing --- */

static bool pays(void *context, const char *why) {
    struct stage *s = context;
    struct fetching *f = s->fetch;
    bool hears = s->running && s->to_hear && f->flows && f->state == LEGS && !f->proving;
    if (s->outcome.stopping || (!hears && f->leg == s->legs.n) ||
        !s->errand->packs(s->errand->arg, why))
        return false;
    f->packs = true;
    if (hears)
        slot_signal(s->slot, false);
    return true;
}

/* It was found that there is much. */
static void may_pack(struct stage *s) {
    struct fetching *f = s->fetch;
    if (!s->errand->packed || !slot_has_perl(s->slot))
        return;
    if (f->gauge == NULL)
        f->gauge = gauge_new(s->loop, pays, s);
    gauge_pause(f->gauge);
    unpacker_free(f->unpacker);
    f->unpacker = unpacker_new(take_tar, s);
}

static void fetch_leg(struct stage *s) {
    struct fetching *f = s->fetch;
    const struct leg *leg = s->legs.v[f->leg++];
    struct buf script = {0};
    tar_reader_free(f->reader);
    f->reader =
        tar_reader_new(&(struct tar_events){s, stage_take_entry, stage_take_bytes, stage_take_end});
    map_free(&f->landed);
    f->landed = (struct map){0};
    stage_sum_free(f->sum);
    f->sum = s->errand->prove_all ? stage_sum_new() : NULL;
    f->summed.n = 0;
    f->by_length = f->flows = false;
    may_pack(s);
    write_script(s, leg, &script);
    s->to_hear = f->unpacker != NULL && !f->packs;
    slot_widen(s->slot);
    stage_run(s, s->errand->where, &script);
}

/* What came of the leg. */
static bool prove_leg(struct stage *s) {
    struct fetching *f = s->fetch;
    struct buf script = {0};
    if (f->leg == 0 || f->proving || f->summed.n == 0)
        return false;
    f->proving = true;
    buf_clear(&f->answer);
    write_proof(f, s->legs.v[f->leg - 1], &script);
    s->to_hear = false;
    stage_run(s, s->errand->where, &script);
    return true;
}

/* A host without cksum says nothing, and has given as much as its tar has said. */
static void leg_proved(struct stage *s) {
    struct fetching *f = s->fetch;
    struct buf expected = {0};
    stage_sum_say(f->sum, f->by_length, &expected);
    bool same =
        f->answer.n == 0 || (str_starts(buf_view(&f->answer), buf_view(&expected)) &&
                             strspn(f->answer.s + expected.n, " \n") == f->answer.n - expected.n);
    buf_free(&expected);
    f->proving = false;
    if (!same && s->errand->may_grow && !f->by_length) {
        f->by_length = true;
        return;
    }
    if (!same)
        outcome_trouble(&s->outcome, CARRY_LOST, "%s", PROOF_DIFFERS);
    f->summed.n = 0;
}

static void leg_ended(struct stage *s) {
    struct fetching *f = s->fetch;
    const struct part *part = &f->parts.v[f->leg - 1];
    if (!tar_at_end(f->reader))
        outcome_trouble(&s->outcome, CARRY_LOST,
                        "cannot fetch its files: what came ends too early");
    for (size_t i = 0; i < part->wanted.n; i++)
        if (!f->wanted.v[part->wanted.v[i]].came)
            outcome_trouble_with(&s->outcome, CARRY_LOST, "cannot fetch",
                                 f->wanted.v[part->wanted.v[i]].from, "it did not come");
}

static void synced(void *arg, int error, struct str failed) {
    struct stage *s = arg;
    s->fetch->state = OVER;
    if (error != 0)
        outcome_trouble_with(&s->outcome, CARRY_UNKEPT, "cannot keep", failed, strerror(error));
    stage_go(s);
}

bool stage_fetch_next(struct stage *s) {
    struct fetching *f = s->fetch;
    struct buf script = {0};
    switch (f->state) {
    case LOOK:
        f->state = PLAN;
        for (size_t i = 0; i < s->errand->n_cargo; i++)
            *vec_push(&f->counts) = 0;
        stage_look_ask(s, &script);
        stage_run(s, s->errand->where, &script);
        return true;
    case PLAN:
        f->state = LEGS;
        stage_look_plan(s);
        if (s->outcome.stopping)
            return false;
        /* fall through */
    case LEGS:
        if (prove_leg(s))
            return true;
        if (f->leg < s->legs.n) {
            fetch_leg(s);
            return true;
        }
        f->state = SYNC;
        if (landing_is_empty(f->landing))
            return false;
        landing_sync(f->landing, f->many, synced, s);
        return true;
    case SYNC:
    case OVER:
        break;
    }
    return false;
}

void stage_fetch_ended(struct stage *s, int status) {
    bool no_tar = status == STAGE_NO_TAR && !s->fetch->proving;
    s->errand->no_tar = no_tar;
    if (status != 0)
        stage_trouble_there(s, no_tar ? CARRY_LOST : CARRY_FAILED, "cannot fetch files from there");
    else if (s->fetch->proving)
        leg_proved(s);
    else if (s->fetch->state == LEGS)
        leg_ended(s);
}

void stage_fetch_done(struct stage *s) {
    const struct fetching *f = s->fetch;
    for (size_t i = 0; i < f->wanted.n && s->errand->made != NULL; i++)
        if (f->wanted.v[i].found && !f->wanted.v[i].tree)
            str_list_add(s->errand->made, f->wanted.v[i].to);
    for (size_t i = 0; i < f->files.n && s->errand->made != NULL; i++)
        str_list_add(s->errand->made, f->files.v[i]);
}
