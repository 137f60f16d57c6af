#include "run/ssh_config.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ANSWER_MAX = 256 * 1024 };

struct ssh_config_query {
    struct loop *loop;
    const struct host *host;
    struct ssh_target *target;
    void (*done)(void *arg, const char *error);
    void *arg;
    pid_t pid;
    struct watch out, err;
    struct buf answer, complaint;
    struct timer deadline, soon;
    struct buf error;
};

static char *text_of(struct str s) {
    char *copy = mem_alloc(s.n + 1);
    memcpy(copy, s.n != 0 ? s.s : "", s.n);
    copy[s.n] = '\0';
    return copy;
}

void ssh_target_free(struct ssh_target *t) {
    free(t->address);
    free(t->user);
    free(t->known_as);
    free(t->agent);
    for (size_t i = 0; i < t->identities.n; i++)
        free((char *)t->identities.v[i].s);
    for (size_t i = 0; i < t->known_hosts.n; i++)
        free((char *)t->known_hosts.v[i].s);
    vec_free(&t->identities);
    vec_free(&t->known_hosts);
    *t = (struct ssh_target){0};
}

static const char *home(void) {
    const char *h = getenv("HOME");
    if (h != NULL && *h != '\0')
        return h;
    const struct passwd *pw = getpwuid(getuid());
    return pw != NULL ? pw->pw_dir : "/";
}

/* "~/x" and "%d/x" are below the home directory. Owned by the caller. */
static struct str expand_path(struct str path) {
    struct buf b = {0};
    if (str_starts(path, STR("~/")) || str_starts(path, STR("%d/"))) {
        buf_puts(&b, home());
        path =
            (struct str){path.s + (path.s[0] == '%' ? 2 : 1), path.n - (path.s[0] == '%' ? 2 : 1)};
    }
    buf_str(&b, path);
    return (struct str){b.s, b.n};
}

static void add_path(str_list *list, struct str path) {
    if (path.n != 0 && !str_eq(path, STR("none")))
        *vec_push(list) = expand_path(path);
}

/* `ssh -G` prints several files in one line, without quotes: a name with blanks in it is told apart
 * from two names by asking which file exists. */
static void add_paths(str_list *list, struct str line) {
    while (line.n != 0) {
        size_t n = line.n;
        for (;;) {
            struct str whole = expand_path((struct str){line.s, n});
            bool there = access(whole.s, F_OK) == 0;
            free((char *)whole.s);
            const char *blank = bytes_last(line.s, ' ', n);
            if (there || blank == NULL)
                break;
            n = (size_t)(blank - line.s);
        }
        add_path(list, (struct str){line.s, n});
        while (n < line.n && line.s[n] == ' ')
            n++;
        line = (struct str){line.s + n, line.n - n};
    }
}

static void replace(char **field, struct str value) {
    free(*field);
    *field = text_of(value);
}

/* One line of the answer: "hostname 127.0.0.2". Returns what is wrong, or NULL. */
static const char *take_line(struct ssh_target *t, const struct host *host, struct str key,
                             struct str value) {
    if (str_eq(key, STR("hostname")))
        replace(&t->address, value);
    else if (str_eq(key, STR("user")))
        replace(&t->user, value);
    else if (str_eq(key, STR("port")))
        t->port = (uint16_t)strtoul(value.s, NULL, 10);
    else if (str_eq(key, STR("hostkeyalias")))
        replace(&t->known_as, value);
    else if (str_eq(key, STR("identityfile"))) {
        if (host->ssh.identity.n == 0) /* else that one, and no other */
            add_path(&t->identities, value);
    } else if (str_eq(key, STR("identitiesonly")))
        t->identities_only = str_eq(value, STR("yes"));
    else if (str_eq(key, STR("identityagent"))) {
        free(t->agent);
        t->agent = NULL;
        if (!str_eq(value, STR("none")) && !str_eq(value, STR("SSH_AUTH_SOCK"))) {
            struct str path = expand_path(value);
            t->agent = (char *)path.s;
        } else if (value.s[0] == 'S' && getenv("SSH_AUTH_SOCK") != NULL) {
            t->agent = mem_strdup(getenv("SSH_AUTH_SOCK"));
        }
    } else if (str_eq(key, STR("userknownhostsfile")) || str_eq(key, STR("globalknownhostsfile")))
        add_paths(&t->known_hosts, value);
    else if (str_eq(key, STR("connecttimeout"))) {
        long seconds = strtol(value.s, NULL, 10);
        if (seconds > 0 && seconds < 24 * 3600)
            t->connect_timeout = seconds * SECOND;
    } else if (str_eq(key, STR("proxyjump")) && !str_eq(value, STR("none")))
        return "its ssh configuration says ProxyJump, which foray cannot do yet";
    else if (str_eq(key, STR("proxycommand")) && !str_eq(value, STR("none")))
        return "its ssh configuration says ProxyCommand, which foray cannot do yet";
    return NULL;
}

static const char *take_answer(struct ssh_target *t, const struct host *host, struct str answer) {
    const char *error = NULL;
    add_path(&t->identities, host->ssh.identity);
    while (answer.n != 0 && error == NULL) {
        const char *end = memchr(answer.s, '\n', answer.n);
        size_t n = end != NULL ? (size_t)(end - answer.s) : answer.n;
        const char *blank = memchr(answer.s, ' ', n);
        if (blank != NULL) {
            struct str value = {blank + 1, (size_t)(answer.s + n - blank) - 1};
            error = take_line(t, host, (struct str){answer.s, (size_t)(blank - answer.s)}, value);
        }
        n += end != NULL;
        answer = (struct str){answer.s + n, answer.n - n};
    }
    return error;
}

/* ssh's own defaults, which its answer replaces. */
static void set_defaults(struct ssh_target *t, const struct host *host) {
    const struct passwd *pw = getpwuid(getuid());
    *t = (struct ssh_target){.port = host->port != 0 ? host->port : 22,
                             .connect_timeout = 15 * SECOND};
    replace(&t->address, host->target);
    replace(&t->user, host->user.n != 0 ? host->user : str_of(pw != NULL ? pw->pw_name : "root"));
    if (getenv("SSH_AUTH_SOCK") != NULL)
        t->agent = mem_strdup(getenv("SSH_AUTH_SOCK"));
}

/* Without an ssh program: what the file says of hosts, and the usual places. */
static void fall_back(struct ssh_target *t, const struct host *host) {
    const struct ssh_settings *s = &host->ssh;
    if (host->user.n == 0 && s->user.n != 0)
        replace(&t->user, s->user);
    if (host->port == 0 && s->port != 0)
        t->port = s->port;
    t->identities_only = s->identity.n != 0;
    if (s->identity.n != 0) {
        add_path(&t->identities, s->identity);
    } else {
        add_path(&t->identities, STR("~/.ssh/id_ed25519"));
        add_path(&t->identities, STR("~/.ssh/id_ecdsa"));
        add_path(&t->identities, STR("~/.ssh/id_rsa"));
    }
    add_path(&t->known_hosts, s->known_hosts.n != 0 ? s->known_hosts : STR("~/.ssh/known_hosts"));
    add_path(&t->known_hosts, STR("/etc/ssh/ssh_known_hosts"));
}

static void end(struct ssh_config_query *q, const char *error) {
    void (*done)(void *, const char *) = q->done;
    void *arg = q->arg;
    struct buf kept = {0};
    if (error != NULL)
        buf_puts(&kept, error);
    ssh_config_cancel(q);
    done(arg, error != NULL ? kept.s : NULL);
    buf_free(&kept);
}

void ssh_config_cancel(struct ssh_config_query *q) {
    if (q->pid > 0) {
        kill(q->pid, SIGKILL);
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
    buf_free(&q->error);
    free(q);
}

static void finish(struct ssh_config_query *q) {
    int status = 0;
    while (waitpid(q->pid, &status, 0) < 0 && errno == EINTR)
        ;
    q->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        buf_puts(&q->error, "ssh -G failed: ");
        while (q->complaint.n != 0 && q->complaint.s[q->complaint.n - 1] <= ' ')
            q->complaint.s[--q->complaint.n] = '\0';
        buf_str(&q->error, buf_view(&q->complaint));
        end(q, q->error.s);
        return;
    }
    end(q, take_answer(q->target, q->host, buf_view(&q->answer)));
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
    end(arg, "ssh -G gave no answer within 15 s");
}

static void no_program(void *arg) {
    struct ssh_config_query *q = arg;
    fall_back(q->target, q->host);
    end(q, NULL);
}

/* The words of the call; strings that were made for it are added to `made`. */
static void build_call(const struct host *host, const char *config, str_list *argv,
                       str_list *made) {
    const struct ssh_settings *s = &host->ssh;
    struct str own = s->config;
    if (own.n == 0 && config != NULL)
        own = str_of(config);
    const struct passwd *pw = getpwuid(getuid());
    struct buf users = {0};
    buf_printf(&users, "%s/.ssh/config", home());
    /* ssh looks in the home directory that the password file names; foray, as it promises, in
     * $HOME. */
    if (own.n == 0 && pw != NULL && strcmp(pw->pw_dir, home()) != 0 && access(users.s, R_OK) == 0)
        own = buf_view(&users);
    *vec_push(argv) = STR("ssh");
    *vec_push(argv) = STR("-G");
    struct str user = host->user.n != 0 ? host->user : s->user;
    uint16_t port = host->port != 0 ? host->port : s->port;
    struct {
        const char *option;
        struct str value;
    } options[] = {{"-F", own}, {"-l", user}, {"-i", s->identity}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (options[i].value.n == 0)
            continue;
        *vec_push(argv) = str_of(options[i].option);
        struct str value = i == 1 ? (struct str){text_of(options[i].value), options[i].value.n}
                                  : expand_path(options[i].value);
        *vec_push(made) = value;
        *vec_push(argv) = value;
    }
    buf_free(&users);
    struct buf b = {0};
    if (port != 0) {
        buf_printf(&b, "-p%u", port);
        *vec_push(made) = *vec_push(argv) = (struct str){b.s, b.n};
        b = (struct buf){0};
    }
    if (s->identity.n != 0)
        *vec_push(argv) = STR("-oIdentitiesOnly=yes");
    if (s->known_hosts.n != 0) {
        struct str path = expand_path(s->known_hosts);
        buf_printf(&b, "-oUserKnownHostsFile=\"%.*s\"", STR_FMT(path));
        free((char *)path.s);
        *vec_push(made) = *vec_push(argv) = (struct str){b.s, b.n};
    }
    *vec_push(argv) = STR("--");
    struct str target = {text_of(host->target), host->target.n};
    *vec_push(made) = target;
    *vec_push(argv) = target;
}

static int start(struct ssh_config_query *q, const char *config) {
    str_list words = {0}, made = {0};
    build_call(q->host, config, &words, &made);
    char **argv = mem_array(NULL, words.n + 1, sizeof *argv);
    for (size_t i = 0; i < words.n; i++)
        argv[i] = (char *)words.v[i].s;
    argv[words.n] = NULL;
    int out[2], err[2], error = 0;
    if (pipe(out) != 0) {
        error = errno;
    } else if (pipe(err) != 0) {
        error = errno;
        close(out[0]);
        close(out[1]);
    } else {
        int ends[] = {out[0], out[1], err[0], err[1]};
        for (size_t i = 0; i < 4; i++)
            fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(out[0], F_SETFL, O_NONBLOCK);
        fcntl(err[0], F_SETFL, O_NONBLOCK);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        posix_spawn_file_actions_adddup2(&actions, err[1], 2);
        error = posix_spawnp(&q->pid, "ssh", &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(out[1]);
        close(err[1]);
        if (error == 0) {
            q->out.fd = out[0];
            q->err.fd = err[0];
        } else {
            q->pid = 0;
            close(out[0]);
            close(err[0]);
        }
    }
    free(argv);
    for (size_t i = 0; i < made.n; i++)
        free((char *)made.v[i].s);
    vec_free(&made);
    vec_free(&words);
    return error;
}

struct ssh_config_query *ssh_config_ask(struct loop *loop, const struct host *host,
                                        const char *config, struct ssh_target *target,
                                        void (*done)(void *arg, const char *error), void *arg) {
    struct ssh_config_query *q = mem_zalloc(sizeof *q);
    *q = (struct ssh_config_query){
        .loop = loop, .host = host, .target = target, .done = done, .arg = arg};
    q->out = (struct watch){.fd = -1, .events = POLLIN, .ready = out_ready, .arg = q};
    q->err = (struct watch){.fd = -1, .events = POLLIN, .ready = err_ready, .arg = q};
    q->deadline = (struct timer){.expired = too_slow, .arg = q};
    q->soon = (struct timer){.expired = no_program, .arg = q};
    set_defaults(target, host);
    if (start(q, config) != 0) {
        loop_timer(loop, &q->soon, loop_now(loop));
        return q;
    }
    loop_watch(loop, &q->out);
    loop_watch(loop, &q->err);
    loop_timer(loop, &q->deadline, loop_now(loop) + 15 * SECOND);
    return q;
}
