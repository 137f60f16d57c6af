/* The life of a step. What is to be told of it (cancel, retry, settled) is not kept as a list of
 * actions but found from its phase when its turn comes, so that an event that overtakes an action
 * changes it. */
#include "sched/state.h"

#define UNKNOWN_COST SECOND
#define FIRST_PAUSE (250 * MILLISECOND)
#define LONGEST_PAUSE (30 * SECOND)

static void add_news(struct sched *s, uint32_t id) {
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

static void add_edge(struct sched *s, uint32_t from, uint32_t to) {
    *vec_push(&s->edges) = (struct edge){.step = to, .next = s->steps.v[from].dependents};
    s->steps.v[from].dependents = (uint32_t)s->edges.n - 1;
}

uint32_t sched_add_step(struct sched *s, const struct sched_step *given) {
    uint32_t id = (uint32_t)s->steps.n;
    struct step *step = vec_push(&s->steps);
    step->height = given->cost > 0 ? given->cost : UNKNOWN_COST;
    step->timeout = given->timeout > 0 ? given->timeout : 0;
    step->pool = given->pool;
    step->retries = given->retries;
    step->dependents = NONE;
    step->state = SCHED_SKIPPED;
    bool skipped = false;
    for (size_t i = 0; i < given->n_needs; i++) {
        const struct step *need = &s->steps.v[given->needs[i].step];
        if (need->phase == OVER && need->told) {
            skipped = skipped || need->state != SCHED_DONE;
        } else {
            step->blocked++;
            add_edge(s, given->needs[i].step, id);
        }
    }
    if (skipped)
        step_settle(s, id, SCHED_SKIPPED);
    else if (s->begun && step->blocked == 0)
        step_release(s, id);
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
            step_release(s, (uint32_t)i);
}

void step_release(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    step->phase = READY;
    if (s->stopped)
        return;
    if (s->pools.v[step->pool].hopeful == 0)
        step_settle(s, id, SCHED_NO_HOST);
    else
        pool_push(s, step->pool, id);
}

void step_start(struct sched *s, uint32_t id, uint32_t host, struct sched_action *action) {
    struct step *step = &s->steps.v[id];
    struct host *h = &s->hosts.v[host];
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
    host_changed(s, host);
}

void step_leave(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    struct host *h = &s->hosts.v[step->host];
    uint32_t last = h->running.v[--h->running.n];
    h->running.v[step->seat] = last;
    s->steps.v[last].seat = step->seat;
    s->running--;
    heap_remove(&s->step_timers, id);
}

void step_settle(struct sched *s, uint32_t id, enum sched_state state) {
    struct step *step = &s->steps.v[id];
    if (step->phase == PAUSED)
        heap_remove(&s->step_timers, id);
    step->phase = OVER;
    step->state = (uint8_t)state;
    step->told = false;
    s->over++;
    add_news(s, id);
    if (state != SCHED_FAILED && state != SCHED_TIMED_OUT && state != SCHED_NO_HOST)
        return;
    s->failed++;
    if (s->failed == s->config.failures)
        step_stop_all(s, s->config.cancel_on_stop);
}

static uint32_t count_losses(const struct sched *s, const struct step *step) {
    return step->losses != 0 ? s->losses.v[step->losses - 1].n : 0;
}

static int64_t pause_after(struct sched *s, uint32_t failed_tries) {
    int64_t pause = FIRST_PAUSE;
    for (uint32_t i = 1; i < failed_tries && pause < LONGEST_PAUSE; i++)
        pause *= 2;
    return sched_jitter(s, pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE);
}

static void try_failed(struct sched *s, uint32_t id, enum sched_state state) {
    struct step *step = &s->steps.v[id];
    if (s->stopped || step->retries == 0) {
        step_settle(s, id, state);
        return;
    }
    step->retries--;
    step->phase = PAUSED;
    step->state = (uint8_t)state;
    int64_t pause = pause_after(s, step->attempt - count_losses(s, step));
    heap_set(&s->step_timers, (struct heap_entry){.key = sum_of_times(s->now, pause), .id = id});
    add_news(s, id);
}

static void try_lost(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (step->losses == 0) {
        (void)vec_push(&s->losses);
        step->losses = (uint32_t)s->losses.n;
    }
    struct losses *l = &s->losses.v[step->losses - 1];
    l->hosts[l->n++] = step->host;
    if (l->n == MAX_LOSSES) {
        step_settle(s, id, SCHED_NO_HOST);
    } else if (s->stopped) {
        step_settle(s, id, step->state);
    } else {
        add_news(s, id);
        step_release(s, id);
    }
}

void step_conclude(struct sched *s, uint32_t id, enum sched_end how) {
    const struct step *step = &s->steps.v[id];
    if (step->told && step->cancel == CANCEL_FOR_TIME) {
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
    case SCHED_ENDED_FAILED:
    case SCHED_ENDED_FAILED_FOR_GOOD:
    case SCHED_ENDED_CANCELLED:
        try_failed(s, id, SCHED_FAILED);
        break;
    case SCHED_ENDED_LOST:
        try_lost(s, id);
        break;
    }
}

static void cancel(struct sched *s, uint32_t id, enum cancel why) {
    struct step *step = &s->steps.v[id];
    step->cancel = (uint8_t)why;
    heap_remove(&s->step_timers, id);
    add_news(s, id);
}

void step_expired(struct sched *s, uint32_t id) {
    if (s->steps.v[id].phase == RUNNING)
        cancel(s, id, CANCEL_FOR_TIME);
    else
        step_release(s, id);
}

void step_stop_all(struct sched *s, bool cancel_running) {
    s->stopped = true;
    for (size_t i = 0; i < s->steps.n; i++) {
        struct step *step = &s->steps.v[i];
        if (step->phase == RUNNING && cancel_running && step->cancel == CANCEL_NOT)
            cancel(s, (uint32_t)i, CANCEL_FOR_STOP);
        bool waits = step->phase == READY || step->phase == PAUSED;
        if (waits && step->state != SCHED_SKIPPED) /* it failed and would have been tried again */
            step_settle(s, (uint32_t)i, step->state);
    }
}

void step_skip_rest(struct sched *s) {
    for (size_t i = 0; i < s->steps.n; i++)
        if (s->steps.v[i].phase != OVER)
            step_settle(s, (uint32_t)i, s->steps.v[i].state);
}

/* Frees or skips what needs a step, once it has been told that the step is over. */
static void spread(struct sched *s, const struct step *step) {
    for (uint32_t e = step->dependents; e != NONE; e = s->edges.v[e].next) {
        uint32_t id = s->edges.v[e].step;
        struct step *dependent = &s->steps.v[id];
        if (dependent->phase == OVER)
            continue;
        if (step->state != SCHED_DONE)
            step_settle(s, id, SCHED_SKIPPED);
        else if (--dependent->blocked == 0)
            step_release(s, id);
    }
}

static bool tell_one(struct sched *s, uint32_t id, struct sched_action *action) {
    struct step *step = &s->steps.v[id];
    *action = (struct sched_action){.step = id, .host = step->host, .attempt = step->attempt};
    switch ((enum phase)step->phase) {
    case RUNNING:
        step->told = true;
        action->kind = SCHED_CANCEL;
        action->timed_out = step->cancel == CANCEL_FOR_TIME;
        return true;
    case READY:
        action->kind = SCHED_RETRY;
        action->at = s->now;
        return !s->stopped;
    case PAUSED:
        action->kind = SCHED_RETRY;
        action->at = heap_find(&s->step_timers, id)->key;
        return true;
    case OVER:
        step->told = true;
        action->kind = SCHED_SETTLED;
        action->state = step->state;
        spread(s, step);
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
