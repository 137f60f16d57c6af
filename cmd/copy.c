/* foray copy: files to hosts, and from them. */
#include "cmd/reach.h"

#include "carry/temporary.h"
#include "read/copy.h"
#include "run/join.h"
#include "view/copying.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char copy_help[] =
    "      --scatter         give each host a part of the file: whole lines, nearly equal in "
    "bytes\n"
    "      --gather          join what the hosts hold, in their order, into one file here\n"
    "      --relay           hosts that have it pass it on to others, by their own ssh\n"
    "  -A, --forward-agent   the same, with the ssh agent of here forwarded to them: who is root\n"
    "                        there can use it meanwhile\n"
    "  -p, --preserve        times too, and modes whatever the umask says\n"
    "  -r, --recursive       as for scp; directories always go with all that is in them\n";

/* A host that did not answer for so long is not tried again. */
#define REACH (5 * SECOND)

enum { OPT_SCATTER = 3000, OPT_GATHER, OPT_RELAY };

static const struct option long_options[] = {
    {"scatter", no_argument, NULL, OPT_SCATTER},
    {"gather", no_argument, NULL, OPT_GATHER},
    {"relay", no_argument, NULL, OPT_RELAY},
    {"forward-agent", no_argument, NULL, 'A'},
    {"preserve", no_argument, NULL, 'p'},
    {"recursive", no_argument, NULL, 'r'},
    REACH_LONG,
};

struct transfer {
    struct reach reach;
    str_list words;
    struct copy_order order;
    struct copy_steps steps;
};

/* --- when all hosts are done --- */

struct gathering {
    const struct copy_steps *steps;
    atomic_bool stop;
    bool over;
    int error;
    struct buf failed;
};

static void gather(void *arg) {
    struct gathering *g = arg;
    g->error =
        join_files(g->steps->parts, &g->steps->part_names, g->steps->whole, &g->stop, &g->failed);
}

static void gathered(void *arg) {
    ((struct gathering *)arg)->over = true;
}

/* Joins the parts into one file; they are gone then, however it ends. */
static int finish_gathering(const struct transfer *c, struct session *s, int status) {
    struct gathering g = {.steps = &c->steps};
    if (status == STATUS_DONE) {
        loop_aside(s->loop, gather, gathered, &g);
        while (!g.over) {
            loop_turn(s->loop);
            atomic_store(&g.stop, s->ended_by != 0);
        }
        if (s->ended_by != 0) {
            status = 128 + s->ended_by;
        } else if (g.error == EISDIR) {
            fputs("foray: cannot join directories: --gather is for files\n", stderr);
            status = STATUS_STEP_FAILED;
        } else if (g.error != 0) {
            struct buf name = {0};
            buf_visible(&name, buf_view(&g.failed));
            fprintf(stderr, "foray: cannot join the parts: %s: %s\n", name.s, strerror(g.error));
            buf_free(&name);
            status = STATUS_HOSTS_FAILED;
        }
        buf_free(&g.failed);
    }
    join_remove(c->steps.parts);
    return status;
}

/* The parts that went to the hosts are of one file only if that did not change meanwhile. */
static int finish_scattering(const struct transfer *c, int status) {
    struct signature is = signature_of(c->steps.scattered.s, false);
    if (signature_same_stat(&c->steps.was, &is))
        return status;
    struct buf name = {0};
    buf_visible(&name, c->steps.scattered);
    fprintf(stderr,
            "foray: %s changed while it was scattered: what the hosts have does not belong "
            "together\n",
            name.s);
    buf_free(&name);
    return status == STATUS_DONE ? STATUS_STEP_FAILED : status;
}

/* --- the run --- */

static void interrupted(void *context, int signal) {
    copying_interrupted(context, signal);
}

static void over(void *context) {
    copying_over(context);
}

static bool has_terminal(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
}

static int run(struct transfer *c) {
    const struct arguments *common = &c->reach.args.common;
    struct session session;
    if (!session_begin(&session, c->steps.fetch ? temporary_begin_unnamed() : -1))
        return STATUS_HOSTS_FAILED;
    struct copying *view = copying_new(session.loop, session.sink,
                                       &(struct copying_options){.hosts = c->steps.hosts,
                                                                 .fetch = c->steps.fetch,
                                                                 .quiet = common->quiet,
                                                                 .verbose = common->verbose,
                                                                 .terminal = has_terminal(),
                                                                 .colour = common->colour});
    struct run_view events = copying_view(view);
    struct session_work work = {
        .view = &events, .context = view, .interrupted = interrupted, .summary = over};
    int status = reach_run(&c->reach, &session, &work);
    enum stream where;
    /* What failed was only on the way from host to host. */
    if (c->order.relay && copying_all_well(view) && session.ended_by == 0 &&
        sink_error(session.sink, &where) == 0)
        status = STATUS_DONE;
    if (c->order.gather)
        status = finish_gathering(c, &session, status);
    if (c->order.scatter)
        status = finish_scattering(c, status);
    copying_summary(view, status != STATUS_DONE);
    while (!sink_empty(session.sink))
        loop_turn(session.loop);
    session_end(&session);
    copying_free(view);
    return status;
}

/* --- the command line --- */

static int read_words(struct transfer *c, const struct verb *verb, char **words, int n) {
    if (n < 2)
        return usage_error(verb,
                           n == 0 ? "what is to be copied, and where to?"
                                  : "`%s` is to be copied, but where to?",
                           n == 0 ? "" : words[0]);
    if (c->order.scatter && c->order.gather)
        return usage_error(verb, "--scatter and --gather at once come to nothing");
    for (int i = 0; i < n; i++)
        *vec_push(&c->words) = str_of(words[i]);
    int status = reach_begin(&c->reach, verb);
    if (status >= 0)
        return status;
    c->order.words = c->words.v;
    c->order.n = c->words.n;
    c->order.on = &c->reach.on;
    c->order.except = &c->reach.except;
    if (c->order.agent && !c->reach.args.run.jobs_given)
        c->reach.args.run.jobs_given = true; /* no bound, since the hosts work, not this machine */
    c->order.ssh_config = c->reach.args.run.ssh_config;
    struct input *in = &c->reach.in;
    bool good = copy_read(&in->graph, &c->order, &c->steps, &in->diags);
    good = !input_report(in, &c->reach.args.common) && good;
    if (!good)
        return c->steps.missing ? STATUS_STEP_FAILED : STATUS_NOTHING_RUN;
    return reach_plan(&c->reach) ? -1 : STATUS_NOTHING_RUN;
}

static int copy_main(const struct verb *verb, int argc, char **argv) {
    struct transfer c = {0};
    int status = -1;
    reach_init(&c.reach);
    c.reach.args.run.reach = REACH;
    optind = 1;
    for (int option; status < 0 && (option = getopt_long(argc, argv, "Apr" REACH_SHORT,
                                                         long_options, NULL)) != -1;) {
        switch (option) {
        case OPT_SCATTER:
            c.order.scatter = true;
            break;
        case OPT_GATHER:
            c.order.gather = true;
            break;
        case 'A':
            c.order.agent = true;
            /* fall through */
        case OPT_RELAY:
            c.order.relay = true;
            break;
        case 'p':
            c.order.preserve = true;
            break;
        case 'r':
            break;
        default:
            status = reach_option(&c.reach, verb, option);
        }
    }
    if (status < 0)
        status = read_words(&c, verb, argv + optind, argc - optind);
    if (status < 0)
        status = run(&c);
    reach_free(&c.reach);
    vec_free(&c.steps.part_names);
    vec_free(&c.words);
    return status;
}

const struct verb verb_copy = {
    .name = "copy",
    .summary = "Copies files to hosts, and from them",
    .usage = "foray copy [OPTION...] SRC... DST    (HOSTS:PATH on one side)",
    .help = copy_help,
    .common = reach_help,
    .main = copy_main,
};
