#include "way/child.h"

#include "base/mem.h"
#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* How long one may take to tidy up when its standard input has ended, before TERM; and how long its
 * output is still read when it has ended but something it left holds its pipes. */
#define TIDYING (10 * SECOND)
#define DRAIN (250 * MILLISECOND)
#define RAW_SOON (10 * MILLISECOND) /* looks whether a terminal is raw */

enum { ROUNDS = 64 }; /* of its party, before the others in the loop have their turn */

struct child {
    struct channel base;
    struct children *all;
    struct child *next, **link;
    struct party party;
    pid_t pid; /* and process group, and session */
    struct watch in, out, err;
    struct watch exit; /* a pidfd; fd < 0 where there is none */
    bool exited;       /* reaped when it is forgotten: until then its group is its own */
    bool freed;        /* nobody has the channel any more */
    bool pumping;
    bool cooked;      /* its terminal is not raw so far */
    bool was_read[2]; /* streams, by its party in this turn */
    bool asked;       /* TERM was sent */
    unsigned kind;
    char *leaves; /* a file; NULL: none */
    struct timer kick, harder;
};

struct children {
    struct loop *loop;
    const struct watcher *watcher;
    struct child *first;
};

static void close_end(struct child *c, struct watch *w) {
    if (w->fd < 0)
        return;
    loop_unwatch(c->all->loop, w);
    close(w->fd);
    w->fd = -1;
}

/* What is left of its group is told to end, but only when nothing of it is heard any more: how a
 * step ends that is told to is not how it would have ended. */
static void bury(const struct child *c) {
    kill(-c->pid, SIGTERM);
    watcher_remove(c->all->watcher, c->pid);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void forget(struct child *c) {
    if (c->exited)
        bury(c);
    close_end(c, &c->in);
    close_end(c, &c->out);
    close_end(c, &c->err);
    close_end(c, &c->exit);
    loop_timer_clear(c->all->loop, &c->kick);
    loop_timer_clear(c->all->loop, &c->harder);
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    if (c->leaves != NULL)
        unlink(c->leaves);
    free(c->leaves);
    free(c);
}

/* --- its party's turns --- */

static void pump(struct child *c) {
    int rounds = 0;
    if (c->pumping)
        return;
    c->pumping = true;
    c->was_read[STREAM_OUT] = c->was_read[STREAM_ERR] = false;
    while (!c->freed && rounds < ROUNDS && c->party.advance(c->party.arg))
        rounds++;
    c->pumping = false;
    /* What its party leaves there is not asked after, until the party has something to do. */
    c->out.events = c->was_read[STREAM_OUT] ? POLLIN : 0;
    c->err.events = c->was_read[STREAM_ERR] ? POLLIN : 0;
    if (rounds == ROUNDS)
        loop_timer(c->all->loop, &c->kick, loop_now(c->all->loop));
}

static void kicked(void *arg) {
    struct child *c = arg;
    if (c->freed && c->exited)
        forget(c);
    else
        pump(c);
}

static void kick(struct channel *base) {
    struct child *c = (struct child *)base;
    loop_timer(c->all->loop, &c->kick, loop_now(c->all->loop));
}

static void stream_ready(void *arg, short revents) {
    (void)revents;
    pump(arg);
}

/* --- streams --- */

static enum channel_state state(struct channel *base) {
    (void)base;
    return CHANNEL_OPEN;
}

static ssize_t read_some(struct channel *base, enum stream stream, void *bytes, size_t n) {
    struct child *c = (struct child *)base;
    struct watch *w = stream == STREAM_OUT ? &c->out : &c->err;
    if (w->fd < 0)
        return 0;
    c->was_read[stream] = true;
    ssize_t got = read(w->fd, bytes, n);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        close_end(c, w);
    return got > 0 ? got : 0;
}

static void leave(struct channel *base) {
    (void)base; /* who does not read is not asked to */
}

/* Who passes on what is typed at a terminal makes it raw first: before that it would be shown, and
 * keys would mean something here. */
static bool is_at_work(struct child *c) {
    struct termios modes;
    if (c->cooked)
        c->cooked = tcgetattr(c->in.fd, &modes) == 0 && (modes.c_lflag & ICANON) != 0;
    if (c->cooked)
        loop_timer(c->all->loop, &c->kick, loop_now(c->all->loop) + RAW_SOON);
    return !c->cooked;
}

static size_t write_some(struct channel *base, const void *bytes, size_t n) {
    struct child *c = (struct child *)base;
    if (c->in.fd < 0 || n == 0 || !is_at_work(c))
        return 0;
    ssize_t taken = write(c->in.fd, bytes, n);
    if (taken < 0 && errno != EAGAIN && errno != EINTR)
        close_end(c, &c->in); /* it reads no more; that it has ended shows when reading */
    else
        c->in.events = taken < (ssize_t)n ? POLLOUT : 0;
    return taken > 0 ? (size_t)taken : 0;
}

static bool finish(struct channel *base) {
    struct child *c = (struct child *)base;
    close_end(c, &c->in);
    return true;
}

static bool ended(struct channel *base) {
    struct child *c = (struct child *)base;
    return c->out.fd < 0 && c->err.fd < 0;
}

/* --- its end --- */

static void harder(void *arg) {
    struct child *c = arg;
    int64_t now = loop_now(c->all->loop);
    if (c->exited) { /* somebody else holds its pipes: not waited for */
        close_end(c, &c->out);
        close_end(c, &c->err);
        pump(c);
    } else if (!c->asked) {
        c->asked = true;
        kill(-c->pid, SIGTERM);
        kill(-c->pid, SIGCONT);
        loop_timer(c->all->loop, &c->harder, now + GRACE);
    } else {
        kill(-c->pid, SIGKILL);
    }
}

static void has_exited(struct child *c) {
    struct loop *loop = c->all->loop;
    c->exited = true;
    if (c->freed) {
        forget(c);
        return;
    }
    close_end(c, &c->exit);
    close_end(c, &c->in);
    loop_timer(loop, &c->harder, loop_now(loop) + DRAIN);
    kick(&c->base);
}

static void exit_ready(void *arg, short revents) {
    (void)revents;
    has_exited(arg);
}

void children_look(struct children *all) {
    for (struct child *c = all->first, *next; c != NULL; c = next) {
        siginfo_t info = {0};
        next = c->next;
        if (c->exit.fd < 0 && !c->exited &&
            waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == c->pid)
            has_exited(c);
    }
}

static void free_channel(struct channel *base) {
    struct child *c = (struct child *)base;
    struct loop *loop = c->all->loop;
    c->freed = true;
    close_end(c, &c->in);
    close_end(c, &c->out);
    close_end(c, &c->err);
    if (c->exited)
        kick(base); /* not from within: its party may be in the middle of a turn */
    else
        loop_timer(loop, &c->harder,
                   loop_now(loop) + ((c->kind & CHILD_LIFELINE) != 0 ? TIDYING : 0));
}

static struct winsize size_of(unsigned columns, unsigned rows) {
    return (struct winsize){.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
}

static void resize(struct channel *base, unsigned columns, unsigned rows) {
    struct child *c = (struct child *)base;
    struct winsize size = size_of(columns, rows);
    if (c->in.fd >= 0)
        ioctl(c->in.fd, TIOCSWINSZ, &size);
}

static const struct channel_table table = {.state = state,
                                           .read = read_some,
                                           .leave = leave,
                                           .write = write_some,
                                           .finish = finish,
                                           .ended = ended,
                                           .kick = kick,
                                           .free = free_channel,
                                           .resize = resize};

/* --- its start --- */

/* As large as anybody may make it: who fills it, and who empties it, take turns less often. */
static void enlarge(int fd) {
#ifdef F_SETPIPE_SZ
    fcntl(fd, F_SETPIPE_SZ, 1024 * 1024);
#else
    (void)fd;
#endif
}

/* Of a stream: our end of it, and the child's. -1: none. */
struct ends {
    int ours, theirs;
};

static int open_pipe(struct ends *e, int own) {
    int ends[2], error = spawn_pipe(ends, own);
    if (error == 0)
        *e = (struct ends){.ours = ends[own], .theirs = ends[!own]};
    return error;
}

static int open_pipes(struct ends streams[3], bool much) {
    int error = open_pipe(&streams[0], 1);
    for (int i = 1; i < 3 && error == 0; i++)
        error = open_pipe(&streams[i], 0);
    for (int i = 0; i < 2 && error == 0 && much; i++)
        enlarge(streams[i].ours);
    return error;
}

/* One terminal: all of the child's streams, and two of ours. */
static int open_terminal(struct ends streams[3], const struct pty *pty) {
    struct winsize size = size_of(pty->columns, pty->rows);
    int ours = streams[1].ours = posix_openpt(O_RDWR | O_NOCTTY);
    bool good = ours >= 0 && fcntl(ours, F_SETFD, FD_CLOEXEC) == 0 &&
                fcntl(ours, F_SETFL, O_NONBLOCK) == 0 && grantpt(ours) == 0 && unlockpt(ours) == 0;
    const char *name = good ? ptsname(ours) : NULL;
    for (int i = 0; i < 3 && name != NULL; i++) {
        streams[i].theirs = i == 0 ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)
                                   : fcntl(streams[0].theirs, F_DUPFD_CLOEXEC, 0);
        good = good && streams[i].theirs >= 0;
    }
    good = good && name != NULL && tcsetattr(streams[0].theirs, TCSANOW, pty->usual) == 0 &&
           ioctl(streams[0].theirs, TIOCSWINSZ, &size) == 0 &&
           (streams[0].ours = fcntl(ours, F_DUPFD_CLOEXEC, 0)) >= 0;
    return good ? 0 : errno;
}

static void watch_end(struct child *c, struct watch *w, int fd, short events) {
    *w = (struct watch){.fd = fd, .events = events, .ready = stream_ready, .arg = c};
}

static int start(struct child *c, char *const *argv, const struct pty *pty) {
    struct ends streams[3] = {{-1, -1}, {-1, -1}, {-1, -1}};
    int error = pty != NULL ? open_terminal(streams, pty)
                            : open_pipes(streams, (c->kind & CHILD_MUCH) != 0);
    if (error == 0)
        error = spawn(&c->pid, &(struct birth){.watcher = c->all->watcher,
                                               .program = argv[0],
                                               .argv = argv,
                                               .in = streams[0].theirs,
                                               .out = streams[1].theirs,
                                               .err = streams[2].theirs,
                                               .session = true,
                                               .terminal = pty != NULL,
                                               .lifeline = (c->kind & CHILD_LIFELINE) != 0});
    for (int i = 0; i < 3; i++)
        if (streams[i].theirs >= 0)
            close(streams[i].theirs);
    watch_end(c, &c->in, streams[0].ours, 0);
    watch_end(c, &c->out, streams[1].ours, POLLIN);
    watch_end(c, &c->err, streams[2].ours, POLLIN);
    if (error != 0) {
        close_end(c, &c->in);
        close_end(c, &c->out);
        close_end(c, &c->err);
    }
    return error;
}

static int start_words(struct child *c, const str_list *words, const struct pty *pty) {
    VEC(char *) argv = {0};
    for (size_t i = 0; i < words->n; i++)
        *vec_push(&argv) = (char *)words->v[i].s;
    *vec_push(&argv) = NULL;
    int error = start(c, argv.v, pty);
    vec_free(&argv);
    return error;
}

struct channel *child_open(struct children *all, const str_list *words, unsigned kind,
                           const struct pty *pty, struct party party) {
    struct child *c = mem_zalloc(sizeof *c);
    *c = (struct child){
        .base = {&table}, .all = all, .party = party, .kind = kind, .cooked = pty != NULL};
    int error = start_words(c, words, pty);
    if (error != 0) {
        free(c);
        errno = error;
        return NULL;
    }
    c->link = &all->first;
    c->next = all->first;
    if (c->next != NULL)
        c->next->link = &c->next;
    all->first = c;
    c->kick = (struct timer){.expired = kicked, .arg = c};
    c->harder = (struct timer){.expired = harder, .arg = c};
    c->exit =
        (struct watch){.fd = spawn_pidfd(c->pid), .events = POLLIN, .ready = exit_ready, .arg = c};
    loop_watch(all->loop, &c->in);
    loop_watch(all->loop, &c->out);
    if (c->err.fd >= 0)
        loop_watch(all->loop, &c->err);
    if (c->exit.fd >= 0)
        loop_watch(all->loop, &c->exit);
    kick(&c->base);
    return &c->base;
}

void child_leaves(struct channel *c, const char *name) {
    ((struct child *)c)->leaves = mem_strdup(name);
}

/* --- all of them --- */

struct children *children_new(struct loop *loop, const struct watcher *watcher) {
    struct children *all = mem_zalloc(sizeof *all);
    *all = (struct children){.loop = loop, .watcher = watcher};
    return all;
}

void children_free(struct children *all) {
    while (all->first != NULL)
        forget(all->first);
    free(all);
}

bool children_ended(const struct children *all) {
    return all->first == NULL;
}
