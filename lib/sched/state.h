/* What the scheduler knows; only for lib/sched.
 *
 *   sched.c   the events, and what to do next
 *   steps.c   the life of a step: blocked, ready, running, paused, over
 *   queues.c  steps that want the same: a share of a host of one pool, and limits
 *   pools.c   what waits for the hosts of a pool, which host gets it, when more hosts are needed
 *   copies.c  second runs of steps that take too long
 *   hosts.c   hosts: connecting, up, lost for a while, not trusted, gone
 *
 * Nothing here looks through all steps, hosts or pools to decide: what may start next stands at the
 * top of a heap of pools, its queue at the top of the pool's heap of queues, the step at the top of
 * the queue's ready heap, the host at the top of the pool's heap of free hosts. */
#ifndef FORAY_SCHED_STATE_H
#define FORAY_SCHED_STATE_H

#include "base/map.h"
#include "base/strlist.h"
#include "base/vec.h"
#include "sched/heap.h"
#include "sched/sched.h"

#define NONE UINT32_MAX
#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

enum {
    MAX_LOSSES = 5,   /* of one step, then it is not tried again */
    MAX_SPEED = 15,   /* and slowness, of a host */
    MAX_FAILURES = 3, /* of a host in a row: then no step waits for it any more */
};

enum phase {
    BLOCKED, /* by steps that it needs */
    ASKED,   /* whether it has to run */
    READY,
    RUNNING,
    PAUSED, /* between two tries: a timer is set */
    OVER,
};

enum cancel { CANCEL_NOT, CANCEL_FOR_TIME, CANCEL_FOR_STOP, CANCEL_OUTRUN };

struct step {
    int64_t height;      /* expected time from its start to the end of what needs it */
    int64_t timeout;     /* 0: none */
    float cost;          /* as expected, ns; 0: not known */
    uint32_t queue;      /* where it waits when it is READY */
    uint32_t extra;      /* its entry in sched.extras, + 1; 0: nothing is unusual about it */
    uint32_t blocked;    /* how many needs are not over as they should be */
    uint32_t dependents; /* first of its edges */
    uint32_t host;       /* where it runs or ran last; NONE */
    uint32_t seat;       /* RUNNING: its place in host.running */
    uint32_t share;      /* RUNNING: the slots it takes */
    int64_t started;     /* RUNNING: when */
    uint32_t news;       /* the next one in sched.news */
    uint32_t attempt;    /* tries so far */
    uint32_t retries;    /* left */
    uint32_t losses;     /* its entry in sched.losses, + 1; 0: never lost */
    uint8_t phase, cancel;
    uint8_t state;   /* OVER: how it ended; else: what it is if it is given up now */
    bool branch : 1; /* it has a need other than ON_SUCCESS, or needs such a step: see sched.h */
    bool on_failure : 1, failure_seen : 1; /* it waits for a failure; which has come */
    bool queued : 1;                       /* READY: it counts as waiting in its pool */
    bool ask : 1;                          /* BLOCKED: it will be ASKED */
    bool once : 1;                         /* lost, it is given up */
    bool has_news;                         /* it stands in sched.news */
    bool told; /* ASKED: that it is; RUNNING: that it is to be cancelled; OVER: that it is over */
};

/* What few steps ask for. */
struct extra {
    bool tied;
    uint32_t same;
    int64_t wait;
    double backoff;
    int64_t patience;
    int64_t patient_till; /* READY: its pool is waited for; 0: not yet */
    /* A step that may run twice: copies.c. */
    bool speculate;
    uint32_t kind;
    uint32_t attempt; /* RUNNING: the number of its first run */
    bool gone;        /* RUNNING: that one has succeeded, and the second one is being ended */
    uint32_t winner;  /* the number of the run that has succeeded; 0: none */
    struct {
        bool runs, cancelled, told;
        uint32_t host, seat, share, attempt;
        int64_t started;
    } copy;
    const struct sched_datum *data; /* what it reads */
    size_t n_data;
};

/* Steps of one target, which get their turns beside those of others. */
struct group {
    double used; /* ns of slots; of what runs, a guess */
};

/* Something that steps read, and who has it. */
struct datum {
    VEC(uint32_t) hosts;
};

/* How long steps that are alike took. */
struct kind {
    uint32_t n;
    int64_t total;
};

struct edge {
    uint32_t step, next;
};

/* Steps that want the same: first come by height. */
struct queue {
    uint32_t pool, place; /* its index in pool.queues */
    uint32_t cpus;
    uint64_t mem;
    uint32_t group;
    const uint32_t *limits;
    uint32_t n_limits;
    struct heap ready;
    enum { CAN_START, NO_LIMIT, NO_ROOM } held; /* a limit is used up; no host has room for it */
};

struct limit {
    uint32_t n, used;
    VEC(uint32_t) waiting; /* queues that are held by it */
};

/* Where a step was lost. */
struct losses {
    uint32_t n; /* times */
    uint32_t hosts[MAX_LOSSES];
};

enum link {
    IDLE, /* not connected; may be asked for */
    CONNECTING,
    UP,
    BACKING_OFF, /* lost; IDLE when its timer expires */
    GONE,        /* for good */
};

/* What a host counts for in its pools. */
struct worth {
    uint32_t free;   /* slots that can be used now */
    uint32_t coming; /* slots that are expected soon, as it is connecting */
    bool up;
    bool hopeful; /* waiting for it makes sense */
};

/* A host's place in a pool. */
struct place {
    uint32_t pool, member;
};

struct host {
    uint32_t slots; /* 0: not known yet */
    uint32_t cores;
    uint32_t busy;          /* slots that are taken */
    uint64_t mem, mem_held; /* 0: not known, enough for all */
    double cost,
        took;     /* of steps that ended here lately: what was expected, and how long it took */
    int8_t speed; /* from that, in steps of a fifth; 0: as expected, or not known */
    uint32_t reserved; /* for the steps of this queue, that need more than is free; NONE */
    uint32_t alone;    /* a pool of this host alone, + 1; 0: none was made */
    uint32_t used;     /* when, in starts of the whole run, it got its last step */
    uint32_t since;    /* steps started since the load was sampled */
    double load;       /* < 0: never sampled */
    uint32_t failures; /* times that it failed as a whole, without a step that ended well or badly
                          in between */
    uint32_t lost;     /* steps lost here, likewise */
    int64_t asked;     /* when it was first connected to; 0: not since it was up */
    uint8_t link;
    bool fixed; /* slots were given */
    bool slow;  /* CONNECTING for so long that others are asked too */
    bool quarantined,
        trial; /* UP: it lost too many steps: gets nothing till its timer expires, then one step */
    struct worth worth;
    double strength;       /* what it adds to sched.strength */
    VEC(uint32_t) running; /* steps */
    VEC(struct place) places;
};

struct member {
    uint32_t host;
    bool queued; /* it stands in pool.idle */
};

struct pool {
    enum sched_pick pick;
    struct member *members;
    uint32_t n;
    VEC(uint32_t) queues;
    struct heap eligible;  /* those with steps that could start, by place: highest first */
    struct heap no_room;   /* those that are held by that */
    int32_t known, speeds; /* members whose speed is known, and the sum of these */
    uint32_t classes[2 * MAX_SPEED + 1]; /* how many are up, by speed */
    uint32_t reserving;                  /* the queue that a host is kept free for; NONE */
    uint32_t waiting, patient; /* READY steps; those among them that wait for any host to answer */
    VEC(uint32_t) aside;       /* steps that could, but only on hosts where they were lost before */
    struct heap free;          /* members with a free slot: best first */
    uint64_t free_slots, coming_slots; /* sums over the members' worth */
    uint32_t up, coming, hopeful;      /* members that are */
    uint32_t
        *idle; /* a ring of members to connect to, in this order; some may not be IDLE any more */
    uint32_t idle_first, idle_n;
    int64_t turn;       /* SCHED_ROUND_ROBIN: (lap << 32 | member) of the last one taken */
    int64_t settled_at; /* until then new steps may be held, see pools.c */
    bool wave;          /* settled_at is set for the hosts that are connecting */
    bool hungry;        /* it stands in sched.hungry */
    uint32_t next_hungry;
};

struct sched {
    struct sched_config config;
    uint64_t random;
    int64_t now;
    bool begun, stopped, finished;
    bool branches;          /* stopped by a failure: steps of branches may start */
    uint32_t branches_open; /* of them, READY or PAUSED */
    VEC(struct step) steps;
    VEC(struct edge) edges;
    VEC(uint8_t) whens; /* of the edges */
    VEC(struct extra) extras;
    VEC(struct kind) kinds;
    VEC(struct group) groups;
    VEC(struct datum) data; /* by id */
    struct heap stragglers; /* steps that may get a second run, by when they may */
    VEC(struct queue) queues;
    struct map queue_names;
    str_list names; /* their memory */
    VEC(struct limit) limits;
    VEC(struct losses) losses;
    VEC(struct host) hosts;
    VEC(struct pool) pools;
    double work;                    /* ns: expected of the steps that are not over */
    double strength;                /* of the hosts that are up: slots times speed */
    uint32_t running, over, failed; /* counts of steps */
    uint32_t starts;
    uint32_t coming;              /* hosts that are connecting, but those that are slow to answer */
    uint32_t news, last_news;     /* steps that something is to be told of */
    struct heap choices;          /* pools that can start a step now: the highest first */
    uint32_t hungry, last_hungry; /* pools that may need another host */
    struct heap step_timers, host_timers, pool_timers;
    int64_t wake; /* what was last said by SCHED_WAKE; INT64_MAX: nothing that still holds */
};

/* sched.c */
uint32_t sched_random_below(struct sched *s, uint32_t n);
int64_t sched_jitter(struct sched *s, int64_t duration); /* +-20 % */
void sched_advance(struct sched *s, int64_t now);
uint32_t sched_headroom(const struct sched *s); /* how many more steps may start */

/* steps.c */
void step_begin_all(struct sched *s);
void step_start(struct sched *s, uint32_t id, uint32_t host, uint32_t share,
                struct sched_action *action);
void step_leave(struct sched *s, uint32_t id);                        /* its host */
void step_conclude(struct sched *s, uint32_t id, enum sched_end how); /* after step_leave */
void step_settle(struct sched *s, uint32_t id, enum sched_state state);
void step_expired(struct sched *s, uint32_t id);
void step_stop_all(struct sched *s, bool cancel);
void step_skip_rest(struct sched *s);
bool step_tell(struct sched *s, struct sched_action *action); /* the next news; false: none */

void step_cancel(struct sched *s, uint32_t id, enum cancel why);
void step_add_news(struct sched *s, uint32_t id);
void step_leave_seat(struct sched *s, uint32_t host, uint32_t seat);

/* copies.c */
void copy_watch(struct sched *s, uint32_t step); /* it has just started */
void copy_learn(struct sched *s, uint32_t step); /* it has ended well */
bool copy_start(struct sched *s, struct sched_action *action);
/* An end of one of two runs that is not the end of the step. false: it is. */
bool copy_ended(struct sched *s, uint32_t step, uint32_t attempt, enum sched_end how);
bool copy_lost(struct sched *s, uint32_t step, uint32_t host); /* likewise, with its host */
void copy_cancel(struct sched *s, uint32_t step);              /* the run is being stopped */
bool copy_tell(struct sched *s, uint32_t step, struct sched_action *action);

/* queues.c */
uint32_t queue_find(struct sched *s, uint32_t pool, uint32_t group, uint32_t cpus, uint64_t mem,
                    const uint32_t *limits, size_t n_limits);
void queue_push(struct sched *s, uint32_t step);  /* a ready one */
void queue_leave(struct sched *s, uint32_t step); /* it starts, or settles: it waits no more */
void queue_changed(struct sched *s, uint32_t queue);
uint32_t queue_share(const struct queue *q,
                     const struct host *h); /* slots that a step takes there */
bool queue_fits(const struct queue *q, uint32_t id, const struct host *h); /* now */
bool queue_take_limits(struct sched *s, uint32_t queue); /* false: it is held by one */
void queue_give_limits(struct sched *s, uint32_t queue);
void queue_keep_branches(struct sched *s); /* only these may start from now on */

/* pools.c */
uint32_t pool_second_host(struct sched *s, uint32_t step); /* a free one; NONE */
/* What a host counts for has changed, or its load. */
void pool_member_changed(struct sched *s, struct place place, struct worth old, struct worth now);
void pool_changed(struct sched *s, uint32_t pool);
bool pool_is_gone(const struct sched *s, const struct pool *p); /* all its hosts are, for good */
/* What found no room may try again. host: only if that has room for it now; NONE: all the same. */
void pool_wake(struct sched *s, struct pool *p, uint32_t host);
void pool_unreserve(struct sched *s, struct pool *p);
void pool_offer(struct sched *s, struct place place); /* its host may be asked for (again) */
bool pool_start(struct sched *s, struct sched_action *action);
bool pool_connect(struct sched *s, struct sched_action *action);

/* hosts.c */
void host_changed(struct sched *s, uint32_t id); /* tells its pools what it counts for now */
void host_proved(struct sched *s, uint32_t id);  /* a step ended there by itself */
void host_learn(struct sched *s, uint32_t id, const struct step *step); /* it ended well there */
void host_lost_step(struct sched *s, uint32_t id);
static inline bool is_lost(enum sched_end how) {
    return how == SCHED_ENDED_LOST || how == SCHED_ENDED_REFUSED;
}
double host_speed(int class);              /* 1: as expected */
double pool_fastest(const struct pool *p); /* of its members that are up */
void host_ask(struct sched *s, uint32_t id);
void host_expired(struct sched *s, uint32_t id);

static inline int64_t sum_of_times(int64_t a, int64_t b) {
    return a > INT64_MAX - b ? INT64_MAX : a + b; /* b >= 0 */
}

#endif
