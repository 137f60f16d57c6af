#include "loop/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int signal_pipe = -1;

static void caught(int sig) {
    int error = errno;
    unsigned char byte = (unsigned char)sig;
    ssize_t n = write(signal_pipe, &byte, 1); /* full: enough of them are waiting */
    (void)n;
    errno = error;
}

static const struct sigaction catch = {.sa_handler = caught, .sa_flags = SA_RESTART};

int signals_catch(void) {
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    signal_pipe = ends[1];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigemptyset(&ignore.sa_mask);
    int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCHLD, SIGWINCH};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 &&
            (before.sa_handler != SIG_IGN || numbers[i] == SIGCHLD))
            sigaction(numbers[i], &catch, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    return ends[0];
}

int signals_next(int fd) {
    unsigned char byte;
    return read(fd, &byte, 1) == 1 ? byte : 0;
}

void signals_stop(void) {
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigemptyset(&usual.sa_mask);
    sigaction(SIGTSTP, &usual, NULL);
    raise(SIGTSTP);
    sigaction(SIGTSTP, &catch, NULL);
}
