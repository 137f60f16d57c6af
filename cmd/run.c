/* foray run: the graph, or what the targets need. */
#include "cmd/verb.h"

#include "base/diag.h"
#include "base/mem.h"
#include "carry/temporary.h"
#include "cmd/options.h"
#include "cmd/session.h"
#include "cmd/state.h"
#include "plan/plan.h"
#include "plan/seal.h"
#include "read/yaml.h"
#include "run/run.h"
#include "view/plain.h"
#include "view/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Why, as a comment. */
static void print_why(const struct state *state, const struct step *step, struct buf *out) {
    struct buf why = {0};
    struct judgement j = fresh_judge(state->fresh, step, NULL);
    if (j.verdict == IS_FRESH)
        buf_puts(&why, "what it needs runs first; it may turn out to be up to date then");
    else
        why_say(state->fresh, step, &j, &why);
    buf_puts(out, "#   ");
    for (size_t i = 0; i < why.n; i++) {
        buf_putc(out, why.s[i]);
        if (why.s[i] == '\n')
            buf_puts(out, "#");
    }
    buf_putc(out, '\n');
    buf_free(&why);
}

/* What would run, in an order in which it could, as a script to read. */
static void print_plan(const struct state *state, const struct input *in, bool verbose) {
    struct buf out = {0};
    const struct graph *graph = &in->graph;
    for (size_t i = 0; i < in->plan.steps.n; i++) {
        const struct step *step = in->plan.steps.v[i];
        if (step->rule->script_at.line == 0 || fresh_is_pruned(state->fresh, step))
            continue;
        buf_puts(&out, "# ");
        buf_visible(&out, step->name);
        if (step->pool != NULL) {
            buf_puts(&out, " on ");
            buf_visible(&out, step->pool->name);
        }
        buf_putc(&out, '\n');
        if (verbose)
            print_why(state, step, &out);
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
    for (size_t i = 0; i < in->plan.late.n; i++)
        if (in->plan.late.v[i]->n_steps == 0)
            print_late(in->plan.late.v[i]);
    buf_free(&out);
}

/* What is said of a run in the journal. */
static bool end_run(struct fresh *fresh, const struct run *run, size_t fresh_steps, int status) {
    uint32_t failed = (uint32_t)(run_count(run, SCHED_FAILED) + run_count(run, SCHED_TIMED_OUT) +
                                 run_count(run, SCHED_NO_HOST));
    uint32_t other = 0;
    for (int i = SCHED_NO_HOST + 1; i < SCHED_STATES; i++)
        other += (uint32_t)run_count(run, (enum sched_state)i);
    return fresh_end_run(fresh, &(struct record_run_end){
                                    .status = status,
                                    .done = (uint32_t)(run_count(run, SCHED_DONE) - run_fresh(run)),
                                    .fresh = (uint32_t)(fresh_steps + run_fresh(run)),
                                    .failed = failed,
                                    .other = other,
                                });
}

static void interrupted(void *context, int signal) {
    plain_interrupted(context, signal);
}

static void summary(void *context) {
    plain_summary(context);
}

static int run_plan(const struct run_arguments *args, struct graph *graph, struct plan *plan,
                    struct state *state, size_t fresh_steps) {
    struct session session;
    if (state->journal != NULL)
        temporary_begin(STATE_DIRECTORY);
    if (!session_begin(&session, state->lock))
        return STATUS_HOSTS_FAILED;
    struct kept *kept =
        state->journal != NULL ? kept_new(STATE_DIRECTORY, fresh_run(state->fresh)) : NULL;
    struct plain *plain = plain_new(session.loop, session.sink, graph, run_steps(plan),
                                    &(struct plain_options){.fresh = fresh_steps,
                                                            .kept = kept,
                                                            .quiet = args->common.quiet,
                                                            .verbose = args->common.verbose,
                                                            .colour = args->common.colour});
    struct run_view view = plain_view(plain);
    int status = session_run(&session, &(struct session_work){.graph = graph,
                                                              .plan = plan,
                                                              .fresh = state->fresh,
                                                              .options = &args->run,
                                                              .view = &view,
                                                              .context = plain,
                                                              .interrupted = interrupted,
                                                              .summary = summary});
    end_run(state->fresh, session.run, fresh_steps, status);
    session_end(&session);
    plain_free(plain);
    kept_free(kept);
    return status;
}

/* Targets and variables, as typed. */
static void join_words(const struct arguments *args, struct buf *out) {
    for (size_t i = 0; i < args->assignments.n; i++) {
        buf_str(out, args->assignments.v[i].name);
        buf_putc(out, '=');
        buf_str(out, args->assignments.v[i].value);
        buf_putc(out, ' ');
    }
    for (size_t i = 0; i < args->targets.n; i++) {
        buf_str(out, args->targets.v[i]);
        buf_putc(out, ' ');
    }
    if (out->n != 0)
        out->n--;
}

/* All that decides what belongs to the plan. */
static void say_command_line(const struct arguments *args, struct buf *out) {
    buf_puts(out, args->file);
    buf_putc(out, '\n');
    join_words(args, out);
    for (size_t i = 0; i < args->plan.only.n + args->plan.except.n; i++) {
        bool only = i < args->plan.only.n;
        buf_puts(out, only ? "\nonly " : "\nexcept ");
        buf_str(out, only ? args->plan.only.v[i] : args->plan.except.v[i - args->plan.only.n]);
    }
}

static void seal(const struct run_arguments *args, const struct input *in,
                 const struct state *state, size_t steps) {
    struct buf line = {0};
    say_command_line(&args->common, &line);
    if (in->plan.left_out.n == 0)
        seal_write(STATE_DIRECTORY, buf_view(&line), in->graph.uses, state->fresh, steps);
    buf_free(&line);
}

static bool is_sealed(const struct run_arguments *args, size_t *steps) {
    struct buf line = {0};
    say_command_line(&args->common, &line);
    bool is = !args->fresh.always && seal_holds(STATE_DIRECTORY, buf_view(&line), steps);
    buf_free(&line);
    return is;
}

static int nothing_to_do(const struct run_arguments *args, size_t fresh_steps) {
    if (!args->common.quiet && fresh_steps == 1)
        fputs("foray: nothing to do: the step is up to date\n", stderr);
    else if (!args->common.quiet && fresh_steps != 0)
        fprintf(stderr, "foray: nothing to do: all %zu steps are up to date\n", fresh_steps);
    else if (!args->common.quiet)
        fputs("foray: nothing to do\n", stderr);
    return STATUS_DONE;
}

/* With the graph read and what is remembered at hand. */
static int run_input(void *context, struct input *in, struct state *state) {
    const struct run_arguments *args = context;
    fresh_link(state->fresh, &in->diags);
    if (!input_plan(in, &args->common))
        return STATUS_NOTHING_RUN;
    size_t fresh_steps = fresh_prune(state->fresh, &in->plan, &in->diags);
    bool mistakes = input_report(in, &args->common);
    if (args->dry_run) {
        print_plan(state, in, args->common.verbose);
        return mistakes ? STATUS_NOTHING_RUN : STATUS_DONE;
    }
    /* Steps that are left out may let the graph grow. */
    bool grows = in->graph.growth != NULL && in->plan.left_out.n != 0;
    if (run_steps(&in->plan) == 0 && !grows) {
        if (state->journal != NULL) { /* left by one that was killed when all was done */
            temporary_begin(STATE_DIRECTORY);
            temporary_end();
        }
        seal(args, in, state, fresh_steps);
        return nothing_to_do(args, fresh_steps);
    }
    seal_remove(STATE_DIRECTORY);
    struct buf words = {0};
    join_words(&args->common, &words);
    bool begun = fresh_begin_run(state->fresh, buf_view(&words));
    buf_free(&words);
    if (!begun)
        return STATUS_HOSTS_FAILED;
    int status = run_plan(args, &in->graph, &in->plan, state, fresh_steps);
    if (status == STATUS_DONE)
        seal(args, in, state, fresh_steps + run_steps(&in->plan));
    return status;
}

static int run_main(const struct verb *verb, int argc, char **argv) {
    struct run_arguments args;
    int status = run_arguments_read(&args, verb, argc, argv);
    if (status >= 0)
        return status;
    size_t fresh_steps;
    if (is_sealed(&args, &fresh_steps)) {
        status = args.dry_run ? STATUS_DONE : nothing_to_do(&args, fresh_steps);
        run_arguments_free(&args);
        return status;
    }
    args.run.seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
    status = state_with(&args.common, &args.fresh, !args.dry_run, run_input, &args);
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
