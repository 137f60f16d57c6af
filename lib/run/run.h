/* The hands of the scheduler: turns its actions into jobs of executors, and what these report into
 * its events. */
#ifndef FORAY_RUN_RUN_H
#define FORAY_RUN_RUN_H

#include "loop/loop.h"
#include "loop/watcher.h"
#include "plan/fresh.h"
#include "plan/plan.h"
#include "run/executor.h"
#include "sched/sched.h"

struct run_options {
    bool jobs_given;
    uint32_t jobs;     /* steps at once in all, 0: no bound; not given: the cores here, the slots
                          elsewhere */
    uint32_t failures; /* failed steps after which nothing new starts; 0: go on */
    bool cancel_on_failure; /* then also end what runs */
    int64_t retries;        /* instead of what the steps say; -1: as they say */
    int64_t timeout;        /* likewise, ns */
    const char *ssh_config; /* NULL: the user's */
    bool keep_scratch;      /* leave the scratch directories on the hosts */
    int64_t reach; /* a host that fails later than this after it was first connected to, and was not
                      reached in between, is given up; 0: it is tried again */
    uint64_t seed;
};

/* Who is told what happens, in order. All pointers must be set. */
struct run_view {
    void *context;
    void (*started)(void *context, struct job *job);
    void (*output)(void *context, struct job *job, enum stream stream, struct str bytes);
    /* A try failed or was lost; the next one starts in `wait` ns or as soon as it can. The job goes
     * away after this. */
    void (*tried)(void *context, struct job *job, int64_t wait);
    /* A step is over; job is its last try, NULL if none was made (SCHED_DONE: it was up to date).
     * The job goes away after this. */
    void (*settled)(void *context, const struct step *step, struct job *job,
                    enum sched_state state);
    /* A try goes away that counts for nothing: the step also runs, or ran, elsewhere. */
    void (*dropped)(void *context, struct job *job);
    /* There are so many steps now that have something to run. */
    void (*grown)(void *context, size_t steps);
    /* Mistakes that came to light as the graph grew. */
    void (*told)(void *context, const struct diags *diags);
    /* A host cannot be used; for_good: not in this run. */
    void (*host_lost)(void *context, const struct host *host, bool for_good, const char *reason);
    /* A host is "reached by ...", not in the usual way. */
    void (*host_way)(void *context, const struct host *host, const char *how, const char *reason);
    /* A person is being asked something on the terminal: nothing else is to be written there. */
    void (*asking)(void *context, bool on);
};

struct run;

/* The graph, which may grow, the plan, what is remembered (its run has begun), the view and the
 * watcher must outlive it. */
struct run *run_new(struct loop *loop, struct graph *graph, struct plan *plan, struct fresh *fresh,
                    const struct run_options *options, const struct run_view *view,
                    const struct watcher *watcher);
void run_begin(struct run *r);
bool run_finished(const struct run *r); /* every step is settled */
/* Starts nothing more; cancel: ends what runs, gently; the second time at once. */
void run_stop(struct run *r, bool cancel);
/* Nothing more is waited for: what still runs counts as ended by us. Only run_close and run_free
 * may follow. */
void run_abandon(struct run *r);
/* What steps write elsewhere is not taken for now: who is to show it has no room. */
void run_hold(struct run *r, bool hold);
void run_child_ended(struct run *r); /* on SIGCHLD */
void run_resized(struct run *r);     /* on SIGWINCH */
/* This process is being stopped for a while: what runs on hosts is to go on without a word of it
 * until run_resume. */
void run_pause(struct run *r);
void run_resume(struct run *r);
bool run_close(
    struct run *r); /* after it has finished: true when hosts are tidy; else again after a turn */
void run_free(struct run *r);
size_t run_steps(const struct plan *plan);  /* those that have something to run */
size_t run_fresh(const struct run *r);      /* settled steps that were up to date */
bool run_is_elsewhere(const struct run *r); /* steps run on hosts */
bool run_is_forgetful(const struct run *r); /* the journal could not be written */
size_t run_count(const struct run *r,
                 enum sched_state state); /* settled steps that have a script */

#endif
