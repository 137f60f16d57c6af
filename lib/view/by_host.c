#include "view/by_host.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/nodeset.h"
#include "view/ending.h"
#include "view/gather.h"

#include <string.h>
#include <unistd.h>

/* A line that is longer is broken. */
enum { LINE_MAX_BYTES = 1024 * 1024 };

enum fate { FAILED, TIMED_OUT, UNREACHABLE, LOST, ENDED, NOT_RUN, FATES };

struct by_host {
    struct loop *loop;
    struct sink *sink;
    struct by_host_options options;
    bool colour_out;
    int64_t began;
    size_t hosts, done;
    struct gather written[2];     /* by stream */
    struct gather fates[FATES];   /* by what is said of them */
    VEC(struct buf) out_of_reach; /* by host id: why it could not be used last */
};

/* What a try has written: a line that is not complete, or all. */
struct shown {
    struct buf held[2];
};

/* --- lines --- */

static void say(struct by_host *v, enum stream stream, struct buf *text) {
    sink_bytes(v->sink, stream, buf_view(text));
    buf_free(text);
}

static void paint(const struct by_host *v, enum stream stream, struct buf *out, const char *code) {
    if (stream == STREAM_OUT ? v->colour_out : v->options.colour)
        buf_printf(out, "\033[%sm", code);
}

/* "node1: LINE\n" */
static void add_line(const struct by_host *v, const struct host *host, enum stream stream,
                     struct str line, struct buf *out) {
    paint(v, stream, out, stream == STREAM_OUT ? "36" : "31");
    buf_visible(out, host->name);
    buf_putc(out, ':');
    paint(v, stream, out, "0");
    buf_putc(out, ' ');
    buf_str(out, line);
    buf_putc(out, '\n');
}

static void show_lines(struct by_host *v, const struct host *host, enum stream stream,
                       struct buf *held, struct str bytes) {
    struct buf out = {0};
    const char *end;
    while ((end = memchr(bytes.s, '\n', bytes.n)) != NULL) {
        struct str line = {bytes.s, (size_t)(end - bytes.s)};
        bytes = (struct str){end + 1, bytes.n - line.n - 1};
        if (held->n != 0) {
            buf_str(held, line);
            line = buf_view(held);
        }
        add_line(v, host, stream, line, &out);
        buf_clear(held);
    }
    buf_str(held, bytes);
    if (held->n >= LINE_MAX_BYTES) {
        add_line(v, host, stream, buf_view(held), &out);
        buf_clear(held);
    }
    if (out.n != 0)
        say(v, stream, &out);
    else
        buf_free(&out);
}

static void output(void *context, struct job *job, enum stream stream, struct str bytes) {
    struct by_host *v = context;
    struct shown *shown = job->shown;
    if (bytes.n == 0)
        return;
    switch (v->options.look) {
    case BY_HOST_RAW:
        sink_bytes(v->sink, stream, bytes);
        break;
    case BY_HOST_LINES:
        show_lines(v, job->host, stream, &shown->held[stream], bytes);
        break;
    case BY_HOST_GATHER:
        buf_str(&shown->held[stream], bytes);
        break;
    }
}

/* What a try has written is complete. */
static void flush(struct by_host *v, struct job *job) {
    struct shown *shown = job->shown;
    for (int i = 0; i < 2; i++) {
        struct buf *held = &shown->held[i];
        if (held->n != 0 && v->options.look == BY_HOST_LINES)
            show_lines(v, job->host, (enum stream)i, held, STR("\n"));
        else if (held->n != 0)
            gather_add(&v->written[i], job->host, held);
    }
}

static void forget(struct job *job) {
    struct shown *shown = job->shown;
    buf_free(&shown->held[0]);
    buf_free(&shown->held[1]);
    free(shown);
    job->shown = NULL;
}

/* --- what happens --- */

static void tell(struct by_host *v, const struct host *host, const char *what) {
    struct buf line = {0};
    paint(v, STREAM_ERR, &line, "2");
    buf_puts(&line, "foray: ");
    buf_visible(&line, host->name);
    buf_printf(&line, ": %s", what);
    paint(v, STREAM_ERR, &line, "0");
    buf_putc(&line, '\n');
    say(v, STREAM_ERR, &line);
}

static void started(void *context, struct job *job) {
    struct by_host *v = context;
    job->shown = mem_zalloc(sizeof(struct shown));
    if (v->options.verbose)
        tell(v, job->host, "begins");
}

static void tried(void *context, struct job *job, int64_t wait) {
    (void)wait;
    flush(context, job);
    forget(job);
}

static void dropped(void *context, struct job *job) {
    (void)context;
    forget(job);
}

static enum fate fate_of(const struct job *job, enum sched_state state) {
    switch (state) {
    case SCHED_TIMED_OUT:
        return TIMED_OUT;
    case SCHED_NO_HOST:
        return job != NULL ? LOST : UNREACHABLE;
    case SCHED_CANCELLED:
        return ENDED;
    case SCHED_FAILED:
        return FAILED;
    default:
        return NOT_RUN;
    }
}

static void settled(void *context, const struct step *step, struct job *job,
                    enum sched_state state) {
    struct by_host *v = context;
    const struct host *host = step->pool->hosts[0];
    struct buf why = {0};
    if (job != NULL && v->options.verbose) {
        ending_say(&why, job);
        tell(v, host, why.s);
        buf_clear(&why);
    }
    if (state == SCHED_DONE) {
        v->done++;
    } else {
        enum fate fate = fate_of(job, state);
        if (fate == FAILED)
            ending_say(&why, job);
        else if (fate == LOST)
            buf_visible(&why, buf_view(&job->reason));
        else if (fate == UNREACHABLE && host->id < v->out_of_reach.n)
            buf_visible(&why, buf_view(&v->out_of_reach.v[host->id]));
        gather_add(&v->fates[fate], host, &why);
    }
    buf_free(&why);
    if (job != NULL && job->shown != NULL) {
        flush(v, job);
        forget(job);
    }
}

static void grown(void *context, size_t steps) {
    (void)context;
    (void)steps;
}

static void told(void *context, const struct diags *diags) {
    struct by_host *v = context;
    struct buf out = {0};
    diags_print(diags, &out, 50, v->options.colour);
    say(v, STREAM_ERR, &out);
}

static void host_lost(void *context, const struct host *host, bool for_good, const char *reason) {
    struct by_host *v = context;
    (void)for_good;
    while (v->out_of_reach.n <= host->id)
        (void)vec_push(&v->out_of_reach);
    buf_clear(&v->out_of_reach.v[host->id]);
    buf_puts(&v->out_of_reach.v[host->id], reason);
    if (v->options.verbose)
        tell(v, host, reason);
}

static void host_way(void *context, const struct host *host, const char *how, const char *reason) {
    struct by_host *v = context;
    struct buf what = {0};
    buf_printf(&what, "%s: %s", how, reason);
    if (v->options.verbose)
        tell(v, host, what.s);
    buf_free(&what);
}

struct by_host *by_host_new(struct loop *loop, struct sink *sink, size_t hosts,
                            const struct by_host_options *options) {
    struct by_host *v = mem_zalloc(sizeof *v);
    *v = (struct by_host){.loop = loop,
                          .sink = sink,
                          .options = *options,
                          .colour_out = options->colour && isatty(STDOUT_FILENO),
                          .began = loop_now(loop),
                          .hosts = hosts};
    return v;
}

void by_host_free(struct by_host *v) {
    if (v == NULL)
        return;
    for (int i = 0; i < 2; i++)
        gather_free(&v->written[i]);
    for (int i = 0; i < FATES; i++)
        gather_free(&v->fates[i]);
    for (size_t i = 0; i < v->out_of_reach.n; i++)
        buf_free(&v->out_of_reach.v[i]);
    vec_free(&v->out_of_reach);
    free(v);
}

static void asking(void *context, bool on) {
    struct by_host *v = context;
    sink_hold(v->sink, on);
}

struct run_view by_host_view(struct by_host *v) {
    return (struct run_view){v,     started, output,    tried,    settled, dropped,
                             grown, told,    host_lost, host_way, asking};
}

void by_host_interrupted(struct by_host *v, int sig) {
    struct buf line = {0};
    buf_puts(&line, "foray: ");
    ending_say_signal(&line, sig);
    buf_puts(&line, ": ending what runs; once more ends it at once\n");
    say(v, STREAM_ERR, &line);
}

/* --- the end --- */

static void add_names(const struct gathered *group, struct buf *out) {
    struct buf names = {0};
    nodeset_fold(group->hosts.v, group->hosts.n, &names);
    buf_visible(out, buf_view(&names));
    buf_free(&names);
}

static void show_group(struct by_host *v, enum stream stream, const struct gathered *group) {
    static const char rule[] = "---------------\n";
    struct buf out = {0};
    struct str text = gathered_text(group);
    buf_puts(&out, rule);
    paint(v, stream, &out, "1");
    add_names(group, &out);
    buf_printf(&out, " (%zu)", group->hosts.n);
    paint(v, stream, &out, "0");
    buf_printf(&out, "%s\n%s", stream == STREAM_ERR ? ", standard error" : "", rule);
    buf_str(&out, text);
    if (text.s[text.n - 1] != '\n')
        buf_putc(&out, '\n');
    say(v, stream, &out);
}

static void show_fate(struct by_host *v, const char *what, const struct gathered *group) {
    struct buf out = {0};
    struct str why = gathered_text(group);
    paint(v, STREAM_ERR, &out, "1;31");
    buf_printf(&out, "%s ", what);
    paint(v, STREAM_ERR, &out, "0");
    add_names(group, &out);
    buf_printf(&out, " (%zu)", group->hosts.n);
    if (why.n != 0) {
        buf_puts(&out, ": ");
        buf_str(&out, why);
    }
    buf_putc(&out, '\n');
    say(v, STREAM_ERR, &out);
}

void by_host_summary(struct by_host *v) {
    static const char *const names[FATES] = {
        [FAILED] = "failed", [TIMED_OUT] = "timed out", [UNREACHABLE] = "not reached",
        [LOST] = "lost",     [ENDED] = "ended",         [NOT_RUN] = "not run",
    };
    struct buf out = {0};
    for (int i = 0; i < 2; i++) {
        gather_sort(&v->written[i]);
        for (size_t k = 0; k < v->written[i].groups.n; k++)
            show_group(v, (enum stream)i, v->written[i].groups.v[k]);
    }
    buf_printf(&out, "foray: %zu host%s: %zu done", v->hosts, v->hosts == 1 ? "" : "s", v->done);
    for (int i = 0; i < FATES; i++) {
        struct gather *fate = &v->fates[i];
        size_t n = 0;
        gather_sort(fate);
        for (size_t k = 0; k < fate->groups.n; k++) {
            show_fate(v, names[i], fate->groups.v[k]);
            n += fate->groups.v[k]->hosts.n;
        }
        if (n != 0)
            buf_printf(&out, ", %zu %s", n, names[i]);
    }
    buf_puts(&out, ", ");
    duration_print(&out, loop_now(v->loop) - v->began);
    buf_putc(&out, '\n');
    if (v->done != v->hosts || !v->options.quiet)
        say(v, STREAM_ERR, &out);
    buf_free(&out);
}
