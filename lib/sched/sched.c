#include "sched/state.h"

struct sched *sched_new(const struct sched_config *config) {
    struct sched *s = mem_zalloc(sizeof *s);
    s->config = *config;
    s->random = config->seed;
    s->now = INT64_MIN;
    s->news = s->hungry = NONE;
    s->wake = INT64_MAX;
    s->choices.indexed = s->stragglers.indexed = true;
    s->step_timers.indexed = s->host_timers.indexed = s->pool_timers.indexed = true;
    return s;
}

void sched_free(struct sched *s) {
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->hosts.n; i++) {
        vec_free(&s->hosts.v[i].running);
        vec_free(&s->hosts.v[i].places);
    }
    for (size_t i = 0; i < s->pools.n; i++) {
        struct pool *p = &s->pools.v[i];
        free(p->members);
        free(p->idle);
        heap_free(&p->eligible);
        heap_free(&p->no_room);
        vec_free(&p->queues);
        heap_free(&p->free);
        vec_free(&p->aside);
    }
    for (size_t i = 0; i < s->queues.n; i++)
        heap_free(&s->queues.v[i].ready);
    for (size_t i = 0; i < s->limits.n; i++)
        vec_free(&s->limits.v[i].waiting);
    str_list_free(&s->names);
    map_free(&s->queue_names);
    vec_free(&s->queues);
    vec_free(&s->limits);
    for (size_t i = 0; i < s->extras.n; i++)
        free((struct sched_datum *)s->extras.v[i].data);
    vec_free(&s->extras);
    vec_free(&s->whens);
    vec_free(&s->steps);
    vec_free(&s->edges);
    vec_free(&s->losses);
    vec_free(&s->hosts);
    vec_free(&s->pools);
    heap_free(&s->choices);
    heap_free(&s->stragglers);
    vec_free(&s->kinds);
    vec_free(&s->groups);
    for (size_t i = 0; i < s->data.n; i++)
        vec_free(&s->data.v[i].hosts);
    vec_free(&s->data);
    heap_free(&s->step_timers);
    heap_free(&s->host_timers);
    heap_free(&s->pool_timers);
    free(s);
}

/* splitmix64 */
static uint64_t next_random(struct sched *s) {
    uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t sched_random_below(struct sched *s, uint32_t n) {
    return (uint32_t)(((next_random(s) >> 32) * n) >> 32);
}

int64_t sched_jitter(struct sched *s, int64_t duration) {
    int64_t fifth = duration / 5;
    return duration - fifth + fifth * 2 / 1024 * sched_random_below(s, 1025);
}

uint32_t sched_headroom(const struct sched *s) {
    return s->config.jobs != 0 ? s->config.jobs - s->running : UINT32_MAX;
}

void sched_advance(struct sched *s, int64_t now) {
    s->now = now > s->now ? now : s->now;
}

void sched_begin(struct sched *s, int64_t now) {
    sched_advance(s, now);
    if (s->begun)
        return;
    s->begun = true;
    step_begin_all(s);
}

void sched_step_ended(struct sched *s, uint32_t id, uint32_t attempt, enum sched_end how,
                      int64_t now) {
    sched_advance(s, now);
    struct step *step = &s->steps.v[id];
    if (step->phase != RUNNING || copy_ended(s, id, attempt, how))
        return;
    bool twice = step->extra != 0 && s->extras.v[step->extra - 1].speculate;
    if (step->attempt != attempt && !twice)
        return;
    uint32_t host = step->host;
    if (how == SCHED_ENDED_OK)
        host_learn(s, host, step);
    step_leave(s, id);
    if (is_lost(how))
        host_lost_step(s, host);
    else if (how != SCHED_ENDED_CANCELLED)
        host_proved(s, host);
    step_conclude(s, id, how);
    host_changed(s, host);
}

void sched_tick(struct sched *s, int64_t now) {
    sched_advance(s, now);
    s->wake = INT64_MAX;
}

void sched_stop(struct sched *s, bool cancel, int64_t now) {
    sched_advance(s, now);
    s->branches = false;
    step_stop_all(s, cancel);
}

/* Does what is due. What hosts and pools wait for matters no more once the run is stopped. */
static void expire(struct sched *s) {
    struct {
        struct heap *timers;
        void (*expired)(struct sched *s, uint32_t id);
    } const kinds[] = {{&s->step_timers, step_expired},
                       {&s->host_timers, host_expired},
                       {&s->pool_timers, pool_changed}};
    for (size_t i = 0; i < (s->stopped && !s->branches ? 1 : 3); i++)
        while (kinds[i].timers->n != 0 && kinds[i].timers->v[0].key <= s->now) {
            uint32_t id = kinds[i].timers->v[0].id;
            heap_pop(kinds[i].timers);
            kinds[i].expired(s, id);
        }
}

static int64_t earliest(int64_t at, const struct heap *timers) {
    return timers->n != 0 && timers->v[0].key < at ? timers->v[0].key : at;
}

/* Says when to come back, unless it was said before. */
static bool wake(struct sched *s, struct sched_action *action) {
    int64_t at = earliest(INT64_MAX, &s->step_timers);
    if (!s->stopped && s->stragglers.n != 0 && s->stragglers.v[0].key > s->now)
        at = earliest(at, &s->stragglers);
    if (!s->stopped || s->branches)
        at = earliest(earliest(at, &s->host_timers), &s->pool_timers);
    if (at == INT64_MAX || at == s->wake)
        return false;
    s->wake = at;
    *action = (struct sched_action){.kind = SCHED_WAKE, .at = at};
    return true;
}

bool sched_next(struct sched *s, struct sched_action *action) {
    if (!s->begun || s->finished)
        return false;
    expire(s);
    if (step_tell(s, action))
        return true;
    /* What is skipped may let branches start. */
    while (s->stopped && s->running == 0 && s->over < s->steps.n &&
           (!s->branches || s->branches_open == 0)) {
        step_skip_rest(s);
        if (step_tell(s, action))
            return true;
    }
    if (s->over == s->steps.n) {
        s->finished = true;
        *action = (struct sched_action){.kind = SCHED_FINISHED};
        return true;
    }
    if ((!s->stopped || s->branches) && (pool_start(s, action) || pool_connect(s, action) ||
                                         (!s->stopped && copy_start(s, action))))
        return true;
    if (s->news != NONE) /* what no host is large enough for was given up */
        return sched_next(s, action);
    return wake(s, action);
}

uint32_t sched_add_limit(struct sched *s, uint32_t n) {
    *vec_push(&s->limits) = (struct limit){.n = n != 0 ? n : 1};
    return (uint32_t)s->limits.n - 1;
}
