/* Streams of bytes as graphs, fleets and events in any order, late and twice; after them the run is
 * brought to its end and must find it. Every action is held to the scheduler's promises. */
#include "../unit/sched_checked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HOSTS = 6, MAX_POOLS = 4, MAX_STEPS = 64 };

#define NONE_OF_THEM UINT32_MAX

struct input {
    const uint8_t *v;
    size_t n;
};

static uint32_t take(struct input *in, uint32_t below) {
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->v++ % below;
}

static void make_places(struct watched *w, struct input *in) {
    uint32_t hosts = 1 + take(in, MAX_HOSTS), pools = 1 + take(in, MAX_POOLS);
    for (uint32_t i = 0; i < hosts; i++)
        watched_add_host(w, take(in, 4));
    for (uint32_t i = 0; i < pools; i++) {
        uint32_t members[MAX_HOSTS + 1], n = 0, mask = take(in, 256);
        for (uint32_t h = 0; h < hosts; h++)
            if (mask >> h & 1)
                members[n++] = h;
        if (n != 0 && mask >> 7)
            members[n++] = members[0];
        watched_add_pool(w, (enum sched_pick)take(in, 3), members, n);
    }
}

static void add_step(struct watched *w, struct input *in) {
    struct sched_need needs[3];
    uint32_t n = w->steps.n != 0 ? take(in, 4) : 0, limit = take(in, 2), rare = take(in, 256);
    if (w->steps.n >= MAX_STEPS)
        return;
    for (uint32_t i = 0; i < n; i++)
        needs[i] = (struct sched_need){take(in, (uint32_t)w->steps.n),
                                       rare & 1 ? (enum sched_when)take(in, 3) : SCHED_ON_SUCCESS};
    watched_add_step(w, &(struct sched_step){
                            .needs = needs,
                            .n_needs = n,
                            .pool = take(in, (uint32_t)w->pools.n),
                            .tied = n != 0 && (rare & 6) == 6,
                            .same = n != 0 ? needs[0].step : 0,
                            .cpus = rare & 8 ? take(in, 6) : 0,
                            .mem = rare & 16 ? take(in, 100) : 0,
                            .limits = &limit,
                            .n_limits = (rare & 32) != 0,
                            .wait = rare & 64 ? (int64_t)take(in, 4) << take(in, 61) : 0,
                            .backoff = rare & 64 ? take(in, 4) : 0,
                            .patience = rare & 128 ? (int64_t)take(in, 4) << take(in, 61) : 0,
                            .retries = take(in, 3),
                            .ask = (rare & 66) == 66,
                            .timeout = (int64_t)take(in, 4) << take(in, 61),
                            .cost = (int64_t)take(in, 4) << take(in, 61),
                        });
}

static void event(struct watched *w, struct input *in, int64_t *now) {
    uint32_t what = take(in, 13);
    uint32_t host = take(in, (uint32_t)w->hosts.n);
    uint32_t step = w->steps.n != 0 ? take(in, (uint32_t)w->steps.n) : NONE_OF_THEM;
    switch (what) {
    case 0:
    case 1:
    case 2:
        if (step != NONE_OF_THEM)
            watched_ended(w, step, (enum sched_end)take(in, 5), *now);
        break;
    case 3:
        watched_up(w, host, take(in, 5), take(in, 256), *now);
        break;
    case 4:
        watched_lost(w, host, take(in, 8) == 0, *now);
        break;
    case 5:
        watched_load(w, host, take(in, 256) - 8.0, *now);
        break;
    case 6:
        watched_tick(w, *now);
        break;
    case 7:
        if (take(in, 4) == 0)
            watched_stop(w, take(in, 2), *now);
        break;
    case 8:
        *now += (int64_t)take(in, 256) << take(in, 40);
        break;
    case 9:
        if (w->wake != INT64_MAX && w->wake > *now)
            *now = w->wake;
        watched_tick(w, *now);
        break;
    case 10:
        if (!w->finished)
            add_step(w, in);
        break;
    case 11:
        if (step != NONE_OF_THEM)
            watched_known(w, step, take(in, 2), take(in, 2) ? host : SCHED_NONE, *now);
        break;
    default:
        watched_begin(w, *now);
        break;
    }
}

static void act(struct watched *w, size_t most) {
    struct sched_action a;
    while (most-- > 0 && watched_next(w, &a))
        ;
}

/* Answers whatever is open, well: then it must come to its end. */
static void finish(struct watched *w, int64_t now) {
    watched_begin(w, now);
    act(w, SIZE_MAX);
    for (size_t rounds = 0; !w->finished && w->broken == NULL; rounds++) {
        HOLDS(w, rounds < 1000 && "it ends");
        for (uint32_t i = 0; i < w->hosts.n; i++)
            if (w->hosts.v[i].link == WATCHED_ASKED)
                watched_up(w, i, 1, 0, now);
        for (uint32_t i = 0; i < w->steps.n; i++)
            if (w->steps.v[i].running)
                watched_ended(w, i, SCHED_ENDED_OK, now);
            else if (w->steps.v[i].asked && w->steps.v[i].ask)
                watched_known(w, i, i % 2 == 0, SCHED_NONE, now);
        if (w->wake != INT64_MAX && w->wake > now)
            now = w->wake;
        watched_tick(w, now);
        act(w, SIZE_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct watched w;
    watched_new(&w, &(struct sched_config){
                        .jobs = take(&in, 5),
                        .failures = take(&in, 4),
                        .cancel_on_stop = take(&in, 2),
                        .seed = take(&in, 256),
                    });
    make_places(&w, &in);
    watched_add_limit(&w, 1);
    watched_add_limit(&w, 1 + take(&in, 3));
    uint32_t steps = take(&in, 16);
    for (uint32_t i = 0; i < steps; i++)
        add_step(&w, &in);
    int64_t now = 0;
    if (take(&in, 4) != 0)
        watched_begin(&w, now);
    while (in.n != 0 && w.broken == NULL) {
        event(&w, &in, &now);
        act(&w, take(&in, 4) == 0 ? take(&in, 4)
                                  : SIZE_MAX); /* the next event may come between two actions */
    }
    if (w.broken == NULL)
        finish(&w, now);
    if (w.broken != NULL) {
        fprintf(stderr, "broken: %s\n", w.broken);
        abort();
    }
    watched_free(&w);
    return 0;
}
