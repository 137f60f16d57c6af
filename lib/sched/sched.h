/* The scheduler: decides which step starts when and where. A pure state machine: it is told what
 * happened and answers with what to do. No clock, file, process or socket: time comes with every
 * event, so that a test can play a day on ten thousand hosts in a second.
 *
 *     sched_...(s, what happened, now);           an event
 *     while (sched_next(s, &action)) ...          what to do about it, in order
 *
 * Times are nanoseconds of any monotonic clock. Ids of steps, hosts and pools count from 0 in the
 * order of adding. Same events, same seed: same actions.
 *
 * Events may come at any time, also between two actions, while an action is being carried out, late
 * or twice: what no longer fits (an end of a step that does not run, a host that is up already or
 * lost already) changes nothing, and an action that an event has overtaken is not given out. A time
 * before an earlier one counts as that one. Only these are mistakes of the caller: ids that were
 * never given out, 2^32 - 1 steps or edges and more, and adding steps after SCHED_FINISHED. A host
 * may come up without having been asked for. Nothing is given out before sched_begin.
 *
 * What it does, beyond the order of what needs what:
 *
 * The longest expected path to the end of the graph goes first, over all pools. Steps added after
 * sched_begin count with their own cost only and do not make those before them more urgent. While
 * there are many steps, a host that is known to be slow (from steps that ended there, or from
 * before) gets what is not urgent; and what is so urgent that a host would make the whole longer
 * waits for a faster one.
 *
 * Hosts are connected to when steps wait for them, and not more at once than jobs may still start.
 * A host that takes more than a second to answer is waited for, but others are asked too. While
 * some are still connecting and what waits has room enough on those that are up, it is held for up
 * to 200 ms, so that not all goes to the first one that answered.
 *
 * A lost host is tried again after 1 s, 2 s, 4 s ... 60 s, while steps wait. From its third failure
 * in a row on no step waits for it: when nothing better is left in a pool, what waits there settles
 * as SCHED_NO_HOST. Three steps lost in a row on a host that stays up count as one such failure: it
 * gets nothing for that time, then one step to prove itself. A step that ends there, well or badly,
 * makes good for all.
 *
 * A lost step goes to a host that has not lost it, if there is one to wait for; lost five times, it
 * is given up (at once, if it may run only once, or if its host refused it and is the only one).
 *
 * A step takes one slot of its host, or the share that its cpus are of the host's cores: as many
 * slots as that makes, rounded up, at most all. Its mem is held of the host's memory, and one unit
 * of each of its limits. A step that needs more than is free anywhere keeps the best place free for
 * itself, so that small steps cannot starve it; steps that fit beside it are not held up.
 *
 * What failed stops the run (see failures), but branches are still taken: a step with a need that
 * is not SCHED_ON_SUCCESS, and what needs it, may start until sched_stop is called. */
#ifndef FORAY_SCHED_SCHED_H
#define FORAY_SCHED_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_NONE UINT32_MAX

struct sched;

enum sched_pick { SCHED_LEAST_LOADED, SCHED_RANDOM, SCHED_ROUND_ROBIN };

struct sched_config {
    uint32_t jobs;       /* steps at once in all; 0: no bound */
    uint32_t failures;   /* failed steps after which nothing new starts; 0: no bound (-k) */
    bool cancel_on_stop; /* then also end what runs (-K) */
    int64_t reach; /* a host that fails later than this after it was first connected to, and was not
                      up in between, is not tried again; 0: it is */
    uint64_t seed; /* of all random choices */
};

/* What must have become of a step that is needed. */
enum sched_when {
    SCHED_ON_SUCCESS,
    SCHED_ON_FAILURE, /* it failed, or was skipped since something it needs failed. Of all needs of
                         this kind one is enough; all are waited for */
    SCHED_ON_END,     /* it is over, however */
};

struct sched_need {
    uint32_t step; /* added earlier */
    enum sched_when when;
};

/* A thing that steps read, and that is somewhere already or not. */
struct sched_datum {
    uint32_t id; /* any number that the caller gives it */
    uint64_t bytes;
};

struct sched_step {
    const struct sched_need *needs;
    size_t n_needs;
    uint32_t pool;
    bool tied; /* it runs where the step `same`, one of its needs, ran last */
    uint32_t same;
    uint32_t cpus;          /* cores it keeps busy; 0: not said, one slot */
    uint64_t mem;           /* bytes that it needs; 0: not said */
    const uint32_t *limits; /* of each it holds one while it runs */
    size_t n_limits;
    uint32_t retries; /* further tries after a failing one */
    int64_t wait;     /* before the second try; 0: 250 ms */
    double backoff;   /* factor for each further pause; 0: 2. Pauses get +-20 %, and end at 30 s, or
                         at wait where that is longer */
    int64_t patience; /* > 0: from when it is ready it waits so long for a host of its pool to
                         answer, however often these fail; they are tried every 2 s at least */
    int64_t timeout;  /* of one try; 0: none */
    int64_t cost;     /* expected duration; 0: unknown */
    uint32_t kind;    /* steps of one kind (those of a rule) take about as long as one another */
    uint32_t group;   /* groups of steps get their turns fairly: see sched_add_step */
    bool ask;       /* whether it has to run is known only when what it needs is over: SCHED_ASK */
    bool speculate; /* safe to run twice: a straggler gets a second run on another host */
    bool once; /* never started again where nobody knows whether it ran: lost, it is given up */
    const struct sched_datum *data; /* what it reads */
    size_t n_data;
};

struct sched *sched_new(const struct sched_config *config);
void sched_free(struct sched *s);

/* The graph. Everything may be added at any time before SCHED_FINISHED was given out; what a step
 * names comes before it.
 * slots 0: as many as the host's cores, known when it is up. */
uint32_t sched_add_host(struct sched *s, uint32_t slots);
/* What is known of a host from before, any time before it is up: how long steps took there (ns) and
 * how long they were expected to take. */
void sched_host_was(struct sched *s, uint32_t host, int64_t took, int64_t expected);
/* A host that is named twice counts once. */
uint32_t sched_add_pool(struct sched *s, enum sched_pick pick, const uint32_t *hosts, size_t n);
/* n: how many steps may hold it at once, at least 1. */
uint32_t sched_add_limit(struct sched *s, uint32_t n);
/* Of two groups that both could start a step in a pool, the one that has used less time of slots so
 * far goes first; within a group the longest path. One group only: as if there were none. */
uint32_t sched_add_step(struct sched *s, const struct sched_step *step);

/* How a try of a step ended, as far as what ran it can tell. After a SCHED_CANCEL for its time
 * limit any end but SCHED_ENDED_OK counts as a time-out: that comes of what had ended before. */
enum sched_end {
    SCHED_ENDED_OK,
    SCHED_ENDED_FAILED,          /* it ran and failed: tried again only as often as it may */
    SCHED_ENDED_FAILED_FOR_GOOD, /* likewise, and another try is not wanted */
    SCHED_ENDED_LOST,            /* a transfer or its host failed: goes elsewhere by itself */
    SCHED_ENDED_REFUSED,         /* likewise, but its host is good, and would refuse it again */
    SCHED_ENDED_UNKEPT,          /* it ran, and no host can help: what it made has no place here */
    SCHED_ENDED_CANCELLED,       /* ended by us, after an action SCHED_CANCEL */
};

/* Events. */
void sched_begin(struct sched *s, int64_t now); /* all steps known so far are there: start */
/* attempt: as SCHED_START gave it: of a step that runs twice, which of both. */
void sched_step_ended(struct sched *s, uint32_t step, uint32_t attempt, enum sched_end how,
                      int64_t now);
/* The answer to SCHED_ASK, at once or later. fresh: the step need not run, and counts as done;
 * host: where it ran when it did, for those that are tied to it; SCHED_NONE: that is not known. */
void sched_step_known(struct sched *s, uint32_t step, bool fresh, uint32_t host, int64_t now);
/* A host can be used. cores: its slots if it was added with 0; also what its load is measured
 * against; 0 counts as 1. mem: its memory in bytes; 0: not known, it is enough for any step. */
void sched_host_up(struct sched *s, uint32_t host, uint32_t cores, uint64_t mem, int64_t now);
/* A host is gone, or could not be reached. What ran there is lost: those steps go elsewhere,
 * sched_step_ended must not be called for them. for_good: it cannot work in this run (refused key,
 * no such name): it is not tried again. */
void sched_host_lost(struct sched *s, uint32_t host, bool for_good, int64_t now);
/* A sample of the load average. */
void sched_host_load(struct sched *s, uint32_t host, double load, int64_t now);
/* The host holds (or has lost) a datum. Among hosts that are equally loaded per slot the one that
 * holds most bytes of what a step reads gets it. */
void sched_host_holds(struct sched *s, uint32_t host, uint32_t datum, bool holds);
/* Time has passed, as SCHED_WAKE asked. */
void sched_tick(struct sched *s, int64_t now);
/* Start nothing new, branches neither; cancel: also end what runs. What waited for another try
 * settles at once as that try ended, what did not run settles as SCHED_STOPPED when the rest has
 * ended. May be called again with cancel. */
void sched_stop(struct sched *s, bool cancel, int64_t now);

enum sched_action_kind {
    SCHED_START,   /* start step on host; again while it runs elsewhere: a second run of a straggler
                    */
    SCHED_ASK,     /* what step needs is over: answer with sched_step_known. It holds nothing
                      meanwhile; a stop settles it without an answer */
    SCHED_CANCEL,  /* end that attempt of step, that runs on host; report its end with
                      SCHED_ENDED_CANCELLED */
    SCHED_CONNECT, /* connect to host, answer with up or lost */
    SCHED_RETRY,   /* that attempt of step failed or was lost; the next one not before time `at` */
    SCHED_SETTLED, /* step is over, see state. attempt: the one that counts; no attempt runs */
    SCHED_WAKE,    /* call sched_tick at time `at`; a later action SCHED_WAKE replaces this one */
    SCHED_FINISHED, /* nothing runs and nothing will */
};

enum sched_state {
    SCHED_DONE,
    SCHED_FAILED,
    SCHED_TIMED_OUT, /* its last try ran into its time limit */
    SCHED_NO_HOST,   /* no host of its pool can be used, none is large enough, or it was lost too
                        often */
    SCHED_SKIPPED,   /* something that it needs did not succeed */
    SCHED_UNNEEDED, /* a branch that is not taken: what it waited for the failure of went well. What
                       needs it is not needed either */
    SCHED_STOPPED,  /* the run stopped before it ran (again) */
    SCHED_CANCELLED, /* ended because the run was stopped */
    SCHED_STATES,
};

struct sched_action {
    enum sched_action_kind kind;
    uint32_t step, host;
    uint32_t attempt;       /* starts of this step so far, this one included, counting from 1 */
    bool timed_out;         /* CANCEL: because of its time limit */
    bool outrun;            /* CANCEL: since another run of the step has succeeded */
    enum sched_state state; /* SETTLED */
    int64_t at;             /* RETRY, WAKE */
};

/* The next thing to do; false: nothing more until the next event. */
bool sched_next(struct sched *s, struct sched_action *action);

#endif
