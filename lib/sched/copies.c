/* Second runs. A step that is safe to run twice and takes much longer than others of its kind is
 * started once more, elsewhere, when its pool has nothing better to do. The first to succeed
 * counts; the step settles when the other one has been ended. What fails while the other one runs
 * is forgotten. */
#include "sched/state.h"

#define LEAST_WAIT SECOND
#define LOOK_AGAIN SECOND

static struct extra *extra_of(struct sched *s, uint32_t id) {
    uint32_t extra = s->steps.v[id].extra;
    return extra != 0 && s->extras.v[extra - 1].speculate ? &s->extras.v[extra - 1] : NULL;
}

static struct kind *kind_of(struct sched *s, uint32_t kind) {
    while (s->kinds.n <= kind)
        (void)vec_push(&s->kinds);
    return &s->kinds.v[kind];
}

/* Twice what its kind takes; INT64_MAX: nobody knows yet. */
static int64_t patience_with(struct sched *s, const struct extra *extra) {
    const struct kind *kind = kind_of(s, extra->kind);
    if (kind->n == 0)
        return INT64_MAX;
    int64_t mean = kind->total / kind->n, wait = sum_of_times(mean, mean);
    return wait > LEAST_WAIT ? wait : LEAST_WAIT;
}

void copy_watch(struct sched *s, uint32_t id) {
    struct extra *extra = extra_of(s, id);
    if (extra == NULL)
        return;
    extra->attempt = s->steps.v[id].attempt;
    extra->gone = false;
    extra->winner = 0;
    int64_t wait = patience_with(s, extra);
    heap_set(&s->stragglers,
             (struct heap_entry){.key = sum_of_times(s->now, wait == INT64_MAX ? LOOK_AGAIN : wait),
                                 .id = id});
}

void copy_learn(struct sched *s, uint32_t id) {
    struct extra *extra = extra_of(s, id);
    if (extra == NULL)
        return;
    struct kind *kind = kind_of(s, extra->kind);
    kind->n++;
    kind->total = sum_of_times(kind->total, s->now - s->steps.v[id].started);
    heap_remove(&s->stragglers, id);
}

bool copy_start(struct sched *s, struct sched_action *action) {
    while (s->stragglers.n != 0 && s->stragglers.v[0].key <= s->now && sched_headroom(s) != 0) {
        uint32_t id = s->stragglers.v[0].id;
        struct step *step = &s->steps.v[id];
        struct extra *extra = extra_of(s, id);
        if (step->phase != RUNNING || step->cancel != CANCEL_NOT || extra->copy.runs) {
            heap_pop(&s->stragglers);
            continue;
        }
        int64_t wait = patience_with(s, extra);
        uint32_t host = NONE;
        if (wait != INT64_MAX && s->now - s->steps.v[id].started >= wait)
            host = pool_second_host(s, id);
        if (host == NONE || !queue_take_limits(s, step->queue)) {
            heap_set(&s->stragglers,
                     (struct heap_entry){.key = sum_of_times(s->now, LOOK_AGAIN), .id = id});
            continue;
        }
        heap_pop(&s->stragglers);
        struct host *h = &s->hosts.v[host];
        extra->copy.runs = true;
        extra->copy.cancelled = extra->copy.told = false;
        extra->copy.host = host;
        extra->copy.seat = (uint32_t)h->running.n;
        extra->copy.share = queue_share(&s->queues.v[step->queue], h);
        extra->copy.attempt = ++step->attempt;
        extra->copy.started = s->now;
        *vec_push(&h->running) = id;
        h->busy += extra->copy.share;
        h->mem_held += s->queues.v[step->queue].mem;
        h->since++;
        h->used = ++s->starts;
        s->running++;
        *action = (struct sched_action){
            .kind = SCHED_START, .step = id, .host = host, .attempt = step->attempt};
        host_changed(s, host);
        return true;
    }
    return false;
}

static void leave_copy(struct sched *s, uint32_t id, struct extra *extra) {
    struct host *h = &s->hosts.v[extra->copy.host];
    step_leave_seat(s, extra->copy.host, extra->copy.seat);
    h->busy -= extra->copy.share;
    h->mem_held -= s->queues.v[s->steps.v[id].queue].mem;
    s->running--;
    extra->copy.runs = false;
    queue_give_limits(s, s->steps.v[id].queue);
    host_changed(s, extra->copy.host);
}

/* The second run takes the place of the first one. */
static void take_over(struct sched *s, uint32_t id, struct extra *extra) {
    struct step *step = &s->steps.v[id];
    step->host = extra->copy.host;
    step->seat = extra->copy.seat;
    step->share = extra->copy.share;
    step->cancel = CANCEL_NOT;
    step->told = false;
    extra->attempt = extra->copy.attempt;
    step->started = extra->copy.started;
    extra->copy.runs = false;
    if (step->timeout != 0)
        heap_set(&s->step_timers,
                 (struct heap_entry){.key = sum_of_times(step->started, step->timeout), .id = id});
}

/* The copy is over, for the good or not. */
static void end_copy(struct sched *s, uint32_t id, struct extra *extra, enum sched_end how) {
    struct step *step = &s->steps.v[id];
    leave_copy(s, id, extra);
    if (extra->gone) { /* the first one had succeeded */
        extra->gone = false;
        step_settle(s, id, SCHED_DONE);
    } else if (how == SCHED_ENDED_OK && step->cancel != CANCEL_FOR_STOP) {
        extra->winner = extra->copy.attempt;
        if (step->told) /* it is being ended already */
            step->cancel = CANCEL_OUTRUN;
        else
            step_cancel(s, id, CANCEL_OUTRUN);
    }
}

bool copy_ended(struct sched *s, uint32_t id, uint32_t attempt, enum sched_end how) {
    struct extra *extra = extra_of(s, id);
    struct step *step = &s->steps.v[id];
    if (extra == NULL)
        return false;
    if (extra->copy.runs && attempt == extra->copy.attempt) {
        if (is_lost(how))
            host_lost_step(s, extra->copy.host);
        else if (how != SCHED_ENDED_CANCELLED)
            host_proved(s, extra->copy.host);
        end_copy(s, id, extra, how);
        return true;
    }
    if (!extra->copy.runs || attempt != extra->attempt || extra->gone)
        return attempt != extra->attempt || extra->gone;
    /* The first one has ended, the second one runs. */
    uint32_t host = step->host;
    bool stop = step->told && step->cancel == CANCEL_FOR_STOP;
    step_leave(s, id);
    if (is_lost(how))
        host_lost_step(s, host);
    else if (how != SCHED_ENDED_CANCELLED)
        host_proved(s, host);
    if (how == SCHED_ENDED_OK && !stop) {
        extra->winner = attempt;
        extra->gone = true;
        extra->copy.cancelled = true;
        step_add_news(s, id);
    } else {
        enum cancel cancel = (enum cancel)step->cancel;
        bool told = extra->copy.told;
        take_over(s, id, extra);
        if (stop) {
            step->cancel = (uint8_t)cancel;
            step->told = told;
            if (!told)
                step_add_news(s, id);
        }
    }
    host_changed(s, host);
    return true;
}

bool copy_lost(struct sched *s, uint32_t id, uint32_t host) {
    struct extra *extra = extra_of(s, id);
    if (extra == NULL || !extra->copy.runs)
        return false;
    if (extra->copy.host == host) {
        end_copy(s, id, extra, SCHED_ENDED_LOST);
        return true;
    }
    if (s->steps.v[id].host != host || extra->gone)
        return false;
    bool stop = s->steps.v[id].cancel == CANCEL_FOR_STOP, told = extra->copy.told;
    step_leave(s, id);
    take_over(s, id, extra);
    if (stop) {
        s->steps.v[id].cancel = CANCEL_FOR_STOP;
        s->steps.v[id].told = told;
        if (!told)
            step_add_news(s, id);
    }
    return true;
}

void copy_cancel(struct sched *s, uint32_t id) {
    struct extra *extra = extra_of(s, id);
    if (extra != NULL && extra->copy.runs)
        extra->copy.cancelled = true;
}

bool copy_tell(struct sched *s, uint32_t id, struct sched_action *action) {
    struct extra *extra = extra_of(s, id);
    if (extra == NULL || !extra->copy.runs || !extra->copy.cancelled || extra->copy.told)
        return false;
    extra->copy.told = true;
    *action = (struct sched_action){.kind = SCHED_CANCEL,
                                    .step = id,
                                    .host = extra->copy.host,
                                    .attempt = extra->copy.attempt,
                                    .outrun = extra->gone};
    return true;
}
