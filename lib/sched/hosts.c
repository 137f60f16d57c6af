/* Hosts. One that fails is left alone for a time that doubles with every failure in a row; from the
 * third on nobody waits for it, though it is still tried now and then while there is work that
 * others do. One that stays connected but loses steps (transfers fail, its disk is full) gets none
 * for such a time, and then one to prove itself. */
#include "sched/state.h"

#define FIRST_BACK_OFF SECOND
#define LONGEST_BACK_OFF (60 * SECOND)
/* ... while somebody waits for a host that may just be booting. */
#define PATIENT_BACK_OFF (1600 * MILLISECOND)
/* A host that has not answered for this long is still waited for, but others are asked too. */
#define SLOW_CONNECT SECOND

enum { LOSSES_IN_A_ROW = 3 };

uint32_t sched_add_host(struct sched *s, uint32_t slots) {
    struct host *h = vec_push(&s->hosts);
    *h = (struct host){
        .slots = slots, .fixed = slots != 0, .load = -1, .cores = 1, .reserved = NONE};
    h->worth.hopeful = true;
    return (uint32_t)s->hosts.n - 1;
}

static struct worth worth_of(const struct host *h) {
    struct worth w = {.up = h->link == UP};
    if (w.up && !h->quarantined) {
        uint32_t slots = h->trial ? 1 : h->slots;
        w.free = slots > h->busy && h->reserved == NONE ? slots - h->busy : 0;
    }
    if (h->link == CONNECTING && !h->slow)
        w.coming = h->slots != 0 ? h->slots : 1;
    bool trusted = h->failures < MAX_FAILURES;
    w.hopeful = h->link != GONE && (trusted || (w.up && !h->quarantined));
    return w;
}

double host_speed(int class) {
    double speed = 1;
    for (int i = 0; i < class; i++)
        speed *= 1.2;
    for (int i = 0; i > class; i--)
        speed /= 1.2;
    return speed;
}

double pool_fastest(const struct pool *p) {
    for (int class = MAX_SPEED; class > -MAX_SPEED; class --)
        if (p->classes[class + MAX_SPEED] != 0)
            return host_speed(class);
    return 1;
}

static void count_in_class(struct sched *s, const struct host *h, bool in) {
    for (size_t i = 0; i < h->places.n && h->strength > 0; i++) {
        uint32_t *n = &s->pools.v[h->places.v[i].pool].classes[h->speed + MAX_SPEED];
        *n = in ? *n + 1 : *n - 1;
    }
}

/* Before and after its speed changes, or whether it is up. */
static void leave_class(struct sched *s, struct host *h) {
    count_in_class(s, h, false);
    s->strength -= h->strength;
    h->strength = 0;
}

static void enter_class(struct sched *s, struct host *h) {
    if (h->link == UP)
        h->strength = h->slots * host_speed(h->speed);
    s->strength += h->strength;
    count_in_class(s, h, true);
}

void host_changed(struct sched *s, uint32_t id) {
    struct host *h = &s->hosts.v[id];
    if ((h->link == UP) != (h->strength > 0)) {
        leave_class(s, h);
        enter_class(s, h);
    }
    struct worth old = h->worth, now = worth_of(h);
    s->coming = s->coming + (now.coming != 0) - (old.coming != 0);
    h->worth = now; /* which may change again while the pools are told */
    for (size_t i = 0; i < h->places.n; i++)
        pool_member_changed(s, h->places.v[i], old, now);
}

static void set_timer(struct sched *s, uint32_t id, int64_t delay) {
    heap_set(&s->host_timers, (struct heap_entry){.key = sum_of_times(s->now, delay), .id = id});
}

static int64_t back_off(struct sched *s, const struct host *h) {
    int64_t delay = FIRST_BACK_OFF;
    int64_t longest = LONGEST_BACK_OFF;
    for (size_t i = 0; i < h->places.n; i++)
        if (s->pools.v[h->places.v[i].pool].patient != 0)
            longest = PATIENT_BACK_OFF;
    for (uint32_t i = 1; i < h->failures && delay < longest; i++)
        delay *= 2;
    return sched_jitter(s, delay < longest ? delay : longest);
}

void host_ask(struct sched *s, uint32_t id) {
    struct host *h = &s->hosts.v[id];
    h->link = CONNECTING;
    h->slow = false;
    if (h->asked == 0)
        h->asked = s->now;
    set_timer(s, id, SLOW_CONNECT);
    host_changed(s, id);
}

void host_proved(struct sched *s, uint32_t id) {
    struct host *h = &s->hosts.v[id];
    h->failures = h->lost = 0;
    if (h->quarantined)
        heap_remove(&s->host_timers, id);
    h->quarantined = h->trial = false;
}

/* Where costs are known hosts can be told apart by their speed, whatever it comes from: their
 * processor, their disk, or others who work there. Steps of a fifth, so that chance does not count.
 */
static void learn(struct sched *s, struct host *h, double cost, double took) {
    for (size_t i = 0; i < h->places.n; i++) {
        struct pool *p = &s->pools.v[h->places.v[i].pool];
        p->known += !(h->took > 0);
        p->speeds -= h->speed;
    }
    h->cost = h->cost * 0.9 + cost;
    h->took = h->took * 0.9 + took;
    double speed = h->cost / h->took;
    int8_t class = 0;
    for (; speed > 1.1 && class < MAX_SPEED; class ++)
        speed /= 1.2;
    for (; speed < 0.91 && class > -MAX_SPEED; class --)
        speed *= 1.2;
    if (class != h->speed) {
        leave_class(s, h);
        h->speed = class;
        enter_class(s, h);
    }
    for (size_t i = 0; i < h->places.n; i++)
        s->pools.v[h->places.v[i].pool].speeds += class;
}

void host_learn(struct sched *s, uint32_t id, const struct step *step) {
    int64_t took = s->now - step->started;
    if (step->cost > 0 && took > 0)
        learn(s, &s->hosts.v[id], (double)step->cost, (double)took);
}

void sched_host_was(struct sched *s, uint32_t id, int64_t took, int64_t expected) {
    if (took > 0 && expected > 0)
        learn(s, &s->hosts.v[id], (double)expected, (double)took);
}

void host_lost_step(struct sched *s, uint32_t id) {
    struct host *h = &s->hosts.v[id];
    h->lost++;
    if (h->quarantined || (h->lost < LOSSES_IN_A_ROW && !h->trial))
        return;
    h->quarantined = true;
    h->trial = false;
    h->failures++;
    set_timer(s, id, back_off(s, h));
}

void host_expired(struct sched *s, uint32_t id) {
    struct host *h = &s->hosts.v[id];
    if (h->link == CONNECTING) {
        h->slow = true;
    } else if (h->link == BACKING_OFF) {
        h->link = IDLE;
        for (size_t i = 0; i < h->places.n; i++)
            pool_offer(s, h->places.v[i]);
    } else if (h->link == UP) {
        h->quarantined = false;
        h->trial = true;
    }
    host_changed(s, id);
}

void sched_host_up(struct sched *s, uint32_t id, uint32_t cores, uint64_t mem, int64_t now) {
    struct host *h = &s->hosts.v[id];
    sched_advance(s, now);
    if (h->link == UP)
        return;
    heap_remove(&s->host_timers, id);
    h->link = UP;
    h->cores = cores != 0 ? cores : 1;
    h->mem = mem;
    if (!h->fixed)
        h->slots = h->cores;
    h->quarantined = h->trial = false;
    h->lost = h->since = 0;
    h->asked = 0;
    h->load = -1;
    host_changed(s, id);
}

void sched_host_lost(struct sched *s, uint32_t id, bool for_good, int64_t now) {
    struct host *h = &s->hosts.v[id];
    sched_advance(s, now);
    bool known = h->link == UP || h->link == CONNECTING;
    if (h->link == GONE || (!known && !for_good))
        return;
    heap_remove(&s->host_timers, id);
    h->failures++;
    for_good =
        for_good || (s->config.reach != 0 && h->asked != 0 && now - h->asked > s->config.reach);
    if (h->reserved != NONE)
        pool_unreserve(s, &s->pools.v[s->queues.v[h->reserved].pool]);
    h->link = for_good ? GONE : BACKING_OFF;
    if (!for_good)
        set_timer(s, id, back_off(s, h));
    /* Its pools first, so that the steps that ran here see what hope is left. */
    host_changed(s, id);
    while (h->running.n != 0) {
        uint32_t step = h->running.v[h->running.n - 1];
        if (copy_lost(s, step, id))
            continue;
        step_leave(s, step);
        step_conclude(s, step, SCHED_ENDED_LOST);
    }
}

void sched_host_load(struct sched *s, uint32_t id, double load, int64_t now) {
    struct host *h = &s->hosts.v[id];
    sched_advance(s, now);
    if (h->link != UP || !(load >= 0))
        return;
    h->load = load;
    h->since = 0;
    host_changed(s, id);
}

void sched_host_holds(struct sched *s, uint32_t host, uint32_t datum, bool holds) {
    while (s->data.n <= datum)
        (void)vec_push(&s->data);
    struct datum *d = &s->data.v[datum];
    size_t i = 0;
    while (i < d->hosts.n && d->hosts.v[i] != host)
        i++;
    if (holds && i == d->hosts.n)
        *vec_push(&d->hosts) = host;
    else if (!holds && i < d->hosts.n)
        d->hosts.v[i] = d->hosts.v[--d->hosts.n];
}
