/* A scheduler under watch: the same events and actions, with a model beside it that knows only what
 * was said to and by it, and holds every action to the promises of sched.h. For the simulator and
 * the fuzzer. */
#ifndef FORAY_TESTS_SCHED_CHECKED_H
#define FORAY_TESTS_SCHED_CHECKED_H

#include "base/vec.h"
#include "sched/sched.h"

#include <stdio.h>

enum watched_link { WATCHED_DOWN, WATCHED_ASKED, WATCHED_UP, WATCHED_GONE };

struct watched_host {
    uint32_t slots, cores, busy;
    uint64_t mem, held;
    bool fixed;
    enum watched_link link;
    bool lossy; /* it lost a step since it came up: it may be in quarantine */
};

struct watched_pool {
    uint32_t *hosts;
    size_t n;
    int64_t idle_since; /* a step and a slot wait for each other since; INT64_MAX: they do not */
};

struct watched_step {
    struct sched_need *needs;
    size_t n_needs;
    uint32_t pool, retries, attempt, host, losses, cpus, share;
    uint64_t mem;
    uint32_t limit; /* SCHED_NONE: none */
    uint32_t same;  /* SCHED_NONE: it is not tied */
    bool branch;
    int64_t timeout, patience, started, retry_at;
    bool running, settled, cancelled, timed_out, retry_due;
    bool ask, asked, fresh; /* it is to be asked for; it was; the answer */
    enum sched_end end;     /* of its last try */
    enum sched_state state;
};

struct watched_limit {
    uint32_t n, used;
};

struct watched {
    struct sched *s;
    struct sched_config config;
    VEC(struct watched_host) hosts;
    VEC(struct watched_pool) pools;
    VEC(struct watched_step) steps;
    VEC(struct watched_limit) limits;
    size_t running, settled, failed, actions;
    int64_t now, wake; /* wake: INT64_MAX: none */
    bool begun, stopped, cancel, finished;
    bool hard, hard_cancel; /* stopped by sched_stop: branches neither; with cancel */
    const char *broken;     /* the first promise that was broken */
};

#define WATCHED_SETTLING INT64_C(200000000)

#define HOLDS(w, promise)                                                                          \
    do {                                                                                           \
        if (!(promise) && (w)->broken == NULL)                                                     \
            (w)->broken = #promise;                                                                \
    } while (0)

static void watched_new(struct watched *w, const struct sched_config *config) {
    *w = (struct watched){.s = sched_new(config), .config = *config, .wake = INT64_MAX};
    w->now = INT64_MIN;
}

static void watched_free(struct watched *w) {
    sched_free(w->s);
    for (size_t i = 0; i < w->pools.n; i++)
        free(w->pools.v[i].hosts);
    for (size_t i = 0; i < w->steps.n; i++)
        free(w->steps.v[i].needs);
    vec_free(&w->hosts);
    vec_free(&w->pools);
    vec_free(&w->steps);
    vec_free(&w->limits);
}

static uint32_t watched_add_limit(struct watched *w, uint32_t n) {
    *vec_push(&w->limits) = (struct watched_limit){.n = n};
    return sched_add_limit(w->s, n);
}

static uint32_t watched_add_host(struct watched *w, uint32_t slots) {
    *vec_push(&w->hosts) = (struct watched_host){.slots = slots, .fixed = slots != 0};
    return sched_add_host(w->s, slots);
}

static uint32_t *watched_copy(const uint32_t *v, size_t n) {
    uint32_t *copy = mem_array(NULL, n, sizeof *v);
    if (n != 0)
        memcpy(copy, v, n * sizeof *v);
    return copy;
}

static uint32_t watched_add_pool(struct watched *w, enum sched_pick pick, const uint32_t *hosts,
                                 size_t n) {
    *vec_push(&w->pools) = (struct watched_pool){watched_copy(hosts, n), n, INT64_MAX};
    return sched_add_pool(w->s, pick, hosts, n);
}

static uint32_t watched_add_step(struct watched *w, const struct sched_step *step) {
    struct watched_step added = {
        .needs = mem_array(NULL, step->n_needs + 1, sizeof *step->needs),
        .n_needs = step->n_needs,
        .pool = step->pool,
        .retries = step->retries,
        .timeout = step->timeout,
        .patience = step->patience,
        .cpus = step->cpus,
        .mem = step->mem,
        .limit = step->n_limits != 0 ? step->limits[0] : SCHED_NONE,
        .same = step->tied ? step->same : SCHED_NONE,
        .host = SCHED_NONE,
        .ask = step->ask,
    };
    for (size_t i = 0; i < step->n_needs; i++) {
        added.needs[i] = step->needs[i];
        added.branch = added.branch || step->needs[i].when != SCHED_ON_SUCCESS ||
                       w->steps.v[step->needs[i].step].branch;
    }
    *vec_push(&w->steps) = added;
    return sched_add_step(w->s, step);
}

static void watched_advance(struct watched *w, int64_t now) {
    w->now = now > w->now ? now : w->now;
}

static void watched_begin(struct watched *w, int64_t now) {
    watched_advance(w, now);
    w->begun = true;
    sched_begin(w->s, now);
}

static void watched_leave(struct watched *w, struct watched_step *step) {
    struct watched_host *h = &w->hosts.v[step->host];
    step->running = false;
    h->busy -= step->share;
    h->held -= step->mem;
    w->running--;
    if (step->limit != SCHED_NONE)
        w->limits.v[step->limit].used--;
}

static bool ended_lost(enum sched_end how) {
    return how == SCHED_ENDED_LOST || how == SCHED_ENDED_REFUSED;
}

static void watched_ended(struct watched *w, uint32_t id, enum sched_end how, int64_t now) {
    watched_advance(w, now);
    struct watched_step *step = &w->steps.v[id];
    if (step->running) {
        struct watched_host *h = &w->hosts.v[step->host];
        step->end = how;
        watched_leave(w, step);
        step->losses += ended_lost(how) && !step->timed_out;
        h->lossy = h->lossy || ended_lost(how);
        if (how == SCHED_ENDED_OK || how == SCHED_ENDED_FAILED ||
            how == SCHED_ENDED_FAILED_FOR_GOOD)
            h->lossy = false;
    }
    sched_step_ended(w->s, id, w->steps.v[id].attempt, how, now);
}

static void watched_up(struct watched *w, uint32_t id, uint32_t cores, uint64_t mem, int64_t now) {
    watched_advance(w, now);
    struct watched_host *h = &w->hosts.v[id];
    if (h->link != WATCHED_UP) {
        h->link = WATCHED_UP;
        h->lossy = false;
        h->cores = cores != 0 ? cores : 1;
        h->mem = mem;
        if (!h->fixed)
            h->slots = cores != 0 ? cores : 1;
    }
    sched_host_up(w->s, id, cores, mem, now);
}

static void watched_lost(struct watched *w, uint32_t id, bool for_good, int64_t now) {
    watched_advance(w, now);
    struct watched_host *h = &w->hosts.v[id];
    for (size_t i = 0; i < w->steps.n; i++) {
        struct watched_step *step = &w->steps.v[i];
        if (!step->running || step->host != id)
            continue;
        watched_leave(w, step);
        step->end = SCHED_ENDED_LOST;
        step->losses += !step->timed_out;
    }
    if (h->link != WATCHED_GONE)
        h->link = for_good ? WATCHED_GONE : WATCHED_DOWN;
    sched_host_lost(w->s, id, for_good, now);
}

static void watched_load(struct watched *w, uint32_t id, double load, int64_t now) {
    watched_advance(w, now);
    sched_host_load(w->s, id, load, now);
}

static void watched_stop(struct watched *w, bool cancel, int64_t now) {
    watched_advance(w, now);
    w->stopped = w->hard = true;
    w->cancel = w->cancel || cancel;
    w->hard_cancel = w->hard_cancel || cancel;
    sched_stop(w->s, cancel, now);
}

static void watched_tick(struct watched *w, int64_t now) {
    watched_advance(w, now);
    w->wake = INT64_MAX;
    sched_tick(w->s, now);
}

static bool watched_is_failure(const struct watched_step *step) {
    return step->state == SCHED_FAILED || step->state == SCHED_TIMED_OUT ||
           step->state == SCHED_NO_HOST || step->state == SCHED_SKIPPED;
}

/* Its needs are over as they should be. */
static bool watched_free_to_go(const struct watched *w, const struct watched_step *step) {
    bool waits = false, seen = false;
    for (size_t i = 0; i < step->n_needs; i++) {
        const struct watched_step *need = &w->steps.v[step->needs[i].step];
        if (!need->settled)
            return false;
        if (step->needs[i].when == SCHED_ON_SUCCESS && need->state != SCHED_DONE)
            return false;
        waits = waits || step->needs[i].when == SCHED_ON_FAILURE;
        seen = seen || (step->needs[i].when == SCHED_ON_FAILURE && watched_is_failure(need));
    }
    return !waits || seen;
}

static bool watched_ready(const struct watched *w, const struct watched_step *step) {
    return !step->settled && !step->running && !step->ask && step->retry_at <= w->now &&
           watched_free_to_go(w, step);
}

static bool watched_may_start(const struct watched *w, const struct watched_step *step) {
    return !w->stopped || (!w->hard && step->branch);
}

static bool watched_in_pool(const struct watched_pool *p, uint32_t host) {
    for (size_t i = 0; i < p->n; i++)
        if (p->hosts[i] == host)
            return true;
    return false;
}

static bool watched_wanted(const struct watched *w, uint32_t host) {
    for (size_t i = 0; i < w->steps.n; i++) {
        const struct watched_step *step = &w->steps.v[i];
        bool here = watched_in_pool(&w->pools.v[step->pool], host) ||
                    (step->same != SCHED_NONE && w->steps.v[step->same].host == host);
        if (here && watched_ready(w, step) && watched_may_start(w, step))
            return true;
    }
    return false;
}

static void watched_start(struct watched *w, const struct sched_action *a) {
    struct watched_step *step = &w->steps.v[a->step];
    struct watched_host *h = &w->hosts.v[a->host];
    HOLDS(w, watched_may_start(w, step) && "no step starts after a stop, but of branches");
    HOLDS(w, !step->running && "no step runs twice at once");
    HOLDS(w, !step->settled && "no step starts once it is over");
    HOLDS(w,
          watched_ready(w, step) && "no step starts before its needs are done or its pause over");
    HOLDS(w, !step->retry_due && "a try that ended is told of before the next one starts");
    HOLDS(w, h->link == WATCHED_UP && "steps start only on hosts that are up");
    const struct watched_step *same = step->same != SCHED_NONE ? &w->steps.v[step->same] : NULL;
    if (same != NULL && same->host != SCHED_NONE)
        HOLDS(w, same->host == a->host && "a tied step runs where the other one ran");
    else
        HOLDS(w, watched_in_pool(&w->pools.v[step->pool], a->host) && "and of their pool");
    uint64_t share =
        ((uint64_t)step->cpus * h->slots + h->cores - 1) / (h->cores != 0 ? h->cores : 1);
    step->share = share == 0 ? 1 : share > h->slots ? h->slots : (uint32_t)share;
    HOLDS(w, h->busy + step->share <= h->slots && "no host over its slots");
    HOLDS(w, (h->mem == 0 || step->mem == 0 || h->held + step->mem <= h->mem) && "nor its memory");
    if (step->limit != SCHED_NONE) {
        struct watched_limit *l = &w->limits.v[step->limit];
        HOLDS(w, ++l->used <= l->n && "limits of steps are kept");
    }
    HOLDS(w, (w->config.jobs == 0 || w->running < w->config.jobs) && "jobs are kept");
    HOLDS(w, step->losses < 5 && "what was lost five times is given up");
    HOLDS(w, a->attempt == step->attempt + 1 && "tries count from 1");
    step->attempt = a->attempt;
    step->host = a->host;
    step->started = w->now;
    step->running = step->retry_due = true;
    step->cancelled = step->timed_out = false;
    step->retry_at = 0;
    step->end = SCHED_ENDED_OK;
    h->busy += step->share;
    h->held += step->mem;
    w->running++;
}

static void watched_ask(struct watched *w, const struct sched_action *a) {
    struct watched_step *step = &w->steps.v[a->step];
    HOLDS(w, watched_may_start(w, step) && "nothing is asked after a stop");
    HOLDS(w, step->ask && !step->asked && "asked once, of those that want it");
    HOLDS(w, !step->settled && watched_free_to_go(w, step) && "when its needs are over");
    step->asked = true;
}

static void watched_known(struct watched *w, uint32_t id, bool fresh, uint32_t host, int64_t now) {
    watched_advance(w, now);
    struct watched_step *step = &w->steps.v[id];
    if (step->asked && step->ask && !step->settled) {
        step->ask = false;
        step->fresh = fresh;
        step->host = host;
    }
    sched_step_known(w->s, id, fresh, host, now);
}

static void watched_cancel(struct watched *w, const struct sched_action *a) {
    struct watched_step *step = &w->steps.v[a->step];
    HOLDS(w, step->running && "only what runs is cancelled");
    HOLDS(w, !step->cancelled && "and once");
    HOLDS(w, step->host == a->host && "where it runs");
    if (a->timed_out)
        HOLDS(w, step->timeout > 0 && w->now - step->started >= step->timeout && "not too early");
    else
        HOLDS(w, w->stopped && w->cancel && "not without being asked");
    step->cancelled = true;
    step->timed_out = a->timed_out;
}

static void watched_retry(struct watched *w, const struct sched_action *a) {
    struct watched_step *step = &w->steps.v[a->step];
    HOLDS(w, !step->running && !step->settled && step->attempt > 0 && "a try of it has ended");
    HOLDS(w, step->retry_due && "each try is told of once");
    HOLDS(w, a->attempt == step->attempt && "with its number");
    step->retry_due = false;
    step->retry_at = a->at;
    if (ended_lost(step->end) && !step->timed_out)
        return;
    HOLDS(w, step->retries > 0 && "as often as it may");
    step->retries--;
}

/* Whether something that it needs the success of ended so that the step must end in `state`. */
static bool watched_has_need(const struct watched *w, const struct watched_step *step,
                             enum sched_state state) {
    for (size_t i = 0; i < step->n_needs; i++) {
        const struct watched_step *need = &w->steps.v[step->needs[i].step];
        if (!need->settled || need->state == SCHED_DONE || step->needs[i].when != SCHED_ON_SUCCESS)
            continue;
        bool stopped = need->state == SCHED_STOPPED || need->state == SCHED_CANCELLED;
        bool unneeded = need->state == SCHED_UNNEEDED;
        if (state == SCHED_SKIPPED   ? !stopped && !unneeded
            : state == SCHED_STOPPED ? stopped
                                     : unneeded)
            return true;
    }
    return false;
}

static bool watched_no_failure(const struct watched *w, const struct watched_step *step) {
    bool waits = false;
    for (size_t i = 0; i < step->n_needs; i++) {
        const struct watched_step *need = &w->steps.v[step->needs[i].step];
        if (step->needs[i].when != SCHED_ON_FAILURE)
            continue;
        waits = true;
        if (!need->settled || watched_is_failure(need))
            return false;
    }
    return waits;
}

static void watched_settled(struct watched *w, const struct sched_action *a) {
    struct watched_step *step = &w->steps.v[a->step];
    HOLDS(w, !step->running && !step->settled && "settled once, and not while it runs");
    bool tried = step->attempt > 0;
    /* Of the steps that a bound on failures gives up, the one that reached it may come last. */
    bool may_stop = w->stopped || w->config.failures != 0;
    switch (a->state) {
    case SCHED_DONE:
        HOLDS(w, (step->fresh || (tried && step->end == SCHED_ENDED_OK)) && "it succeeded");
        break;
    case SCHED_FAILED:
        HOLDS(w, tried && "it failed");
        HOLDS(w, (step->retries == 0 || may_stop || step->end == SCHED_ENDED_FAILED_FOR_GOOD) &&
                     "and had no other try");
        break;
    case SCHED_TIMED_OUT:
        HOLDS(w, step->timeout > 0 && tried && "it had a limit");
        HOLDS(w, (step->retries == 0 || may_stop) && "and had no other try");
        break;
    case SCHED_NO_HOST:
        break;
    case SCHED_SKIPPED:
        HOLDS(w, watched_has_need(w, step, SCHED_SKIPPED) && "skipped for a reason");
        break;
    case SCHED_UNNEEDED:
        HOLDS(w, (watched_has_need(w, step, SCHED_UNNEEDED) || watched_no_failure(w, step)) &&
                     "not needed for a reason");
        break;
    case SCHED_STOPPED:
        HOLDS(w, (may_stop || watched_has_need(w, step, SCHED_STOPPED)) && "stopped for a reason");
        break;
    case SCHED_STATES:
        HOLDS(w, false && "a state");
        break;
    case SCHED_CANCELLED:
        HOLDS(w, step->cancelled && w->cancel && "cancelled because of a stop");
        break;
    }
    HOLDS(w, (step->end != SCHED_ENDED_OK || !tried || a->state == SCHED_DONE) &&
                 "success is not lost");
    step->settled = true;
    step->state = a->state;
    w->settled++;
    w->failed +=
        a->state == SCHED_FAILED || a->state == SCHED_TIMED_OUT || a->state == SCHED_NO_HOST;
}

/* At the end of what there is to do after an event: no slot is left free that a step could use, but
 * for a moment. */
static void watched_conserved(struct watched *w) {
    for (size_t i = 0; i < w->pools.n; i++) {
        struct watched_pool *p = &w->pools.v[i];
        bool room = false, work = false, wide = false;
        for (size_t j = 0; j < p->n && !room; j++) {
            const struct watched_host *h = &w->hosts.v[p->hosts[j]];
            room = h->link == WATCHED_UP && !h->lossy && h->busy < h->slots;
        }
        for (size_t j = 0; j < w->steps.n && room && !work; j++) {
            const struct watched_step *step = &w->steps.v[j];
            work = step->pool == i && step->losses == 0 && step->cpus == 0 && step->mem == 0 &&
                   step->limit == SCHED_NONE && step->same == SCHED_NONE &&
                   watched_may_start(w, step) && watched_ready(w, step);
        }
        /* A step that needs more keeps a host free, which may be of this pool too. */
        for (size_t j = 0; j < w->steps.n && !wide; j++)
            wide = (w->steps.v[j].cpus != 0 || w->steps.v[j].mem != 0) &&
                   watched_ready(w, &w->steps.v[j]);
        bool jobs = w->config.jobs == 0 || w->running < w->config.jobs;
        if (!room || !work || !jobs || wide)
            p->idle_since = INT64_MAX;
        else if (p->idle_since == INT64_MAX)
            p->idle_since = w->now;
        else
            HOLDS(w, w->now - p->idle_since <= WATCHED_SETTLING && "no slot idle while work waits");
    }
}

static void watched_cancelled(struct watched *w) {
    for (size_t i = 0; i < w->steps.n; i++) {
        const struct watched_step *step = &w->steps.v[i];
        if (!step->running || step->cancelled)
            continue;
        HOLDS(w, !(step->branch ? w->hard_cancel : w->cancel) &&
                     "a stop that cancels leaves nothing running");
        HOLDS(w, (step->timeout == 0 || w->now - step->started < step->timeout) && "limits hold");
    }
}

/* sched_next, checked. */
static bool watched_next(struct watched *w, struct sched_action *a) {
    if (!sched_next(w->s, a)) {
        w->actions = 0;
        if (w->begun && !w->finished) {
            watched_conserved(w);
            watched_cancelled(w);
            HOLDS(w, w->settled < w->steps.n && "finished is said when all is settled");
        }
        return false;
    }
    HOLDS(w, w->begun && !w->finished && "nothing before the beginning or after the end");
    HOLDS(w, ++w->actions < 100 + 10 * (w->steps.n + w->hosts.n) && "an end to every turn");
    switch (a->kind) {
    case SCHED_START:
        watched_start(w, a);
        break;
    case SCHED_ASK:
        watched_ask(w, a);
        break;
    case SCHED_CANCEL:
        watched_cancel(w, a);
        break;
    case SCHED_CONNECT: {
        struct watched_host *h = &w->hosts.v[a->host];
        HOLDS(w, h->link == WATCHED_DOWN && "asked for once, and only while it is not there");
        HOLDS(w, watched_wanted(w, a->host) && "only if work waits for it");
        h->link = WATCHED_ASKED;
        break;
    }
    case SCHED_RETRY:
        watched_retry(w, a);
        break;
    case SCHED_SETTLED:
        watched_settled(w, a);
        if (w->config.failures != 0 && w->failed >= w->config.failures) {
            w->stopped = true;
            w->cancel = w->cancel || w->config.cancel_on_stop;
        }
        break;
    case SCHED_WAKE:
        HOLDS(w, a->at != INT64_MAX && "a time that comes");
        w->wake = a->at;
        break;
    case SCHED_FINISHED:
        HOLDS(w, w->settled == w->steps.n && w->running == 0 && "finished means all is settled");
        w->finished = true;
        break;
    }
    return true;
}

#endif
