/* The command line of `foray run`. */
#ifndef FORAY_CMD_OPTIONS_H
#define FORAY_CMD_OPTIONS_H

#include "base/strlist.h"
#include "cmd/verb.h"
#include "plan/plan.h"
#include "read/yaml.h"
#include "run/run.h"

struct run_arguments {
    struct run_options run;
    const char *file; /* "-": standard input */
    char *ssh_config; /* the memory of run.ssh_config, where it was made absolute */
    bool dry_run, quiet, verbose, colour;
    VEC(struct assignment) assignments;
    str_list targets;
    struct plan_options plan;
};

extern const char run_help[];

/* Reads options, enters the directory of -C and finds the file. -1: go on; else the status to exit
 * with (--help, or a mistake that has been reported). After -1, run_arguments_free gives the memory
 * back. */
int run_arguments_read(struct run_arguments *args, const struct verb *verb, int argc, char **argv);
void run_arguments_free(struct run_arguments *args);

/* Reads a whole file; reports what is wrong on standard error. source->text.s is the caller's to
 * free. */
bool read_source(struct source *source, const char *file);

#endif
