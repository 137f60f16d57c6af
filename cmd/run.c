/* foray run: the graph, or what the targets need. */
#include "cmd/verb.h"

#include "base/diag.h"
#include "base/duration.h"
#include "base/mem.h"
#include "cmd/options.h"
#include "plan/plan.h"
#include "read/yaml.h"
#include "run/run.h"
#include "run/signals.h"
#include "run/watcher.h"
#include "view/plain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What cannot be known before other steps have run: the script as written. */
static void print_late(const struct rule *rule) {
    struct buf out = {0};
    buf_puts(&out, "# ");
    buf_visible(&out, rule->name);
    if (rule->items.n != 0) {
        buf_puts(&out, ", a step for each of ");
        buf_visible(&out, rule->items);
    }
    buf_puts(&out, ", known once there is what it comes after:");
    for (size_t i = 0; i < rule->n_refs; i++) {
        buf_puts(&out, i != 0 ? ", " : " ");
        buf_visible(&out, rule->refs[i]->name);
    }
    buf_puts(&out, "\n");
    for (size_t i = 0; i < rule->script.n; i++)
        buf_str(&out, rule->script.v[i].text);
    if (out.s[out.n - 1] != '\n')
        buf_putc(&out, '\n');
    fwrite(out.s, 1, out.n, stdout);
    buf_free(&out);
}

/* What would run, in an order in which it could, as a script to read. */
static void print_plan(const struct graph *graph, const struct plan *plan) {
    struct buf out = {0};
    for (size_t i = 0; i < plan->steps.n; i++) {
        const struct step *step = plan->steps.v[i];
        if (step->rule->script_at.line == 0)
            continue;
        buf_puts(&out, "# ");
        buf_visible(&out, step->name);
        if (step->pool != NULL) {
            buf_puts(&out, " on ");
            buf_visible(&out, step->pool->name);
        }
        buf_putc(&out, '\n');
        struct buf dir = {0};
        graph_dir(graph, step, STR(""), &dir);
        if (dir.n != 0) {
            buf_puts(&out, "cd ");
            shell_quote(&out, buf_view(&dir));
            buf_putc(&out, '\n');
        }
        buf_free(&dir);
        graph_script(graph, step, STR("{{host}}"), STR(""), &out);
        if (out.s[out.n - 1] != '\n')
            buf_putc(&out, '\n');
        fwrite(out.s, 1, out.n, stdout);
        buf_clear(&out);
    }
    for (size_t i = 0; i < plan->late.n; i++)
        print_late(plan->late.v[i]);
    buf_free(&out);
}

#define PATIENCE (2 * SECOND)

struct session {
    struct run *run;
    struct plain *plain;
    int signal_fd;
    int ended_by; /* the first INT, TERM or HUP; 0: none */
    struct watch signals;
    struct loop *loop;
    struct timer patience; /* after the second signal: what has not ended by then is left to the
                              watcher and the keepers */
    bool over;
};

static void out_of_patience(void *arg) {
    *(bool *)arg = true;
}

static void signals_came(void *arg, short revents) {
    (void)revents;
    struct session *s = arg;
    for (int sig; (sig = signals_next(s->signal_fd)) != 0;) {
        if (sig == SIGCHLD) {
            run_child_ended(s->run);
            continue;
        }
        if (s->ended_by == 0) {
            s->ended_by = sig;
            plain_interrupted(s->plain, sig);
        } else if (s->patience.index == 0) {
            loop_timer(s->loop, &s->patience, loop_now(s->loop) + PATIENCE);
        }
        run_stop(s->run, true);
    }
}

/* Lets the hosts tidy up, and the last output go out; both have their time, and no more. */
static void wind_up(struct loop *loop, struct run *run, struct sink *sink, bool hurry) {
    bool late = false;
    struct timer limit = {.expired = out_of_patience, .arg = &late};
    loop_timer(loop, &limit, loop_now(loop) + (hurry ? 1 : 3) * SECOND);
    while (!run_close(run) && !late)
        loop_turn(loop);
    loop_timer_clear(loop, &limit);
    /* A reader that is slow, such as a pager, may take as long as it likes: nothing else is held up
     * by it now. */
    while (!sink_empty(sink) && !hurry)
        loop_turn(loop);
}

static int exit_status(const struct session *s, const struct sink *sink) {
    if (s->ended_by != 0)
        return 128 + s->ended_by;
    if (run_count(s->run, SCHED_FAILED) + run_count(s->run, SCHED_TIMED_OUT) != 0)
        return STATUS_STEP_FAILED;
    enum stream where;
    if (run_count(s->run, SCHED_NO_HOST) != 0 || sink_error(sink, &where) != 0)
        return STATUS_HOSTS_FAILED;
    return STATUS_DONE;
}

/* As many descriptors as the system lets us have: every step and host takes some. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run_plan(const struct run_arguments *args, struct graph *graph, struct plan *plan) {
    struct watcher watcher;
    int error = watcher_start(&watcher);
    struct loop *loop = error == 0 ? loop_new() : NULL;
    int signal_fd = loop != NULL ? signals_catch() : -1;
    if (signal_fd < 0) {
        fprintf(stderr, "foray: cannot start: %s\n", strerror(error != 0 ? error : errno));
        return STATUS_HOSTS_FAILED;
    }
    raise_descriptor_limit();
    struct sink *sink = sink_new(loop);
    struct plain *plain = plain_new(loop, sink, graph, run_steps(plan),
                                    &(struct plain_options){.quiet = args->common.quiet,
                                                            .verbose = args->common.verbose,
                                                            .colour = args->common.colour});
    struct run_view view = plain_view(plain);
    struct run *run = run_new(loop, graph, plan, &args->run, &view, &watcher);
    struct session s = {.run = run, .plain = plain, .signal_fd = signal_fd, .loop = loop};
    s.patience = (struct timer){.expired = out_of_patience, .arg = &s.over};
    s.signals = (struct watch){.fd = signal_fd, .events = POLLIN, .ready = signals_came, .arg = &s};
    loop_watch(loop, &s.signals);
    run_begin(run);
    while (!run_finished(run) && !s.over)
        loop_turn(loop);
    loop_timer_clear(loop, &s.patience);
    if (!run_finished(run))
        run_abandon(run);
    plain_summary(plain);
    wind_up(loop, run, sink, s.ended_by != 0);
    int status = exit_status(&s, sink);
    enum stream where;
    if (sink_error(sink, &where) != 0)
        fprintf(stderr, "foray: cannot write to standard %s: %s\n",
                where == STREAM_OUT ? "output" : "error", strerror(sink_error(sink, &where)));
    run_free(run);
    plain_free(plain);
    sink_free(sink);
    loop_unwatch(loop, &s.signals);
    loop_free(loop);
    watcher_stop(&watcher);
    return status;
}

static int run_main(const struct verb *verb, int argc, char **argv) {
    struct run_arguments args;
    int status = run_arguments_read(&args, verb, argc, argv);
    if (status >= 0)
        return status;
    struct input in;
    if (!input_read(&in, &args.common)) {
        status = STATUS_NOTHING_RUN;
    } else if (args.dry_run) {
        print_plan(&in.graph, &in.plan);
        status = STATUS_DONE;
    } else {
        args.run.seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
        status = run_plan(&args, &in.graph, &in.plan);
    }
    input_free(&in);
    run_arguments_free(&args);
    return status;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "Runs the graph of foray.yaml, or what the TARGETs need",
    .usage = "foray [run] [OPTION...] [NAME=VALUE...] [TARGET...]",
    .help = run_help,
    .main = run_main,
};
