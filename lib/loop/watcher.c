#include "loop/watcher.h"

#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* For KILL to take effect, and for a slow network to tell that we are gone. */
#define MARGIN INT64_C(1000000000)

/* Written whole: shorter than PIPE_BUF. Positive: a group to watch, a lifeline if LIFELINE is
 * added; negative: one that has ended; the extremes: steps run elsewhere, or do not. TERMINAL: a
 * struct screen follows. */
typedef int32_t record;
enum { TERMINAL = INT32_MAX - 1 };

/* How it was made, and how it is to be. */
struct screen {
    bool altered;
    char name[64];
    struct termios usual, raw;
};
enum { LIFELINE = 1 << 30 }; /* beyond all process numbers */
typedef VEC(pid_t) group_list;

static void signal_all(const pid_t *groups, size_t n, int sig) {
    for (size_t i = 0; i < n; i++)
        kill(-groups[i], sig);
}

static bool is_one_of(const pid_t *groups, size_t n, pid_t group) {
    for (size_t i = 0; i < n; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* Of the groups only processes are left that have ended. They are there until process 1 takes
 * notice, and what stands in its place in a container may be slow to, or never do. */
static bool only_ended(const pid_t *groups, size_t n) {
    DIR *d = opendir("/proc");
    bool seen = false, running = false;
    for (struct dirent *e; d != NULL && !running && (e = readdir(d)) != NULL;) {
        char path[64], text[512], state;
        int group;
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || strlen(e->d_name) > 20)
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
        if (fd >= 0)
            close(fd);
        text[got > 0 ? got : 0] = '\0';
        const char *name_end = strrchr(text, ')');
        if (name_end == NULL || sscanf(name_end + 1, " %c %*d %d", &state, &group) != 2 ||
            !is_one_of(groups, n, group))
            continue;
        seen = true;
        running = state != 'Z' && state != 'X';
    }
    if (d != NULL)
        closedir(d);
    return seen && !running;
}

static bool any_left(const pid_t *groups, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (kill(-groups[i], 0) == 0)
            return !only_ended(groups, n);
    return false;
}

static void wait_for_all(const pid_t *groups, size_t n, int64_t longest) {
    struct timespec pause = {0, 10 * 1000 * 1000};
    for (int64_t waited = 0; waited < longest && any_left(groups, n); waited += pause.tv_nsec)
        nanosleep(&pause, NULL);
}

static bool take_out(group_list *groups, pid_t group) {
    for (size_t i = groups->n; i-- > 0;)
        if (groups->v[i] == group) {
            groups->v[i] = groups->v[--groups->n];
            return true;
        }
    return false;
}

static void end_groups(const group_list *groups) {
    signal_all(groups->v, groups->n, SIGTERM);
    signal_all(groups->v, groups->n, SIGCONT);
    wait_for_all(groups->v, groups->n, GRACE);
    signal_all(groups->v, groups->n, SIGKILL);
    wait_for_all(groups->v, groups->n, GRACE);
}

static int64_t monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool alike(const struct termios *a, const struct termios *b) {
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
           a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof a->c_cc) == 0;
}

/* Unless somebody else, such as the shell, has done so. It is opened only now: who waits for the
 * end of a terminal waits for all who hold it. */
static void restore(const struct screen *t) {
    struct termios now;
    int fd = t->altered ? open(t->name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    if (tcgetattr(fd, &now) == 0 && alike(&now, &t->raw))
        tcsetattr(fd, TCSANOW, &t->usual);
    close(fd);
}

static _Noreturn void watch(int fd, void (*tidy)(void)) {
    group_list groups = {0}, lifelines = {0};
    struct screen screen = {0};
    bool elsewhere = false;
    for (;;) {
        record r;
        ssize_t n = read(fd, &r, sizeof r);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != sizeof r)
            break;
        if (r == INT32_MAX || r == INT32_MIN) {
            elsewhere = r == INT32_MAX;
            continue;
        }
        if (r == TERMINAL) {
            if (read(fd, &screen, sizeof screen) != sizeof screen)
                screen.altered = false;
            continue;
        }
        if (r >= LIFELINE)
            *vec_push(&lifelines) = r - LIFELINE;
        else if (r > 0)
            *vec_push(&groups) = r;
        else if (!take_out(&groups, -r))
            take_out(&lifelines, -r);
    }
    int64_t ended = monotonic();
    restore(&screen);
    if (tidy != NULL)
        tidy();
    if (groups.n != 0)
        end_groups(&groups);
    if (lifelines.n != 0) {
        int64_t past = monotonic() - ended;
        wait_for_all(lifelines.v, lifelines.n, GRACE + MARGIN - past);
        end_groups(&lifelines);
    }
    /* The keepers there end theirs in the same way since the connection is gone, and cannot tell
     * anybody. */
    while (elsewhere && monotonic() - ended < GRACE + MARGIN)
        nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
    _exit(0);
}

static void close_from(int first, int last) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, last < 0 ? ~0U : (unsigned)last, 0U) == 0)
        return;
#endif
    long max = sysconf(_SC_OPEN_MAX);
    int end = max > 0 && max < 1024 ? (int)max : 1024;
    for (int i = first; i < end && (last < 0 || i <= last); i++)
        close(i);
}

static void close_all_but(int keep) {
    if (keep > 1)
        close_from(1, keep - 1);
    close_from(keep > 0 ? keep + 1 : 1, -1);
}

int watcher_start(struct watcher *w, int keep, void (*tidy)(void)) {
    int ends[2];
    *w = (struct watcher){.pipe = -1};
    if (pipe(ends) != 0)
        return errno;
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    if (pid == 0) {
        /* Out of reach of the terminal's signals, and holding nothing that others wait for the end
         * of. */
        setsid();
        int fd = dup2(ends[0], 0);
        close_all_but(keep);
        int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
        for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
            signal(ignored[i], SIG_IGN);
        watch(fd, tidy);
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    *w = (struct watcher){.pipe = ends[1], .pid = pid};
    return 0;
}

static void tell(const struct watcher *w, record r) {
    if (w->pipe < 0)
        return;
    while (write(w->pipe, &r, sizeof r) < 0 && errno == EINTR)
        ;
}

void watcher_add(const struct watcher *w, pid_t group, bool lifeline) {
    tell(w, lifeline ? group + LIFELINE : group);
}

void watcher_remove(const struct watcher *w, pid_t group) {
    tell(w, -group);
}

void watcher_elsewhere(const struct watcher *w, bool any) {
    tell(w, any ? INT32_MAX : INT32_MIN);
}

void watcher_terminal(const struct watcher *w, const struct termios *usual,
                      const struct termios *raw) {
    struct {
        record r;
        struct screen t;
    } both = {.r = TERMINAL};
    char text[sizeof both.r + sizeof both.t];
    if (w->pipe < 0)
        return;
    if (usual != NULL) {
        both.t.altered = ttyname_r(STDIN_FILENO, both.t.name, sizeof both.t.name) == 0;
        both.t.usual = *usual;
        both.t.raw = *raw;
    }
    memcpy(text, &both.r, sizeof both.r);
    memcpy(text + sizeof both.r, &both.t, sizeof both.t);
    while (write(w->pipe, text, sizeof text) < 0 && errno == EINTR)
        ;
}

void watcher_stop(struct watcher *w, bool wait) {
    if (w->pipe < 0)
        return;
    close(w->pipe);
    w->pipe = -1;
    while (wait && waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
