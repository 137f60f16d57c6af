/* Pools: which step is next, which host gets it, and when another host is needed.
 *
 * Hosts are connected to as work asks for them, and the first one to answer must not get all of it
 * only because it was first: as long as others are still connecting and what waits has room enough
 * already, it is held for a moment. */
#include "sched/state.h"

#define SETTLING (200 * MILLISECOND)

/* How many steps of the pool could start now if it had slots enough. */
static uint64_t wanted(const struct sched *s, const struct pool *p) {
    uint64_t n = p->waiting, headroom = sched_headroom(s);
    return n < headroom ? n : headroom;
}

uint32_t sched_add_pool(struct sched *s, enum sched_pick pick, const uint32_t *hosts, size_t n) {
    uint32_t id = (uint32_t)s->pools.n;
    struct pool *p = vec_push(&s->pools);
    p->pick = pick;
    p->members = mem_array(NULL, n, sizeof *p->members);
    p->idle = mem_array(NULL, n, sizeof *p->idle);
    p->free.indexed = p->eligible.indexed = p->no_room.indexed = true;
    p->reserving = NONE;
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
        const struct host *h = &s->hosts.v[p->members[i].host];
        p->known += h->took > 0;
        p->speeds += h->speed;
        p->classes[h->speed + MAX_SPEED] += h->strength > 0;
    }
    for (uint32_t i = 0; i < p->n; i++) {
        p->members[i].queued = true;
        pool_member_changed(s, (struct place){.pool = id, .member = i}, (struct worth){0},
                            s->hosts.v[p->members[i].host].worth);
    }
    return id;
}

/* Steps that wait. */

static void end_aside(struct sched *s, struct pool *p) {
    while (p->aside.n != 0) {
        uint32_t step = p->aside.v[--p->aside.n];
        if (s->steps.v[step].queued)
            queue_push(s, step);
    }
}

bool pool_is_gone(const struct sched *s, const struct pool *p) {
    for (uint32_t i = 0; i < p->n; i++)
        if (s->hosts.v[p->members[i].host].link != GONE)
            return false;
    return true;
}

/* Settling one may stop the run: then the others are not settled so. */
static void settle_no_host(struct sched *s, uint32_t step) {
    if (s->stopped && !(s->branches && s->steps.v[step].branch))
        queue_leave(s, step);
    else
        step_settle(s, step, SCHED_NO_HOST);
}

/* No host is of use. Who is patient waits on, if one may come up yet. */
static void give_up(struct sched *s, uint32_t pool) {
    bool gone = pool_is_gone(s, &s->pools.v[pool]);
    for (size_t i = 0; i < s->pools.v[pool].queues.n; i++) {
        uint32_t id = s->pools.v[pool].queues.v[i];
        struct heap ready = s->queues.v[id].ready;
        s->queues.v[id].ready = (struct heap){0};
        while (ready.n != 0) {
            struct heap_entry first = ready.v[0];
            uint32_t extra = s->steps.v[first.id].extra;
            heap_pop(&ready);
            if (!s->steps.v[first.id].queued)
                continue;
            bool may = !s->stopped || (s->branches && s->steps.v[first.id].branch);
            if (may && !gone && extra != 0 && s->extras.v[extra - 1].patient_till != 0)
                heap_push(&s->queues.v[id].ready, first);
            else
                settle_no_host(s, first.id);
        }
        heap_free(&ready);
        queue_changed(s, id);
    }
}

/* Free hosts. */

/* How good a choice a member is: the least first. */
static struct heap_entry rank(const struct pool *p, uint32_t member, const struct host *h) {
    struct heap_entry e = {.id = member};
    if (p->pick == SCHED_LEAST_LOADED) {
        double load = h->load >= 0 ? (h->load + h->since) / h->cores * 1024 : 0;
        int64_t fine = load < UINT32_MAX ? (int64_t)load : UINT32_MAX;
        uint64_t busy =
            h->busy < h->slots ? ((uint64_t)h->busy << 24) / h->slots : UINT64_C(1) << 24;
        /* The fast ones first, as far as that is known. */
        e.key = (int64_t)(MAX_SPEED - h->speed) << 57 | (int64_t)(busy << 32) | fine;
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

static bool shuns(const struct losses *l, uint32_t host) {
    for (uint32_t i = 0; l != NULL && i < l->n; i++)
        if (l->hosts[i] == host)
            return true;
    return false;
}

/* Whether a host where it was not lost has memory enough, as far as is known. */
static bool another_is_large(const struct sched *s, const struct pool *p, const struct step *step,
                             const struct losses *l) {
    uint64_t mem = s->queues.v[step->queue].mem;
    for (uint32_t i = 0; i < p->n && mem != 0; i++) {
        const struct host *h = &s->hosts.v[p->members[i].host];
        if (h->worth.hopeful && !shuns(l, p->members[i].host) &&
            (h->link != UP || h->mem == 0 || h->mem >= mem))
            return true;
    }
    return mem == 0;
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
    return p->hopeful > hopeful && another_is_large(s, p, step, l) ? l : NULL;
}

/* A step that takes more than a slot goes to the first host that has room for it, in about the
 * order of what else speaks for them. */
static uint32_t choose_room(struct sched *s, struct pool *p, const struct step *step,
                            const struct losses *l) {
    const struct queue *q = &s->queues.v[step->queue];
    if (p->reserving == step->queue)
        for (uint32_t i = 0; i < p->n; i++) {
            const struct host *h = &s->hosts.v[p->members[i].host];
            if (h->reserved == step->queue && h->link == UP && !h->quarantined &&
                queue_fits(q, step->queue, h) && !shuns(l, p->members[i].host))
                return i;
        }
    uint32_t n = (uint32_t)p->free.n;
    uint32_t first = p->pick == SCHED_RANDOM && n != 0 ? sched_random_below(s, n) : 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t member = p->free.v[(first + i) % n].id, host = p->members[member].host;
        if (queue_fits(q, step->queue, &s->hosts.v[host]) && !shuns(l, host))
            return member;
    }
    return NONE;
}

/* For a second run of a step, if nothing waits for the pool. */
uint32_t pool_second_host(struct sched *s, uint32_t id) {
    const struct step *step = &s->steps.v[id];
    const struct queue *q = &s->queues.v[step->queue];
    struct pool *p = &s->pools.v[q->pool];
    for (size_t i = 0; i < p->free.n && p->waiting == 0; i++) {
        uint32_t host = p->members[p->free.v[i].id].host;
        const struct host *h = &s->hosts.v[host];
        if (host != step->host && !h->trial && queue_fits(q, step->queue, h))
            return host;
    }
    return NONE;
}

static bool is_wide(const struct queue *q) {
    return q->cpus != 0 || q->mem != 0;
}

/* Of hosts that are as busy for their slots as the best one, that which holds most of what the step
 * reads. Only the few that hold something are looked at. */
static uint32_t nearer(const struct sched *s, const struct pool *p, const struct step *step,
                       uint32_t best, const struct losses *l) {
    enum { HOLDERS = 16, LOOKED_AT = 256 };
    const struct extra *extra = step->extra != 0 ? &s->extras.v[step->extra - 1] : NULL;
    struct {
        uint32_t host;
        uint64_t bytes;
    } holders[HOLDERS];
    uint32_t n = 0, looked = 0;
    if (extra == NULL || extra->n_data == 0)
        return best;
    for (size_t i = 0; i < extra->n_data; i++) {
        const struct sched_datum *datum = &extra->data[i];
        const struct datum *d = datum->id < s->data.n ? &s->data.v[datum->id] : NULL;
        for (size_t k = 0; d != NULL && k < d->hosts.n && looked++ < LOOKED_AT; k++) {
            uint32_t at = 0;
            while (at < n && holders[at].host != d->hosts.v[k])
                at++;
            if (at == n && n == HOLDERS)
                continue;
            if (at == n) {
                holders[n].host = d->hosts.v[k];
                holders[n++].bytes = 0;
            }
            holders[at].bytes += datum->bytes;
        }
    }
    const struct host *first = &s->hosts.v[p->members[best].host];
    uint64_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        if (holders[i].host == p->members[best].host)
            most = holders[i].bytes;
    for (uint32_t i = 0; i < n; i++) {
        const struct host *h = &s->hosts.v[holders[i].host];
        bool equal = h->worth.free != 0 &&
                     (uint64_t)h->busy * first->slots <= (uint64_t)first->busy * h->slots;
        if (!equal || holders[i].bytes <= most || shuns(l, holders[i].host))
            continue;
        for (size_t k = 0; k < h->places.n; k++)
            if (&s->pools.v[h->places.v[k].pool] == p) {
                best = h->places.v[k].member;
                most = holders[i].bytes;
            }
    }
    return best;
}

/* The member that gets a step; NONE: none that is free will do. */
static uint32_t choose(struct sched *s, struct pool *p, const struct step *step) {
    const struct losses *l = shunned(s, p, step);
    const struct queue *q = &s->queues.v[step->queue];
    if (is_wide(q))
        return choose_room(s, p, step, l);
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
    return chosen != NONE && p->pick == SCHED_LEAST_LOADED ? nearer(s, p, step, chosen, l) : chosen;
}

/* Looks again for what found no room: the first few that wait. As they start or are given up, the
 * others come to the fore. */
void pool_wake(struct sched *s, struct pool *p, uint32_t host) {
    const struct host *h = host != NONE ? &s->hosts.v[host] : NULL;
    if (p->no_room.n == 0 || (h != NULL && (h->link != UP || h->quarantined)))
        return;
    enum { FEW = 8 };
    uint32_t woken[FEW];
    size_t n = 0;
    if (h != NULL && p->reserving != NONE && h->reserved == p->reserving &&
        queue_fits(&s->queues.v[p->reserving], p->reserving, h))
        woken[n++] = p->reserving;
    for (size_t i = 0; i < p->no_room.n && n < FEW && i < FEW; i++) {
        uint32_t id = p->queues.v[p->no_room.v[i].id];
        if (n != 0 && id == woken[0])
            continue;
        if (h == NULL || queue_fits(&s->queues.v[id], id, h))
            woken[n++] = id;
    }
    for (size_t i = 0; i < n; i++) {
        s->queues.v[woken[i]].held = CAN_START;
        queue_changed(s, woken[i]);
    }
}

void pool_member_changed(struct sched *s, struct place place, struct worth old, struct worth now) {
    struct pool *p = &s->pools.v[place.pool];
    p->free_slots = p->free_slots - old.free + now.free;
    p->coming_slots = p->coming_slots - old.coming + now.coming;
    p->up = p->up - old.up + now.up;
    p->coming = p->coming - (old.coming != 0) + (now.coming != 0);
    p->hopeful = p->hopeful - old.hopeful + now.hopeful;
    const struct host *h = &s->hosts.v[p->members[place.member].host];
    if (h->worth.free != 0)
        heap_set(&p->free, rank(p, place.member, h));
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
    /* Another host is known now, or gone: what waits for one that is large enough asks again. */
    bool news = old.up != now.up || old.hopeful != now.hopeful;
    pool_wake(s, p, news ? NONE : p->members[place.member].host);
    if (p->hopeful == 0)
        give_up(s, place.pool);
    pool_changed(s, place.pool);
}

void pool_unreserve(struct sched *s, struct pool *p) {
    uint32_t queue = p->reserving;
    if (queue == NONE)
        return;
    p->reserving = NONE;
    for (uint32_t i = 0; i < p->n; i++)
        if (s->hosts.v[p->members[i].host].reserved == queue) {
            s->hosts.v[p->members[i].host].reserved = NONE;
            host_changed(s, p->members[i].host);
        }
}

/* Keeps the host that has most room by now free for a queue; false: none will ever have room. */
static bool reserve(struct sched *s, struct pool *p, uint32_t id) {
    const struct queue *q = &s->queues.v[id];
    const struct losses *l = q->ready.n != 0 ? shunned(s, p, &s->steps.v[q->ready.v[0].id]) : NULL;
    uint32_t best = NONE, most = 0;
    bool ever = false;
    for (uint32_t i = 0; i < p->n; i++) {
        const struct host *h = &s->hosts.v[p->members[i].host];
        bool known = h->link == UP;
        if (!h->worth.hopeful || (known && h->mem != 0 && q->mem > h->mem))
            continue;
        ever = true;
        if (!known || h->quarantined || h->trial || h->reserved != NONE ||
            shuns(l, p->members[i].host))
            continue;
        uint32_t room = h->slots > h->busy ? h->slots - h->busy + 1 : 1;
        if (room > most) {
            most = room;
            best = p->members[i].host;
        }
    }
    if (best != NONE && p->reserving == NONE) {
        p->reserving = id;
        s->hosts.v[best].reserved = id;
        host_changed(s, best);
    }
    return ever;
}

/* No host has room for the steps of a queue now. */
static void hold_for_room(struct sched *s, uint32_t id) {
    struct queue *q = &s->queues.v[id];
    q->held = NO_ROOM;
    queue_changed(s, id);
    if (reserve(s, &s->pools.v[q->pool], id))
        return;
    struct heap ready = q->ready;
    q->ready = (struct heap){0};
    q->held = CAN_START;
    for (size_t i = 0; i < ready.n; i++)
        if (s->steps.v[ready.v[i].id].queued)
            settle_no_host(s, ready.v[i].id);
    heap_free(&ready);
    queue_changed(s, id);
    pool_wake(s, &s->pools.v[s->queues.v[id].pool], NONE);
}

static bool settling(const struct sched *s, const struct pool *p) {
    return p->wave && s->now < p->settled_at && wanted(s, p) <= p->free_slots;
}

static void make_hungry(struct sched *s, uint32_t id) {
    struct pool *p = &s->pools.v[id];
    if (p->hungry)
        return;
    p->hungry = true;
    p->next_hungry = NONE;
    if (s->hungry == NONE)
        s->hungry = id;
    else
        s->pools.v[s->last_hungry].next_hungry = id;
    s->last_hungry = id;
}

void pool_changed(struct sched *s, uint32_t id) {
    struct pool *p = &s->pools.v[id];
    bool can = p->eligible.n != 0 && (p->free.n != 0 || p->reserving != NONE);
    if (can && settling(s, p)) {
        heap_set(&s->pool_timers, (struct heap_entry){.key = p->settled_at, .id = id});
        can = false;
    } else {
        heap_remove(&s->pool_timers, id);
    }
    if (can)
        heap_set(&s->choices, (struct heap_entry){p->eligible.v[0].key, p->eligible.v[0].tie, id});
    else
        heap_remove(&s->choices, id);
    if (p->waiting != 0 && p->idle_n != 0)
        make_hungry(s, id);
}

/* The queue whose turn it is: the highest step; of several groups, of that which has had least. */
static uint32_t next_queue(const struct sched *s, const struct pool *p) {
    uint32_t best = p->queues.v[p->eligible.v[0].id];
    for (size_t i = 1; i < p->eligible.n && s->groups.n > 1; i++) {
        uint32_t other = p->queues.v[p->eligible.v[i].id];
        if (s->groups.v[s->queues.v[other].group].used < s->groups.v[s->queues.v[best].group].used)
            best = other;
    }
    return best;
}

/* Whether a step would hold up the whole on a host: with all that comes after it, it would take
 * longer there than what is left takes if all hosts share it, and than on the fastest of its pool.
 */
static bool is_too_urgent(const struct sched *s, const struct pool *p, const struct step *step,
                          const struct host *h) {
    double here = (double)step->height / host_speed(h->speed);
    double fastest = (double)step->height / pool_fastest(p);
    return here > fastest * 1.01 && here * s->strength > s->work;
}

/* The step that a host gets: the highest. A host that is known to be slower than most of its pool,
 * or too slow for what is that urgent, gets one from the other end, while there are many: the
 * highest goes to the next slot of a faster one. (The last entry of the heap is one of the lowest,
 * and taking it costs nothing.) */
static uint32_t take_step(struct sched *s, const struct pool *p, struct queue *q, uint32_t host) {
    enum { MANY = 64 };
    const struct host *h = &s->hosts.v[host];
    uint32_t id = q->ready.v[0].id, last = q->ready.v[q->ready.n - 1].id;
    bool slow =
        p->known != 0 && h->took > 0 &&
        ((2 * h->speed + 1) * p->known < 2 * p->speeds || is_too_urgent(s, p, &s->steps.v[id], h));
    if (slow && q->ready.n > MANY && s->steps.v[last].queued && s->steps.v[last].losses == 0) {
        q->ready.n--;
        return last;
    }
    heap_pop(&q->ready);
    return id;
}

bool pool_start(struct sched *s, struct sched_action *action) {
    while (s->choices.n != 0 && sched_headroom(s) != 0) {
        uint32_t id = s->choices.v[0].id;
        struct pool *p = &s->pools.v[id];
        uint32_t queue = next_queue(s, p);
        struct queue *q = &s->queues.v[queue];
        uint32_t step = q->ready.v[0].id;
        if (!queue_take_limits(s, queue))
            continue;
        uint32_t member = choose(s, p, &s->steps.v[step]);
        if (member != NONE) {
            uint32_t host = p->members[member].host;
            uint32_t share = queue_share(q, &s->hosts.v[host]);
            step = take_step(s, p, q, host);
            step_start(s, step, host, share, action);
            if (p->reserving == queue)
                pool_unreserve(s, p);
            queue_changed(s, queue);
            return true;
        }
        queue_give_limits(s, queue);
        if (!is_wide(q) && p->free.n != 0) { /* but only where it was lost before */
            heap_pop(&q->ready);
            *vec_push(&p->aside) = step;
            queue_changed(s, queue);
        } else {
            hold_for_room(s, queue);
        }
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
    if (n > p->free_slots + p->coming_slots ||
        ((p->aside.n != 0 || p->no_room.n != 0) && p->coming == 0))
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
    if (s->coming >= sched_headroom(s))
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
