#include "cmd/verb.h"

#include "base/mem.h"
#include "cmd/options.h"
#include "way/keyring.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verb *const verbs[] = {&verb_run,   &verb_all,   &verb_copy,
                                           &verb_hosts, &verb_check, &verb_graph,
                                           &verb_why,   &verb_log,   &verb_clean};
enum { VERBS = sizeof verbs / sizeof *verbs };

static const struct verb *find_verb(const char *name) {
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

/* Ending here loses nothing: outputs appear whole or not at all, and the watcher ends the steps
 * that run. */
static void out_of_memory(size_t size) {
    static const char text[] = "foray: out of memory\n";
    (void)size;
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    _exit(STATUS_HOSTS_FAILED);
}

int usage_error(const struct verb *verb, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("foray: ", stderr);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\nTry `foray %s --help`.\n", verb->name);
    va_end(ap);
    return STATUS_NOTHING_RUN;
}

void print_help(const struct verb *verb) {
    printf("Usage: %s\n%s.\n\n%s%s", verb->usage, verb->summary, verb->help,
           verb->common != NULL ? verb->common : common_help);
    if (verb == &verb_run) {
        puts("\nVerbs (the first word; any other first word is a target of `run`):");
        for (size_t i = 0; i < VERBS; i++)
            printf("  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
        puts("\nThe manual: man foray (the command), man 5 foray.yaml (the language).");
    }
}

/* An option stands before it: it was taken for a target. */
static void help_with_verb(int argc, char **argv) {
    if (optind < argc && find_verb(argv[optind]) != NULL)
        fprintf(stderr, "foray: `%s` is a verb only as the first word: `foray %s %s ...`\n",
                argv[optind], argv[optind], argv[1]);
}

/* A ProxyCommand has a socket for its standard input. bash takes that for a sign that rshd has
 * started it, and runs .bashrc first, which may take its time; but not where another shell is above
 * it. From cron, or by `exec`, there is none (SHLVL, in bash(1)). */
static void be_above_shells(void) {
    const char *level = getenv("SHLVL");
    if (level == NULL || strtol(level, NULL, 10) < 1)
        setenv("SHLVL", "1", 1);
}

int main(int argc, char **argv) {
    mem_on_failure(out_of_memory);
    be_above_shells();
    int answer = keyring_answer();
    if (answer >= 0)
        return answer;
    const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    int skip = verb != NULL;
    if (verb == NULL)
        verb = &verb_run;
    char name[32]; /* for getopt to begin with */
    snprintf(name, sizeof name, "foray%s%s", skip != 0 ? " " : "", skip != 0 ? verb->name : "");
    if (argc > skip)
        argv[skip] = name;
    int status = verb->main(verb, argc - skip, argv + skip);
    if (skip == 0 && status == STATUS_NOTHING_RUN)
        help_with_verb(argc, argv);
    if (fflush(stdout) != 0 && status == STATUS_DONE) {
        perror("foray: standard output");
        status = STATUS_HOSTS_FAILED;
    }
    return status;
}
