/* A person at a terminal: typist [EXPECT TYPE]... -- COMMAND...
 * Runs the command on a new terminal. Each time its output has EXPECT, after what was expected
 * before, types TYPE, with its line end. EXPECT may be file:NAME: until that file is there. What
 * stands on the terminal goes to standard output. Ends as the command does; with 99 if it still
 * runs after 600 s, or has not said what was expected. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAID_MAX = 1024 * 1024 };
static char said[SAID_MAX + 1];
static size_t said_n, seen;

static void die(const char *what) {
    perror(what);
    exit(99);
}

static int open_terminal(char **argv, pid_t *pid) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        die("typist: no terminal");
    *pid = fork();
    if (*pid == 0) {
        static const int usual[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
            signal(usual[i], SIG_DFL); /* which a shell in the background takes from us */
        setsid();
        int fd = open(ptsname(master), O_RDWR); /* which becomes the controlling terminal */
        if (fd < 0)
            die("typist: no terminal");
#ifdef TIOCSCTTY
        ioctl(fd, TIOCSCTTY, 0);
#endif
        for (int i = 0; i < 3; i++)
            dup2(fd, i);
        if (fd > 2)
            close(fd);
        close(master);
        execvp(argv[0], argv);
        die(argv[0]);
    }
    return master;
}

/* Has what is expected been said? Then goes on behind it. */
static int expected(const char *text) {
    if (strncmp(text, "file:", 5) == 0)
        return access(text + 5, F_OK) == 0;
    char *at = strstr(said + seen, text);
    if (at == NULL)
        return 0;
    seen = (size_t)(at - said) + strlen(text);
    return 1;
}

static void type(int master, const char *text) {
    size_t n = strlen(text);
    if (write(master, text, n) != (ssize_t)n)
        die("typist: cannot type");
}

int main(int argc, char **argv) {
    int at = 1, status = 0;
    while (at < argc && strcmp(argv[at], "--") != 0)
        at += 2;
    if (at + 1 >= argc)
        return 99;
    pid_t pid;
    int master = open_terminal(argv + at + 1, &pid), next = 1;
    time_t end = time(NULL) + 600;
    for (;;) {
        struct pollfd p = {master, POLLIN, 0};
        poll(&p, 1, 50);
        if (time(NULL) > end) {
            kill(pid, SIGKILL);
            puts("\ntypist: it does not end");
            return 99;
        }
        if (next < at && expected(argv[next])) {
            type(master, argv[next + 1]);
            next += 2;
        }
        if (p.revents == 0)
            continue;
        ssize_t n = read(master, said + said_n, SAID_MAX - said_n);
        if (n <= 0)
            break;
        fwrite(said + said_n, 1, (size_t)n, stdout);
        fflush(stdout);
        said_n += (size_t)n;
        said[said_n] = '\0';
    }
    while (next < at && expected(argv[next])) /* said at the very end */
        next += 2;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (next < at) {
        printf("\ntypist: it has not said: %s\n", argv[next]);
        return 99;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
