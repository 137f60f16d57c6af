/* Queues: steps of one pool that want the same share of a host and the same limits. What holds one
 * of them holds all; most pools have one queue. */
#include "sched/state.h"

/* --- which queue --- */

enum { WORDS = 5 }; /* of a name, before those of the limits */

static struct str name_of(uint32_t pool, uint32_t group, uint32_t cpus, uint64_t mem,
                          const uint32_t *limits, size_t n_limits, uint32_t *words) {
    words[0] = pool;
    words[1] = cpus;
    words[2] = (uint32_t)mem;
    words[3] = (uint32_t)(mem >> 32);
    for (size_t i = 0; i < n_limits; i++)
        words[WORDS + i] = limits[i];
    words[4] = group;
    return (struct str){(const char *)words, (WORDS + n_limits) * sizeof *words};
}

uint32_t queue_find(struct sched *s, uint32_t pool, uint32_t group, uint32_t cpus, uint64_t mem,
                    const uint32_t *limits, size_t n_limits) {
    struct pool *p = &s->pools.v[pool];
    bool plain = group == 0 && cpus == 0 && mem == 0 && n_limits == 0;
    while (s->groups.n <= group)
        (void)vec_push(&s->groups);
    if (plain && p->queues.n != 0)
        return p->queues.v[0]; /* the first one is always the plain one */
    if (!plain && p->queues.n == 0) {
        queue_find(s, pool, 0, 0, 0, NULL, 0);
        p = &s->pools.v[pool];
    }
    uint32_t *words = mem_array(NULL, WORDS + n_limits, sizeof *words);
    struct str name = name_of(pool, group, cpus, mem, limits, n_limits, words);
    void **known = map_put(&s->queue_names, name);
    if (*known != NULL) {
        free(words);
        return (uint32_t)((uintptr_t)*known - 1);
    }
    uint32_t id = (uint32_t)s->queues.n;
    *vec_push(&s->names) = name;
    *known = (void *)(uintptr_t)(id + 1);
    struct queue *q = vec_push(&s->queues);
    *q = (struct queue){.pool = pool,
                        .place = (uint32_t)p->queues.n,
                        .cpus = cpus,
                        .mem = mem,
                        .group = group,
                        .limits = words + WORDS,
                        .n_limits = (uint32_t)n_limits};
    *vec_push(&p->queues) = id;
    return id;
}

/* --- what waits --- */

static struct heap_entry entry_of(const struct sched *s, uint32_t step) {
    return (struct heap_entry){.key = -s->steps.v[step].height, .id = step};
}

void queue_push(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    struct queue *q = &s->queues.v[step->queue];
    heap_push(&q->ready, entry_of(s, id));
    if (!step->queued)
        s->pools.v[q->pool].waiting++;
    step->queued = true;
    queue_changed(s, step->queue);
}

void queue_leave(struct sched *s, uint32_t id) {
    struct step *step = &s->steps.v[id];
    if (!step->queued)
        return;
    struct pool *p = &s->pools.v[s->queues.v[step->queue].pool];
    step->queued = false;
    p->waiting--;
    if (step->extra != 0 && s->extras.v[step->extra - 1].patient_till != 0) {
        s->extras.v[step->extra - 1].patient_till = 0;
        p->patient--;
    }
}

/* What has settled while it waited is still in the heap. */
static void drop_left(struct sched *s, struct queue *q) {
    while (q->ready.n != 0 && !s->steps.v[q->ready.v[0].id].queued)
        heap_pop(&q->ready);
}

void queue_changed(struct sched *s, uint32_t id) {
    struct queue *q = &s->queues.v[id];
    struct pool *p = &s->pools.v[q->pool];
    drop_left(s, q);
    heap_remove(&p->eligible, q->place);
    heap_remove(&p->no_room, q->place);
    if (q->ready.n != 0 && q->held != NO_LIMIT)
        heap_set(q->held == NO_ROOM ? &p->no_room : &p->eligible,
                 (struct heap_entry){q->ready.v[0].key, q->ready.v[0].id, q->place});
    if (q->ready.n == 0 && p->reserving == id)
        pool_unreserve(s, p);
    if (q->ready.n == 0 && q->held == NO_ROOM) { /* others come to the fore */
        q->held = CAN_START;
        pool_wake(s, p, NONE);
    }
    pool_changed(s, s->queues.v[id].pool);
}

void queue_keep_branches(struct sched *s) {
    for (size_t i = 0; i < s->pools.n; i++) {
        struct pool *p = &s->pools.v[i];
        pool_unreserve(s, p);
        for (size_t k = 0; k < p->aside.n; k++)
            if (!s->branches || !s->steps.v[p->aside.v[k]].branch)
                queue_leave(s, p->aside.v[k]);
    }
    for (size_t i = 0; i < s->queues.n; i++) {
        struct queue *q = &s->queues.v[i];
        size_t n = q->ready.n;
        struct heap_entry *all = mem_array(NULL, n + 1, sizeof *all);
        for (size_t k = 0; k < n; k++)
            all[k] = q->ready.v[k];
        q->ready.n = 0;
        for (size_t k = 0; k < n; k++) {
            if (s->branches && s->steps.v[all[k].id].branch)
                heap_push(&q->ready, all[k]);
            else
                queue_leave(s, all[k].id);
        }
        free(all);
        queue_changed(s, (uint32_t)i);
    }
}

/* --- shares --- */

uint32_t queue_share(const struct queue *q, const struct host *h) {
    if (q->cpus == 0)
        return 1;
    uint64_t slots = ((uint64_t)q->cpus * h->slots + h->cores - 1) / h->cores;
    return slots > h->slots ? h->slots : slots == 0 ? 1 : (uint32_t)slots;
}

bool queue_fits(const struct queue *q, uint32_t id, const struct host *h) {
    if (h->reserved != NONE && h->reserved != id)
        return false;
    /* On trial it gets one step, whatever that takes. */
    bool room =
        h->trial ? h->busy == 0 : h->busy < h->slots && queue_share(q, h) <= h->slots - h->busy;
    return room &&
           (q->mem == 0 || h->mem == 0 || (q->mem <= h->mem && h->mem_held <= h->mem - q->mem));
}

/* --- limits --- */

bool queue_take_limits(struct sched *s, uint32_t id) {
    struct queue *q = &s->queues.v[id];
    for (uint32_t i = 0; i < q->n_limits; i++) {
        struct limit *l = &s->limits.v[q->limits[i]];
        if (l->used < l->n)
            continue;
        *vec_push(&l->waiting) = id;
        q->held = NO_LIMIT;
        queue_changed(s, id);
        return false;
    }
    for (uint32_t i = 0; i < q->n_limits; i++)
        s->limits.v[q->limits[i]].used++;
    return true;
}

void queue_give_limits(struct sched *s, uint32_t id) {
    const struct queue *q = &s->queues.v[id];
    for (uint32_t i = 0; i < q->n_limits; i++) {
        struct limit *l = &s->limits.v[q->limits[i]];
        l->used--;
        /* They look for all their limits again; what finds none is put back by it. */
        size_t n = l->waiting.n;
        uint32_t *waiting = l->waiting.v;
        l->waiting.v = NULL;
        l->waiting.n = l->waiting.cap = 0;
        for (size_t k = 0; k < n; k++) {
            s->queues.v[waiting[k]].held = CAN_START;
            queue_changed(s, waiting[k]);
        }
        free(waiting);
    }
}
