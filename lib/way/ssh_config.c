#include "way/ssh_config.h"

#include "base/mem.h"
#include "loop/spawn.h"
#include "way/ssh_tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MAX = 256 * 1024 };

struct ssh_config_query {
    struct loop *loop;
    const struct watcher *watcher;
    const struct host *host;
    const char *config;
    bool verbose;
    void (*done)(void *arg, const struct ssh_answer *answer);
    void *arg;
    pid_t pid;
    struct watch out, err;
    struct buf answer, complaint;
    struct timer deadline, soon;
};

/* error NULL: none. */
static void end(struct ssh_config_query *q, const char *error, bool no_program) {
    struct ssh_answer answer = {error, no_program, buf_view(&q->answer), buf_view(&q->complaint)};
    loop_timer_clear(q->loop, &q->deadline);
    q->done(q->arg, &answer);
    ssh_config_cancel(q);
}

void ssh_config_cancel(struct ssh_config_query *q) {
    if (q->pid > 0) {
        kill(-q->pid, SIGKILL);
        watcher_remove(q->watcher, q->pid);
        while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    struct watch *ends[] = {&q->out, &q->err};
    for (size_t i = 0; i < 2; i++) {
        loop_unwatch(q->loop, ends[i]);
        if (ends[i]->fd >= 0)
            close(ends[i]->fd);
    }
    loop_timer_clear(q->loop, &q->deadline);
    loop_timer_clear(q->loop, &q->soon);
    buf_free(&q->answer);
    buf_free(&q->complaint);
    free(q);
}

/* In one line. */
static void put_lines(struct str text, struct buf *out) {
    bool first = true, between = false;
    for (size_t i = 0; i < text.n; i++) {
        between = between || text.s[i] == '\r' || text.s[i] == '\n';
        if (text.s[i] == '\r' || text.s[i] == '\n')
            continue;
        if (between && !first)
            buf_puts(out, "; ");
        buf_putc(out, text.s[i]);
        first = between = false;
    }
}

static void finish(struct ssh_config_query *q) {
    int status = 0;
    watcher_remove(q->watcher, q->pid);
    while (waitpid(q->pid, &status, 0) < 0 && errno == EINTR)
        ;
    q->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        end(q, NULL, false);
        return;
    }
    struct buf error = {0};
    buf_puts(&error, "ssh -G failed: ");
    put_lines(buf_view(&q->complaint), &error);
    end(q, error.s, false);
    buf_free(&error);
}

/* Reads to the end; true when it is there. */
static bool read_some(struct loop *loop, struct watch *w, struct buf *into) {
    char bytes[4096];
    ssize_t n;
    while ((n = read(w->fd, bytes, sizeof bytes)) > 0)
        if (into->n < ANSWER_MAX)
            buf_add(into, bytes, (size_t)n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    loop_unwatch(loop, w);
    close(w->fd);
    w->fd = -1;
    return true;
}

static void out_ready(void *arg, short revents) {
    (void)revents;
    struct ssh_config_query *q = arg;
    if (read_some(q->loop, &q->out, &q->answer) && q->err.fd < 0)
        finish(q);
}

static void err_ready(void *arg, short revents) {
    (void)revents;
    struct ssh_config_query *q = arg;
    if (read_some(q->loop, &q->err, &q->complaint) && q->out.fd < 0)
        finish(q);
}

static void too_slow(void *arg) {
    end(arg, "ssh -G gave no answer within 15 s", false);
}

static void no_program(void *arg) {
    end(arg, "there is no ssh program", true);
}

/* --- the call --- */

/* A path as the graph has it: "~/x" is below the home directory, and nothing else is special. */
static struct str plain_path(struct str path) {
    struct buf b = {0};
    bool home = str_starts(path, STR("~/"));
    if (home)
        buf_puts(&b, ssh_tokens_home());
    buf_str(&b, (struct str){path.s + home, path.n - home});
    return (struct str){b.s, b.n};
}

/* The same for ssh, which looks for tokens in it, and for quotes where it stands in some. */
static void put_for_ssh(struct buf *out, struct str path, bool quoted) {
    struct str plain = plain_path(path);
    for (size_t i = 0; i < plain.n; i++) {
        if (plain.s[i] == '%')
            buf_putc(out, '%');
        else if (quoted && (plain.s[i] == '"' || plain.s[i] == '\\'))
            buf_putc(out, '\\');
        buf_putc(out, plain.s[i]);
    }
    free((char *)plain.s);
}

/* ssh looks in the home directory that the password file names; foray, as it promises, in $HOME. */
char *ssh_config_file(const struct host *host, const char *config) {
    const struct passwd *pw = getpwuid(getuid());
    struct buf users = {0};
    if (host->ssh.config.n != 0)
        return (char *)plain_path(host->ssh.config).s;
    if (config != NULL)
        return (char *)plain_path(str_of(config)).s;
    buf_printf(&users, "%s/.ssh/config", ssh_tokens_home());
    if (pw != NULL && strcmp(pw->pw_dir, ssh_tokens_home()) != 0 && access(users.s, R_OK) == 0)
        return users.s;
    buf_free(&users);
    return NULL;
}

void ssh_config_words(const struct host *host, const char *config, str_list *words) {
    const struct ssh_settings *s = &host->ssh;
    struct str user = host->user.n != 0 ? host->user : s->user;
    uint16_t port = host->port != 0 ? host->port : s->port;
    struct buf b = {0};
    char *own = ssh_config_file(host, config);
    if (own != NULL) {
        str_list_add(words, STR("-F"));
        str_list_add(words, str_of(own));
    }
    free(own);
    if (user.n != 0) {
        str_list_add(words, STR("-l"));
        str_list_add(words, user);
    }
    if (port != 0) {
        buf_printf(&b, "-p%u", port);
        str_list_take(words, &b);
    }
    if (s->identity.n != 0) {
        str_list_add(words, STR("-i"));
        put_for_ssh(&b, s->identity, false);
        str_list_take(words, &b);
        str_list_add(words, STR("-oIdentitiesOnly=yes"));
    }
    if (s->known_hosts.n != 0) {
        buf_puts(&b, "-oUserKnownHostsFile=\"");
        put_for_ssh(&b, s->known_hosts, true);
        buf_putc(&b, '"');
        str_list_take(words, &b);
    }
    str_list_add(words, STR("--"));
    str_list_add(words, host->target);
}

static int spawn_ssh(struct ssh_config_query *q, int out, int err) {
    str_list words = {0};
    VEC(char *) argv = {0};
    static char ssh[] = "ssh", tell[] = "-G", verbose[] = "-v";
    ssh_config_words(q->host, q->config, &words);
    *vec_push(&argv) = ssh;
    *vec_push(&argv) = tell;
    if (q->verbose)
        *vec_push(&argv) = verbose;
    for (size_t i = 0; i < words.n; i++)
        *vec_push(&argv) = (char *)words.v[i].s;
    *vec_push(&argv) = NULL;
    int error = spawn(&q->pid, &(struct birth){.watcher = q->watcher,
                                               .program = ssh,
                                               .argv = argv.v,
                                               .in = SPAWN_NULL,
                                               .out = out,
                                               .err = err,
                                               .session = true});
    if (error != 0)
        q->pid = 0;
    str_list_free(&words);
    vec_free(&argv);
    return error;
}

static int start(struct ssh_config_query *q) {
    int out[2], err[2];
    int error = spawn_pipe(out, 0);
    if (error != 0)
        return error;
    error = spawn_pipe(err, 0);
    if (error != 0) {
        close(out[0]);
        close(out[1]);
        return error;
    }
    error = spawn_ssh(q, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    q->out.fd = out[0];
    q->err.fd = err[0];
    return error;
}

struct ssh_config_query *ssh_config_ask(struct loop *loop, const struct watcher *watcher,
                                        const struct host *host, const char *config, bool verbose,
                                        void (*done)(void *arg, const struct ssh_answer *answer),
                                        void *arg) {
    struct ssh_config_query *q = mem_zalloc(sizeof *q);
    *q = (struct ssh_config_query){.loop = loop,
                                   .watcher = watcher,
                                   .host = host,
                                   .config = config,
                                   .verbose = verbose,
                                   .done = done,
                                   .arg = arg};
    q->out = (struct watch){.fd = -1, .events = POLLIN, .ready = out_ready, .arg = q};
    q->err = (struct watch){.fd = -1, .events = POLLIN, .ready = err_ready, .arg = q};
    q->deadline = (struct timer){.expired = too_slow, .arg = q};
    q->soon = (struct timer){.expired = no_program, .arg = q};
    if (start(q) != 0) {
        loop_timer(loop, &q->soon, loop_now(loop));
        return q;
    }
    loop_watch(loop, &q->out);
    loop_watch(loop, &q->err);
    loop_timer(loop, &q->deadline, loop_now(loop) + 15 * SECOND);
    return q;
}
