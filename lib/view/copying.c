#include "view/copying.h"

#include "base/duration.h"
#include "base/mem.h"
#include "base/nodeset.h"
#include "base/size.h"
#include "base/strlist.h"
#include "read/copy.h"
#include "view/ending.h"

#include <stdlib.h>
#include <string.h>

/* How far it is is said only of what takes a while; the rate is that of the last so many looks. */
#define FIRST_LOOK SECOND
#define LOOKS_APART (250 * MILLISECOND)
enum { LOOKS = 20, NAMED_FAILURES = 20 };

struct look {
    int64_t at;
    uint64_t bytes;
};

struct copying {
    struct loop *loop;
    struct sink *sink;
    struct copying_options options;
    int64_t began;
    VEC(struct job *) jobs; /* that run */
    struct tally done;      /* of hosts that are done */
    size_t well, failed, other;
    str_list failures;       /* the hosts; the names are the graph's */
    VEC(struct buf) reasons; /* by host id: why it could not be used last */
    struct timer timer;
    struct look looks[LOOKS]; /* the last one at (n_looks - 1) % LOOKS */
    size_t n_looks;
    bool line; /* one stands on the terminal that says how far it is */
};

enum colour { PLAIN, RED, YELLOW };

static void paint(const struct copying *c, struct buf *out, enum colour colour) {
    static const char *const codes[] = {"\033[0m", "\033[1;31m", "\033[33m"};
    if (c->options.colour)
        buf_puts(out, codes[colour]);
}

static void say(struct copying *c, struct buf *text) {
    if (c->line)
        sink_bytes(c->sink, STREAM_ERR, STR("\r\033[K"));
    c->line = false;
    sink_bytes(c->sink, STREAM_ERR, buf_view(text));
    buf_free(text);
}

/* --- how far it is --- */

static struct tally sum(const struct copying *c) {
    struct tally t = c->done;
    for (size_t i = 0; i < c->jobs.n; i++) {
        t.files += c->jobs.v[i]->tally.files;
        t.bytes += c->jobs.v[i]->tally.bytes;
        t.expected += c->jobs.v[i]->tally.expected;
        t.spared += c->jobs.v[i]->tally.spared;
    }
    return t;
}

/* The hosts that have not begun are taken to be like the others. */
static uint64_t guess_all(const struct copying *c, const struct tally *t) {
    size_t begun = c->well + c->failed + c->other;
    for (size_t i = 0; i < c->jobs.n; i++)
        begun += c->jobs.v[i]->tally.expected != 0;
    if (begun == 0)
        return 0;
    return (uint64_t)((double)t->expected / (double)begun * (double)c->options.hosts);
}

static double rate_of(struct copying *c, int64_t now, uint64_t bytes) {
    const struct look *oldest = &c->looks[c->n_looks < LOOKS ? 0 : c->n_looks % LOOKS];
    struct look first = c->n_looks != 0 ? *oldest : (struct look){.at = c->began};
    c->looks[c->n_looks++ % LOOKS] = (struct look){now, bytes};
    if (bytes < first.bytes || now == first.at) /* a try began anew */
        return 0;
    return (double)(bytes - first.bytes) * (double)SECOND / (double)(now - first.at);
}

static void say_left(struct buf *out, double seconds) {
    buf_puts(out, ", ");
    if (seconds < 60)
        buf_printf(out, "%ds", (int)seconds + 1);
    else
        duration_print(out, (int64_t)(seconds < 1e9 ? seconds : 1e9) * SECOND);
    buf_puts(out, " left");
}

static void show(void *arg) {
    struct copying *c = arg;
    int64_t now = loop_now(c->loop);
    struct tally t = sum(c);
    uint64_t all = guess_all(c, &t);
    double rate = rate_of(c, now, t.bytes);
    struct buf line = {0};
    loop_timer(c->loop, &c->timer, now + LOOKS_APART);
    if (!sink_empty(c->sink)) /* the terminal is slow */
        return;
    buf_printf(&line, "\r\033[K%zu of %zu host%s, ", c->well, c->options.hosts,
               c->options.hosts == 1 ? "" : "s");
    size_print(&line, t.bytes);
    if (all != 0) {
        buf_puts(&line, " of ");
        size_print(&line, all > t.bytes ? all : t.bytes);
    }
    if (rate >= 1) {
        buf_puts(&line, ", ");
        size_print(&line, (uint64_t)rate);
        buf_puts(&line, "/s");
    }
    if (rate >= 1 && all > t.bytes)
        say_left(&line, (double)(all - t.bytes) / rate);
    sink_bytes(c->sink, STREAM_ERR, buf_view(&line));
    buf_free(&line);
    c->line = true;
}

/* --- what happens --- */

static void forget_job(struct copying *c, const struct job *job) {
    for (size_t i = 0; i < c->jobs.n; i++)
        if (c->jobs.v[i] == job)
            c->jobs.v[i] = c->jobs.v[--c->jobs.n];
}

static void started(void *context, struct job *job) {
    struct copying *c = context;
    *vec_push(&c->jobs) = job;
}

/* What is said there of a failure. */
static void output(void *context, struct job *job, enum stream stream, struct str bytes) {
    (void)context;
    (void)stream;
    if (job->shown == NULL)
        job->shown = mem_zalloc(sizeof(struct buf));
    struct buf *text = job->shown;
    if (text->n + bytes.n < 4096)
        buf_str(text, bytes);
}

static void forget_output(struct job *job) {
    if (job->shown != NULL)
        buf_free(job->shown);
    free(job->shown);
    job->shown = NULL;
}

static void say_why(struct buf *out, const struct job *job) {
    const struct buf *text = job->shown;
    bool ours = job->timed_out || job->cancelled;
    if (job->end == JOB_LOST && !ours)
        buf_visible(out, buf_view(&job->reason));
    else if (job->end == JOB_EXITED && !ours && text != NULL && text->n != 0)
        buf_visible(out, (struct str){text->s, strcspn(text->s, "\n")});
    else
        ending_say(out, job);
}

static void tried(void *context, struct job *job, int64_t wait) {
    struct copying *c = context;
    struct buf line = {0};
    (void)wait;
    forget_job(c, job);
    if (job->step->n_copies == 0) {
        forget_output(job);
        return;
    }
    paint(c, &line, YELLOW);
    buf_puts(&line, "again ");
    paint(c, &line, PLAIN);
    buf_visible(&line, job->host->name);
    buf_puts(&line, ": ");
    say_why(&line, job);
    buf_putc(&line, '\n');
    say(c, &line);
    forget_output(job);
}

static struct buf *reason_of(struct copying *c, const struct host *host) {
    while (c->reasons.n <= host->id)
        (void)vec_push(&c->reasons);
    return &c->reasons.v[host->id];
}

static void say_failed(struct copying *c, const struct host *host, const struct job *job) {
    struct buf line = {0};
    paint(c, &line, RED);
    buf_puts(&line, "failed ");
    paint(c, &line, PLAIN);
    buf_visible(&line, host->name);
    buf_puts(&line, ": ");
    if (job != NULL)
        say_why(&line, job);
    else if (reason_of(c, host)->n != 0)
        buf_visible(&line, buf_view(reason_of(c, host)));
    else
        buf_puts(&line, "it cannot be used");
    buf_putc(&line, '\n');
    say(c, &line);
    *vec_push(&c->failures) = host->name;
}

static void say_done(struct copying *c, const struct job *job) {
    struct buf line = {0};
    buf_visible(&line, job->host->name);
    buf_printf(&line, ": %llu file%s, ", (unsigned long long)job->tally.files,
               job->tally.files == 1 ? "" : "s");
    size_print(&line, job->tally.bytes);
    buf_puts(&line, ", ");
    duration_print(&line, job->ended - job->started);
    buf_putc(&line, '\n');
    say(c, &line);
}

static bool is_failure(enum sched_state state) {
    return state == SCHED_FAILED || state == SCHED_TIMED_OUT || state == SCHED_NO_HOST;
}

/* What a host could not get from another one is sent to it from here. */
static void say_relay(struct copying *c, const struct step *step, const struct job *job) {
    struct buf line = {0};
    const struct buf *text = job->shown;
    if (!c->options.verbose || text == NULL || text->n == 0)
        return;
    buf_visible(&line, step->item);
    buf_puts(&line, ": it is sent from here: ");
    buf_visible(&line, (struct str){text->s, strcspn(text->s, "\r\n")});
    buf_putc(&line, '\n');
    say(c, &line);
}

static void settle_copy(struct copying *c, const struct step *step, const struct job *job,
                        enum sched_state state) {
    if (state == SCHED_DONE) {
        c->well++;
        if (c->options.verbose && job != NULL)
            say_done(c, job);
    } else if (is_failure(state)) {
        c->failed++;
        say_failed(c, step->pool->hosts[0], job);
    } else {
        c->other++;
    }
}

static void settled(void *context, const struct step *step, struct job *job,
                    enum sched_state state) {
    struct copying *c = context;
    if (job != NULL) {
        forget_job(c, job);
        c->done.files += job->tally.files;
        c->done.bytes += job->tally.bytes;
        c->done.expected += job->tally.expected;
        c->done.spared += job->tally.spared;
    }
    if (step->n_copies != 0) {
        settle_copy(c, step, job, state);
    } else if (str_eq(step->rule->name, STR(COPY_RELAY))) {
        if (job != NULL)
            say_relay(c, step, job);
    } else if (is_failure(state)) { /* a check of what had been copied well */
        c->well--;
        c->failed++;
        say_failed(c, step->pool->hosts[0], job);
    }
    if (job != NULL)
        forget_output(job);
}

static void dropped(void *context, struct job *job) {
    forget_job(context, job);
    forget_output(job);
}

static void grown(void *context, size_t steps) {
    (void)context;
    (void)steps;
}

static void told(void *context, const struct diags *diags) {
    struct copying *c = context;
    struct buf out = {0};
    diags_print(diags, &out, 50, c->options.colour);
    say(c, &out);
}

/* That it cannot be used at all is told with what fails for that. */
static void host_lost(void *context, const struct host *host, bool for_good, const char *reason) {
    struct copying *c = context;
    struct buf line = {0};
    buf_clear(reason_of(c, host));
    buf_puts(reason_of(c, host), reason);
    for (size_t i = c->jobs.n; i-- > 0;) /* what ran there is gone */
        if (c->jobs.v[i]->host == host)
            c->jobs.v[i] = c->jobs.v[--c->jobs.n];
    if (for_good)
        return;
    paint(c, &line, YELLOW);
    buf_puts(&line, "host ");
    paint(c, &line, PLAIN);
    buf_visible(&line, host->name);
    buf_puts(&line, " is lost: ");
    buf_visible(&line, str_of(reason));
    buf_putc(&line, '\n');
    say(c, &line);
}

struct copying *copying_new(struct loop *loop, struct sink *sink,
                            const struct copying_options *options) {
    struct copying *c = mem_zalloc(sizeof *c);
    *c = (struct copying){.loop = loop, .sink = sink, .options = *options, .began = loop_now(loop)};
    c->timer = (struct timer){.expired = show, .arg = c};
    if (options->terminal && !options->quiet)
        loop_timer(loop, &c->timer, c->began + FIRST_LOOK);
    return c;
}

void copying_free(struct copying *c) {
    for (size_t i = 0; i < c->reasons.n; i++)
        buf_free(&c->reasons.v[i]);
    vec_free(&c->reasons);
    vec_free(&c->failures);
    vec_free(&c->jobs);
    free(c);
}

static void asking(void *context, bool on) {
    struct copying *c = context;
    sink_hold(c->sink, on);
}

static void host_way(void *context, const struct host *host, const char *how, const char *reason) {
    struct copying *c = context;
    struct buf line = {0};
    if (!c->options.verbose)
        return;
    buf_puts(&line, "host ");
    buf_visible(&line, host->name);
    buf_printf(&line, " is %s: %s\n", how, reason);
    say(c, &line);
}

struct run_view copying_view(struct copying *c) {
    return (struct run_view){c,     started, output,    tried,    settled, dropped,
                             grown, told,    host_lost, host_way, asking};
}

void copying_interrupted(struct copying *c, int sig) {
    struct buf line = {0};
    buf_puts(&line, "foray: ");
    ending_say_signal(&line, sig);
    buf_puts(&line, ": ending what is under way; once more ends it at once\n");
    say(c, &line);
}

bool copying_all_well(const struct copying *c) {
    return c->well == c->options.hosts;
}

void copying_over(struct copying *c) {
    struct buf nothing = {0};
    loop_timer_clear(c->loop, &c->timer);
    say(c, &nothing);
}

void copying_summary(struct copying *c, bool failed) {
    struct buf out = {0};
    size_t hosts = c->options.hosts;
    int64_t took = loop_now(c->loop) - c->began;
    bool well = copying_all_well(c) && !failed;
    if (c->options.quiet && well)
        return;
    buf_printf(&out, "foray: copied %s ", c->options.fetch ? "from" : "to");
    if (c->well != hosts)
        buf_printf(&out, "%zu of ", c->well);
    buf_printf(&out, "%zu host%s: %llu file%s, ", hosts, hosts == 1 ? "" : "s",
               (unsigned long long)c->done.files, c->done.files == 1 ? "" : "s");
    size_print(&out, c->done.bytes);
    if (c->done.spared != 0) {
        buf_puts(&out, " (");
        size_print(&out, c->done.spared);
        buf_puts(&out, " from host to host)");
    }
    buf_puts(&out, ", ");
    duration_print(&out, took);
    if (c->failures.n != 0) {
        struct buf names = {0};
        nodeset_fold(c->failures.v, c->failures.n, &names);
        buf_puts(&out, "; failed: ");
        buf_visible(&out, buf_view(&names));
        buf_free(&names);
    }
    if (c->other != 0)
        buf_printf(&out, "; %zu not done", c->other);
    buf_putc(&out, '\n');
    say(c, &out);
}
