#include "run/run.h"

#include "base/mem.h"
#include "run/local.h"
#include "run/ssh.h"

#include <stdlib.h>
#include <unistd.h>

/* Hosts and pools of the scheduler: number 0 is here, then those of the graph. */
enum { HERE = 0 };

struct run {
    struct loop *loop;
    const struct graph *graph;
    const struct plan *plan;
    struct run_options options;
    const struct run_view *view;
    struct sched *sched;
    struct executor *local, *ssh;
    struct executor_events events;
    struct job **jobs; /* by place in the plan: the try that runs, or has just ended */
    bool pumping, finished, stopped, abandoned;
    struct timer wake;
    size_t counts[SCHED_STATES];
};

static void pump(struct run *r);

static struct executor *executor_of(struct run *r, const struct host *host) {
    return host != NULL ? r->ssh : r->local;
}

static void free_job(struct run *r, uint32_t id) {
    buf_free(&r->jobs[id]->reason);
    free(r->jobs[id]);
    r->jobs[id] = NULL;
}

static void start(struct run *r, const struct sched_action *a) {
    const struct step *step = r->plan->steps[a->step];
    struct job *job = mem_zalloc(sizeof *job);
    *job = (struct job){
        .graph = r->graph,
        .step = step,
        .host = a->host != HERE ? r->graph->hosts.v[a->host - 1] : NULL,
        .id = a->step,
        .attempt = a->attempt,
        .started = loop_now(r->loop),
    };
    r->jobs[a->step] = job;
    if (step->rule->script_at.line == 0) { /* a mere name for what it needs */
        sched_step_ended(r->sched, a->step, a->attempt, SCHED_ENDED_OK, loop_now(r->loop));
        return;
    }
    r->view->started(r->view->context, job);
    struct executor *x = executor_of(r, job->host);
    x->table->start(x, job);
}

static void cancel(struct run *r, uint32_t id, bool timed_out) {
    struct job *job = r->jobs[id];
    if (job == NULL)
        return;
    job->timed_out = timed_out;
    job->cancelled = !timed_out;
    struct executor *x = executor_of(r, job->host);
    x->table->cancel(x, job, false);
}

static void settled(struct run *r, uint32_t id, enum sched_state state) {
    const struct step *step = r->plan->steps[id];
    bool shown = step->rule->script_at.line != 0;
    if (shown) {
        r->counts[state]++;
        r->view->settled(r->view->context, step, r->jobs[id], state);
    }
    if (r->jobs[id] != NULL)
        free_job(r, id);
}

static void act(struct run *r, const struct sched_action *a) {
    switch (a->kind) {
    case SCHED_START:
        start(r, a);
        break;
    case SCHED_CANCEL:
        cancel(r, a->step, a->timed_out);
        break;
    case SCHED_CONNECT:
        r->ssh->table->connect(r->ssh, r->graph->hosts.v[a->host - 1]);
        break;
    case SCHED_RETRY:
        if (r->jobs[a->step] != NULL) {
            r->view->tried(r->view->context, r->jobs[a->step], a->at - loop_now(r->loop));
            free_job(r, a->step);
        }
        break;
    case SCHED_SETTLED:
        settled(r, a->step, a->state);
        break;
    case SCHED_WAKE:
        loop_timer(r->loop, &r->wake, a->at);
        break;
    case SCHED_FINISHED:
        r->finished = true;
        loop_timer_clear(r->loop, &r->wake);
        break;
    }
}

/* Does what the scheduler says until it says nothing more. Executors may report from within: then
 * the loop below, that is already going, goes on with what follows from it. */
static void pump(struct run *r) {
    if (r->pumping || r->abandoned)
        return;
    r->pumping = true;
    struct sched_action a;
    while (sched_next(r->sched, &a))
        act(r, &a);
    r->pumping = false;
}

static void on_output(void *context, struct job *job, enum stream stream, struct str bytes) {
    struct run *r = context;
    if (!r->abandoned)
        r->view->output(r->view->context, job, stream, bytes);
}

static void on_ended(void *context, struct job *job) {
    struct run *r = context;
    job->ended = loop_now(r->loop);
    enum sched_end how = SCHED_ENDED_FAILED;
    if (job->timed_out || job->cancelled)
        how = SCHED_ENDED_CANCELLED;
    else if (job->end == JOB_LOST)
        how = SCHED_ENDED_LOST;
    else if (job_succeeded(job))
        how = SCHED_ENDED_OK;
    sched_step_ended(r->sched, job->id, job->attempt, how, loop_now(r->loop));
    pump(r);
}

static void on_host_up(void *context, struct host *host, uint32_t cores) {
    struct run *r = context;
    sched_host_up(r->sched, host->id + 1, cores, 0, loop_now(r->loop));
    pump(r);
}

static void on_host_lost(void *context, struct host *host, bool for_good, const char *reason) {
    struct run *r = context;
    for (size_t i = 0; i < r->plan->n; i++) {
        struct job *job = r->jobs[i];
        if (job == NULL || job->host != host || job->ended != 0)
            continue;
        job->end = JOB_LOST;
        job->ended = loop_now(r->loop);
        buf_puts(&job->reason, reason);
    }
    if (!r->stopped)
        r->view->host_lost(r->view->context, host, for_good, reason);
    sched_host_lost(r->sched, host->id + 1, for_good, loop_now(r->loop));
    pump(r);
}

static void on_host_load(void *context, struct host *host, double load) {
    struct run *r = context;
    sched_host_load(r->sched, host->id + 1, load, loop_now(r->loop));
    pump(r);
}

static void woken(void *arg) {
    struct run *r = arg;
    sched_tick(r->sched, loop_now(r->loop));
    pump(r);
}

static enum sched_pick pick_of(const struct pool *pool) {
    switch (pool->pick) {
    case PICK_RANDOM:
        return SCHED_RANDOM;
    case PICK_ROUND_ROBIN:
        return SCHED_ROUND_ROBIN;
    case PICK_LEAST_LOADED:
        break;
    }
    return SCHED_LEAST_LOADED;
}

static void add_places(struct run *r) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t slots = cores > 0 ? (uint32_t)cores : 1;
    if (r->options.jobs_given)
        slots = r->options.jobs != 0 ? r->options.jobs : UINT32_MAX / 2;
    uint32_t here = sched_add_host(r->sched, slots);
    sched_add_pool(r->sched, SCHED_LEAST_LOADED, &here, 1);
    for (size_t i = 0; i < r->graph->hosts.n; i++)
        sched_add_host(r->sched, r->graph->hosts.v[i]->slots);
    VEC(uint32_t) members = {0};
    for (size_t i = 0; i < r->graph->pools.n; i++) {
        const struct pool *pool = r->graph->pools.v[i];
        members.n = 0;
        for (size_t h = 0; h < pool->n_hosts; h++)
            *vec_push(&members) = pool->hosts[h]->id + 1;
        sched_add_pool(r->sched, pick_of(pool), members.v, members.n);
    }
    vec_free(&members);
}

static void add_steps(struct run *r) {
    uint32_t *place = mem_array(NULL, r->graph->steps.n, sizeof *place);
    VEC(struct sched_need) needs = {0};
    for (size_t i = 0; i < r->plan->n; i++) {
        const struct step *step = r->plan->steps[i];
        const struct rule *rule = step->rule;
        place[step->id] = (uint32_t)i;
        needs.n = 0;
        for (size_t n = 0; n < step->n_needs; n++)
            *vec_push(&needs) = (struct sched_need){.step = place[step->needs[n]->id]};
        bool alias = rule->script_at.line == 0;
        sched_add_step(
            r->sched,
            &(struct sched_step){
                .needs = needs.v,
                .n_needs = needs.n,
                .pool = step->pool != NULL && !alias ? step->pool->id + 1 : HERE,
                .retries = r->options.retries >= 0 ? (uint32_t)r->options.retries : rule->retries,
                .timeout = r->options.timeout >= 0 ? r->options.timeout : rule->timeout,
            });
    }
    vec_free(&needs);
    free(place);
}

struct run *run_new(struct loop *loop, const struct graph *graph, const struct plan *plan,
                    const struct run_options *options, const struct run_view *view,
                    const struct watcher *watcher) {
    struct run *r = mem_zalloc(sizeof *r);
    *r =
        (struct run){.loop = loop, .graph = graph, .plan = plan, .options = *options, .view = view};
    r->events =
        (struct executor_events){r, on_output, on_ended, on_host_up, on_host_lost, on_host_load};
    r->wake = (struct timer){.expired = woken, .arg = r};
    r->jobs = mem_zalloc((plan->n + 1) * sizeof(struct job *));
    r->local = local_new(loop, &r->events, watcher);
    r->ssh = ssh_new(loop, &r->events,
                     &(struct ssh_options){.config = options->ssh_config,
                                           .keep_scratch = options->keep_scratch});
    r->sched = sched_new(&(struct sched_config){
        .jobs = options->jobs_given ? options->jobs : 0,
        .failures = options->failures,
        .cancel_on_stop = options->cancel_on_failure,
        .seed = options->seed,
    });
    add_places(r);
    add_steps(r);
    return r;
}

void run_begin(struct run *r) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    sched_host_up(r->sched, HERE, cores > 0 ? (uint32_t)cores : 1, 0, loop_now(r->loop));
    sched_begin(r->sched, loop_now(r->loop));
    pump(r);
}

bool run_finished(const struct run *r) {
    return r->finished;
}

void run_stop(struct run *r, bool cancel) {
    bool again = r->stopped && cancel;
    r->stopped = r->stopped || cancel;
    sched_stop(r->sched, cancel, loop_now(r->loop));
    pump(r);
    for (size_t i = 0; again && i < r->plan->n; i++) {
        struct job *job = r->jobs[i];
        if (job == NULL || job->ended != 0)
            continue;
        struct executor *x = executor_of(r, job->host);
        x->table->cancel(x, job, true);
    }
}

void run_abandon(struct run *r) {
    for (size_t i = 0; i < r->plan->n; i++) {
        struct job *job = r->jobs[i];
        if (job == NULL || job->ended != 0)
            continue;
        r->counts[SCHED_CANCELLED]++;
        r->view->settled(r->view->context, job->step, job, SCHED_CANCELLED);
    }
    r->abandoned = true;
}

void run_child_ended(struct run *r) {
    local_child_ended(r->local);
}

bool run_close(struct run *r) {
    bool local = r->local->table->close(r->local), ssh = r->ssh->table->close(r->ssh);
    return local && ssh;
}

void run_free(struct run *r) {
    if (r == NULL)
        return;
    r->ssh->table->free(r->ssh);
    r->local->table->free(r->local);
    loop_timer_clear(r->loop, &r->wake);
    sched_free(r->sched);
    for (size_t i = 0; i < r->plan->n; i++)
        if (r->jobs[i] != NULL)
            free_job(r, (uint32_t)i);
    free(r->jobs);
    free(r);
}

size_t run_count(const struct run *r, enum sched_state state) {
    return r->counts[state];
}
