#include "run/local.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/shell.h"
#include "base/strlist.h"
#include "loop/console.h"
#include "loop/spawn.h"
#include "run/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Linux refuses a single argument of 128 KiB and more (MAX_ARG_STRLEN); a longer script goes
 * through a file. */
enum { SCRIPT_ARGUMENT_MAX = 100 * 1024 };

/* How long output is still read when the step's process has ended but something it left behind
 * holds its pipes. */
#define DRAIN (250 * MILLISECOND)

struct local {
    struct executor base;
    struct loop *loop;
    const struct executor_events *events;
    const struct watcher *watcher;
    struct process *running;
    char *buffer; /* what is read goes through here */
};

enum { BUFFER = 64 * 1024 };

struct process {
    struct local *local;
    struct job *job;
    struct process *next, **link;
    pid_t pid; /* and process group */
    struct watch streams[2];
    struct watch exit; /* a pidfd; fd < 0 where there is none */
    bool exited; /* its own process has ended, and is not yet reaped: the group's number is still
                    its own */
    bool console, lent; /* it has our own input and outputs; and the terminal behind them */
    bool asked, killed; /* TERM, KILL were sent */
    struct timer timer; /* to the next, harder measure */
    char *script_file;
};

static void close_stream(struct process *p, enum stream stream) {
    struct watch *w = &p->streams[stream];
    if (w->fd < 0)
        return;
    loop_unwatch(p->local->loop, w);
    close(w->fd);
    w->fd = -1;
}

/* It has ended by itself, and well, and what it left may stay. */
static bool may_leave(const struct process *p) {
    siginfo_t info = {0};
    return p->job->step->rule->detach && !p->asked &&
           waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT) == 0 &&
           info.si_code == CLD_EXITED && info.si_status == 0;
}

static void finish(struct process *p) {
    struct local *x = p->local;
    struct job *job = p->job;
    /* What the step left running in its group goes with it; a daemon that is meant to stay makes
     * its own session, or is said to be one. */
    if (!may_leave(p))
        kill(-p->pid, p->killed ? SIGKILL : SIGTERM);
    watcher_remove(x->watcher, p->pid);
    if (p->lent)
        console_take_back();
    int status = 0;
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    job->end = WIFSIGNALED(status) ? JOB_SIGNALED : JOB_EXITED;
    job->status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

    close_stream(p, STREAM_OUT);
    close_stream(p, STREAM_ERR);
    loop_unwatch(x->loop, &p->exit);
    if (p->exit.fd >= 0)
        close(p->exit.fd);
    loop_timer_clear(x->loop, &p->timer);
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    if (p->script_file != NULL) {
        unlink(p->script_file);
        free(p->script_file);
    }
    free(p);
    job->executing = NULL;
    if (job_succeeded(job))
        files_check_made(job);
    x->events->ended(x->events->context, job);
}

/* Reads what is there; a fast writer must not keep the loop from the others, so there is an end to
 * it. */
static void drain(struct process *p, enum stream stream, int rounds) {
    struct local *x = p->local;
    for (int i = 0; i < rounds && p->streams[stream].fd >= 0; i++) {
        ssize_t n = read(p->streams[stream].fd, x->buffer, BUFFER);
        if (n > 0)
            x->events->output(x->events->context, p->job, stream,
                              (struct str){x->buffer, (size_t)n});
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            close_stream(p, stream);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < BUFFER && n > 0)
            return;
    }
}

static bool drained(const struct process *p) {
    return p->streams[STREAM_OUT].fd < 0 && p->streams[STREAM_ERR].fd < 0;
}

static void stream_ready(struct process *p, enum stream stream) {
    drain(p, stream, 4);
    if (p->exited && drained(p))
        finish(p);
}

static void stdout_ready(void *arg, short revents) {
    (void)revents;
    stream_ready(arg, STREAM_OUT);
}

static void stderr_ready(void *arg, short revents) {
    (void)revents;
    stream_ready(arg, STREAM_ERR);
}

static void exited(void *arg, short revents) {
    (void)revents;
    struct process *p = arg;
    p->exited = true;
    loop_unwatch(p->local->loop, &p->exit);
    drain(p, STREAM_OUT, 1);
    drain(p, STREAM_ERR, 1);
    /* An empty pipe that nobody holds any more answers with its end at the second look. */
    drain(p, STREAM_OUT, 1);
    drain(p, STREAM_ERR, 1);
    if (drained(p))
        finish(p);
    else
        loop_timer(p->local->loop, &p->timer, loop_now(p->local->loop) + DRAIN);
}

static void measure(void *arg) {
    struct process *p = arg;
    int64_t now = loop_now(p->local->loop);
    if (p->exited && may_leave(p)) {
        finish(p); /* it holds the pipes: not waited for */
    } else if (!p->asked) {
        p->asked = true;
        kill(-p->pid, SIGTERM);
        kill(-p->pid, SIGCONT);
        loop_timer(p->local->loop, &p->timer, now + GRACE);
    } else if (!p->killed) {
        p->killed = true;
        kill(-p->pid, SIGKILL);
        loop_timer(p->local->loop, &p->timer, now + DRAIN);
    } else if (p->exited) {
        finish(p); /* somebody outside the group holds the pipes: not waited for */
    }
}

void local_child_ended(struct executor *base) {
    struct local *x = (struct local *)base;
    for (struct process *p = x->running, *next; p != NULL; p = next) {
        next = p->next;
        siginfo_t info = {0};
        if (p->console && !p->exited)
            console_follow(p->pid, p->lent);
        if (p->exit.fd < 0 && !p->exited &&
            waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == p->pid)
            exited(p, 0);
    }
}

static bool overridden(const char *variable, const str_list *own) {
    size_t n = strcspn(variable, "=");
    for (size_t i = 0; i < own->n; i++)
        if (own->v[i].n > n && own->v[i].s[n] == '=' && memcmp(own->v[i].s, variable, n) == 0)
            return true;
    return false;
}

/* The inherited environment and the step's own; own holds the memory. */
static char **environment(const struct job *job, struct str prefix, str_list *own) {
    job_variables(job, prefix, own);
    struct buf pid = {0};
    /* Ours, and those of the forays in whose steps we run. */
    const char *outer = getenv("FORAY_PID");
    buf_printf(&pid, "FORAY_PID=%ld%s%s", (long)getpid(), outer != NULL ? " " : "",
               outer != NULL ? outer : "");
    *vec_push(own) = (struct str){pid.s, pid.n};
    VEC(char *) all = {0};
    for (char **e = environ; *e != NULL; e++)
        if (!overridden(*e, own))
            *vec_push(&all) = *e;
    for (size_t i = 0; i < own->n; i++)
        *vec_push(&all) = (char *)own->v[i].s;
    *vec_push(&all) = NULL;
    return all.v;
}

static char *write_script(struct str script) {
    const char *tmp = getenv("TMPDIR");
    struct buf name = {0};
    buf_printf(&name, "%s/foray-script-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    int fd = mkstemp(name.s);
    if (fd < 0) {
        buf_free(&name);
        return NULL;
    }
    bool good = io_write_all(fd, script) == 0;
    if (close(fd) != 0 || !good) {
        unlink(name.s);
        buf_free(&name);
        return NULL;
    }
    return name.s;
}

static void could_not_start(struct local *x, struct job *job, const char *what, int error) {
    job->end = JOB_FAILED;
    buf_printf(&job->reason, "%s: %s", what, strerror(error));
    x->events->ended(x->events->context, job);
}

static void start(struct executor *base, struct job *job) {
    struct local *x = (struct local *)base;
    const char *failed = NULL;
    int error = files_make_directories_for_outputs(job->step, &failed);
    if (error != 0) {
        could_not_start(x, job, failed, error);
        return;
    }
    files_note_before(job);
    bool console = job->step->rule->console;
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    error = console ? 0 : spawn_pipe(out, 0);
    if (error == 0 && !console && (error = spawn_pipe(err, 0)) != 0) {
        close(out[0]);
        close(out[1]);
    }
    if (error != 0) {
        could_not_start(x, job, "cannot make a pipe", error);
        return;
    }

    struct process *p = mem_zalloc(sizeof *p);
    struct buf prefix = {0}, script = {0};
    job_script_in_place(job, &prefix, &script);
    str_list own = {0};
    char **envp = environment(job, buf_view(&prefix), &own);
    static char shell[] = "sh", stop[] = "-e", command[] = "-c";
    char *argv[] = {shell, stop, command, script.s, NULL};
    if (script.n > SCRIPT_ARGUMENT_MAX) {
        p->script_file = write_script(buf_view(&script));
        if (p->script_file == NULL)
            error = errno;
        argv[2] = p->script_file;
        argv[3] = NULL;
    }
    if (error == 0)
        error = spawn(&p->pid, &(struct birth){.watcher = x->watcher,
                                               .program = "/bin/sh",
                                               .argv = argv,
                                               .envp = envp,
                                               .in = console ? SPAWN_OURS : SPAWN_NULL,
                                               .out = console ? SPAWN_OURS : out[1],
                                               .err = console ? SPAWN_OURS : err[1]});
    free(envp);
    str_list_free(&own);
    buf_free(&prefix);
    buf_free(&script);
    if (!console) {
        close(out[1]);
        close(err[1]);
    }
    if (error != 0) {
        if (!console) {
            close(out[0]);
            close(err[0]);
        }
        if (p->script_file != NULL) {
            unlink(p->script_file);
            free(p->script_file);
        }
        free(p);
        could_not_start(x, job, "cannot start /bin/sh", error);
        return;
    }
    p->local = x;
    p->job = job;
    job->executing = p;
    p->link = &x->running;
    p->next = x->running;
    if (p->next != NULL)
        p->next->link = &p->next;
    x->running = p;
    p->streams[STREAM_OUT] =
        (struct watch){.fd = out[0], .events = POLLIN, .ready = stdout_ready, .arg = p};
    p->streams[STREAM_ERR] =
        (struct watch){.fd = err[0], .events = POLLIN, .ready = stderr_ready, .arg = p};
    p->exit =
        (struct watch){.fd = spawn_pidfd(p->pid), .events = POLLIN, .ready = exited, .arg = p};
    p->timer = (struct timer){.expired = measure, .arg = p};
    p->console = console;
    if (console) {
        p->lent = console_lend(p->pid);
    } else {
        loop_watch(x->loop, &p->streams[STREAM_OUT]);
        loop_watch(x->loop, &p->streams[STREAM_ERR]);
    }
    if (p->exit.fd >= 0)
        loop_watch(x->loop, &p->exit);
}

static void cancel(struct executor *base, struct job *job, bool at_once) {
    (void)base;
    struct process *p = job->executing;
    if (p == NULL || p->killed || (p->asked && !at_once))
        return;
    p->asked = p->asked || at_once;
    measure(p);
}

static void connect_here(struct executor *base, struct host *host) {
    (void)base;
    (void)host;
}

static bool close_here(struct executor *base) {
    return ((struct local *)base)->running == NULL;
}

static void free_here(struct executor *base) {
    free(((struct local *)base)->buffer);
    free(base);
}

static const struct executor_table table = {connect_here, start, cancel, close_here, free_here};

struct executor *local_new(struct loop *loop, const struct executor_events *events,
                           const struct watcher *watcher) {
    struct local *x = mem_zalloc(sizeof *x);
    *x = (struct local){.base = {&table}, .loop = loop, .events = events, .watcher = watcher};
    x->buffer = mem_alloc(BUFFER);
    return &x->base;
}
