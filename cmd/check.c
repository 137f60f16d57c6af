/* foray check: everything is read and looked at, nothing is run. */
#include "cmd/options.h"

#include <stdio.h>

static const char check_help[] = "  -q, --quiet           say nothing if all is good\n";

static const struct option long_options[] = {COMMON_LONG};

static const char *plural(size_t n) {
    return n == 1 ? "" : "s";
}

/* What there is, in a line. */
static void tell(const struct input *in, const struct arguments *args) {
    const struct graph *g = &in->graph;
    size_t steps = run_steps(&in->plan), late = 0;
    for (size_t i = 0; i < g->rules.n; i++)
        late += g->rules.v[i]->late;
    fprintf(stderr, "foray: %s is good: %zu step%s of %zu rule%s", args->file, steps, plural(steps),
            g->rules.n, plural(g->rules.n));
    if (late != 0)
        fprintf(stderr, " (%zu of them known only while it runs)", late);
    if (g->hosts.n != 0)
        fprintf(stderr, ", %zu host%s", g->hosts.n, plural(g->hosts.n));
    fputc('\n', stderr);
}

static int check_main(const struct verb *verb, int argc, char **argv) {
    struct arguments args;
    int status = -1;
    arguments_init(&args);
    optind = 1;
    for (int option;
         status < 0 && (option = getopt_long(argc, argv, common_short, long_options, NULL)) != -1;)
        status = arguments_option(&args, verb, option);
    if (status < 0)
        status = arguments_rest(&args, verb, argc, argv);
    if (status < 0) {
        struct input in;
        bool good = input_read(&in, &args) && input_plan(&in, &args);
        if (good && !args.quiet)
            tell(&in, &args);
        status = good ? STATUS_DONE : STATUS_NOTHING_RUN;
        input_free(&in);
    }
    arguments_free(&args);
    return status;
}

const struct verb verb_check = {
    .name = "check",
    .summary = "Reads everything and tells what is wrong; runs nothing",
    .usage = "foray check [OPTION...] [NAME=VALUE...] [TARGET...]",
    .help = check_help,
    .main = check_main,
};
