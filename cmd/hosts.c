/* foray hosts: which hosts can be used, and what they are like. */
#include "cmd/reach.h"
#include "run/survey.h"
#include "view/host_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char hosts_help[] =
    "      --json            as one JSON object, in bytes and seconds\n"
    "  -w, --on=HOSTS        these, like HOSTS\n"
    "  -x, --exclude=HOSTS   not these\n"
    "  -F, --ssh-config=FILE an ssh configuration, as in ssh (also FORAY_SSH_CONFIG)\n"
    "  -f, --file=FILE       read FILE (-: standard input) instead of foray.yaml\n"
    "  -C, --directory=DIR   work in DIR\n"
    "  -q, --quiet           no summary where all can be used\n"
    "      --color=WHEN      auto, always or never\n"
    "  -h, --help            this text\n"
    "      --version         the version\n"
    "\n"
    "HOSTS are pools of foray.yaml and node sets, node[01-23]; none means all hosts of all pools.\n"
    "Exit status: 0 if all of them can be used, else 3.\n";

enum { OPT_JSON = 3000 };

static const struct option long_options[] = {
    {"json", no_argument, NULL, OPT_JSON},
    {"on", required_argument, NULL, 'w'},
    {"hosts", required_argument, NULL, 'w'},
    {"exclude", required_argument, NULL, 'x'},
    {"ssh-config", required_argument, NULL, 'F'},
    {"file", required_argument, NULL, 'f'},
    {"directory", required_argument, NULL, 'C'},
    {"quiet", no_argument, NULL, 'q'},
    {"color", required_argument, NULL, OPT_COLOR},
    {"colour", required_argument, NULL, OPT_COLOR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* 0: it is no terminal, and has no end. */
static size_t terminal_width(void) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    long width = columns != NULL ? strtol(columns, NULL, 10) : 0;
    if (!isatty(STDOUT_FILENO))
        return 0;
    if (width > 0 && width < 10000)
        return (size_t)width;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 80;
}

static size_t count_usable(const struct host_facts *facts, size_t n) {
    size_t usable = 0;
    for (size_t i = 0; i < n; i++)
        usable += facts[i].error.n == 0;
    return usable;
}

static void print(const struct reach *r, const struct host_facts *facts, size_t n, bool json) {
    const struct arguments *common = &r->args.common;
    size_t usable = count_usable(facts, n);
    struct buf out = {0};
    if (json)
        host_table_json(facts, n, &out);
    else
        host_table_print(facts, n, terminal_width(), common->colour && isatty(STDOUT_FILENO), &out);
    fwrite(out.s, 1, out.n, stdout);
    fflush(stdout);
    buf_free(&out);
    if (usable != n)
        fprintf(stderr, "foray: %zu host%s: %zu can be used, %zu cannot\n", n, n == 1 ? "" : "s",
                usable, n - usable);
    else if (!common->quiet)
        fprintf(stderr, "foray: %zu host%s: %s be used\n", n, n == 1 ? "" : "s",
                n == 1 ? "it can" : "all can");
}

static bool close_survey(void *arg) {
    return survey_close(arg);
}

static int survey(const struct reach *r, const struct pool *pool, bool json) {
    struct session session;
    if (!session_begin(&session, -1))
        return STATUS_HOSTS_FAILED;
    struct survey *s = survey_new(session.loop, &session.watcher, pool->hosts, pool->n_hosts,
                                  r->args.run.ssh_config);
    while (!survey_is_over(s) && session.ended_by == 0)
        loop_turn(session.loop);
    int status = 128 + session.ended_by;
    if (session.ended_by == 0) {
        size_t usable = count_usable(survey_facts(s), pool->n_hosts);
        status = usable == pool->n_hosts ? STATUS_DONE : STATUS_HOSTS_FAILED;
        print(r, survey_facts(s), pool->n_hosts, json);
    }
    session_wind_up(&session, close_survey, s);
    survey_free(s);
    session_end(&session);
    return status;
}

/* All hosts of the file, where none are named. */
static int name_all(struct reach *r, const struct verb *verb) {
    const struct graph *g = &r->in.graph;
    for (size_t i = 0; i < g->pools.n; i++)
        *vec_push(&r->on) = (struct source){"hosts", g->pools.v[i]->name};
    if (r->on.n != 0)
        return -1;
    if (r->args.common.file == NULL)
        return usage_error(verb, "which hosts? there is no foray.yaml here; say 'node[01-23]'");
    return usage_error(verb, "which hosts? %s names none; say 'node[01-23]'", r->args.common.file);
}

static int hosts_main(const struct verb *verb, int argc, char **argv) {
    struct reach r;
    bool json = false;
    int status = -1;
    reach_init(&r);
    optind = 1;
    for (int option; status < 0 && (option = getopt_long(argc, argv, "w:x:F:f:C:qh", long_options,
                                                         NULL)) != -1;) {
        json = json || option == OPT_JSON;
        if (option != OPT_JSON)
            status = reach_option(&r, verb, option);
    }
    for (int i = optind; status < 0 && i < argc; i++)
        *vec_push(&r.on) = (struct source){"hosts", str_of(argv[i])};
    if (status < 0)
        status = reach_begin(&r, verb);
    if (status < 0 && r.on.n == 0)
        status = name_all(&r, verb);
    if (status < 0) {
        const struct pool *pool = reach_pool(&r);
        status = pool != NULL ? survey(&r, pool, json) : STATUS_NOTHING_RUN;
    }
    reach_free(&r);
    return status;
}

const struct verb verb_hosts = {
    .name = "hosts",
    .summary = "Tells which hosts can be used, and what they are like",
    .usage = "foray hosts [OPTION...] [HOSTS...]",
    .help = hosts_help,
    .common = "",
    .main = hosts_main,
};
