/* A directory of its own for what a hostile host makes of an errand, in one of its own; in memory,
 * where there is such a place, since what is fetched is synced. Only for fuzz targets. */
#ifndef FORAY_TESTS_FUZZ_PEN_H
#define FORAY_TESTS_FUZZ_PEN_H

#include "carry/temporary.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void require(bool promise) {
    if (!promise)
        abort();
}

static char pen_outer[64];

static void pen_leave_nothing(void) {
    if (chdir(pen_outer) == 0) {
        rmdir("inner");
        rmdir(pen_outer);
    }
}

/* Returns where we were. */
static int pen_enter(void) {
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(before >= 0);
    if (pen_outer[0] == '\0') {
        snprintf(pen_outer, sizeof pen_outer, "%s/fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        require(mkdtemp(pen_outer) != NULL && chdir(pen_outer) == 0 && mkdir("inner", 0700) == 0);
        atexit(pen_leave_nothing);
    }
    require(chdir(pen_outer) == 0 && chdir("inner") == 0);
    return before;
}

static bool pen_temporaries; /* some are there */

/* Seen from outside: there is only this directory, and in it only what was asked for. */
static int pen_visit(const char *path, const struct stat *st, int kind, struct FTW *f) {
    (void)st;
    (void)kind;
    const char *base = path + f->base;
    bool temporary = temporary_is(str_of(base));
    pen_temporaries = pen_temporaries || temporary;
    if (f->level == 1)
        require(strcmp(base, "inner") == 0);
    if (f->level == 2 && !temporary)
        require(strcmp(base, "out") == 0 || strcmp(base, "p") == 0 || strcmp(base, "t") == 0);
    return 0;
}

static void pen_nothing(void *arg) {
    (void)arg;
}

static void pen_turn(struct loop *loop, int64_t wait) {
    struct timer soon = {.expired = pen_nothing};
    loop_timer(loop, &soon, loop_now(loop) + wait);
    loop_turn(loop);
    loop_timer_clear(loop, &soon);
}

static int pen_remove(const char *path, const struct stat *st, int kind, struct FTW *f) {
    (void)st;
    (void)kind;
    return f->level == 0 ? 0 : remove(path);
}

/* Looks around, clears up and goes back. What was being synced when it ended may take a moment. */
static void pen_check(struct loop *loop, int before) {
    for (int tries = 0;; tries++) {
        pen_temporaries = false;
        require(nftw("..", pen_visit, 16, FTW_PHYS) == 0);
        if (!pen_temporaries)
            break;
        require(tries < 5000);
        pen_turn(loop, MILLISECOND);
    }
    nftw(".", pen_remove, 16, FTW_PHYS | FTW_DEPTH);
    require(fchdir(before) == 0);
    close(before);
}

#endif
