#include "cmd/reach.h"

#include "plan/fresh.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

const char reach_help[] =
    "  -w, --on=HOSTS        these hosts: pools of foray.yaml, and node sets as\n"
    "                        node[01-23],ana@big:2222; several add up\n"
    "  -x, --exclude=HOSTS   not these\n"
    "  -j, --jobs=N          at most N hosts at once (also -N); 0, or without it: all\n"
    "  -k, --keep-going=N    go on after failures until N hosts have failed; without it: go on\n"
    "  -K, --kill            end everything at the first failure\n"
    "      --timeout=TIME    end what takes longer on a host: 90, 10m, 1h30m\n"
    "  -F, --ssh-config=FILE an ssh configuration, as in ssh (also FORAY_SSH_CONFIG)\n"
    "  -f, --file=FILE       pools of FILE instead of those of foray.yaml, which need not be "
    "there\n"
    "  -C, --directory=DIR   work in DIR\n"
    "  -q, --quiet           no summary where all went well\n"
    "  -v, --verbose         also when each host begins and ends\n"
    "      --color=WHEN      auto, always or never\n"
    "  -h, --help            this text\n"
    "      --version         the version\n";

void reach_init(struct reach *r) {
    *r = (struct reach){0};
    run_arguments_init(&r->args);
    r->args.run.failures = 0;
}

static void add_words(option_list *list, const char *name) {
    *vec_push(list) = (struct source){name, str_of(optarg)};
}

int reach_option(struct reach *r, const struct verb *verb, int option) {
    switch (option) {
    case 'w':
        add_words(&r->on, "--on");
        return -1;
    case 'x':
        add_words(&r->except, "--exclude");
        return -1;
    case 'K':
        r->args.run.failures = 1;
        /* fall through */
    default:
        return run_arguments_option(&r->args, verb, option);
    }
}

int reach_begin(struct reach *r, const struct verb *verb) {
    struct arguments *common = &r->args.common;
    run_arguments_settle(&r->args);
    int status = arguments_enter(common, verb);
    if (status >= 0)
        return status;
    if (common->file == NULL)
        common->file = arguments_find_file();
    r->has_input = true;
    return input_read_hosts(&r->in, common) ? -1 : STATUS_NOTHING_RUN;
}

struct pool *reach_pool(struct reach *r) {
    struct pool *pool = words_pool(&r->in.graph, &r->on, &r->except, &r->in.diags);
    input_report(&r->in, &r->args.common);
    return pool;
}

bool reach_plan(struct reach *r) {
    struct input *in = &r->in;
    bool good = graph_link(&in->graph, 0, &in->diags);
    return !input_report(in, &r->args.common) && good && input_plan(in, &r->args.common);
}

int reach_run(struct reach *r, struct session *s, struct session_work *work) {
    struct input *in = &r->in;
    struct fresh *fresh = fresh_new(&in->graph, NULL, STR(""), &(struct fresh_options){0});
    r->args.run.seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 32);
    work->graph = &in->graph;
    work->plan = &in->plan;
    work->fresh = fresh;
    work->options = &r->args.run;
    int status = session_run(s, work);
    fresh_free(fresh);
    return status;
}

void reach_free(struct reach *r) {
    if (r->has_input)
        input_free(&r->in);
    vec_free(&r->on);
    vec_free(&r->except);
    run_arguments_free(&r->args);
}
