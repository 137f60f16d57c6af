#include "run/remote.h"

#include "base/mem.h"
#include "base/shell.h"
#include "carry/stage.h"
#include "loop/console.h"
#include "loop/watcher.h"
#include "run/files.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For a keeper to say that it has ended a step by KILL. */
#define LAST_GRACE (10 * SECOND)

struct remote {
    struct job *job;
    struct berth berth; /* slot NULL: it is gone */
    void (*done)(void *arg, struct remote *r);
    void *arg;
    enum {
        SENDING,
        CLAIMING, /* the terminal here */
        RUNNING,
        FETCHING,
        ASKING, /* whether it really is as the errand says */
        OVER
    } state;
    struct buf where;    /* where it runs: a scratch directory, or the step's own */
    bool scratch, dirty; /* it is a scratch directory; it is not empty any more */
    bool left;           /* it was said what may be left there */
    bool give_up;
    struct buf deps;   /* the name of its file of dependencies */
    struct buf broken; /* why the slot is gone */
    struct errand errand;
    struct stage *stage; /* does it, through the slot; NULL: none */
    VEC(struct cargo) cargo;
    str_list names; /* the errand's parents, or exceptions */
    str_list made;
    struct proof *proof; /* of what is sent or fetched; NULL: nothing is */
    bool proving;        /* its script is in the slot */
    bool carried;        /* the errand ended meanwhile, so: */
    enum carried how;
    struct buf why;
    struct terminal *terminal; /* the one here, if the step is to have it */
    bool killed;               /* KILL was sent */
    struct timer harder;       /* to the next measure after TERM */
};

static void carry(struct remote *r);

static void finish(struct remote *r) {
    r->state = OVER;
    loop_timer_clear(r->berth.loop, &r->harder);
    if (r->berth.slot == NULL) {
        /* its scratch went with it */
    } else if (r->scratch && r->dirty && r->berth.keep_scratch) {
        buf_str(&r->job->kept, buf_view(&r->where));
    } else if (r->scratch && r->dirty) {
        slot_clean(r->berth.slot, buf_view(&r->where));
    } else if (r->scratch && !r->dirty) {
        free(*r->berth.empty);
        *r->berth.empty = mem_strdup(r->where.s);
    }
    r->done(r->arg, r);
}

static void finish_carried(struct remote *r, enum carried how, const char *reason) {
    if (r->proving) { /* the slot is not free yet */
        r->carried = true;
        r->how = how;
        buf_puts(&r->why, reason);
        r->killed = true;
        slot_signal(r->berth.slot, true);
        loop_timer(r->berth.loop, &r->harder, loop_now(r->berth.loop) + LAST_GRACE);
        return;
    }
    r->job->end = how == CARRY_FAILED ? JOB_FAILED : JOB_LOST;
    r->job->refused = how == CARRY_REFUSED;
    r->job->unkept = how == CARRY_UNKEPT;
    buf_puts(&r->job->reason, reason);
    finish(r);
}

static void start_script(struct remote *r) {
    struct buf script = {0}, prefix = {0};
    str_list variables = {0};
    if (r->berth.in_place)
        job_script_in_place(r->job, &prefix, &script);
    else
        job_script(r->job, STR(""), &script);
    job_variables(r->job, buf_view(&prefix), &variables);
    r->state = RUNNING;
    if (r->terminal != NULL) {
        struct buf name = {0};
        buf_printf(&name, "TERM=%s", console_name());
        *vec_push(&variables) = (struct str){name.s, name.n};
        slot_run_on(r->berth.slot, buf_view(&r->where), buf_view(&script), &variables, r->terminal);
    } else {
        slot_run(r->berth.slot, buf_view(&r->where), buf_view(&script), &variables,
                 r->job->step->rule->detach);
    }
    str_list_free(&variables);
    buf_free(&prefix);
    buf_free(&script);
}

static void fail(void *arg) {
    struct remote *r = arg;
    r->job->end = JOB_FAILED;
    finish(r);
}

static void fail_soon(struct remote *r) { /* not from within remote_start */
    r->harder.expired = fail;
    loop_timer(r->berth.loop, &r->harder, loop_now(r->berth.loop));
}

static void granted(void *arg, const char *why_not) {
    struct remote *r = arg;
    if (why_not == NULL) {
        start_script(r);
    } else {
        buf_printf(&r->job->reason, "it cannot have the terminal: %s", why_not);
        fail(r);
    }
}

static void run(struct remote *r) {
    if (!r->job->step->rule->console || !console_is_ours()) {
        start_script(r);
    } else {
        r->state = CLAIMING;
        r->terminal =
            terminal_claim(r->berth.loop, r->berth.prompter, r->berth.watcher, granted, r);
    }
}

static void leaves(void *arg, const str_list *words) {
    struct remote *r = arg;
    if (r->berth.slot == NULL)
        return;
    slot_leave(r->berth.slot, words);
    r->left = true;
}

/* The errand is over. What was lost had no time to tidy up. */
static void nothing_is_left(struct remote *r, bool lost) {
    if (r->left && r->berth.slot != NULL && lost)
        slot_remove_left(r->berth.slot);
    else if (r->left && r->berth.slot != NULL)
        slot_leave(r->berth.slot, &(str_list){0});
    r->left = false;
}

/* The files of an errand that was to go as a stream go one by one. */
static bool carry_without_tar(struct remote *r) {
    r->stage = NULL;
    if (!r->errand.no_tar || r->berth.carry == NULL || r->berth.slot == NULL || r->give_up)
        return false;
    *r->berth.no_tar = true;
    carry(r);
    return true;
}

static void sent(void *arg, enum carried how, const char *reason) {
    struct remote *r = arg;
    if (carry_without_tar(r))
        return;
    nothing_is_left(r, how == CARRY_LOST);
    if (r->berth.slot == NULL)
        finish_carried(r, CARRY_LOST, r->broken.s);
    else if (how != CARRIED || r->give_up)
        finish_carried(r, how == CARRIED ? CARRY_LOST : how, how == CARRIED ? "given up" : reason);
    else
        run(r);
}

/* The files that the step's patterns stand for are its outputs; those of copies are not. */
static void take_made(struct remote *r) {
    const struct step *step = r->job->step;
    for (size_t i = 0; i < r->made.n; i++) {
        bool output = false;
        for (size_t k = 0; k < step->n_patterns && !output; k++)
            output =
                fnmatch(step->patterns[k].text.s, r->made.v[i].s, FNM_PATHNAME | FNM_PERIOD) == 0;
        if (output)
            str_list_add(&r->job->made, r->made.v[i]);
    }
    finish(r);
}

static void fetched(void *arg, enum carried how, const char *reason) {
    struct remote *r = arg;
    if (carry_without_tar(r))
        return;
    if (how == CARRIED) {
        take_made(r);
    } else if (r->berth.slot == NULL) {
        finish_carried(r, CARRY_LOST, r->broken.s);
    } else if (how == CARRY_FAILED && !r->proving && !r->give_up) {
        /* A keeper that has given us up takes the scratch away, maybe before we notice: only while
         * it is there is it the step that has not made something. */
        r->state = ASKING;
        buf_puts(&r->why, reason);
        slot_ask_load(r->berth.slot);
    } else {
        finish_carried(r, how, reason);
    }
}

void remote_heard(struct remote *r) {
    if (r->state == ASKING)
        finish_carried(r, CARRY_FAILED, r->why.s);
}

/* --- the same at both ends --- */

static void proved(void *arg, const char *wrong) {
    struct remote *r = arg;
    errand_go_on(&r->errand, wrong == NULL ? CARRIED : CARRY_LOST, wrong);
}

static void came(void *arg) {
    struct remote *r = arg;
    struct buf script = {0};
    if (r->berth.slot == NULL)
        return; /* the errand is given up */
    r->proving = true;
    proof_script(r->proof, &script);
    slot_run(r->berth.slot, STR("."), buf_view(&script), &(str_list){0}, false);
    buf_free(&script);
}

/* The slot is free again, or gone. wrong: nothing can be proved. */
static void end_proving(struct remote *r, int status, const char *wrong) {
    r->proving = false;
    loop_timer_clear(r->berth.loop, &r->harder);
    if (r->carried) {
        finish_carried(r, r->how, r->why.s);
    } else if (wrong == NULL && !r->give_up && proof_goes_on(r->proof, status)) {
        came(r);
    } else if (wrong == NULL && !r->give_up) {
        proof_ended(r->proof, status, proved, r);
    } else {
        proof_free(r->proof); /* which may still read */
        r->proof = NULL;
        errand_go_on(&r->errand, CARRY_LOST, wrong != NULL ? wrong : "given up");
    }
}

bool remote_output(struct remote *r, enum stream stream, struct str bytes) {
    if (r->stage != NULL)
        stage_output(r->stage, stream, bytes);
    else if (r->proving && stream == STREAM_OUT)
        proof_output(r->proof, bytes);
    return r->proving || r->stage != NULL;
}

/* --- what goes there, and what comes back --- */

static struct cargo plain(const struct file *f) {
    return (struct cargo){.from = f->name, .to = f->name};
}

static void add_copies(struct remote *r, bool fetch) {
    const struct step *step = r->job->step;
    for (size_t i = 0; i < step->n_copies; i++) {
        struct copy *copy = &step->copies[i];
        if (copy->fetch == fetch)
            *vec_push(&r->cargo) = (struct cargo){.from = copy->from,
                                                  .to = copy->to,
                                                  .pattern = copy->pattern,
                                                  .tree = true,
                                                  .preserve = copy->preserve,
                                                  .or_name = copy->or_name ? &copy->into : NULL,
                                                  .seed = copy->seed,
                                                  .part = copy->part,
                                                  .start = copy->start,
                                                  .length = copy->length};
    }
}

static void load_to_send(struct remote *r) {
    const struct step *step = r->job->step;
    for (size_t i = 0; i < step->n_in; i++)
        *vec_push(&r->cargo) = plain(step->in[i]);
    add_copies(r, false);
    for (size_t i = 0; i < step->n_out; i++)
        *vec_push(&r->names) = step->out[i]->name;
    for (size_t i = 0; i < step->n_patterns; i++) {
        struct str text = step->patterns[i].text;
        *vec_push(&r->names) = (struct str){text.s, strcspn(text.s, "*?[\\")};
    }
    r->errand = (struct errand){.kind = ERRAND_SEND,
                                .parents = r->names.v,
                                .n_parents = r->names.n,
                                .make_where = r->scratch,
                                .leaves = leaves};
}

static void load_to_fetch(struct remote *r) {
    const struct step *step = r->job->step;
    r->cargo.n = r->names.n = 0;
    for (size_t i = 0; i < step->n_out; i++)
        *vec_push(&r->cargo) = plain(step->out[i]);
    graph_deps(r->job->graph, step, &r->deps);
    if (r->deps.n != 0)
        *vec_push(&r->cargo) = (struct cargo){.from = buf_view(&r->deps), .to = buf_view(&r->deps)};
    for (size_t i = 0; i < step->n_patterns; i++)
        *vec_push(&r->cargo) = (struct cargo){.from = step->patterns[i].text,
                                              .pattern = true,
                                              .optional = step->patterns[i].optional};
    add_copies(r, true);
    for (size_t i = 0; i < step->n_in; i++)
        *vec_push(&r->names) = step->in[i]->name;
    r->errand = (struct errand){
        .kind = ERRAND_FETCH, .except = r->names.v, .n_except = r->names.n, .made = &r->made};
}

static void stage(struct remote *r) {
    r->stage = stage_begin(r->berth.loop, r->berth.slot, &r->errand);
}

/* The carrier gives it back. */
static void as_stream(void *arg) {
    struct remote *r = arg;
    if (r->berth.slot == NULL || r->give_up)
        r->errand.done(r, CARRY_LOST, r->give_up ? "given up" : r->broken.s);
    else
        stage(r);
}

static bool packs(void *arg, const char *why) {
    struct remote *r = arg;
    return r->berth.packs(r->berth.context, r->errand.kind == ERRAND_FETCH, why);
}

static void carry(struct remote *r) {
    r->errand.cargo = r->cargo.v;
    r->errand.n_cargo = r->cargo.n;
    r->errand.where = buf_view(&r->where);
    r->errand.give_up = &r->give_up;
    r->errand.much = r->errand.no_tar = r->errand.packed = false;
    cargo_free(&r->errand.items); /* of what was to go as a stream */
    r->errand.family = 0;
    r->errand.tally = &r->job->tally;
    r->errand.arg = r;
    r->errand.prove_all = r->errand.may_grow = r->job->step->rule->prove;
    for (size_t i = 0; i < r->cargo.n; i++) /* `in` and `out` are no copies */
        r->errand.may_grow = r->errand.may_grow && r->cargo.v[i].tree;
    proof_free(r->proof);
    r->proof = NULL;
    if (r->berth.carry == NULL) {
        stage(r);
        return;
    }
    r->proof = proof_new(r->berth.sums);
    r->errand.proof = r->proof;
    r->errand.came = came;
    r->errand.packs = packs;
    r->errand.as_stream = *r->berth.no_tar ? NULL : as_stream;
    r->berth.carry(r->berth.context, &r->errand);
}

/* TERM was not enough: KILL; and if there is no answer to that either, the slot is given up. */
static void too_slow(void *arg) {
    struct remote *r = arg;
    if (r->killed) {
        slot_give_up(r->berth.slot, "it does not end what runs there");
        return;
    }
    r->killed = true;
    slot_signal(r->berth.slot, true);
    loop_timer(r->berth.loop, &r->harder, loop_now(r->berth.loop) + LAST_GRACE);
}

/* false: it cannot run there, and why. */
static bool prepare_in_place(struct remote *r, struct buf *why) {
    const struct step *step = r->job->step;
    const char *failed = "cannot find out the name of this directory";
    char name[PATH_MAX];
    if (step->n_copies != 0) {
        buf_puts(why, "`send` and `fetch` have no meaning where nothing is staged (`stage: none`)");
        return false;
    }
    int error = getcwd(name, sizeof name) == NULL
                    ? errno
                    : files_make_directories_for_outputs(step, &failed);
    if (error != 0) {
        buf_printf(why, "%s: %s", failed, strerror(error));
        return false;
    }
    buf_puts(&r->where, name);
    files_note_before(r->job);
    return true;
}

static void start_in_place(struct remote *r) {
    if (prepare_in_place(r, &r->job->reason)) {
        run(r);
        return;
    }
    fail_soon(r);
}

bool remote_has_files(const struct step *step) {
    return step->n_in + step->n_out + step->n_patterns + step->n_copies != 0;
}

struct remote *remote_start(struct job *job, const struct berth *berth,
                            void (*done)(void *arg, struct remote *r), void *arg) {
    struct remote *r = mem_zalloc(sizeof *r);
    *r = (struct remote){.job = job, .berth = *berth, .done = done, .arg = arg};
    r->harder = (struct timer){.expired = too_slow, .arg = r};
    if (berth->in_place) {
        start_in_place(r);
        return r;
    }
    const struct step *step = job->step;
    bool files = remote_has_files(step);
    graph_dir(job->graph, job->step, job->host->name, &r->where);
    if (r->where.n == 0) {
        r->scratch = true;
        r->dirty = files;
        if (!files && *berth->empty != NULL) {
            buf_puts(&r->where, *berth->empty);
            free(*berth->empty);
            *berth->empty = NULL;
        } else {
            buf_str(&r->where, slot_scratch(berth->slot));
            buf_printf(&r->where, "/%u", ++*berth->directories);
        }
    }
    if (!files) {
        run(r);
        return r;
    }
    load_to_send(r);
    r->errand.done = sent;
    carry(r);
    return r;
}

struct job *remote_job(const struct remote *r) {
    return r->job;
}

void remote_ended(struct remote *r, int status, bool clean) {
    if (r->proving) {
        end_proving(r, status, NULL);
        return;
    }
    if (r->stage != NULL) {
        stage_ended(r->stage, status);
        return;
    }
    r->job->end = JOB_EXITED;
    r->job->status = status;
    r->dirty = r->dirty || !clean;
    loop_timer_clear(r->berth.loop, &r->harder);
    const struct step *step = r->job->step;
    size_t copies = 0;
    for (size_t i = 0; i < step->n_copies; i++)
        copies += step->copies[i].fetch;
    if (r->berth.in_place) {
        if (job_succeeded(r->job))
            files_check_made(r->job);
        finish(r);
    } else if (job_succeeded(r->job) && step->n_out + step->n_patterns + copies != 0) {
        r->state = FETCHING;
        load_to_fetch(r);
        r->errand.done = fetched;
        carry(r);
    } else {
        finish(r);
    }
}

void remote_unable(struct remote *r, const char *reason) {
    if (r->proving) {
        end_proving(r, 0, reason);
        return;
    }
    if (r->stage != NULL) {
        stage_unable(r->stage, reason);
        return;
    }
    r->job->end = JOB_LOST;
    r->job->refused = r->terminal != NULL; /* it would have none another time, either */
    buf_puts(&r->job->reason, reason);
    r->dirty = true;
    finish(r);
}

void remote_broken(struct remote *r, const char *reason) {
    if (r->state != RUNNING && r->state != CLAIMING &&
        r->state != ASKING) { /* when the errand is over */
        r->berth.slot = NULL;
        r->give_up = true;
        buf_puts(&r->broken, reason);
        if (r->proving)
            end_proving(r, 0, reason); /* which may be the end of r */
        else if (r->stage != NULL)
            stage_broken(r->stage, reason);
        return;
    }
    if (r->terminal != NULL)
        terminal_leave(r->terminal);
    r->job->end = JOB_LOST;
    buf_puts(&r->job->reason, reason);
    r->state = OVER;
    loop_timer_clear(r->berth.loop, &r->harder);
    r->done(r->arg, r);
}

void remote_cancel(struct remote *r, bool at_once) {
    r->give_up = true;
    if (r->stage != NULL)
        stage_give_up(r->stage);
    if (r->state == CLAIMING || r->state == ASKING) {
        if (r->terminal != NULL)
            terminal_leave(r->terminal);
        finish_carried(r, CARRY_LOST, "given up");
        return;
    }
    if (r->state != RUNNING && !r->proving)
        return;
    if (at_once) {
        too_slow(r);
        return;
    }
    slot_signal(r->berth.slot, false);
    loop_timer(r->berth.loop, &r->harder, loop_now(r->berth.loop) + GRACE);
}

void remote_free(struct remote *r) {
    loop_timer_clear(r->berth.loop, &r->harder);
    stage_free(r->stage);
    vec_free(&r->cargo);
    cargo_free(&r->errand.items);
    vec_free(&r->names);
    str_list_free(&r->made);
    buf_free(&r->where);
    buf_free(&r->deps);
    buf_free(&r->broken);
    buf_free(&r->why);
    proof_free(r->proof);
    terminal_free(r->terminal);
    free(r);
}
