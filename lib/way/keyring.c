#include "way/keyring.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "loop/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 3,
    SAID_MAX = 4096,
};
#define PATIENCE (15 * SECOND) /* for ssh-agent and ssh-add */
#define VARIABLE "FORAY_ASKPASS"

/* A program that we have started, and what it says. */
struct helper {
    pid_t pid; /* 0: none */
    struct watch said;
    struct buf text;
    struct timer patience;
};

struct keyring_wait {
    struct key *key;
    keyring_done *done;
    void *arg;
    struct keyring_wait *next;
};

struct key {
    struct keyring *ring;
    char *file;
    bool locked, batch;
    enum { NEW, ASKING, ADDING, SETTLED } state;
    bool good;
    unsigned tries;
    struct prompt *prompt;
    struct buf passphrase, why_not;
    struct helper add; /* ssh-add */
    struct timer soon; /* to go on, or to tell */
    struct keyring_wait *waits;
};

struct keyring {
    struct loop *loop;
    const struct watcher *watcher;
    struct prompter *prompter;
    enum { OFF, STARTING, ON, BROKEN } state;
    struct helper agent;
    char *socket;
    VEC(struct key *) keys;
};

static void go_on(void *arg);

struct keyring *keyring_new(struct loop *loop, const struct watcher *watcher,
                            struct prompter *prompter) {
    struct keyring *k = mem_zalloc(sizeof *k);
    *k = (struct keyring){.loop = loop, .watcher = watcher, .prompter = prompter};
    k->agent.said.fd = -1;
    return k;
}

const char *keyring_socket(const struct keyring *k) {
    return k->state == ON ? k->socket : NULL;
}

/* --- helpers --- */

static int reap(struct keyring *k, struct helper *h) {
    int status = 0;
    if (h->pid == 0)
        return 0;
    watcher_remove(k->watcher, h->pid);
    while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
        ;
    h->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void stop_listening(struct keyring *k, struct helper *h) {
    loop_unwatch(k->loop, &h->said);
    if (h->said.fd >= 0)
        close(h->said.fd);
    h->said.fd = -1;
    loop_timer_clear(k->loop, &h->patience);
}

/* Reads what it says; false: that is all, it has ended or closed its output. */
static bool listen_to(struct helper *h) {
    char bytes[1024];
    for (;;) {
        ssize_t n = read(h->said.fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        if (h->text.n < SAID_MAX)
            buf_add(&h->text, bytes, (size_t)n);
    }
}

/* Starts it with one of its outputs to us; in: its standard input, or SPAWN_NULL. */
static int start(struct keyring *k, struct helper *h, const char *const *words, int in,
                 bool errors) {
    int ends[2];
    int error = spawn_pipe(ends, 0);
    if (error != 0)
        return error;
    error = spawn(&h->pid, &(struct birth){.watcher = k->watcher,
                                           .program = words[0],
                                           .argv = (char *const *)words,
                                           .in = in,
                                           .out = errors ? SPAWN_NULL : ends[1],
                                           .err = errors ? ends[1] : SPAWN_NULL,
                                           .session = true});
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        h->pid = 0;
        return error;
    }
    buf_clear(&h->text);
    h->said.fd = ends[0];
    h->said.events = POLLIN;
    loop_watch(k->loop, &h->said);
    loop_timer(k->loop, &h->patience, loop_now(k->loop) + PATIENCE);
    return 0;
}

/* --- the agent --- */

/* All keys that wait for it. */
static void wake_keys(struct keyring *k) {
    for (size_t i = 0; i < k->keys.n; i++)
        if (k->keys.v[i]->state == NEW)
            loop_timer(k->loop, &k->keys.v[i]->soon, loop_now(k->loop));
}

static void agent_failed(void *arg) {
    struct keyring *k = arg;
    stop_listening(k, &k->agent);
    k->state = BROKEN;
    wake_keys(k);
}

/* "SSH_AUTH_SOCK=/tmp/ssh-XXXX/agent.12; export SSH_AUTH_SOCK;" */
static void agent_said(void *arg, short revents) {
    (void)revents;
    struct keyring *k = arg;
    static const char name[] = "SSH_AUTH_SOCK=";
    bool more = listen_to(&k->agent);
    struct str text = buf_view(&k->agent.text);
    const char *end = text.n != 0 ? memchr(text.s, ';', text.n) : NULL;
    if (end == NULL && more)
        return;
    if (end == NULL || !str_starts(text, STR(name))) {
        agent_failed(k);
        return;
    }
    struct buf path = {0};
    buf_str(&path,
            (struct str){text.s + sizeof name - 1, (size_t)(end - text.s) - (sizeof name - 1)});
    k->socket = path.s;
    k->state = ON;
    stop_listening(k, &k->agent);
    wake_keys(k);
}

static void start_agent(struct keyring *k) {
    static const char *const words[] = {"ssh-agent", "-s", "-D", NULL};
    k->state = STARTING;
    k->agent.said = (struct watch){.fd = -1, .ready = agent_said, .arg = k};
    k->agent.patience = (struct timer){.expired = agent_failed, .arg = k};
    if (start(k, &k->agent, words, SPAWN_NULL, false) != 0) {
        k->state = BROKEN;
        wake_keys(k);
    }
}

/* --- a key --- */

static void tell_all(struct key *key) {
    while (key->waits != NULL) {
        struct keyring_wait *w = key->waits;
        key->waits = w->next;
        w->done(w->arg, key->good, key->why_not.s);
        free(w);
    }
}

static void settle(struct key *key, bool good, const char *why_not) {
    key->state = SETTLED;
    key->good = good;
    buf_clear(&key->why_not);
    buf_puts(&key->why_not, why_not);
    tell_all(key);
}

static void ask(struct key *key);

static struct str last_line(struct str text) {
    while (text.n != 0 && (unsigned char)text.s[text.n - 1] <= ' ')
        text.n--;
    const char *before = text.n != 0 ? bytes_last(text.s, '\n', text.n) : NULL;
    return before != NULL ? (struct str){before + 1, text.n - (size_t)(before + 1 - text.s)} : text;
}

static void added(struct key *key, bool in_time) {
    struct keyring *k = key->ring;
    stop_listening(k, &key->add);
    if (!in_time)
        kill(-key->add.pid, SIGKILL);
    int status = reap(k, &key->add);
    if (status == 0) {
        settle(key, true, "");
    } else if (key->locked && in_time && ++key->tries < TRIES) {
        ask(key);
    } else if (key->locked && in_time) {
        settle(key, false, "was not unlocked by what was typed");
    } else {
        struct buf why = {0};
        buf_puts(&why, in_time ? "was not taken by ssh-add: " : "was not taken by ssh-add in time");
        if (in_time)
            buf_str(&why, last_line(buf_view(&key->add.text)));
        settle(key, false, why.s);
        buf_free(&why);
    }
}

static void add_said(void *arg, short revents) {
    (void)revents;
    struct key *key = arg;
    if (!listen_to(&key->add))
        added(key, true);
}

static void add_is_late(void *arg) {
    added(arg, false);
}

static void put_own_name(struct buf *out) {
    char name[4096];
    ssize_t n = readlink("/proc/self/exe", name, sizeof name);
    if (n > 0 && (size_t)n < sizeof name)
        buf_add(out, name, (size_t)n);
    else
        buf_puts(out, "foray");
}

/* A pipe with the passphrase in it, and its end; -1: there is none to be had. */
static int passphrase_pipe(const struct buf *passphrase) {
    int ends[2];
    if (spawn_pipe(ends, 1) != 0)
        return -1;
    /* Shorter than what any pipe takes at once. */
    bool good =
        io_write_all(ends[1], buf_view(passphrase)) == 0 && io_write_all(ends[1], STR("\n")) == 0;
    close(ends[1]);
    if (!good)
        close(ends[0]);
    return good ? ends[0] : -1;
}

/* ssh-add asks for the passphrase by running foray, which finds it on its standard input. */
static void add_key(struct key *key) {
    struct keyring *k = key->ring;
    struct buf where = {0}, asks = {0};
    buf_printf(&where, "SSH_AUTH_SOCK=%s", k->socket);
    buf_puts(&asks, "SSH_ASKPASS=");
    put_own_name(&asks);
    const char *words[] = {"env",         where.s,   asks.s, "SSH_ASKPASS_REQUIRE=force",
                           "DISPLAY=:0", /* what asks before OpenSSH 8.4 */
                           VARIABLE "=1", "ssh-add", "-q",   "--",
                           key->file,     NULL};
    int in = key->locked ? passphrase_pipe(&key->passphrase) : SPAWN_NULL;
    secret_free(&key->passphrase);
    int error = in == -1 ? EMFILE : start(k, &key->add, words, in, true);
    if (in >= 0)
        close(in);
    key->state = ADDING;
    if (error != 0) {
        struct buf why = {0};
        buf_printf(&why, "was not taken: cannot start ssh-add: %s", strerror(error));
        settle(key, false, why.s);
        buf_free(&why);
    }
    buf_free(&where);
    buf_free(&asks);
}

static void answered(void *arg, const struct str *answer, const char *why_not) {
    struct key *key = arg;
    key->prompt = NULL;
    if (answer != NULL && answer->n != 0) {
        buf_str(&key->passphrase, *answer);
        add_key(key);
        return;
    }
    struct buf why = {0};
    buf_printf(&why, "wants a passphrase, and %s: add it to the agent with ssh-add",
               answer != NULL ? "none was given" : why_not);
    settle(key, false, why.s);
    buf_free(&why);
}

static void ask(struct key *key) {
    struct buf question = {0}, before = {0};
    if (key->tries != 0)
        buf_printf(&before, "This is not the passphrase of %s.", key->file);
    buf_printf(&question, "Enter passphrase for key '%s': ", key->file);
    key->state = ASKING;
    key->prompt = prompt_ask(key->ring->prompter, buf_view(&before), buf_view(&question), false,
                             answered, key);
    buf_free(&question);
    buf_free(&before);
}

static void go_on(void *arg) {
    struct key *key = arg;
    struct keyring *k = key->ring;
    if (key->state == SETTLED)
        tell_all(key);
    else if (key->state != NEW || k->state == STARTING)
        return;
    else if (k->state == BROKEN)
        settle(key, false, "cannot be used without an ssh-agent of its own, which does not start");
    else if (key->locked && key->batch)
        settle(
            key, false,
            "wants a passphrase, and BatchMode forbids to ask: add it to the agent with ssh-add");
    else if (k->state == OFF)
        start_agent(k);
    else if (key->locked)
        ask(key);
    else
        add_key(key);
}

static struct key *find(struct keyring *k, const char *file, bool locked, bool batch) {
    for (size_t i = 0; i < k->keys.n; i++)
        if (strcmp(k->keys.v[i]->file, file) == 0 && k->keys.v[i]->batch == batch)
            return k->keys.v[i];
    struct key *key = mem_zalloc(sizeof *key);
    *key = (struct key){.ring = k, .file = mem_strdup(file), .locked = locked, .batch = batch};
    key->soon = (struct timer){.expired = go_on, .arg = key};
    key->add.said = (struct watch){.fd = -1, .ready = add_said, .arg = key};
    key->add.patience = (struct timer){.expired = add_is_late, .arg = key};
    *vec_push(&k->keys) = key;
    return key;
}

struct keyring_wait *keyring_add(struct keyring *k, const char *file, bool locked, bool batch,
                                 keyring_done *done, void *arg) {
    struct key *key = find(k, file, locked, batch);
    struct keyring_wait *w = mem_zalloc(sizeof *w);
    *w = (struct keyring_wait){.key = key, .done = done, .arg = arg, .next = key->waits};
    key->waits = w;
    if (key->state == NEW || key->state == SETTLED)
        loop_timer(k->loop, &key->soon, loop_now(k->loop));
    return w;
}

void keyring_leave(struct keyring_wait *w) {
    struct keyring_wait **at = &w->key->waits;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
}

static void free_helper(struct keyring *k, struct helper *h) {
    stop_listening(k, h);
    if (h->pid != 0)
        kill(-h->pid, SIGKILL);
    reap(k, h);
    buf_free(&h->text);
}

/* On TERM it takes its socket away. */
static void end_agent(struct keyring *k) {
    static const struct timespec pause = {0, 2 * 1000 * 1000};
    siginfo_t info = {0};
    if (k->agent.pid == 0)
        return;
    kill(-k->agent.pid, SIGTERM);
    for (int i = 0; i < 100 && info.si_pid == 0; i++) {
        if (waitid(P_PID, (id_t)k->agent.pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            return;
        if (info.si_pid == 0)
            nanosleep(&pause, NULL);
    }
}

void keyring_free(struct keyring *k) {
    for (size_t i = 0; i < k->keys.n; i++) {
        struct key *key = k->keys.v[i];
        if (key->prompt != NULL)
            prompt_cancel(key->prompt);
        while (key->waits != NULL)
            keyring_leave(key->waits);
        loop_timer_clear(k->loop, &key->soon);
        free_helper(k, &key->add);
        secret_free(&key->passphrase);
        buf_free(&key->why_not);
        free(key->file);
        free(key);
    }
    end_agent(k);
    free_helper(k, &k->agent);
    vec_free(&k->keys);
    free(k->socket);
    free(k);
}

int keyring_answer(void) {
    if (getenv(VARIABLE) == NULL)
        return -1;
    char byte;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &byte, 1)) == 1 || (n < 0 && errno == EINTR))
        if (n == 1 && (write(STDOUT_FILENO, &byte, 1) != 1 || byte == '\n'))
            break;
    return 0;
}
