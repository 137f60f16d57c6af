#include "view/ending.h"

#include <signal.h>

static const char *signal_name(int sig) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},
                 {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGKILL, "KILL"},
                 {SIGSEGV, "SEGV"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
                 {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGXCPU, "XCPU"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == sig)
            return names[i].name;
    return NULL;
}

void ending_say_signal(struct buf *out, int sig) {
    const char *name = signal_name(sig);
    if (name != NULL)
        buf_printf(out, "SIG%s", name);
    else
        buf_printf(out, "signal %d", sig);
}

void ending_say(struct buf *out, const struct job *job) {
    if (job->timed_out) {
        buf_puts(out, "ran into its time limit");
    } else if (job->cancelled) {
        buf_puts(out, "ended because the run was stopped");
    } else if (job->end == JOB_SIGNALED) {
        buf_puts(out, "ended by ");
        ending_say_signal(out, job->status);
    } else if (job->end == JOB_EXITED) {
        buf_printf(out, "exit status %d", job->status);
        /* A shell says so of a command that a signal ended. */
        if (job->status > 128 && signal_name(job->status - 128) != NULL)
            buf_printf(out, " (SIG%s)", signal_name(job->status - 128));
        else if (job->status == 127)
            buf_puts(out, " (command not found)");
        else if (job->status == 126)
            buf_puts(out, " (command cannot be executed)");
    } else if (job->end == JOB_LOST) {
        buf_puts(out, "lost: ");
        buf_visible(out, buf_view(&job->reason));
    } else {
        buf_visible(out, buf_view(&job->reason));
    }
}
