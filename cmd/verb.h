/* A verb of the command line: one table entry, one file. */
#ifndef FORAY_CMD_VERB_H
#define FORAY_CMD_VERB_H

/* Exit statuses, as the manual promises them. 128 + N: ended by signal N. */
enum status {
    STATUS_DONE = 0,
    STATUS_STEP_FAILED = 1,
    STATUS_NOTHING_RUN = 2, /* the command line, a file or the graph is wrong */
    STATUS_HOSTS_FAILED = 3 /* no step failed, but hosts or transfers did */
};

struct verb {
    const char *name;
    const char *summary;
    const char *usage;
    const char *help;   /* the options, one line each */
    const char *common; /* those that it shares with others; NULL: of verbs that read a graph */
    int (*main)(const struct verb *verb, int argc,
                char **argv); /* argv[0] is the verb; the exit status */
};

extern const struct verb verb_run, verb_check, verb_graph, verb_why, verb_log, verb_clean, verb_all,
    verb_copy, verb_hosts;

/* "foray: MESSAGE", and where to find help, on standard error. Returns STATUS_NOTHING_RUN. */
int usage_error(const struct verb *verb, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void print_help(const struct verb *verb);

#endif
