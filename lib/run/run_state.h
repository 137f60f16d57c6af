/* What the parts of run.h share. */
#ifndef FORAY_RUN_RUN_STATE_H
#define FORAY_RUN_RUN_STATE_H

#include "run/files.h"
#include "run/run.h"

/* Hosts and pools of the scheduler: number 0 is here, then those of the graph. Limits: number 0 is
 * the terminal, then those of the graph. */
enum { HERE = 0, TERMINAL = 0 };

struct run {
    struct loop *loop;
    struct graph *graph;
    struct plan *plan;
    struct fresh *fresh;
    struct run_options options;
    const struct run_view *view;
    struct sched *sched;
    struct executor *local, *hosts, *solo;
    struct prompter *prompter;
    struct executor_events events;
    VEC(struct job *) jobs; /* by place in the plan: the try that runs, or has just ended */
    size_t pools;           /* of the graph, that the scheduler knows */
    bool pumping, finished, stopped, abandoned;
    bool held; /* nobody takes what steps write elsewhere */
    const struct watcher *watcher;
    double *speeds;   /* of hosts, by id, in past runs; 1: as others */
    size_t elsewhere; /* tries that run on hosts */
    struct timer wake;
    size_t counts[SCHED_STATES];
    size_t fresh_steps; /* of SCHED_DONE: those that were found to be up to date */
    size_t shown;       /* steps that have something to run */
    struct timer sync;  /* when what was written down last goes to the disk */
    bool syncing;
    bool forgetful; /* the journal cannot be written, which was told */
};

/* run.c */
void run_pump(struct run *r);
void run_tell(struct run *r, struct diags *diags); /* what was collected, and forgets it */
struct job *run_find_job(const struct run *r, uint32_t id, uint32_t attempt);
bool run_has_twin(const struct run *r, const struct job *job,
                  bool running); /* another try of its step runs, or has ended well */
void run_job_ended(struct run *r, struct job *job); /* all about it is known: tells the scheduler */

/* results.c: what a try leaves, and what is remembered of it */
void results_begin(struct run *r, struct job *job); /* before it starts */
/* A try has ended: looks at what it has left, writes down how it ended, then run_job_ended. */
void results_take(struct run *r, struct job *job);
/* The rest of it at once, for one that is looked_at: what it has left is remembered by size
 * and time only. */
void results_now(struct run *r, struct job *job);
/* Only writes down that it was lost. */
void results_lost(struct run *r, struct job *job);
/* Whether the step has to run: answers the scheduler. */
void results_ask(struct run *r, uint32_t place);
int run_status_of(const struct job *job);

#endif
