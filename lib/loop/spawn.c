#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int spawn_pipe(int ends[2], int own) {
    if (pipe(ends) != 0)
        return errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fcntl(ends[own], F_SETFL, O_NONBLOCK);
    return 0;
}

static bool put_at(int fd, int place) {
    if (fd == SPAWN_OURS)
        return true;
    if (fd == SPAWN_NULL)
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd >= 0 && (fd != place ? dup2(fd, place) >= 0 : fcntl(fd, F_SETFD, 0) == 0);
}

/* In the child, that shares our memory until it is the program or gone. It tells the watcher
 * itself, and holds the watcher's pipe until it is the program: foray may be killed at any moment,
 * and the watcher still learns of every one. */
static _Noreturn void become(struct birth *b) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD};
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t none;
    bool good = b->session ? setsid() > 0 : setpgid(0, 0) == 0;
    watcher_add(b->watcher, getpid(), b->lifeline);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &usual, NULL);
    good = good && put_at(b->in, 0) && put_at(b->out, 1) && put_at(b->err, 2);
    good = good && (!b->terminal || ioctl(0, TIOCSCTTY, 0) == 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (good && b->envp != NULL)
        execve(b->program, b->argv, b->envp);
    else if (good)
        execvp(b->program, b->argv);
    b->error = errno;
    _exit(127);
}

/* As posix_spawn does it, which has no place for the word to the watcher. */
int spawn(pid_t *pid, struct birth *b) {
    sigset_t all, before;
    b->error = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = vfork();
    if (child == 0)
        become(b);
    int error = child < 0 ? errno : b->error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child > 0 && error != 0) {
        watcher_remove(b->watcher, child);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    *pid = child;
    return error;
}

int spawn_pidfd(pid_t pid) {
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
#else
    (void)pid;
    return -1;
#endif
}
