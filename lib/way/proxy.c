#include "way/proxy.h"

#include "base/mem.h"
#include "base/vec.h"
#include "loop/spawn.h"
#include "way/proxy_words.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    AT_ONCE = 8, /* on their way through one jump: sshd's MaxStartups begins to refuse at 10 */
    SAID = 4096, /* what is kept of what one says */
    LINES = 3,   /* and told */
};
#define LOOK (20 * MILLISECOND)
#define PATIENCE SECOND /* to end by itself, and then to obey TERM */

struct proxy {
    struct proxies *all;
    const struct ssh_target *target;
    void (*started)(void *context, int fd, int error);
    void *context;
    char *gate; /* what it goes through; NULL: it waits for nobody */
    enum { WAITING, STARTED, THROUGH, RELEASED } state;
    pid_t pid; /* and process group; 0: none */
    int status;
    struct watch err;
    struct buf said;
    struct timer timer; /* to start it, and when it is released to look whether it has ended */
    int64_t released;
    bool asked;
};

struct proxies {
    struct loop *loop;
    const struct watcher *watcher;
    VEC(struct proxy *) list; /* in the order in which they came */
};

struct proxies *proxies_new(struct loop *loop, const struct watcher *watcher) {
    struct proxies *all = mem_zalloc(sizeof *all);
    all->loop = loop;
    all->watcher = watcher;
    return all;
}

static bool goes_through(const struct proxy *p, const char *gate) {
    return p->gate != NULL && strcmp(p->gate, gate) == 0;
}

static bool may_start(const struct proxy *p) {
    size_t n = 0;
    for (size_t i = 0; p->gate != NULL && i < p->all->list.n; i++)
        n += p->all->list.v[i]->state == STARTED && goes_through(p->all->list.v[i], p->gate);
    return n < AT_ONCE;
}

/* Somebody makes room at a gate. */
static void start_next(struct proxies *all, const char *gate) {
    for (size_t i = 0; gate != NULL && i < all->list.n; i++) {
        struct proxy *p = all->list.v[i];
        if (p->state == WAITING && goes_through(p, gate) && p->timer.index == 0) {
            loop_timer(all->loop, &p->timer, loop_now(all->loop));
            return;
        }
    }
}

static void forget(struct proxy *p) {
    struct proxies *all = p->all;
    size_t i = 0;
    while (all->list.v[i] != p)
        i++;
    memmove(all->list.v + i, all->list.v + i + 1, (all->list.n - i - 1) * sizeof(struct proxy *));
    all->list.n--;
    loop_timer_clear(all->loop, &p->timer);
    free(p->gate);
    buf_free(&p->said);
    free(p);
}

/* --- what it says --- */

static void read_complaint(struct proxy *p) {
    char bytes[1024];
    ssize_t n;
    while (p->err.fd >= 0 && (n = read(p->err.fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            break;
        buf_add(&p->said, bytes, (size_t)n);
        if (p->said.n > SAID)
            buf_drop(&p->said, p->said.n - SAID);
    }
    loop_unwatch(p->all->loop, &p->err);
    if (p->err.fd >= 0)
        close(p->err.fd);
    p->err.fd = -1;
}

static void err_ready(void *arg, short revents) {
    (void)revents;
    read_complaint(arg);
}

static struct str take_last_line(struct str *text) {
    while (text->n != 0 && (unsigned char)text->s[text->n - 1] <= ' ')
        text->n--;
    const char *before = bytes_last(text->s, '\n', text->n);
    struct str line = *text;
    if (before != NULL) {
        line.s = before + 1;
        line.n = text->n - (size_t)(line.s - text->s);
    }
    text->n -= line.n;
    return line;
}

/* Tells whether it has ended, and leaves it to be reaped: its group's number stays its own. */
bool proxy_has_ended(struct proxy *p) {
    siginfo_t info = {0};
    if (p->pid == 0)
        return true;
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != p->pid)
        return false;
    p->status = info.si_code == CLD_EXITED ? info.si_status : 0;
    return true;
}

/* What ssh says where only a change of keys or names helps, and the shell where there is no such
 * command. */
static bool is_hopeless(const struct proxy *p, struct str line) {
    static const char *const signs[] = {"Permission denied (", "Host key verification failed",
                                        "jumphost loop via "};
    bool found = p->status == 126 || p->status == 127;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        for (size_t at = 0; at + strlen(signs[i]) <= line.n && !found; at++)
            found = memcmp(line.s + at, signs[i], strlen(signs[i])) == 0;
    return found;
}

bool proxy_explain(struct proxy *p, struct buf *out) {
    struct str lines[LINES], left;
    size_t n = 0;
    bool hopeless = false;
    read_complaint(p);
    proxy_has_ended(p);
    left = buf_view(&p->said);
    while (n < LINES && left.n != 0) {
        lines[n] = take_last_line(&left);
        if (lines[n].n != 0)
            n++;
    }
    for (size_t i = n; i-- > 0;) {
        buf_puts(out, i + 1 == n ? ": " : "; ");
        while (lines[i].n != 0 && (unsigned char)lines[i].s[lines[i].n - 1] <= ' ')
            lines[i].n--;
        buf_str(out, lines[i]);
        hopeless = hopeless || is_hopeless(p, lines[i]);
    }
    return hopeless || (n == 0 && is_hopeless(p, STR("")));
}

/* --- starting --- */

static int spawn_child(struct proxy *p, int ours[2], int err[2]) {
    str_list words = {0};
    proxy_words(p->target, &words);
    char **argv = mem_array(NULL, words.n + 1, sizeof *argv);
    for (size_t i = 0; i < words.n; i++)
        argv[i] = (char *)words.v[i].s;
    argv[words.n] = NULL;
    int error = spawn(&p->pid, &(struct birth){.watcher = p->all->watcher,
                                               .program = argv[0],
                                               .argv = argv,
                                               .in = ours[1],
                                               .out = ours[1],
                                               .err = err[1],
                                               .session = true});
    if (error != 0)
        p->pid = 0;
    for (size_t i = 0; i < words.n; i++)
        free(argv[i]);
    free(argv);
    vec_free(&words);
    return error;
}

static int start(struct proxy *p, int *fd) {
    int ours[2], err[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ours) != 0)
        return errno;
    fcntl(ours[0], F_SETFD, FD_CLOEXEC);
    fcntl(ours[1], F_SETFD, FD_CLOEXEC);
    fcntl(ours[0], F_SETFL, O_NONBLOCK);
    int error = spawn_pipe(err, 0);
    if (error != 0) {
        close(ours[0]);
        close(ours[1]);
        return error;
    }
    error = spawn_child(p, ours, err);
    close(ours[1]);
    close(err[1]);
    if (error != 0) {
        close(ours[0]);
        close(err[0]);
        return error;
    }
    p->err = (struct watch){.fd = err[0], .events = POLLIN, .ready = err_ready, .arg = p};
    loop_watch(p->all->loop, &p->err);
    *fd = ours[0];
    return 0;
}

static void turn_came(void *arg) {
    struct proxy *p = arg;
    int fd = -1;
    if (!may_start(p))
        return; /* who makes room wakes it */
    p->state = STARTED;
    int error = start(p, &fd);
    p->started(p->context, fd, error);
}

struct proxy *proxy_start(struct proxies *all, const struct ssh_target *target,
                          void (*started)(void *context, int fd, int error), void *context) {
    struct proxy *p = mem_zalloc(sizeof *p);
    *p = (struct proxy){.all = all, .target = target, .started = started, .context = context};
    p->err.fd = -1;
    p->timer = (struct timer){.expired = turn_came, .arg = p};
    if (target->proxy_jump != NULL)
        p->gate = mem_strdup(target->proxy_jump);
    *vec_push(&all->list) = p;
    loop_timer(all->loop, &p->timer, loop_now(all->loop));
    return p;
}

void proxy_through(struct proxy *p) {
    if (p->state != STARTED)
        return;
    p->state = THROUGH;
    start_next(p->all, p->gate);
}

/* --- ending --- */

static void reap(struct proxy *p) {
    if (p->pid != 0) {
        kill(-p->pid, SIGTERM); /* what it has started */
        watcher_remove(p->all->watcher, p->pid);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    forget(p);
}

/* It has read the end of its input, and may have something to pass on still. */
static void look_after(void *arg) {
    struct proxy *p = arg;
    int64_t now = loop_now(p->all->loop), since = now - p->released;
    if (proxy_has_ended(p)) {
        reap(p);
        return;
    }
    if (since >= 2 * PATIENCE) {
        kill(-p->pid, SIGKILL);
    } else if (since >= PATIENCE && !p->asked) {
        p->asked = true;
        kill(-p->pid, SIGTERM);
        kill(-p->pid, SIGCONT);
    }
    loop_timer(p->all->loop, &p->timer, now + LOOK);
}

void proxy_release(struct proxy *p) {
    if (p == NULL)
        return;
    struct proxies *all = p->all;
    char *gate = p->state == STARTED ? p->gate : NULL;
    p->state = RELEASED;
    loop_unwatch(all->loop, &p->err);
    if (p->err.fd >= 0)
        close(p->err.fd);
    p->err.fd = -1;
    start_next(all, gate);
    if (p->pid == 0) {
        forget(p);
        return;
    }
    p->released = loop_now(all->loop);
    p->timer.expired = look_after;
    loop_timer(all->loop, &p->timer, p->released);
}

void proxies_free(struct proxies *all) {
    static const struct timespec pause = {0, 5 * 1000 * 1000};
    enum { TERM_AT = 50, KILL_AT = 150 };
    for (int i = 0; all->list.n != 0; i++) {
        for (size_t k = all->list.n; k-- > 0;) {
            struct proxy *p = all->list.v[k];
            if (i == TERM_AT || i == KILL_AT)
                kill(-p->pid, i == TERM_AT ? SIGTERM : SIGKILL);
            if (proxy_has_ended(p))
                reap(p);
        }
        if (all->list.n != 0)
            nanosleep(&pause, NULL);
    }
    vec_free(&all->list);
    free(all);
}
