/* The command line, and the graph that it names. */
#ifndef FORAY_CMD_OPTIONS_H
#define FORAY_CMD_OPTIONS_H

#include "base/strlist.h"
#include "cmd/verb.h"
#include "plan/plan.h"
#include "read/yaml.h"
#include "run/run.h"

#include <getopt.h>

/* What every verb that reads a graph is told. */
struct arguments {
    const char *file; /* "-": standard input */
    bool quiet, verbose, colour;
    VEC(struct assignment) assignments;
    str_list targets;
    struct plan_options plan;
    const char *directory; /* of the last -C */
};

extern const char common_help[];  /* of verbs that read a graph */
extern const char common_short[]; /* for getopt */
/* The long options of all of them: for the end of a verb's table. */
enum { OPT_ONLY = 1000, OPT_EXCEPT, OPT_COLOR, OPT_VERSION };
#define COMMON_LONG                                                                                \
    {"file", required_argument, NULL, 'f'}, {"directory", required_argument, NULL, 'C'},           \
        {"only", required_argument, NULL, OPT_ONLY},                                               \
        {"except", required_argument, NULL, OPT_EXCEPT}, {"quiet", no_argument, NULL, 'q'},        \
        {"verbose", no_argument, NULL, 'v'}, {"color", required_argument, NULL, OPT_COLOR},        \
        {"colour", required_argument, NULL, OPT_COLOR}, {"help", no_argument, NULL, 'h'},          \
        {"version", no_argument, NULL, OPT_VERSION}, {                                             \
        NULL, 0, NULL, 0                                                                           \
    }

void arguments_init(struct arguments *args);
/* One option that is not the verb's own. -1: go on; else the status to exit with (--help, or a
 * mistake that has been reported). */
int arguments_option(struct arguments *args, const struct verb *verb, int option);
/* After the options: enters the directory of -C, takes the other words, and finds the file. */
int arguments_rest(struct arguments *args, const struct verb *verb, int argc, char **argv);
void arguments_free(struct arguments *args);
/* Enters the directory of the last -C. -1, or the status to exit with. */
int arguments_enter(const struct arguments *args, const struct verb *verb);
/* The file that a graph is read from where none is named; NULL: there is none. */
const char *arguments_find_file(void);

struct run_arguments {
    struct arguments common;
    struct run_options run;
    struct fresh_options fresh;
    char *ssh_config; /* the memory of run.ssh_config, where it was made absolute */
    bool dry_run;
};

extern const char run_help[];
/* The long options without a letter, for tables. */
enum { OPT_RETRY = 256, OPT_TIMEOUT, OPT_KEEP_SCRATCH, OPT_RESUME };

/* Before, one, and after the options of `foray run`, or of another verb that has some of them; as
 * above. */
void run_arguments_init(struct run_arguments *args);
int run_arguments_option(struct run_arguments *args, const struct verb *verb, int option);
void run_arguments_settle(struct run_arguments *args); /* before the directory is entered */
/* All of `foray run`. After -1, run_arguments_free gives the memory back. */
int run_arguments_read(struct run_arguments *args, const struct verb *verb, int argc, char **argv);
void run_arguments_free(struct run_arguments *args);

/* A graph that was read from its file, and what of it belongs to the targets. */
struct input {
    struct source source;
    struct diags diags;
    struct graph graph;
    struct plan plan;
};

/* Reads the graph, and tells on standard error what is wrong. false: nothing can be done with it.
 * In both cases input_free gives the memory back. */
bool input_read(struct input *in, const struct arguments *args);
/* Likewise, but only hosts and pools; of no file, there are none. */
bool input_read_hosts(struct input *in, const struct arguments *args);
/* Then the plan, likewise. */
bool input_plan(struct input *in, const struct arguments *args);
void input_free(struct input *in);
/* Prints what was collected, and forgets it; true if there were errors. */
bool input_report(struct input *in, const struct arguments *args);

#endif
