#include "cmd/state.h"

#include "plan/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell_holder(const char *holder) {
    fprintf(stderr,
            "foray: another foray works in this directory (process %s), or what it has left "
            "running is being ended: waiting for it\n",
            holder);
}

/* Where nothing can be written at all, such as on a read-only disk, or nothing locked, as on some
 * network disks, foray works without memory. */
static bool can_do_without(int error) {
    return error == EROFS || error == EACCES || error == EPERM || error == ENOLCK ||
           error == ENOTSUP;
}

struct str state_file(const struct arguments *args) {
    struct str file = str_of(args->file);
    while (str_starts(file, STR("./")))
        file = (struct str){file.s + 2, file.n - 2};
    return file;
}

static int open_to_write(struct state *state) {
    struct buf why = {0};
    int error = journal_directory(STATE_DIRECTORY), status = -1;
    if (error == 0) {
        errno = 0;
        state->lock =
            lock_take(STATE_DIRECTORY, getenv("FORAY_PID"), tell_holder, &why, &state->waited);
        error = state->lock < 0 ? errno : 0;
        if (state->lock < 0 && error == 0)
            status = STATUS_NOTHING_RUN;
    } else {
        buf_printf(&why, "%s: %s", STATE_DIRECTORY, strerror(error));
    }
    if (state->lock >= 0) {
        state->journal = journal_open(STATE_DIRECTORY, true, &why);
        if (state->journal == NULL)
            status = errno == 0 || can_do_without(errno) ? STATUS_NOTHING_RUN : STATUS_HOSTS_FAILED;
    } else if (can_do_without(error)) {
        fprintf(stderr, "foray: warning: %s: what has run will not be remembered, and runs again\n",
                why.s);
    } else if (status < 0) {
        status = STATUS_HOSTS_FAILED;
    }
    if (status >= 0)
        fprintf(stderr, "foray: %s\n", why.s);
    buf_free(&why);
    return status;
}

static int open_to_read(struct state *state) {
    struct buf why = {0};
    state->journal = journal_open(STATE_DIRECTORY, false, &why);
    if (state->journal == NULL)
        fprintf(stderr, "foray: %s\n", why.s);
    buf_free(&why);
    return state->journal != NULL ? -1 : STATUS_NOTHING_RUN;
}

static int open_state(struct state *state, bool write) {
    *state = (struct state){.lock = -1};
    int status = write ? open_to_write(state) : open_to_read(state);
    if (status < 0 && state->journal != NULL && journal_damage(state->journal).n != 0)
        fprintf(stderr, "foray: warning: %s\n", journal_damage(state->journal).s);
    return status;
}

static int close_state(struct state *state) {
    int error = journal_close(state->journal);
    fresh_free(state->fresh);
    if (state->lock >= 0)
        close(state->lock);
    *state = (struct state){.lock = -1};
    return error;
}

int state_with(const struct arguments *args, const struct fresh_options *options, bool write,
               int (*work)(void *context, struct input *in, struct state *state), void *context) {
    struct input in;
    struct state state = {.lock = -1};
    int status = input_read(&in, args) ? open_state(&state, write) : STATUS_NOTHING_RUN;
    /* While it waited, files that the graph is made of may have been made. */
    if (status < 0 && state.waited && strcmp(args->file, "-") != 0) {
        input_free(&in);
        status = input_read(&in, args) ? -1 : STATUS_NOTHING_RUN;
    }
    if (status < 0) {
        state.fresh = fresh_new(&in.graph, state.journal, state_file(args), options);
        status = work(context, &in, &state);
    }
    int error = close_state(&state);
    if (error != 0) {
        fprintf(stderr, "foray: cannot write " STATE_DIRECTORY "/journal: %s\n", strerror(error));
        status = status == STATUS_DONE ? STATUS_HOSTS_FAILED : status;
    }
    input_free(&in);
    return status;
}
