/* How good and how fast the scheduler decides, in virtual time. Prints
 *   makespan over its lower bound max(critical path, work / capacity), median and worst of many
 * seeds, for the scheduler as it is and with one thing taken away at a time, on hosts that are
 * alike and on a mixed lot: of different speed, busy with other things, some slow to answer and
 * some dead, where what another host made has to be carried first; microseconds for one decision
 * and bytes for one step, with a million steps on ten thousand hosts. */
#include "base/vec.h"
#include "sched/heap.h"
#include "sched/sched.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

#define MS INT64_C(1000000)

enum { SEEDS = 100, HOSTS = 100, STEPS = 10000, MANY_STEPS = 50000 };

static uint64_t state;

static uint64_t next_random(void) {
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t below(uint32_t n) {
    return (uint32_t)((next_random() >> 32) * n >> 32);
}

/* From 10 to 100 ms, and twice as long with a chance of a half, and so on up to 64 times: few steps
 * make most of the work, and none of them is longer than all else. */
static int64_t heavy_tailed(void) {
    int64_t t = 10 * MS + below(10) * MS;
    for (int i = 0; i < 6 && below(2) != 0; i++)
        t *= 2;
    return t;
}

/* Layers of random width; a step needs up to three of the layer before it. */
struct workload {
    uint32_t n, n_hosts;
    bool mixed;
    int64_t *duration; /* on a host of speed 1 */
    struct sched_need (*needs)[3];
    uint8_t *n_needs;
    uint32_t *slots;
    double *speed;    /* 0: dead */
    int64_t *answers; /* after so long */
    double capacity, fastest;
};

/* To carry what another host made. */
#define CARRY (2 * MS)

static struct workload make(uint64_t seed, uint32_t n, uint32_t n_hosts, uint32_t widest,
                            bool mixed) {
    state = seed;
    struct workload w = {.n = n, .n_hosts = n_hosts, .mixed = mixed};
    w.duration = mem_array(NULL, n, sizeof *w.duration);
    w.needs = mem_array(NULL, n, sizeof *w.needs);
    w.n_needs = mem_array(NULL, n, sizeof *w.n_needs);
    w.slots = mem_array(NULL, n_hosts, sizeof *w.slots);
    w.speed = mem_array(NULL, n_hosts, sizeof *w.speed);
    w.answers = mem_array(NULL, n_hosts, sizeof *w.answers);
    for (uint32_t h = 0; h < n_hosts; h++) {
        w.slots[h] = 1U << below(5);
        w.speed[h] = mixed ? 0.5 + below(1000) / 666.0 : 1;
        w.answers[h] = 10 * MS;
        if (mixed && below(20) == 0)
            w.speed[h] = 0;
        else if (mixed && below(20) == 0)
            w.answers[h] = 3000 * MS;
        w.capacity += w.slots[h] * w.speed[h];
        w.fastest = w.speed[h] > w.fastest ? w.speed[h] : w.fastest;
    }
    uint32_t layer = 0, before = 0, end = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i == end) {
            before = layer;
            layer = i;
            end = i + 1 + below(widest);
        }
        w.duration[i] = heavy_tailed() * (mixed ? 10 : 1);
        w.n_needs[i] = layer == 0 ? 0 : (uint8_t)below(4);
        for (uint32_t k = 0; k < w.n_needs[i]; k++)
            w.needs[i][k] = (struct sched_need){.step = before + below(layer - before)};
    }
    return w;
}

static void unmake(struct workload *w) {
    free(w->duration);
    free(w->needs);
    free(w->n_needs);
    free(w->slots);
    free(w->speed);
    free(w->answers);
}

static double lower_bound(const struct workload *w) {
    double *end = mem_array(NULL, w->n, sizeof *end), critical = 0, work = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        double start = 0;
        for (uint32_t k = 0; k < w->n_needs[i]; k++)
            start = end[w->needs[i][k].step] > start ? end[w->needs[i][k].step] : start;
        end[i] = start + (double)w->duration[i];
        critical = end[i] > critical ? end[i] : critical;
        work += (double)w->duration[i];
    }
    free(end);
    work /= w->capacity;
    critical /= w->fastest;
    return critical > work ? critical : work;
}

enum costs {
    KNOWN,   /* of steps and hosts, as after a first run */
    UNKNOWN, /* a first run: all the same, so that depth counts */
    FIFO,    /* no step knows what comes after it */
};

struct result {
    double makespan;         /* ns */
    double adding, deciding; /* s */
    uint64_t decisions;
    size_t bytes; /* that the scheduler allocated before it began */
};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_steps(struct sched *s, const struct workload *w, enum costs costs) {
    for (uint32_t i = 0; i < w->n; i++) {
        struct sched_datum data[3];
        for (uint32_t k = 0; k < w->n_needs[i]; k++)
            data[k] = (struct sched_datum){.id = w->needs[i][k].step, .bytes = 1};
        sched_add_step(s, &(struct sched_step){
                              .needs = w->needs[i],
                              .n_needs = w->n_needs[i],
                              .cost = costs == KNOWN ? w->duration[i] : 0,
                              .data = data,
                              .n_data = w->mixed ? w->n_needs[i] : 0,
                          });
    }
}

/* What a step takes on a host, with what has to be carried there. */
static int64_t time_there(const struct workload *w, const uint32_t *made_on, uint32_t step,
                          uint32_t host) {
    int64_t t = (int64_t)((double)w->duration[step] / w->speed[host]);
    for (uint32_t k = 0; w->mixed && k < w->n_needs[step]; k++)
        t += made_on[w->needs[step][k].step] != host ? CARRY : 0;
    return t;
}

/* What the scheduler was told, to tell another one the same without a simulation around it. */
struct told {
    int64_t now;
    uint32_t what; /* a step that ended; steps + a host that is up; TICK */
};
enum { TICK = UINT32_MAX };
typedef VEC(struct told) told_list;

static struct sched *with_hosts(const struct workload *w, uint64_t seed, enum sched_pick pick) {
    struct sched *s = sched_new(&(struct sched_config){.seed = seed});
    uint32_t *hosts = mem_array(NULL, w->n_hosts, sizeof *hosts);
    for (uint32_t h = 0; h < w->n_hosts; h++)
        hosts[h] = sched_add_host(s, w->slots[h]);
    sched_add_pool(s, pick, hosts, w->n_hosts);
    free(hosts);
    return s;
}

/* Of a lot whose hosts are alike. Seconds. */
static double replay(const struct workload *w, uint64_t seed, enum sched_pick pick,
                     const told_list *told) {
    struct sched *s = with_hosts(w, seed, pick);
    struct sched_action a;
    add_steps(s, w, KNOWN);
    sched_begin(s, 0);
    double began = seconds();
    for (size_t i = 0; i <= told->n; i++) {
        while (sched_next(s, &a))
            ;
        if (i == told->n)
            break;
        const struct told *t = &told->v[i];
        if (t->what == TICK)
            sched_tick(s, t->now);
        else if (t->what >= w->n)
            sched_host_up(s, t->what - w->n, w->slots[t->what - w->n], 0, t->now);
        else
            sched_step_ended(s, t->what, 1, SCHED_ENDED_OK, t->now);
    }
    double took = seconds() - began;
    sched_free(s);
    return took;
}

static struct result play(const struct workload *w, uint64_t seed, enum sched_pick pick,
                          enum costs costs, told_list *told) {
    struct result r = {0};
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct sched *s = with_hosts(w, seed, pick);
    for (uint32_t h = 0; h < w->n_hosts && costs == KNOWN; h++)
        if (w->speed[h] > 0)
            sched_host_was(s, h, (int64_t)(1000 * MS / w->speed[h]), 1000 * MS);
    double began = seconds();
    if (costs != FIFO)
        add_steps(s, w, costs);
    int64_t now = 0;
    sched_begin(s, now);
    if (costs == FIFO) /* steps added after the beginning count for themselves only */
        add_steps(s, w, costs);
    r.bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    r.adding = seconds() - began;
    began = seconds();
    struct heap ends = {0}; /* tie: a step, or the number of steps + a host */
    uint32_t *made_on = mem_zalloc(w->n * sizeof *made_on);
    bool finished = false;
    while (!finished) {
        struct sched_action a;
        while (sched_next(s, &a)) {
            if (a.kind == SCHED_START) {
                made_on[a.step] = a.host;
                heap_push(&ends, (struct heap_entry){now + time_there(w, made_on, a.step, a.host),
                                                     a.step, 0});
                r.decisions++;
            } else if (a.kind == SCHED_CONNECT) {
                int64_t answers = w->speed[a.host] > 0 ? w->answers[a.host] : 15000 * MS;
                heap_push(&ends, (struct heap_entry){now + answers, w->n + a.host, 0});
            } else if (a.kind == SCHED_WAKE) {
                heap_push(&ends, (struct heap_entry){a.at, UINT32_MAX, 0});
            } else if (a.kind == SCHED_FINISHED) {
                finished = true;
            }
        }
        if (finished || ends.n == 0)
            break;
        struct heap_entry e = ends.v[0];
        heap_pop(&ends);
        now = e.key;
        if (told != NULL)
            *vec_push(told) = (struct told){now, (uint32_t)e.tie};
        if (e.tie == UINT32_MAX)
            sched_tick(s, now);
        else if (e.tie >= w->n && w->speed[e.tie - w->n] <= 0)
            sched_host_lost(s, e.tie - w->n, false, now);
        else if (e.tie >= w->n) {
            uint32_t host = e.tie - w->n;
            sched_host_up(s, host, w->slots[host], 0, now);
            if (w->mixed) /* who is slow is so because of others */
                sched_host_load(s, host, (2 - w->speed[host]) * w->slots[host], now);
        } else {
            if (w->mixed)
                sched_host_holds(s, made_on[e.tie], e.tie, true);
            sched_step_ended(s, e.tie, 1, SCHED_ENDED_OK, now);
        }
    }
    r.deciding = seconds() - began;
    r.makespan = (double)now;
    heap_free(&ends);
    free(made_on);
    sched_free(s);
    return r;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Hosts that are alike; a mixed lot, with so many steps that work counts; and with so few at a time
 * that the longest path counts, whose lower bound takes it for granted that the one fastest host
 * has slots for all of it. */
enum lot { ALIKE, MIXED_WIDE, MIXED_NARROW };

static struct workload make_lot(enum lot lot, uint64_t seed) {
    uint32_t tenth = (uint32_t)seed % 10;
    if (lot == ALIKE)
        return make(seed, STEPS, HOSTS, 2 + tenth * 500, false);
    return make(seed, MANY_STEPS, HOSTS,
                lot == MIXED_WIDE ? 6000 + tenth * 2000 : 500 + tenth * 500, true);
}

static void makespans(const char *name, enum sched_pick pick, enum costs costs, enum lot lot) {
    double ratios[SEEDS];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct workload w = make_lot(lot, seed);
        ratios[seed - 1] = play(&w, seed, pick, costs, NULL).makespan / lower_bound(&w);
        unmake(&w);
    }
    qsort(ratios, SEEDS, sizeof *ratios, compare);
    printf("makespan, %s: %.3f x the lower bound in the median, %.3f at worst\n", name,
           ratios[SEEDS / 2], ratios[SEEDS - 1]);
    fflush(stdout);
}

/* simulate [speed]: all, or only how fast it decides. */
int main(int argc, char **argv) {
    (void)argv;
    static const char *const lots[] = {
        [ALIKE] = "10000 steps, hosts that are alike but for their 1 to 16 slots",
        [MIXED_WIDE] =
            "50000 steps in layers of up to 6000 to 24000; hosts also of speed 0.5 to 2, "
            "some slow to answer or dead, and data to carry",
        [MIXED_NARROW] = "the same in layers of up to 500 to 5000: the longest path counts",
    };
    if (argc == 1)
        printf("random layered graphs with heavy tails on %d hosts, seeds 1 to %d\n", HOSTS, SEEDS);
    for (enum lot lot = ALIKE; lot <= MIXED_NARROW && argc == 1; lot++) {
        puts(lots[lot]);
        makespans("longest path first, least loaded", SCHED_LEAST_LOADED, KNOWN, lot);
        makespans("with unknown costs", SCHED_LEAST_LOADED, UNKNOWN, lot);
        makespans("first come, first served", SCHED_LEAST_LOADED, FIFO, lot);
        makespans("random hosts", SCHED_RANDOM, KNOWN, lot);
        makespans("hosts in turn", SCHED_ROUND_ROBIN, KNOWN, lot);
    }
    struct workload w = make(1, 1000000, 10000, 400000, false);
    for (int pick = SCHED_LEAST_LOADED; pick <= SCHED_ROUND_ROBIN; pick++) {
        static const char *const names[] = {"least loaded", "random", "in turn"};
        told_list told = {0};
        struct result r = play(&w, 1, (enum sched_pick)pick, KNOWN, &told);
        double alone = replay(&w, 1, (enum sched_pick)pick, &told);
        vec_free(&told);
        printf(
            "1000000 steps on 10000 hosts (seed 1), %s: %.2f us a step to add, %.2f us to decide "
            "and see it end (%.2f with the simulation), %.0f bytes a step, makespan %.3f x the "
            "lower bound\n",
            names[pick], r.adding * 1e6 / w.n, alone * 1e6 / (double)r.decisions,
            r.deciding * 1e6 / (double)r.decisions, (double)r.bytes / 1e6,
            r.makespan / lower_bound(&w));
    }
    unmake(&w);
    return 0;
}
