/* What the verbs share that reach hosts without a graph of the user's: which hosts, and how.
 *
 * Nothing is remembered: no directory of state, no lock. */
#ifndef FORAY_CMD_REACH_H
#define FORAY_CMD_REACH_H

#include "cmd/options.h"
#include "cmd/session.h"
#include "read/words.h"

struct reach {
    struct run_arguments args;
    option_list on, except;
    struct input in; /* the hosts of the file, if there is one; the verb adds its steps */
    bool has_input;
};

extern const char reach_help[]; /* of the options below */
/* For getopt; `+` in front of them where the first other word ends the options. */
#define REACH_SHORT "w:x:j:N:k:KC:f:F:qvh"
#define REACH_LONG                                                                                 \
    {"on", required_argument, NULL, 'w'}, {"hosts", required_argument, NULL, 'w'},                 \
        {"exclude", required_argument, NULL, 'x'}, {"jobs", required_argument, NULL, 'j'},         \
        {"keep-going", required_argument, NULL, 'k'}, {"kill", no_argument, NULL, 'K'},            \
        {"timeout", required_argument, NULL, OPT_TIMEOUT},                                         \
        {"ssh-config", required_argument, NULL, 'F'}, {"file", required_argument, NULL, 'f'},      \
        {"directory", required_argument, NULL, 'C'}, {"quiet", no_argument, NULL, 'q'},            \
        {"verbose", no_argument, NULL, 'v'}, {"color", required_argument, NULL, OPT_COLOR},        \
        {"colour", required_argument, NULL, OPT_COLOR}, {"help", no_argument, NULL, 'h'},          \
        {"version", no_argument, NULL, OPT_VERSION}, {                                             \
        NULL, 0, NULL, 0                                                                           \
    }

void reach_init(struct reach *r); /* all hosts at once, and the others go on where one fails */
/* One option. -1: go on; else the status to exit with. */
int reach_option(struct reach *r, const struct verb *verb, int option);
/* After the options: enters the directory and reads the hosts of its file. -1, or the status. */
int reach_begin(struct reach *r, const struct verb *verb);
/* The hosts that the options name, at least one (see read/words.h). NULL: told. */
struct pool *reach_pool(struct reach *r);
void reach_free(struct reach *r);

/* Then the verb adds its rules to in.graph (graph_add_rule), one or more steps on hosts
 * (graph_add_step, step->pool from graph_host_pool), and may add needs between them; this links
 * and plans them all. false, told. */
bool reach_plan(struct reach *r);
/* Runs them, as session_run does. work: view, context, interrupted, summary; s has begun. */
int reach_run(struct reach *r, struct session *s, struct session_work *work);

#endif
