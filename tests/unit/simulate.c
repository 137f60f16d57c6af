/* The scheduler in virtual time: random graphs on random fleets, in which hosts are dead, silent,
 * slow or lossy, steps fail, hang and come late, and the run may be stopped at any time. After
 * every event the promises are checked. SEED=n plays one run again; a failing seed is printed. */
#include "sched/heap.h"
#include "sched_checked.h"
#include "unit.h"

enum { RUNS = 10000, MAX_EVENTS = 100000 };

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

enum temper {
    GOOD,
    GOOD_TOO,
    GOOD_AS_WELL,
    SLOW,
    REFUSING,
    SILENT,
    FOR_GOOD,
    FLAKY,
    LOSSY,
    BROKEN,
    TEMPERS
};

enum what { STEP_ENDS, ANSWER, HOST_ANSWERS, HOST_DIES, LOAD, WAKE, STOP };

struct event {
    enum what what;
    uint32_t id, attempt; /* attempt: of a step; what is not of the one that runs came too late */
    enum sched_end how;
};

struct world {
    struct watched w;
    uint64_t random;
    int64_t now;
    VEC(enum temper) tempers;
    VEC(struct event) events;
    struct heap queue; /* of places in events */
    uint32_t n_events;
    int64_t wake;
    double fail;                         /* chance of a try to fail */
    bool branches, shares, limits, asks; /* steps ask for these */
};

static uint64_t next_random(struct world *x) {
    uint64_t z = x->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(struct world *x, uint32_t n) {
    return (uint32_t)((next_random(x) >> 32) * n >> 32);
}

static bool chance(struct world *x, double p) {
    return (double)(next_random(x) >> 11) < p * 9007199254740992.0;
}

static void later(struct world *x, int64_t delay, struct event e) {
    *vec_push(&x->events) = e;
    heap_push(&x->queue,
              (struct heap_entry){.key = x->now + delay, .id = (uint32_t)x->events.n - 1});
}

/* Most are short, some a thousand times longer. */
static int64_t heavy_tailed(struct world *x) {
    int64_t t = 1 + below(x, 100);
    while (t < 1000000 && chance(x, 0.3))
        t *= 4;
    return t * MS;
}

static void make_places(struct world *x) {
    uint32_t n = 1 + below(x, 12), all[12];
    bool bad = chance(x, 0.6);
    for (uint32_t i = 0; i < n; i++) {
        all[i] = watched_add_host(&x->w, chance(x, 0.5) ? 1 + below(x, 8) : 0);
        *vec_push(&x->tempers) = bad ? (enum temper)below(x, TEMPERS) : GOOD;
    }
    uint32_t pools = 1 + below(x, 4);
    for (uint32_t p = 0; p < pools; p++) {
        uint32_t some[12], k = 0;
        for (uint32_t i = 0; i < n; i++)
            if (chance(x, 0.6))
                some[k++] = all[i];
        if (k == 0 && chance(x, 0.95))
            some[k++] = all[below(x, n)];
        watched_add_pool(&x->w, (enum sched_pick)below(x, 3), some, k);
    }
}

static void add_step(struct world *x, const uint32_t *needs, size_t n_needs) {
    struct sched_need all[4] = {0};
    for (size_t i = 0; i < n_needs; i++)
        all[i] = (struct sched_need){needs[i], x->branches && chance(x, 0.2)
                                                   ? (enum sched_when)below(x, 3)
                                                   : SCHED_ON_SUCCESS};
    uint32_t limit = below(x, 2);
    bool tied = n_needs != 0 && chance(x, 0.05);
    watched_add_step(&x->w, &(struct sched_step){
                                .needs = all,
                                .n_needs = n_needs,
                                .pool = below(x, (uint32_t)x->w.pools.n),
                                .tied = tied,
                                .same = tied ? needs[0] : 0,
                                .cpus = x->shares && chance(x, 0.2) ? below(x, 12) : 0,
                                .mem = x->shares && chance(x, 0.2) ? below(x, 1000) : 0,
                                .limits = &limit,
                                .n_limits = x->limits && chance(x, 0.3),
                                .retries = chance(x, 0.3) ? below(x, 4) : 0,
                                .wait = chance(x, 0.1) ? heavy_tailed(x) : 0,
                                .backoff = chance(x, 0.1) ? 1.5 : 0,
                                .ask = x->asks && chance(x, 0.5),
                                .patience = chance(x, 0.05) ? 20 * S : 0,
                                .timeout = chance(x, 0.2) ? heavy_tailed(x) * 4 : 0,
                                .cost = chance(x, 0.7) ? heavy_tailed(x) : 0,
                            });
}

static void make_steps(struct world *x) {
    uint32_t n = below(x, chance(x, 0.1) ? 400 : 100), width = 1 + below(x, 20);
    watched_add_limit(&x->w, 1);
    watched_add_limit(&x->w, 1 + below(x, 4));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t needs[4], k = i < width ? 0 : below(x, 4);
        for (uint32_t j = 0; j < k; j++)
            needs[j] = i - 1 - below(x, 2 * width < i ? 2 * width : i);
        add_step(x, needs, k);
    }
}

static void start(struct world *x, const struct sched_action *a) {
    enum temper temper = x->tempers.v[a->host];
    struct event e = {STEP_ENDS, a->step, a->attempt, SCHED_ENDED_OK};
    if (chance(x, x->fail))
        e.how = chance(x, 0.9) ? SCHED_ENDED_FAILED : SCHED_ENDED_FAILED_FOR_GOOD;
    if ((temper == LOSSY && chance(x, 0.5)) || temper == BROKEN || chance(x, 0.005))
        e.how = chance(x, 0.8)   ? SCHED_ENDED_LOST
                : chance(x, 0.9) ? SCHED_ENDED_REFUSED
                                 : SCHED_ENDED_UNKEPT;
    int64_t t = heavy_tailed(x);
    if (chance(x, 0.05)) { /* at once, while the actions are still being carried out */
        watched_ended(&x->w, a->step, e.how, x->now);
        return;
    }
    later(x, ended_lost(e.how) ? t / 10 : t, e);
    if (temper == FLAKY && chance(x, 0.2))
        later(x, t / 2, (struct event){.what = HOST_DIES, .id = a->host});
}

static void answer(struct world *x, uint32_t step, bool fresh) {
    uint32_t host = chance(x, 0.5) ? below(x, (uint32_t)x->w.hosts.n) : SCHED_NONE;
    watched_known(&x->w, step, fresh, host, x->now);
}

static void act(struct world *x, const struct sched_action *a) {
    switch (a->kind) {
    case SCHED_ASK:
        if (chance(x, 0.5))
            answer(x, a->step, chance(x, 0.5));
        else
            later(x, heavy_tailed(x), (struct event){ANSWER, a->step, 0, (enum sched_end)0});
        break;
    case SCHED_START:
        start(x, a);
        break;
    case SCHED_CANCEL: {
        uint32_t attempt = x->w.steps.v[a->step].attempt;
        enum sched_end how = chance(x, 0.8) ? SCHED_ENDED_CANCELLED : (enum sched_end)below(x, 6);
        later(x, below(x, 50) * MS, (struct event){STEP_ENDS, a->step, attempt, how});
        break;
    }
    case SCHED_CONNECT: {
        enum temper temper = x->tempers.v[a->host];
        int64_t t = temper == SILENT ? 15 * S : temper == SLOW ? 3 * S : (1 + below(x, 300)) * MS;
        later(x, t, (struct event){.what = HOST_ANSWERS, .id = a->host});
        break;
    }
    case SCHED_WAKE:
        x->wake = a->at;
        later(x, a->at > x->now ? a->at - x->now : 0, (struct event){.what = WAKE});
        break;
    case SCHED_SETTLED:
        if (a->state == SCHED_DONE && chance(x, 0.02))
            add_step(x, &a->step, 1);
        break;
    case SCHED_RETRY:
    case SCHED_FINISHED:
        break;
    }
}

static void happen(struct world *x, const struct event *e) {
    struct watched *w = &x->w;
    switch (e->what) {
    case STEP_ENDS: {
        /* What comes too late is reported too, as long as nobody can take it for the end of another
         * try. */
        const struct watched_step *step = &w->steps.v[e->id];
        if (!step->running || step->attempt == e->attempt)
            watched_ended(w, e->id, e->how, x->now);
        break;
    }
    case HOST_ANSWERS: {
        enum temper temper = x->tempers.v[e->id];
        if (temper == REFUSING || temper == SILENT || temper == FOR_GOOD)
            watched_lost(w, e->id, temper == FOR_GOOD, x->now);
        else
            watched_up(w, e->id, below(x, 9), chance(x, 0.3) ? 0 : 500 + below(x, 1000), x->now);
        if (chance(x, 0.3))
            later(x, below(x, 5000) * MS, (struct event){.what = LOAD, .id = e->id});
        break;
    }
    case ANSWER:
        answer(x, e->id, chance(x, 0.5));
        break;
    case HOST_DIES:
        watched_lost(w, e->id, chance(x, 0.1), x->now);
        break;
    case LOAD:
        watched_load(w, e->id, below(x, 2000) / 100.0, x->now);
        break;
    case WAKE:
        if (x->now >= x->wake)
            watched_tick(w, x->now);
        break;
    case STOP:
        watched_stop(w, e->id, x->now);
        break;
    }
}

static void turn(struct world *x) {
    struct sched_action a;
    while (x->w.broken == NULL && watched_next(&x->w, &a))
        act(x, &a);
}

static void play(struct world *x) {
    x->now = chance(x, 0.5) ? 0 : 1000 * S;
    if (chance(x, 0.3)) /* as this machine is: up before it begins */
        watched_up(&x->w, 0, 2, 2000, x->now);
    if (chance(x, 0.15))
        later(x, heavy_tailed(x), (struct event){.what = STOP, .id = below(x, 2)});
    if (chance(x, 0.15))
        later(x, heavy_tailed(x), (struct event){.what = STOP, .id = 1});
    watched_begin(&x->w, x->now);
    turn(x);
    while (!x->w.finished && x->w.broken == NULL) {
        HOLDS(&x->w, x->queue.n != 0 && "something always happens until it has finished");
        HOLDS(&x->w, ++x->n_events < MAX_EVENTS && "it ends");
        if (x->w.broken != NULL)
            break;
        struct heap_entry first = x->queue.v[0];
        heap_pop(&x->queue);
        x->now = first.key;
        struct event e = x->events.v[first.id];
        happen(x, &e);
        turn(x);
    }
}

/* What was promised and broken with this seed; NULL: nothing. */
static const char *simulate(uint64_t seed, uint32_t *n_events) {
    struct world x = {.random = seed};
    struct sched_config config = {
        .jobs = chance(&x, 0.3) ? 1 + below(&x, 10) : 0,
        .failures = chance(&x, 0.4) ? 1 + below(&x, 5) : 0,
        .cancel_on_stop = chance(&x, 0.5),
        .seed = seed,
    };
    x.fail = chance(&x, 0.5) ? 0.1 : 0;
    x.branches = chance(&x, 0.5);
    x.shares = chance(&x, 0.3);
    x.limits = chance(&x, 0.3);
    x.asks = chance(&x, 0.5);
    watched_new(&x.w, &config);
    make_places(&x);
    make_steps(&x);
    play(&x);
    *n_events += x.n_events;
    const char *broken = x.w.broken;
    watched_free(&x.w);
    vec_free(&x.tempers);
    vec_free(&x.events);
    heap_free(&x.queue);
    return broken;
}

TEST(promises_hold_after_every_event) {
    const char *given = getenv("SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1;
    uint32_t n_events = 0;
    for (uint64_t seed = first; seed < first + (given != NULL ? 1 : RUNS); seed++) {
        const char *broken = simulate(seed, &n_events);
        if (broken == NULL)
            continue;
        printf("# SEED=%llu: broken: %s\n", (unsigned long long)seed, broken);
        CHECK(broken == NULL);
        break;
    }
    printf("# %u events\n", (unsigned)n_events);
}

UNIT_MAIN
