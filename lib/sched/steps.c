/* The life of a step. What is to be told of it (cancel, retry, settled) is not kept as a list of
 * actions but found from its phase when its turn comes, so that an event that overtakes an action
 * changes it. */
#include "sched/state.h"

#define UNKNOWN_COST SECOND
#define FIRST_PAUSE (250 * MILLISECOND)
#define LONGEST_PAUSE (30 * SECOND)

void step_add_news(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (step->has_news)
        return;
    step->has_news = true;
    step->news = NONE;
    if (s->news == NONE)
        s->news = id;
    else
        s->steps.v[s->last_news].news = id;
    s->last_news = id;
}

static void add_edge(struct sched *s, uint32_t from, uint32_t to, enum sched_when when) {
    *vec_push(&s->edges) = (struct edge){.step = to, .next = s->steps.v[from].dependents};
    *vec_push(&s->whens) = (uint8_t)when;
    s->steps.v[from].dependents = (uint32_t)s->edges.n - 1;
}

static bool is_failure(enum sched_state state) {
    return state == SCHED_FAILED || state == SCHED_TIMED_OUT || state == SCHED_NO_HOST;
}

/* What becomes of a step that needs the success of another one that ended so. */
static enum sched_state state_without(enum sched_state state) {
    switch (state) {
    case SCHED_UNNEEDED:
        return SCHED_UNNEEDED;
    case SCHED_STOPPED:
    case SCHED_CANCELLED:
        return SCHED_STOPPED;
    default:
        return SCHED_SKIPPED;
    }
}

/* Takes account of a need that is over. false: the step is settled by that. */
static bool take_need(struct sched *s, uint32_t id, enum sched_state state, enum sched_when when) {
    struct step *step = &s->steps.v[id];
    if (when == SCHED_ON_SUCCESS && state != SCHED_DONE) {
        step_settle(s, id, state_without(state));
        return false;
    }
    if (when == SCHED_ON_FAILURE && (is_failure(state) || state == SCHED_SKIPPED))
        step->failure_seen = true;
    return true;
}

/* Nothing that it needs holds it back any more. */
static void release(struct sched *s, uint32_t id);
static void count_branch(struct sched *s, const struct step *step, bool open);

static void all_needs_over(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (step->on_failure && !step->failure_seen) {
        step_settle(s, id, SCHED_UNNEEDED);
    } else if (step->ask) {
        count_branch(s, step, true);
        step->phase = ASKED;
        step_add_news(s, id);
    } else {
        release(s, id);
    }
}

void sched_step_known(struct sched *s, uint32_t id, bool fresh, uint32_t host, int64_t now) {
    sched_advance(s, now);
    struct step *step = &s->steps.v[id];
    if (step->phase != ASKED || !step->told)
        return;
    step->told = false;
    step->host = host;
    if (fresh)
        step_settle(s, id, SCHED_DONE);
    else
        release(s, id);
}

static const struct sched_datum *copy_data(const struct sched_step *given) {
    struct sched_datum *copy = mem_array(NULL, given->n_data + 1, sizeof *copy);
    for (size_t i = 0; i < given->n_data; i++)
        copy[i] = given->data[i];
    return copy;
}

uint32_t sched_add_step(struct sched *s, const struct sched_step *given) {
    uint32_t id = (uint32_t)s->steps.n;
    struct step *step = vec_push(&s->steps);
    step->height = given->cost > 0 ? given->cost : UNKNOWN_COST;
    step->timeout = given->timeout > 0 ? given->timeout : 0;
    step->cost = given->cost > 0 ? (float)given->cost : 0;
    step->queue = queue_find(s, given->pool, given->group, given->cpus, given->mem, given->limits,
                             given->n_limits);
    step->retries = given->retries;
    s->work += (double)(given->cost > 0 ? given->cost : UNKNOWN_COST);
    step->dependents = step->host = NONE;
    step->ask = given->ask;
    step->once = given->once;
    step->state = SCHED_STOPPED;
    if (given->n_data != 0 || given->tied || given->wait > 0 || given->backoff > 0 ||
        given->patience > 0 || given->speculate) {
        *vec_push(&s->extras) = (struct extra){.tied = given->tied,
                                               .same = given->same,
                                               .wait = given->wait,
                                               .backoff = given->backoff,
                                               .patience = given->patience,
                                               .speculate = given->speculate,
                                               .data = copy_data(given),
                                               .n_data = given->n_data,
                                               .kind = given->kind};
        if (given->speculate && given->cost > 0 && s->kinds.n <= given->kind) {
            while (s->kinds.n <= given->kind)
                (void)vec_push(&s->kinds);
            s->kinds.v[given->kind] = (struct kind){.n = 1, .total = given->cost};
        }
        step->extra = (uint32_t)s->extras.n;
    }
    bool settled = false;
    for (size_t i = 0; i < given->n_needs; i++) {
        const struct sched_need *n = &given->needs[i];
        const struct step *need = &s->steps.v[n->step];
        step->branch = step->branch || n->when != SCHED_ON_SUCCESS || need->branch;
        step->on_failure = step->on_failure || n->when == SCHED_ON_FAILURE;
        if (need->phase == OVER && need->told) {
            settled = settled || !take_need(s, id, need->state, n->when);
        } else {
            step->blocked++;
            add_edge(s, n->step, id, n->when);
        }
    }
    if (!settled && s->begun && step->blocked == 0)
        all_needs_over(s, id);
    return id;
}

void step_begin_all(struct sched *s) {
    /* Steps come after what they need: backwards, all dependents of a step are done before it. */
    for (size_t i = s->steps.n; i-- > 0;) {
        struct step *step = &s->steps.v[i];
        int64_t longest = 0;
        for (uint32_t e = step->dependents; e != NONE; e = s->edges.v[e].next) {
            int64_t height = s->steps.v[s->edges.v[e].step].height;
            longest = height > longest ? height : longest;
        }
        step->height = sum_of_times(step->height, longest);
    }
    for (size_t i = 0; i < s->steps.n; i++)
        if (s->steps.v[i].blocked == 0 && s->steps.v[i].phase == BLOCKED)
            all_needs_over(s, (uint32_t)i);
}

/* A step that must run where another one did waits in the pool of that host alone. */
static void tie(struct sched *s, struct step *step, const struct extra *extra) {
    uint32_t host = s->steps.v[extra->same].host;
    if (host == NONE)
        return;
    if (s->hosts.v[host].alone == 0)
        s->hosts.v[host].alone = sched_add_pool(s, SCHED_LEAST_LOADED, &host, 1) + 1;
    const struct queue q = s->queues.v[step->queue];
    uint32_t pool = s->hosts.v[host].alone - 1;
    step->queue = queue_find(s, pool, q.group, q.cpus, q.mem, q.limits, q.n_limits);
}

/* Whether a step may wait though no host of its pool is of use: for one that may come up yet. */
static bool be_patient(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    struct extra *extra = step->extra != 0 ? &s->extras.v[step->extra - 1] : NULL;
    if (extra == NULL || extra->patience <= 0)
        return false;
    if (extra->patient_till == 0) {
        extra->patient_till = sum_of_times(s->now, extra->patience);
        s->pools.v[s->queues.v[step->queue].pool].patient++;
        heap_set(&s->step_timers, (struct heap_entry){.key = extra->patient_till, .id = id});
    }
    return true;
}

static void count_branch(struct sched *s, const struct step *step, bool open) {
    if (!step->branch)
        return;
    if (open)
        s->branches_open++;
    else
        s->branches_open--;
}

static bool is_open(const struct step *step) {
    return step->phase == READY || step->phase == PAUSED || step->phase == ASKED;
}

static void release(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (!is_open(step))
        count_branch(s, step, true);
    step->phase = READY;
    if (s->stopped && !(s->branches && step->branch))
        return;
    if (step->extra != 0 && s->extras.v[step->extra - 1].tied)
        tie(s, step, &s->extras.v[step->extra - 1]);
    bool patient = be_patient(s, id);
    const struct pool *p = &s->pools.v[s->queues.v[step->queue].pool];
    if (p->hopeful == 0 && (!patient || pool_is_gone(s, p)))
        step_settle(s, id, SCHED_NO_HOST);
    else
        queue_push(s, id);
}

void step_start(struct sched *s, uint32_t id, uint32_t host, uint32_t share,
                struct sched_action *action) {
    struct step *step = &s->steps.v[id];
    struct host *h = &s->hosts.v[host];
    queue_leave(s, id);
    count_branch(s, step, false);
    heap_remove(&s->step_timers, id);
    step->started = s->now;
    s->groups.v[s->queues.v[step->queue].group].used += (double)UNKNOWN_COST;
    h->busy += step->share = share;
    h->mem_held += s->queues.v[step->queue].mem;
    step->phase = RUNNING;
    step->cancel = CANCEL_NOT;
    step->told = false;
    step->attempt++;
    step->host = host;
    step->seat = (uint32_t)h->running.n;
    *vec_push(&h->running) = id;
    h->since++;
    h->used = ++s->starts;
    s->running++;
    if (step->timeout != 0)
        heap_set(&s->step_timers,
                 (struct heap_entry){.key = sum_of_times(s->now, step->timeout), .id = id});
    *action = (struct sched_action){
        .kind = SCHED_START, .step = id, .host = host, .attempt = step->attempt};
    copy_watch(s, id);
    host_changed(s, host);
}

/* The last one takes the place of who leaves. Of two runs of a step one is here at most. */
void step_leave_seat(struct sched *s, uint32_t host, uint32_t seat) {
    struct host *h = &s->hosts.v[host];
    uint32_t last = h->running.v[--h->running.n];
    struct step *step = &s->steps.v[last];
    h->running.v[seat] = last;
    if (step->extra != 0 && s->extras.v[step->extra - 1].copy.runs &&
        s->extras.v[step->extra - 1].copy.host == host)
        s->extras.v[step->extra - 1].copy.seat = seat;
    else
        step->seat = seat;
}

void step_leave(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    struct host *h = &s->hosts.v[step->host];
    step_leave_seat(s, step->host, step->seat);
    s->groups.v[s->queues.v[step->queue].group].used +=
        (double)(s->now - step->started) * step->share - (double)UNKNOWN_COST;
    h->busy -= step->share;
    h->mem_held -= s->queues.v[step->queue].mem;
    s->running--;
    heap_remove(&s->step_timers, id);
    queue_give_limits(s, step->queue);
}

void step_settle(struct sched *s, uint32_t id, enum sched_state state) {
    struct step *step = &s->steps.v[id];
    if (is_open(step)) {
        heap_remove(&s->step_timers, id);
        queue_leave(s, id);
        count_branch(s, step, false);
    }
    step->phase = OVER;
    s->work -= step->cost > 0 ? (double)step->cost : (double)UNKNOWN_COST;
    step->state = (uint8_t)state;
    step->told = false;
    s->over++;
    step_add_news(s, id);
    if (!is_failure(state))
        return;
    s->failed++;
    if (s->failed == s->config.failures) {
        s->branches = !s->stopped;
        step_stop_all(s, s->config.cancel_on_stop);
    }
}

static uint32_t count_losses(const struct sched *s, const struct step *step) {
    return step->losses != 0 ? s->losses.v[step->losses - 1].n : 0;
}

static int64_t pause_after(struct sched *s, const struct step *step, uint32_t failed_tries) {
    const struct extra *extra = step->extra != 0 ? &s->extras.v[step->extra - 1] : NULL;
    double first = extra != NULL && extra->wait > 0 ? (double)extra->wait : (double)FIRST_PAUSE;
    double factor = extra != NULL && extra->backoff > 0 ? extra->backoff : 2;
    double longest = first > (double)LONGEST_PAUSE ? first : (double)LONGEST_PAUSE;
    double pause = first;
    for (uint32_t i = 1; i < failed_tries && pause < longest; i++)
        pause *= factor;
    pause = pause < longest ? pause : longest;
    return sched_jitter(s, pause < (double)(INT64_MAX / 4) ? (int64_t)pause : INT64_MAX / 4);
}

static void try_failed(struct sched *s, uint32_t id, enum sched_state state) {
    struct step *step = &s->steps.v[id];
    if ((s->stopped && !(s->branches && step->branch)) || step->retries == 0) {
        step_settle(s, id, state);
        return;
    }
    step->retries--;
    count_branch(s, step, true);
    step->phase = PAUSED;
    step->state = (uint8_t)state;
    int64_t pause = pause_after(s, step, step->attempt - count_losses(s, step));
    heap_set(&s->step_timers, (struct heap_entry){.key = sum_of_times(s->now, pause), .id = id});
    step_add_news(s, id);
}

static void try_lost(struct sched *s, uint32_t id, bool refused) {
    struct step *step = &s->steps.v[id];
    if (step->losses == 0) {
        (void)vec_push(&s->losses);
        step->losses = (uint32_t)s->losses.n;
    }
    struct losses *l = &s->losses.v[step->losses - 1];
    l->hosts[l->n++] = step->host;
    bool nowhere = refused && s->pools.v[s->queues.v[step->queue].pool].n == 1;
    if (l->n == MAX_LOSSES || step->once || nowhere) {
        step_settle(s, id, SCHED_NO_HOST);
    } else if (s->stopped && !(s->branches && step->branch)) {
        step_settle(s, id, step->state);
    } else {
        step_add_news(s, id);
        release(s, id);
    }
}

void step_conclude(struct sched *s, uint32_t id, enum sched_end how) {
    const struct step *step = &s->steps.v[id];
    if (step->cancel == CANCEL_OUTRUN) { /* its second run had succeeded */
        step_settle(s, id, SCHED_DONE);
        return;
    }
    if (how == SCHED_ENDED_OK)
        copy_learn(s, id);
    /* What ends well all the same had ended before: what it made was still being looked at. */
    if (step->told && step->cancel == CANCEL_FOR_TIME && how != SCHED_ENDED_OK) {
        try_failed(s, id, SCHED_TIMED_OUT);
        return;
    }
    if (step->told && step->cancel == CANCEL_FOR_STOP && how != SCHED_ENDED_OK) {
        step_settle(s, id, SCHED_CANCELLED);
        return;
    }
    switch (how) {
    case SCHED_ENDED_OK:
        step_settle(s, id, SCHED_DONE);
        break;
    case SCHED_ENDED_FAILED_FOR_GOOD:
        step_settle(s, id, SCHED_FAILED);
        break;
    case SCHED_ENDED_FAILED:
    case SCHED_ENDED_CANCELLED:
        try_failed(s, id, SCHED_FAILED);
        break;
    case SCHED_ENDED_LOST:
    case SCHED_ENDED_REFUSED:
        try_lost(s, id, how == SCHED_ENDED_REFUSED);
        break;
    case SCHED_ENDED_UNKEPT:
        step_settle(s, id, SCHED_NO_HOST);
        break;
    }
}

void step_cancel(struct sched *s, uint32_t id, enum cancel why) {
    struct step *step = &s->steps.v[id];
    step->cancel = (uint8_t)why;
    heap_remove(&s->step_timers, id);
    step_add_news(s, id);
}

void step_expired(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (step->phase == RUNNING) {
        step_cancel(s, id, CANCEL_FOR_TIME);
    } else if (step->phase == PAUSED) {
        release(s, id);
    } else { /* its patience is over */
        struct pool *p = &s->pools.v[s->queues.v[step->queue].pool];
        s->extras.v[step->extra - 1].patient_till = 0;
        p->patient--;
        if (p->hopeful != 0)
            return;
        step_settle(s, id, SCHED_NO_HOST);
        queue_changed(s, step->queue);
    }
}

void step_stop_all(struct sched *s, bool cancel_running) {
    s->stopped = true;
    queue_keep_branches(s);
    for (size_t i = 0; i < s->steps.n; i++) {
        struct step *step = &s->steps.v[i];
        if (step->phase == RUNNING && cancel_running && step->cancel == CANCEL_NOT) {
            copy_cancel(s, (uint32_t)i);
            step_cancel(s, (uint32_t)i, CANCEL_FOR_STOP);
        }
        if (s->branches && step->branch)
            continue;
        if (is_open(step) && step->state != SCHED_STOPPED) /* it failed, and would be tried again */
            step_settle(s, (uint32_t)i, step->state);
    }
}

/* Branches wait for what becomes of the others. */
void step_skip_rest(struct sched *s) {
    for (size_t i = 0; i < s->steps.n; i++)
        if (s->steps.v[i].phase != OVER && !(s->branches && s->steps.v[i].branch))
            step_settle(s, (uint32_t)i, s->steps.v[i].state);
}

/* Frees or settles what needs a step, once it has been told that the step is over. */
static void spread(struct sched *s, uint32_t id) {
    enum sched_state state = s->steps.v[id].state;
    for (uint32_t e = s->steps.v[id].dependents; e != NONE; e = s->edges.v[e].next) {
        uint32_t dependent = s->edges.v[e].step;
        if (s->steps.v[dependent].phase == OVER)
            continue;
        if (take_need(s, dependent, state, s->whens.v[e]) && --s->steps.v[dependent].blocked == 0)
            all_needs_over(s, dependent);
    }
}

static bool tell_one(struct sched *s, uint32_t id, struct sched_action *action) {
    struct step *step = &s->steps.v[id];
    const struct extra *extra = step->extra != 0 ? &s->extras.v[step->extra - 1] : NULL;
    bool twice = extra != NULL && extra->speculate;
    *action = (struct sched_action){.step = id, .host = step->host, .attempt = step->attempt};
    switch ((enum phase)step->phase) {
    case RUNNING:
        if (copy_tell(s, id, action)) {
            if (!extra->gone && step->cancel != CANCEL_NOT && !step->told)
                step_add_news(s, id); /* and the first run */
            return true;
        }
        if (step->cancel == CANCEL_NOT || step->told || (twice && extra->gone))
            return false;
        step->told = true;
        action->kind = SCHED_CANCEL;
        action->attempt = twice ? extra->attempt : step->attempt;
        action->timed_out = step->cancel == CANCEL_FOR_TIME;
        action->outrun = step->cancel == CANCEL_OUTRUN;
        return true;
    case ASKED:
        action->kind = SCHED_ASK;
        step->told = !s->stopped || (s->branches && step->branch);
        return step->told;
    case READY:
        action->kind = SCHED_RETRY;
        action->attempt = twice ? extra->attempt : step->attempt;
        action->at = s->now;
        return !s->stopped || s->branches;
    case PAUSED:
        action->kind = SCHED_RETRY;
        action->attempt = twice ? extra->attempt : step->attempt;
        action->at = heap_find(&s->step_timers, id)->key;
        return true;
    case OVER:
        step->told = true;
        action->kind = SCHED_SETTLED;
        action->state = step->state;
        if (twice && extra->winner != 0 && step->state == SCHED_DONE)
            action->attempt = extra->winner;
        else if (twice && extra->attempt != 0)
            action->attempt = extra->attempt;
        spread(s, id);
        return true;
    case BLOCKED:
        break;
    }
    return false;
}

bool step_tell(struct sched *s, struct sched_action *action) {
    while (s->news != NONE) {
        uint32_t id = s->news;
        s->news = s->steps.v[id].news;
        s->steps.v[id].has_news = false;
        if (tell_one(s, id, action))
            return true;
    }
    return false;
}
