#include "cmd/session.h"

#include "base/duration.h"
#include "carry/temporary.h"
#include "loop/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* After the second signal: what has not ended by then is left to the watcher and the keepers. */
#define PATIENCE (2 * SECOND)

static void out_of_patience(void *arg) {
    *(bool *)arg = true;
}

/* For the word to go out that we are being stopped. */
#define STOP_DELAY (50 * MILLISECOND)

static void stop(void *arg) {
    struct session *s = arg;
    signals_stop();
    if (s->run != NULL)
        run_resume(s->run);
}

static void signals_came(void *arg, short revents) {
    (void)revents;
    struct session *s = arg;
    for (int sig; (sig = signals_next(s->signals.fd)) != 0;) {
        if (sig == SIGTSTP) {
            if (s->run != NULL)
                run_pause(s->run);
            loop_timer(s->loop, &s->stop, loop_now(s->loop) + STOP_DELAY);
            continue;
        }
        if (sig == SIGWINCH) {
            if (s->run != NULL)
                run_resized(s->run);
            continue;
        }
        if (s->run == NULL) {
            s->ended_by = sig != SIGCHLD && s->ended_by == 0 ? sig : s->ended_by;
            continue;
        }
        if (sig == SIGCHLD) {
            run_child_ended(s->run);
            continue;
        }
        if (s->ended_by == 0) {
            s->ended_by = sig;
            s->work->interrupted(s->work->context, sig);
        } else if (s->patience.index == 0) {
            loop_timer(s->loop, &s->patience, loop_now(s->loop) + PATIENCE);
        }
        run_stop(s->run, true);
    }
}

/* As many descriptors as the system lets us have: every step and host takes some. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool session_begin(struct session *s, int keep) {
    *s = (struct session){0};
    int error = watcher_start(&s->watcher, keep, temporary_remove);
    s->loop = error == 0 ? loop_new() : NULL;
    int signal_fd = s->loop != NULL ? signals_catch() : -1;
    if (signal_fd < 0) {
        fprintf(stderr, "foray: cannot start: %s\n", strerror(error != 0 ? error : errno));
        return false;
    }
    raise_descriptor_limit();
    s->sink = sink_new(s->loop);
    s->patience = (struct timer){.expired = out_of_patience, .arg = &s->over};
    s->stop = (struct timer){.expired = stop, .arg = s};
    s->signals = (struct watch){.fd = signal_fd, .events = POLLIN, .ready = signals_came, .arg = s};
    loop_watch(s->loop, &s->signals);
    return true;
}

void session_wind_up(struct session *s, bool (*close)(void *arg), void *arg) {
    bool late = false, hurry = s->ended_by != 0;
    struct timer limit = {.expired = out_of_patience, .arg = &late};
    loop_timer(s->loop, &limit, loop_now(s->loop) + (hurry ? 1 : 3) * SECOND);
    while (!close(arg) && !late)
        loop_turn(s->loop);
    loop_timer_clear(s->loop, &limit);
    /* A reader that is slow, such as a pager, may take as long as it likes: nothing else is held up
     * by it now. */
    while (!sink_empty(s->sink) && !hurry)
        loop_turn(s->loop);
}

static bool close_run(void *arg) {
    return run_close(arg);
}

static int exit_status(const struct session *s) {
    if (s->ended_by != 0)
        return 128 + s->ended_by;
    if (run_count(s->run, SCHED_FAILED) + run_count(s->run, SCHED_TIMED_OUT) != 0)
        return STATUS_STEP_FAILED;
    enum stream where;
    if (run_count(s->run, SCHED_NO_HOST) != 0 || sink_error(s->sink, &where) != 0 ||
        run_is_forgetful(s->run))
        return STATUS_HOSTS_FAILED;
    return STATUS_DONE;
}

static void hold(void *run, bool full) {
    run_hold(run, full);
}

int session_run(struct session *s, const struct session_work *work) {
    s->work = work;
    s->run = run_new(s->loop, work->graph, work->plan, work->fresh, work->options, work->view,
                     &s->watcher);
    if (work->live)
        sink_tell(s->sink, hold, s->run);
    run_begin(s->run);
    while (!run_finished(s->run) && !s->over) {
        loop_turn(s->loop);
        if (work->live && s->ended_by == 0 && sink_is_closed(s->sink, STREAM_OUT)) {
            s->ended_by = SIGPIPE;
            run_stop(s->run, true);
        }
    }
    loop_timer_clear(s->loop, &s->patience);
    if (!run_finished(s->run))
        run_abandon(s->run);
    work->summary(work->context);
    session_wind_up(s, close_run, s->run);
    enum stream where;
    int error = sink_error(s->sink, &where);
    if (error != 0)
        fprintf(stderr, "foray: cannot write to standard %s: %s\n",
                where == STREAM_OUT ? "output" : "error", strerror(error));
    return exit_status(s);
}

void session_end(struct session *s) {
    bool elsewhere = s->run != NULL && run_is_elsewhere(s->run);
    if (!s->over)
        temporary_end(); /* else the watcher removes what is left */
    sink_tell(s->sink, NULL, NULL);
    run_free(s->run);
    sink_free(s->sink);
    loop_unwatch(s->loop, &s->signals);
    loop_timer_clear(s->loop, &s->stop);
    loop_free(s->loop);
    watcher_stop(&s->watcher, !elsewhere);
}
