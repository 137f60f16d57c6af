/* foray all: one command on every host. */
#include "base/shell.h"
#include "cmd/reach.h"
#include "view/by_host.h"

#include <stdio.h>

static const char all_help[] =
    "  -b, --gather          when all have ended: equal output once, under the names of its hosts\n"
    "      --tag             each line at once, after its host's name (as without it)\n"
    "      --raw             output as it comes, without names\n"
    "\n"
    "One word is a script for sh there; several words are a command and its arguments, which no\n"
    "shell takes apart. {{host}} is the host's name. It starts in the home directory, its "
    "standard\n"
    "input is empty. Exit status: 0 if it ended with 0 on all hosts, 1 if it failed or timed out "
    "on\n"
    "one, 3 if a host could not be used or was lost.\n\n";

enum { OPT_TAG = 3000, OPT_RAW };

static const struct option long_options[] = {
    {"gather", no_argument, NULL, 'b'},
    {"tag", no_argument, NULL, OPT_TAG},
    {"raw", no_argument, NULL, OPT_RAW},
    REACH_LONG,
};

/* A host that did not answer for so long is not tried again. */
#define REACH (5 * SECOND)

struct all {
    struct reach reach;
    struct by_host_options view;
    struct source command; /* what is run, as text for sh */
};

static int read_option(struct all *all, const struct verb *verb, int option) {
    switch (option) {
    case 'b':
        all->view.look = BY_HOST_GATHER;
        return -1;
    case OPT_TAG:
        all->view.look = BY_HOST_LINES;
        return -1;
    case OPT_RAW:
        all->view.look = BY_HOST_RAW;
        return -1;
    default:
        return reach_option(&all->reach, verb, option);
    }
}

struct command_origin {
    struct text_origin base;
    const struct source *source;
};

static struct place place_in_command(const struct text_origin *base, size_t offset, size_t length) {
    const struct command_origin *origin = (const struct command_origin *)base;
    struct place at = {.source = origin->source, .line = 1, .col = 1, .length = (uint32_t)length};
    for (size_t i = 0; i < offset; i++) {
        bool newline = origin->source->text.s[i] == '\n';
        at.line += newline;
        at.col = newline ? 1 : at.col + 1;
    }
    return at;
}

/* One word is a script, which goes on after a command that fails, as it would by ssh; several are a
 * command. */
static struct template read_command(struct all *all, int n, char **words) {
    struct graph *g = &all->reach.in.graph;
    struct buf text = {0};
    if (n == 1)
        buf_puts(&text, "set +e; ");
    for (int i = 0; i < n; i++) {
        if (i != 0)
            buf_putc(&text, ' ');
        if (n == 1)
            buf_puts(&text, words[i]);
        else
            shell_quote(&text, str_of(words[i]));
    }
    all->command = (struct source){"command", arena_str(&g->arena, buf_view(&text))};
    buf_free(&text);
    struct command_origin origin = {{place_in_command}, &all->command};
    return template_parse_command(&g->arena, all->command.text, STR("host"), &origin.base,
                                  &all->reach.in.diags);
}

static bool make_steps(struct all *all, const struct pool *pool, int n, char **words) {
    struct graph *g = &all->reach.in.graph;
    struct rule *rule = graph_add_rule(g, STR("all"), read_command(all, n, words));
    size_t first = g->steps.n;
    rule->once = true;
    rule->dir = template_parse(&g->arena, STR("."));
    for (size_t i = 0; i < pool->n_hosts; i++)
        graph_add_step(g, rule, (struct str){0}, false)->pool = graph_host_pool(g, pool->hosts[i]);
    graph_rule_done(g, rule, first);
    return reach_plan(&all->reach);
}

static void interrupted(void *context, int signal) {
    by_host_interrupted(context, signal);
}

static void summary(void *context) {
    by_host_summary(context);
}

static int run_all(struct all *all, size_t hosts) {
    struct session session;
    if (!session_begin(&session, -1))
        return STATUS_HOSTS_FAILED;
    const struct arguments *common = &all->reach.args.common;
    all->view.quiet = common->quiet;
    all->view.verbose = common->verbose;
    all->view.colour = common->colour;
    all->reach.args.run.reach = REACH;
    struct by_host *by_host = by_host_new(session.loop, session.sink, hosts, &all->view);
    struct run_view view = by_host_view(by_host);
    int status = reach_run(&all->reach, &session,
                           &(struct session_work){.view = &view,
                                                  .live = true,
                                                  .context = by_host,
                                                  .interrupted = interrupted,
                                                  .summary = summary});
    session_end(&session);
    by_host_free(by_host);
    return status;
}

static int all_main(const struct verb *verb, int argc, char **argv) {
    /* As fingers know it from make: the step of that name. */
    if (argc == 1)
        return verb_run.main(&verb_run, 2, (char *[]){argv[0], (char[]){"all"}, NULL});
    struct all all = {0};
    int status = -1;
    reach_init(&all.reach);
    optind = 1;
    for (int option; status < 0 && (option = getopt_long(argc, argv, "+b" REACH_SHORT, long_options,
                                                         NULL)) != -1;)
        status = read_option(&all, verb, option);
    if (status < 0 && all.reach.on.n == 0)
        status = usage_error(verb, "on which hosts? say --on=POOL, or -w 'node[01-23]'");
    if (status < 0 && optind == argc)
        status = usage_error(verb, "there is no command to run");
    if (status < 0)
        status = reach_begin(&all.reach, verb);
    if (status < 0) {
        const struct pool *pool = reach_pool(&all.reach);
        bool good = pool != NULL && make_steps(&all, pool, argc - optind, argv + optind);
        status = good ? run_all(&all, pool->n_hosts) : STATUS_NOTHING_RUN;
    }
    reach_free(&all.reach);
    return status;
}

const struct verb verb_all = {
    .name = "all",
    .summary = "Runs one command on every host",
    .usage = "foray all --on=HOSTS [OPTION...] [--] COMMAND [ARGUMENT...]",
    .help = all_help,
    .common = reach_help,
    .main = all_main,
};
