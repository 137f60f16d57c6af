#include "run/run_state.h"

#include "base/mem.h"
#include "carry/store.h"
#include "run/hosts.h"
#include "run/local.h"
#include "run/remote.h"
#include "run/solo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What can be captured of a step: as a value, and as a list of steps. */
enum { VALUE_MAX = 1024 * 1024, LIST_MAX = 64 * 1024 * 1024 };

void run_tell(struct run *r, struct diags *diags) {
    if (diags->n != 0)
        r->view->told(r->view->context, diags);
    diags_free(diags);
}

static struct executor *executor_of(struct run *r, const struct host *host) {
    if (host == NULL)
        return r->local;
    return host->launch != NULL && host->launch->per_step ? r->solo : r->hosts;
}

static void connect_host(struct run *r, struct host *host) {
    struct executor *x = executor_of(r, host);
    x->table->connect(x, host);
}

static void free_job(struct job *job) {
    buf_free(&job->reason);
    buf_free(&job->kept);
    buf_free(&job->written);
    str_list_free(&job->made);
    files_free_found(job->before);
    fresh_drop(job->memo);
    vec_free(&job->removed);
    free(job);
}

/* The try of a step with this number; NULL: it is gone. */
struct job *run_find_job(const struct run *r, uint32_t id, uint32_t attempt) {
    struct job *job = r->jobs.v[id];
    while (job != NULL && job->attempt != attempt)
        job = job->twin;
    return job;
}

static void unlink_job(struct run *r, struct job *job) {
    struct job **at = &r->jobs.v[job->id];
    while (*at != job)
        at = &(*at)->twin;
    *at = job->twin;
    job->twin = NULL;
}

/* A try that counts for nothing, since there is another one. */
static void drop_job(struct run *r, struct job *job) {
    unlink_job(r, job);
    r->view->dropped(r->view->context, job);
    free_job(job);
}

static bool runs(const struct step *step) {
    return step->rule->script_at.line != 0;
}

static void on_ended(void *context, struct job *job);

/* The watcher has to know whether any does. */
static void count_elsewhere(struct run *r, const struct job *job, int change) {
    if (job->host == NULL)
        return;
    size_t before = r->elsewhere;
    r->elsewhere = change > 0 ? before + 1 : before - 1;
    if ((before == 0) != (r->elsewhere == 0))
        watcher_elsewhere(r->watcher, r->elsewhere != 0);
}

static void start(struct run *r, const struct sched_action *a) {
    struct step *step = r->plan->steps.v[a->step];
    struct job *job = mem_zalloc(sizeof *job);
    *job = (struct job){
        .graph = r->graph,
        .step = step,
        .host = a->host != HERE ? r->graph->hosts.v[a->host - 1] : NULL,
        .id = a->step,
        .attempt = a->attempt,
        .started = loop_now(r->loop),
        .twin = r->jobs.v[a->step],
    };
    r->jobs.v[a->step] = job;
    if (!runs(step)) { /* a mere name for what it needs */
        sched_step_ended(r->sched, a->step, a->attempt, SCHED_ENDED_OK, loop_now(r->loop));
        return;
    }
    r->view->started(r->view->context, job);
    if (step->broken) {
        job->end = JOB_FAILED;
        buf_puts(&job->reason, "what it is to do could not be made out, see above");
        on_ended(r, job);
        return;
    }
    results_begin(r, job);
    struct executor *x = executor_of(r, job->host);
    count_elsewhere(r, job, 1);
    x->table->start(x, job);
}

static void cancel(struct run *r, const struct sched_action *a) {
    struct job *job = run_find_job(r, a->step, a->attempt);
    if (job == NULL || job->ended != 0)
        return;
    job->timed_out = a->timed_out;
    job->cancelled = !a->timed_out;
    struct executor *x = executor_of(r, job->host);
    x->table->cancel(x, job, false);
}

/* --- growing --- */

static void add_pools(struct run *r);
static void add_step(struct run *r, uint32_t place);

/* What a step's end lets the graph grow by, and what of that the plan has a use for. */
static void grow(struct run *r, struct step *step, bool well) {
    struct growth *growth = r->graph->growth;
    size_t first = r->graph->steps.n;
    if (growth == NULL)
        return;
    struct diags diags;
    diags_init(&diags);
    growth->over(growth, step, well, &diags);
    if (r->graph->steps.n != first) {
        size_t known = r->plan->steps.n;
        plan_grow(r->plan, first, &diags);
        add_pools(r);
        for (size_t i = known; i < r->plan->steps.n; i++)
            add_step(r, (uint32_t)i);
        r->view->grown(r->view->context, r->shown);
    }
    run_tell(r, &diags);
}

static void settled(struct run *r, const struct sched_action *a) {
    struct step *step = r->plan->steps.v[a->step];
    struct job *last = run_find_job(r, a->step, a->attempt);
    for (struct job *job = r->jobs.v[a->step], *next; job != NULL; job = next) {
        next = job->twin;
        if (job != last)
            drop_job(r, job);
    }
    if (runs(step)) {
        r->counts[a->state]++;
        r->fresh_steps += a->state == SCHED_DONE && last == NULL;
        r->view->settled(r->view->context, step, last, a->state);
        grow(r, step, a->state == SCHED_DONE);
    }
    if (last != NULL)
        free_job(last);
    r->jobs.v[a->step] = NULL;
}

static void tried(struct run *r, const struct sched_action *a) {
    struct job *job = run_find_job(r, a->step, a->attempt);
    if (job == NULL)
        return;
    unlink_job(r, job);
    r->view->tried(r->view->context, job, a->at - loop_now(r->loop));
    free_job(job);
}

static void act(struct run *r, const struct sched_action *a) {
    switch (a->kind) {
    case SCHED_START:
        start(r, a);
        break;
    case SCHED_ASK:
        results_ask(r, a->step);
        break;
    case SCHED_CANCEL:
        cancel(r, a);
        break;
    case SCHED_CONNECT:
        connect_host(r, r->graph->hosts.v[a->host - 1]);
        break;
    case SCHED_RETRY:
        tried(r, a);
        break;
    case SCHED_SETTLED:
        settled(r, a);
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
void run_pump(struct run *r) {
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
    if (r->abandoned)
        return;
    r->view->output(r->view->context, job, stream, bytes);
    const struct rule *rule = job->step->rule;
    if (stream != STREAM_OUT || !(rule->captured || rule->yields) || job->overflowed)
        return;
    job->overflowed = job->written.n + bytes.n > (rule->yields ? LIST_MAX : VALUE_MAX);
    if (!job->overflowed)
        buf_str(&job->written, bytes);
}

bool run_has_twin(const struct run *r, const struct job *job, bool running) {
    for (const struct job *other = r->jobs.v[job->id]; other != NULL; other = other->twin)
        if (other != job &&
            ((running && other->ended == 0) || (other->ended != 0 && job_succeeded(other))))
            return true;
    return false;
}

static bool other_runs(const struct run *r, const struct job *job) {
    for (const struct job *other = r->jobs.v[job->id]; other != NULL; other = other->twin)
        if (other != job && other->ended == 0)
            return true;
    return false;
}

void run_job_ended(struct run *r, struct job *job) {
    const struct rule *rule = job->step->rule;
    enum sched_end how = SCHED_ENDED_FAILED;
    if (job->timed_out || job->cancelled)
        how = SCHED_ENDED_CANCELLED;
    else if (job->end == JOB_LOST)
        how = job->unkept    ? SCHED_ENDED_UNKEPT
              : job->refused ? SCHED_ENDED_REFUSED
                             : SCHED_ENDED_LOST;
    else if (job_succeeded(job))
        how = SCHED_ENDED_OK;
    else if (job->step->broken ||
             (rule->retry_on != NULL && !codes_have(rule->retry_on, run_status_of(job))))
        how = SCHED_ENDED_FAILED_FOR_GOOD;
    bool drop = how != SCHED_ENDED_OK && other_runs(r, job);
    sched_step_ended(r->sched, job->id, job->attempt, how, loop_now(r->loop));
    if (drop)
        drop_job(r, job);
    run_pump(r);
}

static void on_ended(void *context, struct job *job) {
    struct run *r = context;
    job->ended = loop_now(r->loop);
    count_elsewhere(r, job, -1);
    results_take(r, job);
}

static void on_host_up(void *context, struct host *host, uint32_t cores, uint64_t memory) {
    struct run *r = context;
    sched_host_up(r->sched, host->id + 1, cores, memory, loop_now(r->loop));
    run_pump(r);
}

static void on_host_way(void *context, struct host *host, const char *how, const char *reason) {
    struct run *r = context;
    r->view->host_way(r->view->context, host, how, reason);
}

static void on_host_lost(void *context, struct host *host, bool for_good, const char *reason) {
    struct run *r = context;
    VEC(struct job *) lost = {0}, over = {0};
    bool pumping = r->pumping;
    for (size_t i = 0; i < r->jobs.n; i++)
        for (struct job *job = r->jobs.v[i]; job != NULL; job = job->twin) {
            if (job->host == host && job->looked_at)
                *vec_push(&over) = job;
            if (job->host != host || job->ended != 0)
                continue;
            job->end = JOB_LOST;
            job->ended = loop_now(r->loop);
            count_elsewhere(r, job, -1);
            buf_puts(&job->reason, reason);
            results_lost(r, job);
            if (other_runs(r, job))
                *vec_push(&lost) = job;
        }
    r->pumping = true; /* nothing else begins there before the host is told to be lost */
    for (size_t i = 0; i < over.n; i++)
        results_now(r, over.v[i]);
    r->pumping = pumping;
    vec_free(&over);
    if (!r->stopped)
        r->view->host_lost(r->view->context, host, for_good, reason);
    sched_host_lost(r->sched, host->id + 1, for_good, loop_now(r->loop));
    for (size_t i = 0; i < lost.n; i++)
        drop_job(r, lost.v[i]);
    vec_free(&lost);
    run_pump(r);
}

static void on_host_load(void *context, struct host *host, double load) {
    struct run *r = context;
    sched_host_load(r->sched, host->id + 1, load, loop_now(r->loop));
    run_pump(r);
}

static void on_host_holds(void *context, struct host *host, struct str name) {
    struct run *r = context;
    const struct file *file = map_get(&r->graph->file_names, name);
    if (file != NULL)
        sched_host_holds(r->sched, host->id + 1, file->id, true);
}

static void on_asking(void *context, bool on) {
    struct run *r = context;
    r->view->asking(r->view->context, on);
}

static void woken(void *arg) {
    struct run *r = arg;
    sched_tick(r->sched, loop_now(r->loop));
    run_pump(r);
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

static void add_pools(struct run *r) {
    VEC(uint32_t) members = {0};
    for (; r->pools < r->graph->pools.n; r->pools++) {
        const struct pool *pool = r->graph->pools.v[r->pools];
        members.n = 0;
        for (size_t h = 0; h < pool->n_hosts; h++)
            *vec_push(&members) = pool->hosts[h]->id + 1;
        sched_add_pool(r->sched, pick_of(pool), members.v, members.n);
    }
    vec_free(&members);
}

/* How fast hosts were in past runs: what steps took there, against what steps of their rule take on
 * average, wherever they ran. */
static void tell_speeds(struct run *r) {
    struct rule_times {
        double sum;
        uint32_t n;
    } *rules = mem_zalloc((r->graph->rules.n + 1) * sizeof *rules);
    struct host_times {
        double took, expected;
    } *hosts = mem_zalloc((r->graph->hosts.n + 1) * sizeof *hosts);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < r->graph->steps.n; i++) {
            const struct step *step = r->graph->steps.v[i];
            struct str name;
            if (step->pool == NULL || step->rule->id >= r->graph->rules.n)
                continue;
            double took = (double)fresh_cost(r->fresh, step, &name);
            const struct host *host =
                took > 0 && name.n != 0 ? map_get(&r->graph->host_names, name) : NULL;
            struct rule_times *rule = &rules[step->rule->id];
            if (host == NULL)
                continue;
            if (round == 0) {
                rule->sum += took;
                rule->n++;
            } else if (rule->n > 1) {
                hosts[host->id].took += took;
                hosts[host->id].expected += rule->sum / rule->n;
            }
        }
    r->speeds = mem_array(NULL, r->graph->hosts.n, sizeof *r->speeds);
    for (size_t i = 0; i < r->graph->hosts.n; i++) {
        r->speeds[i] = hosts[i].took > 0 ? hosts[i].expected / hosts[i].took : 1;
        sched_host_was(r->sched, (uint32_t)i + 1, (int64_t)hosts[i].took,
                       (int64_t)hosts[i].expected);
    }
    free(rules);
    free(hosts);
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
    add_pools(r);
    sched_add_limit(r->sched, 1); /* TERMINAL */
    for (size_t i = 0; i < r->graph->limits.n; i++)
        sched_add_limit(r->sched, r->graph->limits.v[i]->n);
}

static enum sched_when when_of(const struct step *step, size_t need) {
    static const enum sched_when whens[] = {[WHEN_SUCCESS] = SCHED_ON_SUCCESS,
                                            [WHEN_FAILURE] = SCHED_ON_FAILURE,
                                            [WHEN_ALWAYS] = SCHED_ON_END};
    return step->when != NULL ? whens[step->when[need]] : SCHED_ON_SUCCESS;
}

/* A step that runs where another one did, which was up to date: where that ran when it did. */
static const struct pool *place_of(struct run *r, const struct step *step) {
    struct str name;
    if (step->same == NULL || plan_has(r->plan, step->same))
        return step->pool;
    fresh_cost(r->fresh, step->same, &name);
    struct host *host = name.n != 0 ? map_get(&r->graph->host_names, name) : NULL;
    if (host == NULL)
        return step->pool;
    const struct pool *pool = graph_host_pool(r->graph, host);
    add_pools(r);
    return pool;
}

/* What it is expected to take on a host as fast as most; 0: not known. */
static int64_t expected_time(const struct run *r, const struct step *step) {
    struct str name;
    double took = (double)fresh_cost(r->fresh, step, &name);
    const struct host *host = name.n != 0 ? map_get(&r->graph->host_names, name) : NULL;
    return (int64_t)(host != NULL ? took * r->speeds[host->id] : took);
}

/* Two runs of a step would write the same files. */
static bool is_in_place(const struct pool *pool) {
    for (size_t i = 0; i < pool->n_hosts; i++)
        if (pool->hosts[i]->launch != NULL && !pool->hosts[i]->launch->stage)
            return true;
    return false;
}

static void add_step(struct run *r, uint32_t place) {
    const struct step *step = r->plan->steps.v[place];
    const struct rule *rule = step->rule;
    VEC(struct sched_need) needs = {0};
    VEC(uint32_t) limits = {0};
    VEC(struct sched_datum) data = {0};
    for (size_t n = 0; n < step->n_needs && !step->broken; n++)
        if (plan_has(r->plan, step->needs[n])) /* else it is left out: it counts as done */
            *vec_push(&needs) = (struct sched_need){.step = r->plan->place.v[step->needs[n]->id],
                                                    .when = when_of(step, n)};
    for (size_t i = 0; i < rule->n_limits; i++)
        *vec_push(&limits) = rule->limits[i]->id + 1;
    if (rule->console)
        *vec_push(&limits) = TERMINAL;
    bool elsewhere = step->pool != NULL && runs(step) && !step->broken;
    const struct pool *pool = place_of(r, step);
    for (size_t i = 0; elsewhere && rule->patience > 0 && i < pool->n_hosts; i++)
        pool->hosts[i]->awaited = true;
    for (size_t i = 0; elsewhere && i < step->n_in; i++) {
        uint64_t size = fresh_size(r->fresh, step->in[i]);
        if (size >= STORE_LEAST)
            *vec_push(&data) = (struct sched_datum){step->in[i]->id, size};
    }
    struct sched_step s = {
        .needs = needs.v,
        .n_needs = needs.n,
        .pool = elsewhere ? pool->id + 1 : HERE,
        .tied = step->same != NULL && plan_has(r->plan, step->same),
        .cpus = rule->cpus,
        .mem = rule->mem,
        .limits = limits.v,
        .n_limits = limits.n,
        .retries = r->options.retries >= 0 ? (uint32_t)r->options.retries : rule->retries,
        .wait = rule->retry_wait,
        .backoff = rule->retry_backoff,
        .patience = rule->patience,
        .timeout = r->options.timeout >= 0 ? r->options.timeout : rule->timeout,
        .cost = runs(step) ? expected_time(r, step) : 0,
        .kind = rule->id,
        .ask = runs(step) && !step->broken && fresh_may_be(r->fresh, step),
        .group = step->id < r->plan->group.n ? r->plan->group.v[step->id] : 0,
        .speculate = rule->speculate && !rule->console && elsewhere && !is_in_place(pool),
        .once = rule->once,
        .data = data.v,
        .n_data = data.n,
    };
    if (s.tied)
        s.same = r->plan->place.v[step->same->id];
    *vec_push(&r->jobs) = NULL;
    r->shown += runs(step);
    sched_add_step(r->sched, &s);
    vec_free(&needs);
    vec_free(&limits);
    vec_free(&data);
}

/* Steps that are left out count as done: what their patterns stand for is what is there. */
static void take_left_out(struct run *r) {
    for (size_t i = 0; i < r->plan->left_out.n; i++) {
        struct step *step = r->plan->left_out.v[i];
        str_list found = {0};
        struct buf reason = {0};
        if (files_match_made(step, NULL, &found, &reason))
            graph_settle(r->graph, step, found.v, found.n, &reason);
        str_list_free(&found);
        buf_free(&reason);
        grow(r, step, true);
    }
}

size_t run_steps(const struct plan *plan) {
    size_t n = 0;
    for (size_t i = 0; i < plan->steps.n; i++)
        n += runs(plan->steps.v[i]);
    return n;
}

/* Of each step that runs on hosts. */
static bool all_carry(const struct plan *plan) {
    bool any = false;
    for (size_t i = 0; i < plan->steps.n; i++) {
        const struct step *step = plan->steps.v[i];
        if (step->pool == NULL)
            continue;
        if (!remote_has_files(step))
            return false;
        any = true;
    }
    return any;
}

struct run *run_new(struct loop *loop, struct graph *graph, struct plan *plan, struct fresh *fresh,
                    const struct run_options *options, const struct run_view *view,
                    const struct watcher *watcher) {
    struct run *r = mem_zalloc(sizeof *r);
    *r = (struct run){.loop = loop,
                      .graph = graph,
                      .plan = plan,
                      .fresh = fresh,
                      .options = *options,
                      .view = view};
    r->events =
        (struct executor_events){r,           on_output,    on_ended,      on_host_up, on_host_lost,
                                 on_host_way, on_host_load, on_host_holds, NULL};
    r->wake = (struct timer){.expired = woken, .arg = r};
    r->watcher = watcher;
    r->prompter = prompter_new(loop, on_asking, r);
    r->local = local_new(loop, &r->events, watcher);
    r->hosts = hosts_new(loop, &r->events,
                         &(struct hosts_options){.config = options->ssh_config,
                                                 .keep_scratch = options->keep_scratch,
                                                 .watcher = watcher,
                                                 .prompter = r->prompter,
                                                 .carries = graph->hosts.n != 0 && all_carry(plan),
                                                 .held = &r->held});
    r->solo = solo_new(loop, &r->events, watcher, r->prompter, options->keep_scratch, &r->held);
    r->sched = sched_new(&(struct sched_config){
        .jobs = options->jobs_given ? options->jobs : 0,
        .failures = options->failures,
        .cancel_on_stop = options->cancel_on_failure,
        .reach = options->reach,
        .seed = options->seed,
    });
    add_places(r);
    if (graph->hosts.n != 0)
        tell_speeds(r);
    for (size_t i = 0; i < plan->steps.n; i++)
        add_step(r, (uint32_t)i);
    return r;
}

/* In bytes; 0: the system does not say (POSIX does not ask it to). */
static uint64_t memory_here(void) {
#ifdef _SC_PHYS_PAGES
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
#else
    return 0;
#endif
}

void run_begin(struct run *r) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    r->graph->running = true;
    take_left_out(r);
    sched_host_up(r->sched, HERE, cores > 0 ? (uint32_t)cores : 1, memory_here(),
                  loop_now(r->loop));
    sched_begin(r->sched, loop_now(r->loop));
    run_pump(r);
}

bool run_finished(const struct run *r) {
    return r->finished;
}

void run_stop(struct run *r, bool cancel) {
    bool again = r->stopped && cancel;
    r->stopped = r->stopped || cancel;
    sched_stop(r->sched, cancel, loop_now(r->loop));
    run_pump(r);
    for (size_t i = 0; again && i < r->jobs.n; i++)
        for (struct job *job = r->jobs.v[i], *next; job != NULL; job = next) {
            struct executor *x = executor_of(r, job->host);
            next = job->twin;
            if (job->ended == 0)
                x->table->cancel(x, job, true);
        }
}

void run_abandon(struct run *r) {
    for (size_t i = 0; i < r->jobs.n; i++) {
        struct job *job = r->jobs.v[i];
        while (job != NULL && job->twin != NULL)
            drop_job(r, job->twin);
        if (job == NULL || job->ended != 0)
            continue;
        r->counts[SCHED_CANCELLED]++;
        r->view->settled(r->view->context, job->step, job, SCHED_CANCELLED);
    }
    r->abandoned = true;
}

void run_hold(struct run *r, bool hold) {
    r->held = hold;
    if (hold)
        return;
    hosts_go_on(r->hosts);
    solo_go_on(r->solo);
}

void run_child_ended(struct run *r) {
    local_child_ended(r->local);
    hosts_child_ended(r->hosts);
    solo_child_ended(r->solo);
}

void run_pause(struct run *r) {
    hosts_pause(r->hosts);
    solo_pause(r->solo);
}

void run_resume(struct run *r) {
    hosts_resume(r->hosts);
    solo_resume(r->solo);
}

void run_resized(struct run *r) {
    hosts_resized(r->hosts);
    solo_resized(r->solo);
}

bool run_close(struct run *r) {
    loop_timer_clear(r->loop, &r->sync);
    bool local = r->local->table->close(r->local), hosts = r->hosts->table->close(r->hosts),
         solo = r->solo->table->close(r->solo);
    return local && hosts && solo && !r->syncing;
}

void run_free(struct run *r) {
    if (r == NULL)
        return;
    r->hosts->table->free(r->hosts);
    r->solo->table->free(r->solo);
    r->local->table->free(r->local);
    prompter_free(r->prompter);
    loop_timer_clear(r->loop, &r->wake);
    loop_timer_clear(r->loop, &r->sync);
    sched_free(r->sched);
    for (size_t i = 0; i < r->jobs.n; i++)
        for (struct job *job = r->jobs.v[i], *next; job != NULL; job = next) {
            next = job->twin;
            free_job(job);
        }
    vec_free(&r->jobs);
    free(r->speeds);
    free(r);
}

size_t run_fresh(const struct run *r) {
    return r->fresh_steps;
}

bool run_is_elsewhere(const struct run *r) {
    return r->elsewhere != 0;
}

bool run_is_forgetful(const struct run *r) {
    return r->forgetful;
}

size_t run_count(const struct run *r, enum sched_state state) {
    return r->counts[state];
}
