#include "loop/console.h"

#include "base/io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_MOST = 60 };

bool console_is_ours(void) {
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

bool console_lend(pid_t group) {
    bool lend = console_is_ours() && tcsetpgrp(STDIN_FILENO, group) == 0;
    kill(-group, SIGCONT);
    return lend;
}

/* Who is not in front is stopped for touching the terminal, unless the signals are blocked. */
static void block_stops(sigset_t *before) {
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTTOU);
    sigaddset(&stops, SIGTTIN);
    pthread_sigmask(SIG_BLOCK, &stops, before);
}

void console_take_back(void) {
    sigset_t before;
    block_stops(&before);
    tcsetpgrp(STDIN_FILENO, getpgrp());
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void console_follow(pid_t pid, bool lent) {
    siginfo_t info = {0};
    if (!lent || waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG) != 0 || info.si_pid != pid)
        return;
    console_take_back();
    raise(SIGSTOP);
    console_lend(pid);
}

const char *console_name(void) {
    const char *name = getenv("TERM");
    return name != NULL && strlen(name) <= NAME_MOST ? name : "dumb";
}

void console_size(int fd, unsigned *columns, unsigned *rows) {
    struct winsize size = {0};
    ioctl(fd, TIOCGWINSZ, &size);
    *columns = size.ws_col;
    *rows = size.ws_row;
}

void console_make_raw(struct termios *t) {
    t->c_iflag &= ~(tcflag_t)(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF);
    t->c_iflag |= IGNPAR;
    t->c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN);
    t->c_oflag &= ~(tcflag_t)OPOST;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

void console_set(int fd, const struct termios *t) {
    sigset_t before;
    block_stops(&before);
    tcsetattr(fd, TCSANOW, t); /* not TCSADRAIN, which waits for a terminal that was stopped (^S) */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void console_forget_typed(int fd) {
    sigset_t before;
    block_stops(&before);
    tcflush(fd, TCIFLUSH);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void console_write(int fd, struct str text) {
    sigset_t before;
    block_stops(&before);
    io_write_all(fd, text);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

ssize_t console_read(int fd, void *bytes, size_t n) {
    sigset_t before;
    block_stops(&before);
    ssize_t got = read(fd, bytes, n);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return got;
}
