/* foray why: what would run, and why. */
#include "cmd/state.h"

#include "base/duration.h"
#include "plan/lock.h"
#include "view/why.h"

#include <stdio.h>
#include <stdlib.h>

static const char why_help[] = "  -B, --always-make     as with -B\n"
                               "      --resume          as with --resume\n";

enum { OPT_RESUME_TOO = 256, NAMES = 8 };

static const struct option long_options[] = {{"always-make", no_argument, NULL, 'B'},
                                             {"resume", no_argument, NULL, OPT_RESUME_TOO},
                                             COMMON_LONG};

/* The steps that it waits for, which are not up to date. */
static void say_waits(const struct state *state, const struct plan *plan, const struct step *step,
                      struct buf *out) {
    size_t n = 0;
    for (size_t i = 0; i < step->n_needs; i++) {
        const struct step *need = step->needs[i];
        if (fresh_is_pruned(state->fresh, need) || !plan_has(plan, need))
            continue;
        if (n < NAMES) {
            buf_puts(out, n == 0 ? "    it waits for " : ", ");
            buf_visible(out, need->name);
        }
        n++;
    }
    if (n > NAMES)
        buf_printf(out, " and %zu more", n - NAMES);
    if (n != 0)
        buf_putc(out, '\n');
}

static void say_last(const struct judgement *j, struct buf *out) {
    const struct record_end *last = &j->past.last;
    if (!j->past.ended)
        return;
    buf_printf(out, "    last time, in run %u, ", (unsigned)last->run);
    why_say_time(out, last->began);
    if (last->host.n != 0) {
        buf_puts(out, ", on ");
        buf_visible(out, last->host);
    } else {
        buf_puts(out, ", here");
    }
    buf_puts(out, ", it ");
    why_say_ending(out, last);
    buf_puts(out, " after ");
    duration_print(out, last->took);
    buf_putc(out, '\n');
}

static void say_step(const struct state *state, const struct plan *plan, const struct step *step,
                     bool running, struct buf *out) {
    buf_visible(out, step->name);
    buf_puts(out, ": ");
    if (step->rule->script_at.line == 0) {
        buf_puts(out, "it runs nothing, and stands for what it needs\n");
        say_waits(state, plan, step, out);
        return;
    }
    struct judgement j = fresh_judge(state->fresh, step, NULL);
    if (j.verdict == DID_NOT_END && running) {
        buf_puts(out, "it is running");
    } else if (fresh_is_pruned(state->fresh, step)) {
        buf_puts(out, "it is up to date");
    } else if (j.verdict == IS_FRESH) {
        buf_puts(out, "it is as it was, but what it needs runs first, and may change that");
    } else {
        buf_puts(out, "it runs: ");
        why_say(state->fresh, step, &j, out);
    }
    buf_putc(out, '\n');
    say_waits(state, plan, step, out);
    say_last(&j, out);
}

static int explain(void *context, struct input *in, struct state *state) {
    const struct arguments *args = context;
    fresh_link(state->fresh, &in->diags);
    if (!input_plan(in, args))
        return STATUS_NOTHING_RUN;
    size_t fresh = fresh_prune(state->fresh, &in->plan, &in->diags);
    bool mistakes = input_report(in, args);
    struct buf out = {0};
    bool all = args->targets.n == 0, running = lock_is_held(STATE_DIRECTORY);
    size_t n = all ? in->plan.steps.n : in->plan.asked.n;
    for (size_t i = 0; i < n; i++) {
        const struct step *step = all ? in->plan.steps.v[i] : in->plan.asked.v[i];
        if (all && (step->rule->script_at.line == 0 || fresh_is_pruned(state->fresh, step)))
            continue;
        say_step(state, &in->plan, step, running, &out);
        fwrite(buf_view(&out).s, 1, out.n, stdout);
        buf_clear(&out);
    }
    for (size_t i = 0; i < in->plan.late.n; i++) {
        if (in->plan.late.v[i]->n_steps != 0)
            continue;
        buf_visible(&out, in->plan.late.v[i]->name);
        buf_puts(&out, ": its steps are known only once others have run\n");
        fwrite(buf_view(&out).s, 1, out.n, stdout);
        buf_clear(&out);
    }
    if (all && run_steps(&in->plan) == 0 && !args->quiet)
        printf("nothing would run: %zu step%s up to date\n", fresh, fresh == 1 ? " is" : "s are");
    buf_free(&out);
    return mistakes ? STATUS_NOTHING_RUN : STATUS_DONE;
}

static int why_main(const struct verb *verb, int argc, char **argv) {
    struct arguments args;
    struct fresh_options options = {0};
    int status = -1;
    arguments_init(&args);
    optind = 1;
    for (int option;
         status < 0 && (option = getopt_long(argc, argv, "BC:f:qvh", long_options, NULL)) != -1;) {
        if (option == 'B')
            options.always = true;
        else if (option == OPT_RESUME_TOO)
            options.resume = true;
        else
            status = arguments_option(&args, verb, option);
    }
    if (status < 0)
        status = arguments_rest(&args, verb, argc, argv);
    if (status < 0)
        status = state_with(&args, &options, false, explain, &args);
    arguments_free(&args);
    return status;
}

const struct verb verb_why = {
    .name = "why",
    .summary = "Tells why steps would run, or that they are up to date",
    .usage = "foray why [OPTION...] [NAME=VALUE...] [STEP...]",
    .help = why_help,
    .main = why_main,
};
