/* Starts processes, each the leader of a process group that the watcher knows of. */
#ifndef FORAY_LOOP_SPAWN_H
#define FORAY_LOOP_SPAWN_H

#include "loop/watcher.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_OURS = -1, SPAWN_NULL = -2 };

/* What a process is started from. */
struct birth {
    const struct watcher *watcher;
    const char *program;
    char *const *argv, *const *envp; /* envp NULL: ours; then the program is looked for in PATH */
    int in, out, err;                /* SPAWN_OURS: as we have it, SPAWN_NULL: nothing */
    bool session;                    /* in a session of its own: it has no terminal, */
    bool terminal;                   /* but that on standard input */
    bool lifeline;                   /* see watcher_add */
    volatile int error;              /* spawn's */
};

/* 0, or errno, also if the program could not be executed. The watcher has been told even if foray
 * is killed meanwhile; when it has ended, the caller tells it before reaping. */
int spawn(pid_t *pid, struct birth *b);

/* A descriptor that is readable when the process has ended; -1: there is none on this system. */
int spawn_pidfd(pid_t pid);

/* A pipe whose end number `own` is ours: never waited on. Neither end is inherited but by what it
 * is given to. 0 or errno. */
int spawn_pipe(int ends[2], int own);

#endif
