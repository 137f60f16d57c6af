#include "way/gate.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    AT_ONE_DOOR = 8, /* sshd begins to refuse at 10, and others log in too */
    IN_ALL = 256,
    PROOF = 8, /* log-ins for each that may log in at once, before one more may */
};
#define NOTICE (20 * MILLISECOND)
#define FIRST_PAUSE (100 * MILLISECOND)
#define LONGEST_PAUSE (4 * SECOND)

/* An address and a port. */
struct door {
    char *key;
    unsigned inside, limit;
    unsigned well;    /* log-ins since the limit has changed */
    unsigned refused; /* in a row */
    int64_t not_before;
};

struct gate {
    struct loop *loop;
    struct map doors;
    unsigned inside;
    struct entrant *waiting, **last; /* in the order in which they came */
    struct timer wake;
};

static void take_out(struct gate *g, struct entrant *e) {
    *e->link = e->next;
    if (e->next != NULL)
        e->next->link = e->link;
    else
        g->last = e->link;
    e->link = NULL;
}

static void let_in(void *arg) {
    struct gate *g = arg;
    struct entrant *e = g->waiting;
    int64_t now = loop_now(g->loop), next = INT64_MAX;
    while (e != NULL && g->inside < IN_ALL) {
        const struct door *door = e->door;
        if (door->not_before > now && door->not_before < next)
            next = door->not_before;
        if (door->inside >= door->limit || door->not_before > now) {
            e = e->next;
            continue;
        }
        take_out(g, e);
        g->inside++;
        e->door->inside++;
        e->may_enter(e->arg);
        e = g->waiting; /* whoever it was may have made others leave */
    }
    if (next != INT64_MAX)
        loop_timer(g->loop, &g->wake, next);
}

struct gate *gate_new(struct loop *loop) {
    struct gate *g = mem_zalloc(sizeof *g);
    g->loop = loop;
    g->last = &g->waiting;
    g->wake = (struct timer){.expired = let_in, .arg = g};
    return g;
}

void gate_free(struct gate *g) {
    loop_timer_clear(g->loop, &g->wake);
    for (size_t i = 0; i < g->doors.n; i++) {
        struct door *door = g->doors.entries[i].value;
        free(door->key);
        free(door);
    }
    map_free(&g->doors);
    free(g);
}

static struct door *find_door(struct gate *g, const char *address, uint16_t port) {
    struct buf key = {0};
    buf_printf(&key, "%s %u", address, port);
    struct door *door = map_get(&g->doors, buf_view(&key));
    if (door == NULL) {
        door = mem_zalloc(sizeof *door);
        *door = (struct door){.key = mem_strdup(key.s), .limit = AT_ONE_DOOR};
        *map_put(&g->doors, str_of(door->key)) = door;
    }
    buf_free(&key);
    return door;
}

void gate_enter(struct gate *g, struct entrant *e, const char *address, uint16_t port) {
    e->door = find_door(g, address, port);
    e->next = NULL;
    e->link = g->last;
    *g->last = e;
    g->last = &e->next;
    loop_timer(g->loop, &g->wake, loop_now(g->loop));
}

void gate_leave(struct gate *g, struct entrant *e, bool well) {
    struct door *door = e->door;
    if (door == NULL)
        return;
    e->door = NULL;
    if (e->link != NULL) {
        take_out(g, e);
        return;
    }
    g->inside--;
    door->inside--;
    if (well)
        door->refused = 0;
    /* It takes the server a moment to notice that there is one less. */
    if (well && door->limit < AT_ONE_DOOR)
        door->not_before = loop_now(g->loop) + NOTICE;
    if (well && ++door->well >= PROOF * door->limit && door->limit < AT_ONE_DOOR) {
        door->limit++;
        door->well = 0;
    }
    if (g->waiting != NULL)
        loop_timer(g->loop, &g->wake, loop_now(g->loop));
}

/* From half of it to one and a half: those who were refused together come back one by one. */
static int64_t about(int64_t pause) {
    uint32_t chance = 0;
    if (getentropy(&chance, sizeof chance) != 0)
        chance = UINT32_MAX / 2;
    return pause / 2 + (int64_t)((double)pause * chance / UINT32_MAX);
}

void gate_refused(struct gate *g, struct entrant *e) {
    struct door *door = e->door;
    int64_t pause = FIRST_PAUSE;
    door->limit = door->inside > 1 ? door->inside / 2 : 1;
    door->well = 0;
    for (unsigned i = 0; i < door->refused && pause < LONGEST_PAUSE; i++)
        pause *= 2;
    door->refused++;
    door->not_before = loop_now(g->loop) + about(pause);
    gate_leave(g, e, false);
    e->door = door;
    e->next = g->waiting;
    e->link = &g->waiting;
    if (e->next != NULL)
        e->next->link = &e->next;
    else
        g->last = &e->next;
    g->waiting = e;
    loop_timer(g->loop, &g->wake, loop_now(g->loop));
}
