/* foray clean: what the graph has made goes away. */
#include "cmd/state.h"

#include "base/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char clean_help[] = "  -n, --dry-run         only list what would be removed\n";

static const struct option long_options[] = {{"dry-run", no_argument, NULL, 'n'}, COMMON_LONG};

struct cleaning {
    const struct graph *graph;
    struct journal *journal;
    struct str file;
    VEC(bool) ours; /* by run: it was one of this graph's file */
    struct map seen;
    str_list names;
};

/* Only files and links, and nothing that is an input now. */
static void add(struct cleaning *c, struct str name) {
    struct stat st;
    const struct file *file = graph_find_file(c->graph, name);
    size_t before = c->seen.n;
    if (file != NULL && file->maker == NULL && file->read)
        return;
    if (lstat(name.s, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)))
        return;
    map_put(&c->seen, name);
    if (c->seen.n != before)
        *vec_push(&c->names) = name;
}

/* What a past try has made, if it is still as it left it. */
static void add_made(struct cleaning *c, const struct record_end *r) {
    for (size_t i = 0; i < r->n_out && r->ending == ENDED_WELL; i++) {
        const struct version *v = journal_version(c->journal, r->out[i]);
        struct signature is = signature_of(v->name.s, false);
        if (signature_same_stat(&v->was, &is))
            add(c, v->name);
    }
}

static void take_run(void *context, const struct record_run *r) {
    struct cleaning *c = context;
    while (c->ours.n <= r->run)
        *vec_push(&c->ours) = false;
    c->ours.v[r->run] = str_eq(r->file, c->file);
}

static void take_end(void *context, const struct record_end *r) {
    struct cleaning *c = context;
    if (r->run < c->ours.n && c->ours.v[r->run] && journal_is_last(c->journal, r))
        add_made(c, r);
}

static void collect(struct cleaning *c, const struct input *in, const struct fresh *fresh,
                    bool all) {
    for (size_t i = 0; i < (all ? in->graph.steps.n : in->plan.asked.n); i++) {
        const struct step *step = all ? in->graph.steps.v[i] : in->plan.asked.v[i];
        struct past past;
        for (size_t k = 0; k < step->n_out; k++)
            add(c, step->out[k]->name);
        if (step->n_patterns != 0 && c->journal != NULL &&
            journal_find(c->journal, fresh_key(fresh, step), &past) && past.ended)
            add_made(c, &past.last);
    }
    if (all && c->journal != NULL)
        journal_read(c->journal,
                     &(struct journal_reader){.context = c, .run = take_run, .end = take_end});
}

static int remove_all(const struct cleaning *c, bool dry_run, bool quiet) {
    struct buf out = {0};
    int status = STATUS_DONE;
    for (size_t i = 0; i < c->names.n && !quiet; i++) {
        buf_visible(&out, c->names.v[i]);
        buf_putc(&out, '\n');
    }
    fwrite(buf_view(&out).s, 1, out.n, stdout);
    fflush(stdout);
    buf_free(&out);
    size_t removed = 0;
    for (size_t i = 0; i < c->names.n && !dry_run; i++) {
        if (unlink(c->names.v[i].s) == 0 || errno == ENOENT) {
            removed++;
            continue;
        }
        buf_visible(&out, c->names.v[i]);
        fprintf(stderr, "foray: cannot remove %s: %s\n", out.s, strerror(errno));
        buf_clear(&out);
        status = STATUS_STEP_FAILED;
    }
    if (!quiet && dry_run)
        fprintf(stderr, "foray: %zu file%s would be removed\n", c->names.n,
                c->names.n == 1 ? "" : "s");
    else if (!quiet)
        fprintf(stderr, "foray: %zu file%s removed\n", removed, removed == 1 ? "" : "s");
    buf_free(&out);
    return status;
}

struct clean_arguments {
    struct arguments common;
    bool dry_run;
};

static int clean(void *context, struct input *in, struct state *state) {
    const struct arguments *args = &((struct clean_arguments *)context)->common;
    bool dry_run = ((struct clean_arguments *)context)->dry_run;
    if (args->targets.n != 0) {
        /* Files that are missing are no mistake here: the plan is made for its targets only. */
        plan_make(&in->plan, &in->graph, &args->plan, &in->diags);
        if (in->plan.asked.n == 0) {
            input_report(in, args);
            return STATUS_NOTHING_RUN;
        }
    }
    struct cleaning c = {.graph = &in->graph, .journal = state->journal, .file = state_file(args)};
    collect(&c, in, state->fresh, args->targets.n == 0);
    int status = remove_all(&c, dry_run, args->quiet);
    map_free(&c.seen);
    vec_free(&c.names);
    vec_free(&c.ours);
    return status;
}

static int clean_main(const struct verb *verb, int argc, char **argv) {
    struct clean_arguments args = {.dry_run = false};
    int status = -1;
    arguments_init(&args.common);
    optind = 1;
    for (int option;
         status < 0 && (option = getopt_long(argc, argv, "nC:f:qvh", long_options, NULL)) != -1;) {
        if (option == 'n')
            args.dry_run = true;
        else
            status = arguments_option(&args.common, verb, option);
    }
    if (status < 0)
        status = arguments_rest(&args.common, verb, argc, argv);
    if (status < 0)
        status = state_with(&args.common, &(struct fresh_options){0}, !args.dry_run, clean, &args);
    arguments_free(&args.common);
    return status;
}

const struct verb verb_clean = {
    .name = "clean",
    .summary = "Removes the files that the graph makes, or that STEPs make",
    .usage = "foray clean [OPTION...] [NAME=VALUE...] [STEP...]",
    .help = clean_help,
    .main = clean_main,
};
