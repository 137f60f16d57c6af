/* foray log: past runs, what they did, and what their steps wrote. */
#include "cmd/state.h"

#include "base/duration.h"
#include "base/map.h"
#include "base/suggest.h"
#include "plan/kept.h"
#include "plan/lock.h"
#include "view/why.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char log_help[] =
    "RUN is the number of a run, or `last`; without it, STEP is looked for in the last run that\n"
    "ran it.\n\n";

static const struct option long_options[] = {COMMON_LONG};

struct logged_run {
    struct record_run run;
    struct record_run_end end;
    bool ended;
};

/* A try of a step. */
struct logged_try {
    struct record_start start;
    struct record_end end;
    bool ended;
};

struct history {
    VEC(struct logged_run) runs;
    VEC(struct logged_try) tries; /* of `wanted` */
    uint32_t wanted;              /* a run; 0: all */
    struct map open;              /* by step name: the place + 1 of the try that has not ended */
};

static void take_run(void *context, const struct record_run *r) {
    struct history *h = context;
    *vec_push(&h->runs) = (struct logged_run){.run = *r};
}

static void take_run_end(void *context, const struct record_run_end *r) {
    struct history *h = context;
    for (size_t i = h->runs.n; i-- > 0;)
        if (h->runs.v[i].run.run == r->run) {
            h->runs.v[i].end = *r;
            h->runs.v[i].ended = true;
            return;
        }
}

static void take_start(void *context, const struct record_start *r) {
    struct history *h = context;
    if (h->wanted != 0 && r->run != h->wanted)
        return;
    *vec_push(&h->tries) = (struct logged_try){.start = *r};
    *map_put(&h->open, r->name) = (void *)h->tries.n;
}

static void take_end(void *context, const struct record_end *r) {
    struct history *h = context;
    if (h->wanted != 0 && r->run != h->wanted)
        return;
    size_t at = (size_t)map_get(&h->open, r->name);
    if (at == 0 || h->tries.v[at - 1].start.run != r->run)
        return; /* of a run whose beginning is forgotten, or written again since a file was touched
                 */
    h->tries.v[at - 1].end = *r;
    h->tries.v[at - 1].ended = true;
    *map_put(&h->open, r->name) = NULL;
}

static void read_history(struct history *h, const struct journal *j) {
    journal_read(j, &(struct journal_reader){h, take_run, take_start, take_end, take_run_end});
}

static void free_history(struct history *h) {
    vec_free(&h->runs);
    vec_free(&h->tries);
    map_free(&h->open);
}

/* --- lists --- */

static void print(struct buf *out) {
    fwrite(buf_view(out).s, 1, out->n, stdout);
    buf_free(out);
}

static void add_count(struct buf *out, uint32_t n, const char *what) {
    if (n != 0)
        buf_printf(out, ", %u %s", (unsigned)n, what);
}

static void print_run(const struct logged_run *l, bool running) {
    struct buf out = {0};
    buf_printf(&out, "%5u  ", (unsigned)l->run.run);
    why_say_time(&out, l->run.began);
    buf_puts(&out, "  ");
    if (l->ended) {
        buf_printf(&out, "status %d, %u done", l->end.status, (unsigned)l->end.done);
        add_count(&out, l->end.fresh, "up to date");
        add_count(&out, l->end.failed, "failed");
        add_count(&out, l->end.other, "not run");
        buf_puts(&out, ", ");
        duration_print(&out, l->end.took);
    } else {
        buf_puts(&out, running ? "is running" : "was cut short");
    }
    if (l->run.words.n != 0) {
        buf_puts(&out, ": ");
        buf_visible(&out, l->run.words);
    }
    buf_putc(&out, '\n');
    print(&out);
}

static void print_try(const struct logged_try *t, bool running) {
    struct buf out = {0};
    buf_puts(&out, "  ");
    if (!t->ended)
        buf_puts(&out, running ? "runs    " : "cut off ");
    else if (t->end.ending == ENDED_WELL)
        buf_puts(&out, "done    ");
    else if (t->end.ending == ENDED_CANCELLED)
        buf_puts(&out, "stopped ");
    else
        buf_puts(&out, "failed  ");
    buf_visible(&out, t->start.name);
    if (t->start.host.n != 0) {
        buf_puts(&out, " on ");
        buf_visible(&out, t->start.host);
    }
    if (t->ended) {
        buf_puts(&out, ", ");
        duration_print(&out, t->end.took);
        if (t->end.ending != ENDED_WELL && t->end.ending != ENDED_CANCELLED) {
            buf_puts(&out, ", ");
            why_say_ending(&out, &t->end);
        }
    }
    if (t->start.attempt > 1)
        buf_printf(&out, ", try %u", (unsigned)t->start.attempt);
    buf_putc(&out, '\n');
    print(&out);
}

/* --- output --- */

static void write_stretch(void *context, bool error, struct str bytes) {
    (void)context;
    FILE *to = error ? stderr : stdout;
    fwrite(bytes.s, 1, bytes.n, to);
    fflush(to);
}

/* The run's, or with 0 the last one that ran the step. */
static const struct logged_try *find_try(const struct history *h, struct str step) {
    for (size_t i = h->tries.n; i-- > 0;)
        if (str_eq(h->tries.v[i].start.name, step))
            return &h->tries.v[i];
    return NULL;
}

static int print_output(const struct history *h, struct str step, bool quiet, bool running) {
    const struct logged_try *t = find_try(h, step);
    if (t == NULL) {
        str_list names = {0};
        struct buf visible = {0};
        for (size_t i = 0; i < h->tries.n; i++)
            *vec_push(&names) = h->tries.v[i].start.name;
        const struct str *meant = suggest(step, names.v, names.n);
        buf_visible(&visible, step);
        fprintf(stderr, "foray: no run that is remembered ran `%s`", visible.s);
        buf_clear(&visible);
        if (meant != NULL)
            buf_visible(&visible, *meant);
        fprintf(stderr, meant != NULL ? "; did you mean `%s`?\n" : "%s\n", visible.s);
        buf_free(&visible);
        vec_free(&names);
        return STATUS_NOTHING_RUN;
    }
    fflush(stdout);
    if (!quiet) {
        struct buf line = {0};
        buf_printf(&line, "run %u, ", (unsigned)t->start.run);
        why_say_time(&line, t->start.began);
        fprintf(stderr, "%s:\n", line.s);
        buf_free(&line);
        print_try(t, running);
        fflush(stdout);
    }
    if (!kept_read(STATE_DIRECTORY, t->start.run, step, t->start.attempt, write_stretch, NULL) &&
        !quiet)
        fputs(t->ended ? "foray: it wrote nothing that is kept\n"
                       : "foray: what it writes is kept when it ends\n",
              stderr);
    return STATUS_DONE;
}

/* --- the verb --- */

static bool is_number(struct str word) {
    for (size_t i = 0; i < word.n; i++)
        if (!isdigit((unsigned char)word.s[i]))
            return false;
    return word.n != 0 && word.n < 10;
}

/* The run that a word means; 0: none. */
static uint32_t run_meant(const struct verb *verb, const struct journal *j, struct str word,
                          int *status) {
    uint32_t last = journal_last_run(j);
    uint32_t run = str_eq(word, STR("last")) ? last : (uint32_t)strtoul(word.s, NULL, 10);
    if (run == 0 || run > last)
        *status = last == 0 ? usage_error(verb, "nothing has run here yet")
                            : usage_error(verb, "there is no run %s: the last one is %u", word.s,
                                          (unsigned)last);
    return run;
}

static int show(const struct verb *verb, const struct arguments *args, const struct journal *j) {
    const str_list *words = &args->targets;
    struct history h = {0};
    int status = -1;
    bool running = lock_is_held(STATE_DIRECTORY);
    size_t at = 0;
    if (words->n != 0 && (is_number(words->v[0]) || str_eq(words->v[0], STR("last")))) {
        h.wanted = run_meant(verb, j, words->v[0], &status);
        at = 1;
    }
    if (status < 0 && words->n > at + 1)
        status =
            usage_error(verb, "one run and one step at most, not `%s` too", words->v[at + 1].s);
    if (status >= 0)
        return status;
    read_history(&h, j);
    status = STATUS_DONE;
    uint32_t last = journal_last_run(j);
    if (at < words->n) {
        status = print_output(&h, words->v[at], args->quiet, running);
    } else {
        for (size_t i = 0; i < h.runs.n; i++)
            if (h.wanted == 0 || h.runs.v[i].run.run == h.wanted)
                print_run(&h.runs.v[i], running && h.runs.v[i].run.run == last);
        for (size_t i = 0; i < h.tries.n && h.wanted != 0; i++)
            print_try(&h.tries.v[i], running && h.wanted == last);
        if (h.runs.n == 0 && !args->quiet)
            fputs("foray: nothing has run here yet\n", stderr);
    }
    free_history(&h);
    return status;
}

static int log_main(const struct verb *verb, int argc, char **argv) {
    struct arguments args;
    struct buf why = {0};
    int status = -1;
    arguments_init(&args);
    optind = 1;
    for (int option;
         status < 0 && (option = getopt_long(argc, argv, common_short, long_options, NULL)) != -1;)
        status = arguments_option(&args, verb, option);
    args.file = "-"; /* no graph is looked for */
    if (status < 0)
        status = arguments_rest(&args, verb, argc, argv);
    if (status < 0) {
        struct journal *j = journal_open(STATE_DIRECTORY, false, &why);
        if (j != NULL)
            status = show(verb, &args, j);
        else
            fprintf(stderr, "foray: %s\n", why.s);
        status = status < 0 ? STATUS_NOTHING_RUN : status;
        journal_close(j);
    }
    buf_free(&why);
    arguments_free(&args);
    return status;
}

const struct verb verb_log = {
    .name = "log",
    .summary = "Shows past runs, the steps of a RUN, or what a STEP wrote",
    .usage = "foray log [OPTION...] [RUN] [STEP]",
    .help = log_help,
    .main = log_main,
};
