/* What every verb needs that runs steps: the loop, signals, the watcher, standard output and
 * error, the run from its first step to its end, hosts tidied up, and the exit status.
 *
 *     session_begin(&s, lock)     then the verb makes its view, over s.loop and s.sink
 *     session_run(&s, &work)      runs the plan; s.run can be asked how it went
 *     session_end(&s)
 *
 * A verb that runs no plan turns the loop itself instead, until it has what it wants or s.ended_by
 * is set, and then calls session_wind_up. */
#ifndef FORAY_CMD_SESSION_H
#define FORAY_CMD_SESSION_H

#include "cmd/verb.h"
#include "run/run.h"
#include "view/sink.h"

struct session {
    struct loop *loop;
    struct sink *sink;
    struct run *run; /* from session_run on */
    struct watcher watcher;
    struct watch signals;
    struct timer patience;
    struct timer stop; /* after TSTP */
    const struct session_work *work;
    int ended_by; /* the first INT, TERM or HUP; 0: none */
    bool over;    /* what had not ended was given up */
};

struct session_work {
    struct graph *graph;
    struct plan *plan;
    struct fresh *fresh; /* its run has begun, if it has a journal */
    const struct run_options *options;
    const struct run_view *view;
    /* What steps write goes straight to the sink: they wait where that cannot keep up, and are
     * ended when nobody reads it any more. */
    bool live;
    void *context;                                  /* of both: */
    void (*interrupted)(void *context, int signal); /* the run is being ended because of it */
    void (*summary)(void *context);                 /* all is over: to be said before hosts go */
};

/* keep: the lock of the directory where foray works, which is held until all that was started has
 * ended, or what temporary_begin_unnamed gave; -1: none. false, told: nothing can be run
 * (STATUS_HOSTS_FAILED). */
bool session_begin(struct session *s, int keep);
/* The exit status. */
int session_run(struct session *s, const struct session_work *work);
/* Lets the hosts tidy up, until close says that they are, and the last output go out; both have
 * their time, and no more. */
void session_wind_up(struct session *s, bool (*close)(void *arg), void *arg);
void session_end(struct session *s);

#endif
