/* Pools: which step is next, which host gets it, and when another host is needed.
 *
 * Hosts are connected to as work asks for them, and the first one to answer must not get all of it
 * only because it was first: as long as others are still connecting and what waits has room enough
 * already, it is held for a moment. */
#include "sched/state.h"

#define SETTLING (200 * MILLISECOND)

static uint64_t waiting(const struct pool *p) {
    return p->ready.n + p->aside.n;
}

/* How many steps of the pool could start now if it had slots enough. */
static uint64_t wanted(const struct sched *s, const struct pool *p) {
    uint64_t n = waiting(p), headroom = sched_headroom(s);
    return n < headroom ? n : headroom;
}

uint32_t sched_add_pool(struct sched *s, enum sched_pick pick, const uint32_t *hosts, size_t n) {
    uint32_t id = (uint32_t)s->pools.n;
    struct pool *p = vec_push(&s->pools);
    p->pick = pick;
    p->members = mem_array(NULL, n, sizeof *p->members);
    p->idle = mem_array(NULL, n, sizeof *p->idle);
    p->free.indexed = true;
    p->turn = UINT32_MAX; /* the end of lap 0 */
    for (size_t i = 0; i < n; i++) {
        struct host *h = &s->hosts.v[hosts[i]];
        if (h->places.n != 0 && h->places.v[h->places.n - 1].pool == id)
            continue; /* named twice */
        *vec_push(&h->places) = (struct place){.pool = id, .member = p->n};
        p->members[p->n++] = (struct member){.host = hosts[i]};
    }
    for (uint32_t i = 0; i < p->n; i++)
        p->idle[i] = i;
    for (uint32_t i = p->n; pick != SCHED_ROUND_ROBIN && i > 1; i--) {
        uint32_t other = sched_random_below(s, i), swapped = p->idle[other];
        p->idle[other] = p->idle[i - 1];
        p->idle[i - 1] = swapped;
    }
    p->idle_n = p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        p->members[i].queued = true;
        pool_member_changed(s, (struct place){.pool = id, .member = i}, (struct worth){0},
                            s->hosts.v[p->members[i].host].worth);
    }
    return id;
}

/* Ready steps. */

void pool_push(struct sched *s, uint32_t id, uint32_t step) {
    heap_push(&s->pools.v[id].ready,
              (struct heap_entry){.key = -s->steps.v[step].height, .id = step});
    pool_changed(s, id);
}

static void end_aside(struct sched *s, struct pool *p) {
    for (size_t i = 0; i < p->aside.n; i++) {
        uint32_t step = p->aside.v[i];
        heap_push(&p->ready, (struct heap_entry){.key = -s->steps.v[step].height, .id = step});
    }
    p->aside.n = 0;
}

static void give_up(struct sched *s, struct pool *p) {
    while (p->ready.n != 0 && !s->stopped) {
        uint32_t step = p->ready.v[0].id;
        heap_pop(&p->ready);
        step_settle(s, step, SCHED_NO_HOST);
    }
}

/* Free hosts. */

/* How good a choice a member is: the least first. */
static struct heap_entry rank(const struct pool *p, uint32_t member, const struct host *h) {
    struct heap_entry e = {.id = member};
    if (p->pick == SCHED_LEAST_LOADED) {
        double load = h->load >= 0 ? (h->load + h->since) / h->cores * 1024 : 0;
        int64_t fine = load < UINT32_MAX ? (int64_t)load : UINT32_MAX;
        e.key = (int64_t)(((uint64_t)h->running.n << 31) / h->slots) << 32 | fine;
        e.tie = h->used;
    } else if (p->pick == SCHED_ROUND_ROBIN) {
        const struct heap_entry *old = heap_find(&p->free, member);
        int64_t lap = p->turn >> 32;
        if (old != NULL && old->key > p->turn)
            e.key = old->key;
        else
            e.key = (member > (uint32_t)p->turn ? lap : lap + 1) << 32 | member;
    }
    return e; /* SCHED_RANDOM: no order */
}

/* The hosts where a step must not go, as there is hope for others; NULL: it may go anywhere. */
static const struct losses *shunned(const struct sched *s, const struct pool *p,
                                    const struct step *step) {
    if (step->losses == 0)
        return NULL;
    const struct losses *l = &s->losses.v[step->losses - 1];
    uint32_t hopeful = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        bool again = false;
        for (uint32_t j = 0; j < i; j++)
            again = again || l->hosts[j] == l->hosts[i];
        hopeful += !again && s->hosts.v[l->hosts[i]].worth.hopeful;
    }
    return p->hopeful > hopeful ? l : NULL;
}

static bool shuns(const struct losses *l, uint32_t host) {
    for (uint32_t i = 0; l != NULL && i < l->n; i++)
        if (l->hosts[i] == host)
            return true;
    return false;
}

/* The member that gets a step; NONE: it shuns all that are free. */
static uint32_t choose(struct sched *s, struct pool *p, const struct step *step) {
    const struct losses *l = shunned(s, p, step);
    uint32_t chosen = NONE;
    if (p->pick == SCHED_RANDOM) {
        uint32_t n = (uint32_t)p->free.n, first = sched_random_below(s, n);
        for (uint32_t i = 0; i < n && chosen == NONE; i++) {
            uint32_t member = p->free.v[(first + i) % n].id;
            if (!shuns(l, p->members[member].host))
                chosen = member;
        }
        return chosen;
    }
    struct heap_entry set_aside[MAX_LOSSES];
    uint32_t n = 0;
    while (p->free.n != 0 && chosen == NONE) {
        struct heap_entry best = p->free.v[0];
        if (!shuns(l, p->members[best.id].host)) {
            chosen = best.id;
            p->turn = p->pick == SCHED_ROUND_ROBIN && best.key > p->turn ? best.key : p->turn;
        } else {
            set_aside[n++] = best;
            heap_pop(&p->free);
        }
    }
    while (n > 0)
        heap_push(&p->free, set_aside[--n]);
    return chosen;
}

void pool_member_changed(struct sched *s, struct place place, struct worth old, struct worth now) {
    struct pool *p = &s->pools.v[place.pool];
    p->free_slots = p->free_slots - old.free + now.free;
    p->coming_slots = p->coming_slots - old.coming + now.coming;
    p->up = p->up - old.up + now.up;
    p->coming = p->coming - (old.coming != 0) + (now.coming != 0);
    p->hopeful = p->hopeful - old.hopeful + now.hopeful;
    if (now.free != 0)
        heap_set(&p->free, rank(p, place.member, &s->hosts.v[p->members[place.member].host]));
    else
        heap_remove(&p->free, place.member);
    if ((old.free == 0 && now.free != 0) || old.hopeful != now.hopeful)
        end_aside(s, p);
    if (p->coming == 0) {
        p->wave = false;
    } else if (!old.up && now.up && !p->wave) {
        p->wave = true;
        p->settled_at = sum_of_times(s->now, SETTLING);
    }
    if (p->hopeful == 0)
        give_up(s, p);
    pool_changed(s, place.pool);
}

static bool settling(const struct sched *s, const struct pool *p) {
    return p->wave && s->now < p->settled_at && wanted(s, p) <= p->free_slots;
}

static void make_hungry(struct sched *s, uint32_t id) {
    struct pool *p = &s->pools.v[id];
    if (p->hungry)
        return;
    p->hungry = true;
    p->next_hungry = s->hungry;
    s->hungry = id;
}

void pool_changed(struct sched *s, uint32_t id) {
    struct pool *p = &s->pools.v[id];
    bool can = p->ready.n != 0 && p->free.n != 0;
    if (can && settling(s, p)) {
        heap_set(&s->pool_timers, (struct heap_entry){.key = p->settled_at, .id = id});
        can = false;
    } else {
        heap_remove(&s->pool_timers, id);
    }
    if (can)
        heap_set(&s->choices, (struct heap_entry){p->ready.v[0].key, p->ready.v[0].id, id});
    else
        heap_remove(&s->choices, id);
    if (waiting(p) != 0 && p->idle_n != 0)
        make_hungry(s, id);
}

bool pool_start(struct sched *s, struct sched_action *action) {
    while (s->choices.n != 0 && sched_headroom(s) != 0) {
        uint32_t id = s->choices.v[0].id;
        struct pool *p = &s->pools.v[id];
        uint32_t step = p->ready.v[0].id;
        uint32_t member = choose(s, p, &s->steps.v[step]);
        heap_pop(&p->ready);
        if (member == NONE) {
            *vec_push(&p->aside) = step;
            pool_changed(s, id);
            continue;
        }
        step_start(s, step, p->members[member].host, action);
        return true;
    }
    return false;
}

/* More hosts. */

void pool_offer(struct sched *s, struct place place) {
    struct pool *p = &s->pools.v[place.pool];
    if (p->members[place.member].queued)
        return;
    p->members[place.member].queued = true;
    p->idle[(p->idle_first + p->idle_n++) % p->n] = place.member;
}

static bool needs_host(const struct sched *s, const struct pool *p) {
    uint64_t n = wanted(s, p);
    if (n == 0)
        return false;
    if (n > p->free_slots + p->coming_slots || (p->aside.n != 0 && p->coming == 0))
        return true;
    /* Of two, one can be chosen. */
    return p->pick == SCHED_LEAST_LOADED && p->up + p->coming < 2;
}

/* Takes the next host of the pool that can be asked for; NONE: all are. */
static uint32_t take_idle(struct sched *s, struct pool *p) {
    while (p->idle_n != 0) {
        struct member *m = &p->members[p->idle[p->idle_first]];
        p->idle_first = (p->idle_first + 1) % p->n;
        p->idle_n--;
        m->queued = false;
        if (s->hosts.v[m->host].link == IDLE)
            return m->host;
    }
    return NONE;
}

bool pool_connect(struct sched *s, struct sched_action *action) {
    if (sched_headroom(s) == 0)
        return false;
    while (s->hungry != NONE) {
        uint32_t id = s->hungry;
        struct pool *p = &s->pools.v[id];
        uint32_t host = needs_host(s, p) ? take_idle(s, p) : NONE;
        if (host != NONE) {
            *action = (struct sched_action){.kind = SCHED_CONNECT, .host = host};
            host_ask(s, host);
            return true;
        }
        s->hungry = p->next_hungry;
        p->hungry = false;
    }
    return false;
}
