/* What a try leaves: values, files, and what is remembered of it. */
#include "run/run_state.h"

#include "base/io.h"
#include "base/mem.h"
#include "read/depfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPFILE_MAX = 64 * 1024 * 1024 };

/* How long what was written down may wait for the disk: a power failure costs no more work. */
#define SYNC_AFTER (500 * MILLISECOND)

static void fail(struct job *job, const char *reason) {
    job->end = JOB_FAILED;
    buf_puts(&job->reason, reason);
}

/* --- the journal --- */

static void tell_journal(struct run *r, int error) {
    struct diags diags;
    if (r->forgetful)
        return;
    r->forgetful = true;
    diags_init(&diags);
    diag_error(&diags, (struct place){0}, "cannot write .foray/journal: %s", strerror(error));
    diag_help(&diags, "nothing more is started, since it could not be remembered; what has ended "
                      "is remembered up to here");
    run_tell(r, &diags);
    sched_stop(r->sched, false, loop_now(r->loop));
}

struct syncing {
    struct run *run;
    struct journal *journal;
    int error;
};

static void sync_aside(void *arg) {
    struct syncing *s = arg;
    s->error = journal_sync(s->journal);
}

static void synced(void *arg) {
    struct syncing *s = arg;
    struct run *r = s->run;
    r->syncing = false;
    if (s->error != 0) {
        journal_fail(s->journal, s->error);
        tell_journal(r, s->error);
        run_pump(r);
    }
    free(s);
}

static void sync_now(void *arg) {
    struct run *r = arg;
    if (r->syncing)
        return;
    struct syncing *s = mem_zalloc(sizeof *s);
    *s = (struct syncing){.run = r, .journal = fresh_journal(r->fresh)};
    r->syncing = true;
    loop_aside(r->loop, sync_aside, synced, s);
}

/* Something was written to the journal, or should have been. */
static void written(struct run *r) {
    struct journal *j = fresh_journal(r->fresh);
    if (j == NULL)
        return;
    if (journal_error(j) != 0) {
        tell_journal(r, journal_error(j));
    } else if (r->sync.index == 0 && !r->syncing) {
        r->sync.expired = sync_now;
        r->sync.arg = r;
        loop_timer(r->loop, &r->sync, loop_now(r->loop) + SYNC_AFTER);
    }
}

/* --- before --- */

void results_begin(struct run *r, struct job *job) {
    job->memo = fresh_begin(r->fresh, job->step, job->attempt,
                            job->host != NULL ? job->host->name : STR(""));
    if (job_is_in_place(job))
        fresh_note_outputs(job->memo);
    written(r);
}

/* --- values --- */

/* What it has written becomes a value, or steps. */
static void take_written(struct run *r, struct job *job) {
    const struct rule *rule = job->step->rule;
    struct str text = buf_view(&job->written);
    if (job->overflowed) {
        fail(job, rule->yields
                      ? "it listed more than 64 MiB of steps"
                      : "it wrote more than 1 MiB, which is as much as {{STEP.stdout}} can "
                        "hold: let it write a file, and say `out`");
    } else if (text.n != 0 && memchr(text.s, '\0', text.n) != NULL) {
        fail(job,
             "it wrote a NUL byte, which no value can hold: let it write a file, and say `out`");
    } else if (rule->yields) {
        struct diags diags;
        diags_init(&diags);
        if (!r->graph->growth->listed(r->graph->growth, r->plan->steps.v[job->id], text, &diags))
            fail(job, "what it wrote is no list of steps, see above");
        run_tell(r, &diags);
    }
}

int run_status_of(const struct job *job) {
    if (job->timed_out)
        return 124; /* as timeout(1) has it */
    if (job->end == JOB_EXITED)
        return job->status;
    return job->end == JOB_SIGNALED ? 128 + job->status : 1;
}

static void take_values(struct run *r, struct job *job) {
    struct step *step = r->plan->steps.v[job->id];
    if (job_succeeded(job) && (step->rule->captured || step->rule->yields))
        take_written(r, job);
    if (job_succeeded(job) && job->made.n != 0) {
        struct buf reason = {0};
        if (!graph_settle(r->graph, step, job->made.v, job->made.n, &reason))
            fail(job, reason.s);
        buf_free(&reason);
    }
    if (job->end != JOB_LOST && !job->cancelled)
        graph_step_over(r->graph, step, run_status_of(job), buf_view(&job->written));
}

/* --- files --- */

/* Nobody else's business, and in the way of the next try. */
static bool is_own(const struct step *step, struct str name) {
    for (size_t i = 0; i < step->n_in + step->n_out; i++)
        if (str_eq(name, i < step->n_in ? step->in[i]->name : step->out[i - step->n_in]->name))
            return true;
    return false;
}

/* What a step says that it has read, in the form in which compilers write it. What stands on its
 * host, and not here, is left out. */
static void take_dependencies(struct run *r, struct job *job, str_list *deps) {
    const struct step *step = job->step;
    struct buf name = {0}, text = {0}, why = {0};
    str_list all = {0};
    graph_deps(r->graph, step, &name);
    int error = name.n != 0 ? io_read_file(name.s, DEPFILE_MAX, &text) : 0;
    if (error != 0) {
        fail(job, "cannot read the file of its dependencies, ");
        buf_visible(&job->reason, buf_view(&name));
        buf_printf(&job->reason, ": %s", strerror(error));
    } else if (!depfile_parse(buf_view(&text), &r->graph->arena, &all, &why)) {
        buf_visible(&job->reason, buf_view(&name));
        fail(job, ": ");
        buf_visible(&job->reason, buf_view(&why));
    }
    for (size_t i = 0; i < all.n && job->end == JOB_EXITED; i++)
        if (!is_own(step, all.v[i]) && (job_is_in_place(job) || all.v[i].s[0] != '/'))
            *vec_push(deps) = all.v[i];
    if (job->end == JOB_EXITED && name.n != 0)
        unlink(name.s);
    vec_free(&all);
    buf_free(&name);
    buf_free(&text);
    buf_free(&why);
}

/* What a try that did not end well has made or touched must not look as if it had. */
static void remove_touched(struct job *job) {
    str_list touched = {0};
    fresh_touched(job->memo, &touched);
    files_touched(job, &touched);
    for (size_t i = 0; i < touched.n; i++)
        if (unlink(touched.v[i].s) == 0)
            *vec_push(&job->removed) = touched.v[i];
    vec_free(&touched);
}

/* --- the end of a try --- */

/* Contents that are hashed aside, for a try that has ended or a step that is asked for. */
struct hashing {
    struct run *run;
    hash_list list;
    uint32_t id, attempt; /* attempt 0: it is asked for */
};

static void hash_aside(void *arg) {
    fresh_hash(&((struct hashing *)arg)->list);
}

static enum ending ending_of(const struct job *job) {
    if (job->timed_out)
        return ENDED_TIMED_OUT;
    if (job->cancelled)
        return ENDED_CANCELLED;
    if (job->end == JOB_LOST)
        return ENDED_LOST;
    return job_succeeded(job) ? ENDED_WELL : ENDED_FAILED;
}

static void write_down(struct run *r, struct job *job, const hash_list *hashed) {
    fresh_end(r->fresh, job->memo,
              &(struct try_end){.ending = ending_of(job),
                                .status = run_status_of(job),
                                .took = job->ended - job->started,
                                .output = buf_view(&job->written)},
              hashed);
    job->memo = NULL;
    written(r);
}

static void looked_at(struct run *r, struct job *job, const hash_list *hashed) {
    job->looked_at = false;
    write_down(r, job, hashed);
    run_job_ended(r, job);
}

static void hashed(void *arg) {
    struct hashing *h = arg;
    struct run *r = h->run;
    struct job *job = r->abandoned ? NULL : run_find_job(r, h->id, h->attempt);
    if (job != NULL && job->looked_at)
        looked_at(r, job, &h->list);
    vec_free(&h->list);
    free(h);
}

void results_take(struct run *r, struct job *job) {
    str_list deps = {0};
    take_values(r, job);
    if (job_succeeded(job))
        take_dependencies(r, job, &deps);
    bool counts = !run_has_twin(r, job, !job_succeeded(job));
    if (!job_succeeded(job) && job_is_in_place(job) && !job->step->rule->keep && job->memo != NULL)
        remove_touched(job);
    struct hashing *h = mem_zalloc(sizeof *h);
    *h = (struct hashing){.run = r, .id = job->id, .attempt = job->attempt};
    if (job_succeeded(job) && job->memo != NULL && counts)
        fresh_left(r->fresh, job->memo, &deps, &h->list);
    vec_free(&deps);
    if (h->list.n != 0) {
        job->looked_at = true;
        loop_aside(r->loop, hash_aside, hashed, h);
        return;
    }
    free(h);
    if (counts && job->memo != NULL)
        write_down(r, job, NULL);
    run_job_ended(r, job);
}

void results_now(struct run *r, struct job *job) {
    looked_at(r, job, NULL);
}

void results_lost(struct run *r, struct job *job) {
    if (job->memo != NULL && !run_has_twin(r, job, true))
        write_down(r, job, NULL);
}

/* --- whether it has to run --- */

static void asked_again(void *arg) {
    struct hashing *h = arg;
    if (!h->run->abandoned) {
        fresh_hashed(h->run->fresh, &h->list);
        results_ask(h->run, h->id);
        run_pump(h->run);
    }
    vec_free(&h->list);
    free(h);
}

static uint32_t host_number(const struct run *r, struct str name) {
    const struct host *host = name.n != 0 ? map_get(&r->graph->host_names, name) : NULL;
    return host != NULL ? host->id + 1 : SCHED_NONE;
}

void results_ask(struct run *r, uint32_t place) {
    struct step *step = r->plan->steps.v[place];
    struct hashing *h = mem_zalloc(sizeof *h);
    *h = (struct hashing){.run = r, .id = place};
    struct judgement j = fresh_judge(r->fresh, step, &h->list);
    if (h->list.n != 0) {
        loop_aside(r->loop, hash_aside, asked_again, h);
        return;
    }
    free(h);
    uint32_t host = SCHED_NONE;
    if (j.verdict == IS_FRESH) {
        host = host_number(r, j.past.last.host);
        struct diags diags;
        diags_init(&diags);
        fresh_settle(r->fresh, step, &diags);
        written(r);
        run_tell(r, &diags);
    }
    sched_step_known(r->sched, place, j.verdict == IS_FRESH, host, loop_now(r->loop));
}
