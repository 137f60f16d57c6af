#include "view/plain.h"

#include "base/duration.h"
#include "base/mem.h"
#include "view/capture.h"
#include "view/ending.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL_LINES = 12, FAILURES_SHOWN = 50, SCRIPT_LINES = 6 };

struct failure {
    struct buf heading, script, tail;
};

struct plain {
    struct loop *loop;
    struct sink *sink;
    const struct graph *graph;
    struct plain_options options;
    int64_t began;
    size_t steps, ended;
    size_t counts[SCHED_STATES];
    size_t fresh; /* up to date, none of SCHED_DONE */
    size_t hosts_lost;
    VEC(struct failure) failures; /* the first ones, in the order in which they failed */
    size_t failures_not_shown;
};

enum colour { PLAIN, BOLD, RED, GREEN, YELLOW, DIM };

static void paint(const struct plain *p, struct buf *out, enum colour colour) {
    static const char *const codes[] = {"\033[0m",  "\033[1m",  "\033[1;31m",
                                        "\033[32m", "\033[33m", "\033[2m"};
    if (p->options.colour)
        buf_puts(out, codes[colour]);
}

static void say(struct plain *p, struct buf *line) {
    sink_bytes(p->sink, STREAM_ERR, buf_view(line));
    buf_free(line);
}

static void say_where(struct buf *out, const struct job *job) {
    if (job != NULL && job->host != NULL) {
        buf_puts(out, " on ");
        buf_visible(out, job->host->name);
    }
}

static void say_start(struct plain *p, const struct job *job) {
    struct buf line = {0}, script = {0};
    paint(p, &line, DIM);
    buf_puts(&line, "start ");
    buf_visible(&line, job->step->name);
    say_where(&line, job);
    if (job->attempt > 1)
        buf_printf(&line, ", try %u", job->attempt);
    paint(p, &line, PLAIN);
    buf_putc(&line, '\n');
    graph_script(p->graph, job->step, job->host != NULL ? job->host->name : STR(""), STR(""),
                 &script);
    struct str rest = buf_view(&script);
    while (rest.n != 0) {
        const char *end = memchr(rest.s, '\n', rest.n);
        size_t n = end != NULL ? (size_t)(end - rest.s) : rest.n;
        buf_puts(&line, "    ");
        buf_visible(&line, (struct str){rest.s, n});
        buf_putc(&line, '\n');
        n += end != NULL;
        rest = (struct str){rest.s + n, rest.n - n};
    }
    buf_free(&script);
    say(p, &line);
}

static void started(void *context, struct job *job) {
    struct plain *p = context;
    job->shown = capture_new();
    if (p->options.verbose)
        say_start(p, job);
    if (job->step->rule->console) /* what others say waits till the terminal is free again */
        sink_hold(p->sink, true);
}

static void output(void *context, struct job *job, enum stream stream, struct str bytes) {
    (void)context;
    capture_add(job->shown, stream, bytes);
}

static void forget(struct job *job) {
    if (job == NULL)
        return;
    capture_free(job->shown);
    job->shown = NULL;
}

static void let_go(struct plain *p, const struct job *job) {
    if (job != NULL && job->step->rule->console)
        sink_hold(p->sink, false);
}

/* What became of its files: a scratch directory that was to be kept, and outputs that are gone
 * since the step failed in the midst of them. */
static void say_files(struct plain *p, const struct job *job, struct buf *out) {
    if (job->kept.n != 0) {
        buf_puts(out, "kept ");
        buf_visible(out, job->host->name);
        buf_putc(out, ':');
        buf_visible(out, buf_view(&job->kept));
        buf_putc(out, '\n');
    }
    for (size_t i = 0; i < job->removed.n; i++) {
        paint(p, out, YELLOW);
        buf_puts(out, "removed ");
        paint(p, out, PLAIN);
        buf_visible(out, job->removed.v[i]);
        buf_puts(out, ", which ");
        buf_visible(out, job->step->name);
        buf_puts(out, " may have left half-made\n");
    }
}

static void keep_stretch(void *context, enum stream stream, struct str bytes) {
    kept_stretch(context, stream == STREAM_ERR, bytes);
}

static void keep(struct plain *p, const struct job *job) {
    struct kept *kept = p->options.kept;
    if (job == NULL || kept == NULL || job->shown == NULL || capture_is_empty(job->shown))
        return;
    capture_ends(job->shown, KEPT_FIRST, KEPT_LAST, keep_stretch, kept);
    kept_add(kept, job->step->name, job->attempt);
}

static void tried(void *context, struct job *job, int64_t wait) {
    struct plain *p = context;
    let_go(p, job);
    keep(p, job);
    struct buf line = {0};
    paint(p, &line, YELLOW);
    buf_puts(&line, "again ");
    paint(p, &line, PLAIN);
    buf_visible(&line, job->step->name);
    say_where(&line, job);
    buf_puts(&line, ": ");
    ending_say(&line, job);
    if (job->end == JOB_LOST) {
        buf_puts(&line, "; it goes to a host that works");
    } else {
        buf_puts(&line, "; next try in ");
        duration_print(&line, wait > 0 ? wait : 0);
    }
    buf_putc(&line, '\n');
    say_files(p, job, &line);
    say(p, &line);
    if (job->end != JOB_LOST)
        capture_show(job->shown, p->sink);
    forget(job);
}

static void remember(struct plain *p, const struct step *step, const struct job *job,
                     const struct buf *heading) {
    if (p->failures.n == FAILURES_SHOWN) {
        p->failures_not_shown++;
        return;
    }
    struct failure *f = vec_push(&p->failures);
    buf_str(&f->heading, buf_view(heading));
    graph_script(p->graph, step, job != NULL && job->host != NULL ? job->host->name : STR(""),
                 STR(""), &f->script);
    if (job != NULL)
        capture_tail(job->shown, TAIL_LINES, &f->tail);
}

static void settled(void *context, const struct step *step, struct job *job,
                    enum sched_state state) {
    struct plain *p = context;
    struct buf line = {0};
    let_go(p, job);
    keep(p, job);
    p->ended++;
    if (state == SCHED_DONE && job == NULL) {
        p->fresh++;
        return;
    }
    p->counts[state]++;
    bool failed = state == SCHED_FAILED || state == SCHED_TIMED_OUT || state == SCHED_NO_HOST;
    bool silent =
        state == SCHED_SKIPPED || state == SCHED_UNNEEDED || state == SCHED_STOPPED ||
        state == SCHED_CANCELLED ||
        (state == SCHED_DONE && p->options.quiet && (job == NULL || capture_is_empty(job->shown)));
    if (silent) {
        if (job != NULL)
            say_files(p, job, &line);
        if (line.n != 0)
            say(p, &line);
        forget(job);
        return;
    }
    buf_printf(&line, "[%zu/%zu] ", p->ended, p->steps);
    struct buf what = {0};
    if (failed) {
        paint(p, &what, RED);
        buf_puts(&what, "failed ");
        paint(p, &what, PLAIN);
    }
    paint(p, &what, BOLD);
    buf_visible(&what, step->name);
    paint(p, &what, PLAIN);
    say_where(&what, job);
    if (failed) {
        buf_puts(&what, ": ");
        if (job != NULL)
            ending_say(&what, job);
        else
            buf_puts(&what, step->rule->mem != 0
                                ? "no host of its pool can be used, or has memory enough"
                                : "no host of its pool can be used");
    }
    if (job != NULL) {
        buf_puts(&what, ", ");
        duration_print(&what, job->ended - job->started);
        if (job->attempt > 1)
            buf_printf(&what, ", try %u", job->attempt);
        /* An exit status that counts as success is not kept from who looks. */
        if (!failed && job->end == JOB_EXITED && job->status != 0)
            buf_printf(&what, ", exit status %d", job->status);
    }
    buf_str(&line, buf_view(&what));
    buf_putc(&line, '\n');
    if (failed)
        remember(p, step, job, &what);
    buf_free(&what);
    say(p, &line);
    if (job != NULL)
        capture_show(job->shown, p->sink);
    if (job != NULL) {
        say_files(p, job, &line);
        if (line.n != 0)
            say(p, &line);
    }
    forget(job);
}

static void dropped(void *context, struct job *job) {
    (void)context;
    forget(job);
}

static void grown(void *context, size_t steps) {
    struct plain *p = context;
    p->steps = steps;
}

static void told(void *context, const struct diags *diags) {
    struct plain *p = context;
    struct buf out = {0};
    diags_print(diags, &out, 50, p->options.colour);
    say(p, &out);
}

static void host_lost(void *context, const struct host *host, bool for_good, const char *reason) {
    struct plain *p = context;
    struct buf line = {0};
    p->hosts_lost++;
    paint(p, &line, YELLOW);
    buf_puts(&line, "host ");
    paint(p, &line, PLAIN);
    buf_visible(&line, host->name);
    buf_puts(&line, for_good ? " cannot be used: " : " is lost: ");
    buf_visible(&line, str_of(reason));
    buf_putc(&line, '\n');
    say(p, &line);
}

static void host_way(void *context, const struct host *host, const char *how, const char *reason) {
    struct plain *p = context;
    struct buf line = {0};
    if (!p->options.verbose)
        return;
    buf_puts(&line, "host ");
    buf_visible(&line, host->name);
    buf_printf(&line, " is %s: %s\n", how, reason);
    say(p, &line);
}

struct plain *plain_new(struct loop *loop, struct sink *sink, const struct graph *graph,
                        size_t steps, const struct plain_options *options) {
    struct plain *p = mem_zalloc(sizeof *p);
    *p = (struct plain){.loop = loop,
                        .sink = sink,
                        .graph = graph,
                        .options = *options,
                        .began = loop_now(loop),
                        .steps = steps,
                        .fresh = options->fresh};
    return p;
}

void plain_free(struct plain *p) {
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->failures.n; i++) {
        buf_free(&p->failures.v[i].heading);
        buf_free(&p->failures.v[i].script);
        buf_free(&p->failures.v[i].tail);
    }
    vec_free(&p->failures);
    free(p);
}

static void asking(void *context, bool on) {
    struct plain *p = context;
    sink_hold(p->sink, on);
}

struct run_view plain_view(struct plain *p) {
    return (struct run_view){p,     started, output,    tried,    settled, dropped,
                             grown, told,    host_lost, host_way, asking};
}

void plain_interrupted(struct plain *p, int sig) {
    struct buf line = {0};
    buf_puts(&line, "foray: ");
    ending_say_signal(&line, sig);
    buf_puts(&line, ": ending what runs; once more ends it at once\n");
    say(p, &line);
}

/* Indents every line; made visible, since it is a quotation here. */
static void quote_lines(struct buf *out, struct str text, const char *indent, size_t limit) {
    for (size_t i = 0; text.n != 0; i++) {
        const char *end = memchr(text.s, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.s) : text.n;
        if (i == limit) {
            buf_printf(out, "%s...\n", indent);
            return;
        }
        buf_puts(out, indent);
        buf_visible(out, (struct str){text.s, n});
        buf_putc(out, '\n');
        n += end != NULL;
        text = (struct str){text.s + n, text.n - n};
    }
}

static void add_count(struct buf *out, size_t n, const char *what) {
    if (n != 0)
        buf_printf(out, ", %zu %s", n, what);
}

void plain_summary(struct plain *p) {
    struct buf out = {0};
    size_t failed = p->counts[SCHED_FAILED] + p->counts[SCHED_TIMED_OUT] + p->counts[SCHED_NO_HOST];
    for (size_t i = 0; i < p->failures.n; i++) {
        struct failure *f = &p->failures.v[i];
        if (i == 0) {
            paint(p, &out, RED);
            buf_printf(&out, "\n%zu step%s failed, first one first:\n", failed,
                       failed == 1 ? "" : "s");
            paint(p, &out, PLAIN);
        }
        buf_puts(&out, "\n  ");
        buf_str(&out, buf_view(&f->heading));
        buf_putc(&out, '\n');
        quote_lines(&out, buf_view(&f->script), "    $ ", SCRIPT_LINES);
        quote_lines(&out, buf_view(&f->tail), "    | ", TAIL_LINES);
    }
    if (p->failures_not_shown != 0)
        buf_printf(&out, "\n  ... and %zu more\n", p->failures_not_shown);
    if (p->failures.n != 0)
        buf_putc(&out, '\n');
    if (failed != 0 || !p->options.quiet) {
        size_t done = p->counts[SCHED_DONE];
        buf_printf(&out, "foray: %zu step%s done", done, done == 1 ? "" : "s");
        add_count(&out, p->fresh, "up to date");
        add_count(&out, failed, "failed");
        add_count(&out, p->counts[SCHED_CANCELLED], "ended because the run was stopped");
        add_count(&out, p->counts[SCHED_SKIPPED] + p->counts[SCHED_STOPPED], "not run");
        add_count(&out, p->counts[SCHED_UNNEEDED], "not needed");
        buf_puts(&out, ", ");
        duration_print(&out, loop_now(p->loop) - p->began);
        buf_putc(&out, '\n');
    }
    say(p, &out);
}
