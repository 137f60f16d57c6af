#include "loop/console.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

bool console_lend(pid_t group) {
    bool lend = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
                tcsetpgrp(STDIN_FILENO, group) == 0;
    kill(-group, SIGCONT);
    return lend;
}

/* Who is not in front is stopped by SIGTTOU for this, unless it is blocked. */
void console_take_back(void) {
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    sigprocmask(SIG_BLOCK, &block, &before);
    tcsetpgrp(STDIN_FILENO, getpgrp());
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void console_follow(pid_t pid, bool lent) {
    siginfo_t info = {0};
    if (!lent || waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG) != 0 || info.si_pid != pid)
        return;
    console_take_back();
    raise(SIGSTOP);
    console_lend(pid);
}
