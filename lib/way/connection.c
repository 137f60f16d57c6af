#include "way/connection.h"

#include "base/mem.h"
#include "base/shell.h"
#include "way/dial.h"
#include "way/ssh_auth.h"
#include "way/ssh_channel.h"
#include "way/ssh_methods.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE = 128 * 1024, /* read from the socket at once */
    FULL = 1024 * 1024,   /* waiting to be sent */
    GOODBYE_MAX = 300,
    ROUNDS = 64, /* of all members, before the others in the loop have their turn */
};

#define ENDING (10 * MILLISECOND) /* between looks whether a proxy has ended */

#define REFUSED_FOR (15 * SECOND) /* MaxStartups: then it is told */

enum state { DIALLING, SHAKING_HANDS, LOGGING_IN, READY, DEAD };

struct connection {
    struct way base;
    struct loop *loop;
    const struct ssh_shared *shared;
    const struct ssh_target *target;
    const struct known_name *known;
    struct way_events events;
    enum state state;
    struct entrant entrant; /* until it has logged in */
    int64_t first_refusal;  /* for being one too many; 0: none */
    struct dial *dial;      /* NULL: it waits to be let in */
    LIBSSH2_SESSION *session;
    struct ssh_auth *auth;
    struct watch socket; /* fd -1: none */
    struct timer deadline, keepalive, kick;
    VEC(struct member *) members; /* NULL: has left; tidied after a round */
    uint64_t round;
    const struct member *put_off; /* could send nothing of what it had in this round, and is the
                                     first one in the next; NULL: nobody */
    const struct member *opener;
    bool pumping;
    bool served;   /* it runs something for us */
    int64_t delay; /* see connection_answered */
    char *in;      /* received, not yet asked for by libssh2: from in_at to in_n */
    size_t in_at, in_n;
    uint64_t received; /* bytes that libssh2 has taken */
    bool dry;    /* in this round the socket had no more: it is not asked again by every channel */
    bool closed; /* the other side has ended the connection */
    bool ending; /* it has, but the proxy has not yet said why */
    int64_t last_sign; /* of life */
    int64_t look_at;   /* for the next one */
    struct buf out;
    size_t out_at;
    struct buf goodbye; /* what the server said when it ended the connection */
    bool for_good, needs_ssh;
    struct buf reason;
};

static void pump(struct connection *c);

static void fail(struct connection *c, bool for_good, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void fail(struct connection *c, bool for_good, const char *fmt, ...) {
    if (c->state == DEAD)
        return;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&c->reason, fmt, ap);
    va_end(ap);
    c->for_good = for_good;
    c->state = DEAD;
    if (!c->pumping) /* it is told from the loop */
        loop_timer(c->loop, &c->kick, loop_now(c->loop));
}

/* Only the ssh program could do it. */
static void fail_beyond(struct connection *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void fail_beyond(struct connection *c, const char *fmt, ...) {
    struct buf reason = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&reason, fmt, ap);
    va_end(ap);
    c->needs_ssh = c->state != DEAD;
    fail(c, true, "%s", reason.s);
    buf_free(&reason);
}

bool connection_needs_ssh(const struct way *base) {
    return ((const struct connection *)base)->needs_ssh;
}

static const char *last_error(struct connection *c) {
    char *text = NULL;
    libssh2_session_last_error(c->session, &text, NULL, 0);
    return text != NULL && *text != '\0' ? text : "no reason given";
}

/* The other side has ended it: it may have said why, or a proxy know it. */
static void fail_closed(struct connection *c, const char *what) {
    static const char too_many[] = "Too many authentication failures";
    struct buf why = {0};
    bool for_good = dial_explain(c->dial, &why);
    if (c->goodbye.n != 0) {
        buf_puts(&why, ": ");
        buf_str(&why, buf_view(&c->goodbye));
    }
    if (c->state == LOGGING_IN && c->goodbye.n != 0 && strstr(c->goodbye.s, too_many) != NULL) {
        for_good = true;
        buf_puts(&why, "; it gives fewer tries than there are keys: name the right one with "
                       "IdentityFile, and IdentitiesOnly yes");
    }
    fail(c, for_good, "%s%s", what, why.n != 0 ? why.s : "");
    buf_free(&why);
}

static void take_goodbye(LIBSSH2_SESSION *session, int reason, const char *message, int n,
                         const char *language, int language_n, void **abstract) {
    struct connection *c = *abstract;
    (void)session;
    (void)reason;
    (void)language;
    (void)language_n;
    if (n > 0 && c->goodbye.n == 0)
        buf_add(&c->goodbye, message, n < GOODBYE_MAX ? (size_t)n : GOODBYE_MAX);
}

void connection_fail(struct connection *c, const char *what) {
    if (c->closed || c->goodbye.n != 0)
        fail_closed(c, "the connection was closed");
    else
        fail(c, false, "%s: %s", what, last_error(c));
}

static void drop(struct way *base, const char *reason) {
    fail((struct connection *)base, false, "%s", reason);
}

/* --- the socket --- */

static ssize_t take_to_send(libssh2_socket_t fd, const void *bytes, size_t n, int flags,
                            void **abstract) {
    struct connection *c = *abstract;
    if (fd != c->socket.fd) { /* the agent's socket, for which libssh2 asks here too */
        ssize_t sent = send(fd, bytes, n, flags | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    if (c->state == DEAD)
        return -EPIPE;
    buf_add(&c->out, bytes, n);
    return (ssize_t)n;
}

/* Until it runs something sshd lets a small packet wait for the acknowledgement of the one before
 * it, which the kernel here would put off by 40 ms. Linux forgets each time that it was told. */
static void acknowledge(const struct connection *c) {
#ifdef TCP_QUICKACK
    int on = 1;
    if (!c->served)
        setsockopt(c->socket.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
    (void)c;
#endif
}

static ssize_t give_received(libssh2_socket_t fd, void *bytes, size_t n, int flags,
                             void **abstract) {
    struct connection *c = *abstract;
    if (fd != c->socket.fd) {
        ssize_t got = recv(fd, bytes, n, flags);
        return got < 0 ? -errno : got;
    }
    if (c->state == DEAD || c->closed)
        return -ECONNRESET;
    if (c->in_at == c->in_n) {
        if (c->dry)
            return -EAGAIN;
        ssize_t got = recv(fd, c->in, RECEIVE, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            c->dry = true;
            return -EAGAIN;
        }
        if (got <= 0 && !dial_has_ended(c->dial)) {
            c->dry = c->ending = true;
            loop_timer(c->loop, &c->kick, loop_now(c->loop) + ENDING);
            return -EAGAIN;
        }
        if (got <= 0) {
            c->closed = true;
            return got < 0 ? -errno : 0;
        }
        c->in_at = 0;
        c->in_n = (size_t)got;
        c->last_sign = loop_now(c->loop);
        acknowledge(c);
    }
    if (n > c->in_n - c->in_at)
        n = c->in_n - c->in_at;
    memcpy(bytes, c->in + c->in_at, n);
    c->in_at += n;
    c->received += n;
    return (ssize_t)n;
}

static void flush(struct connection *c) {
    while (c->out_at < c->out.n && c->state != DEAD) {
        ssize_t n = send(c->socket.fd, c->out.s + c->out_at, c->out.n - c->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            c->out_at += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR) {
            fail(c, false, "the connection broke: %s", strerror(errno));
        }
    }
    if (c->out_at == c->out.n) {
        buf_clear(&c->out);
        c->out_at = 0;
    } else if (c->out_at > FULL) {
        buf_drop(&c->out, c->out_at);
        c->out_at = 0;
    }
    /* Nobody reads while a person is asked: not even that the other side is gone. */
    bool asking = c->state == LOGGING_IN && ssh_auth_waits_for_person(c->auth);
    c->socket.events = (short)((asking ? 0 : POLLIN) | (c->out.n != 0 ? POLLOUT : 0));
    if (c->ending)
        c->socket.events = 0;
}

bool connection_is_full(struct connection *c, const struct member *m) {
    bool full = c->out.n - c->out_at > FULL;
    if (full && c->put_off == NULL && m->sent_in != c->round)
        c->put_off = m;
    return full;
}

void connection_sent(const struct connection *c, struct member *m) {
    m->sent_in = c->round;
}

/* --- making it --- */

static void socket_ready(void *arg, short revents) {
    (void)revents;
    pump(arg);
}

static void time_begins(void *context) {
    struct connection *c = context;
    loop_timer(c->loop, &c->deadline, loop_now(c->loop) + c->target->connect_timeout);
}

static void dialled(void *context, int fd) {
    struct connection *c = context;
    if (c->state == DEAD) {
        close(fd);
        return;
    }
    c->state = SHAKING_HANDS;
    c->socket = (struct watch){.fd = fd, .events = POLLIN, .ready = socket_ready, .arg = c};
    loop_watch(c->loop, &c->socket);
    pump(c);
}

static void not_dialled(void *context, bool for_good, const char *reason) {
    fail(context, for_good, "%s", reason);
}

static void too_late(void *arg) {
    struct connection *c = arg;
    static const char *const what[] = {
        [SHAKING_HANDS] = "it accepts the connection, but does not go on",
        [LOGGING_IN] = "the log-in did not end",
    };
    struct buf more = {0};
    if (c->state == DEAD) /* which is about to be told */
        return;
    const char *text = what[c->state];
    if (c->state == DIALLING || (c->state == SHAKING_HANDS && c->received == 0))
        text = dial_waits_for(c->dial, text);
    dial_explain(c->dial, &more);
    fail(c, false, "%s within %d s%s", text, (int)(c->target->connect_timeout / SECOND),
         more.n != 0 ? more.s : "");
    buf_free(&more);
}

static void kicked(void *arg) {
    pump(arg);
}

static void expect_life(struct connection *c) {
    int64_t now = loop_now(c->loop), next = now + c->target->alive_interval;
    int64_t too_long = c->last_sign + c->target->silence;
    c->look_at = too_long > now && too_long < next ? too_long : next;
    loop_timer(c->loop, &c->keepalive, c->look_at);
}

static void keep_alive(void *arg) {
    struct connection *c = arg;
    int64_t now = loop_now(c->loop);
    /* Who was stopped itself has not asked anybody for a sign of life. */
    if (now - c->look_at >= c->target->alive_interval)
        c->last_sign = now;
    if (now - c->last_sign >= c->target->silence) {
        fail(c, false, "no sign of life for %d s", (int)(c->target->silence / SECOND));
        return;
    }
    int next;
    libssh2_keepalive_send(c->session, &next);
    flush(c);
    expect_life(c);
}

static void begin(void *arg) {
    struct connection *c = arg;
    struct dial_events dial = {c, time_begins, dialled, not_dialled};
    c->dial = dial_start(c->loop, c->shared->proxies, c->target, &dial);
}

static const struct way_table table;

struct way *connection_open(const struct ssh_shared *shared, const struct ssh_target *target,
                            const struct way_events *events) {
    struct connection *c = mem_zalloc(sizeof *c);
    *c = (struct connection){.base = {&table},
                             .loop = shared->loop,
                             .shared = shared,
                             .target = target,
                             .events = *events};
    c->socket.fd = -1;
    c->in = mem_alloc(RECEIVE);
    c->deadline = (struct timer){.expired = too_late, .arg = c};
    c->keepalive = (struct timer){.expired = keep_alive, .arg = c};
    c->kick = (struct timer){.expired = kicked, .arg = c};
    c->entrant = (struct entrant){.may_enter = begin, .arg = c};
    gate_enter(shared->gate, &c->entrant, target->address, target->port);
    return &c->base;
}

static void end_session(struct connection *c) {
    ssh_auth_free(c->auth);
    c->auth = NULL;
    for (int i = 0;
         i < 100 && c->session != NULL && libssh2_session_free(c->session) == LIBSSH2_ERROR_EAGAIN;
         i++)
        ;
    c->session = NULL;
    loop_unwatch(c->loop, &c->socket);
    if (c->socket.fd >= 0)
        close(c->socket.fd);
    c->socket.fd = -1;
    dial_free(c->dial);
    c->dial = NULL;
}

/* It was let in by the kernel there, and then turned away by sshd, which had too many others. */
static bool try_again(struct connection *c) {
    int64_t now = loop_now(c->loop);
    if (c->first_refusal == 0)
        c->first_refusal = now;
    if (now - c->first_refusal > REFUSED_FOR)
        return false;
    gate_refused(c->shared->gate, &c->entrant);
    end_session(c);
    buf_clear(&c->out);
    c->in_at = c->in_n = c->out_at = 0;
    c->received = 0;
    c->closed = c->ending = false;
    c->state = DIALLING;
    loop_timer_clear(c->loop, &c->deadline);
    return true;
}

static void close_connection(struct way *base) {
    struct connection *c = (struct connection *)base;
    if (c->state == READY)
        flush(c); /* what is on its way, such as the end of a keeper's work */
    c->state = DEAD;
    for (size_t i = 0; i < c->members.n; i++)
        if (c->members.v[i] != NULL)
            c->members.v[i]->advance(c->members.v[i]->arg);
    gate_leave(c->shared->gate, &c->entrant, false);
    end_session(c);
    loop_timer_clear(c->loop, &c->deadline);
    loop_timer_clear(c->loop, &c->keepalive);
    loop_timer_clear(c->loop, &c->kick);
    vec_free(&c->members);
    buf_free(&c->out);
    buf_free(&c->reason);
    buf_free(&c->goodbye);
    free(c->in);
    free(c);
}

LIBSSH2_SESSION *connection_session(struct connection *c) {
    return c->session;
}

bool connection_is_ready(const struct connection *c) {
    return c->state == READY;
}

static bool is_ready(const struct way *base) {
    return connection_is_ready((const struct connection *)base);
}

static struct channel *open_channel(struct way *base, enum channel_kind kind, struct party party) {
    return ssh_channel_open((struct connection *)base, kind, party);
}

static struct channel *open_pty(struct way *base, const struct pty *pty, struct party party) {
    return ssh_channel_open_pty((struct connection *)base, pty, party);
}

static void say_key(const struct way *w, struct buf *out) {
    const struct connection *c = (const struct connection *)w;
    if (c->state == LOGGING_IN || c->state == READY)
        ssh_auth_fingerprint(c->session, out);
}

static const struct way_table table = {open_channel, open_pty,         is_ready,
                                       drop,         close_connection, say_key};

static bool make_session(struct connection *c) {
    c->session = libssh2_session_init_ex(NULL, NULL, NULL, c);
    if (c->session == NULL) {
        fail(c, false, "out of memory");
        return false;
    }
    /* The library's type for callbacks is void *, though they are functions. */
    union {
        ssize_t (*send)(libssh2_socket_t, const void *, size_t, int, void **);
        ssize_t (*recv)(libssh2_socket_t, void *, size_t, int, void **);
        void (*disconnect)(LIBSSH2_SESSION *, int, const char *, int, const char *, int, void **);
        void *any;
    } callback;
    callback.send = take_to_send;
    libssh2_session_callback_set(c->session, LIBSSH2_CALLBACK_SEND, callback.any);
    callback.recv = give_received;
    libssh2_session_callback_set(c->session, LIBSSH2_CALLBACK_RECV, callback.any);
    callback.disconnect = take_goodbye;
    libssh2_session_callback_set(c->session, LIBSSH2_CALLBACK_DISCONNECT, callback.any);
    libssh2_session_set_blocking(c->session, 0);
    struct buf reason = {0};
    c->known = known_hosts_find(c->shared->known_hosts, c->target);
    if (!ssh_methods_set(c->session, c->target, c->known, &reason))
        fail_beyond(c, "%s", reason.s);
    buf_free(&reason);
    return c->state != DEAD;
}

static void put_place(struct buf *out, const char *file, unsigned line) {
    buf_puts(out, file);
    if (line != 0)
        buf_printf(out, ":%u", line);
}

/* The command that makes its key a known one. ssh asks before it does; what only copies the key
 * cannot go round by a proxy, and knows no other name for the host. */
static void put_way_to_accept(const struct ssh_target *t, struct buf *out) {
    bool plain = t->known_as == NULL && t->proxy_command == NULL && t->proxy_jump == NULL;
    if (plain) {
        buf_puts(out, "ssh-keyscan ");
        if (t->port != 22)
            buf_printf(out, "-p %u ", t->port);
        shell_quote(out, str_of(t->address));
        buf_puts(out, " >> ");
        size_t own = t->own_known_hosts < t->known_hosts.n ? t->own_known_hosts : 0;
        shell_quote(out, t->known_hosts.n != 0 ? t->known_hosts.v[own] : STR("known_hosts"));
        return;
    }
    buf_puts(out, "ssh -oBatchMode=no -oStrictHostKeyChecking=ask ");
    if (t->config != NULL) {
        buf_puts(out, "-F ");
        shell_quote(out, str_of(t->config));
        buf_putc(out, ' ');
    }
    buf_puts(out, "-l ");
    shell_quote(out, str_of(t->user));
    buf_printf(out, " -p %u ", t->port);
    shell_quote(out, str_of(t->name));
    buf_puts(out, " exit");
}

static void put_way_to_forget(const struct ssh_target *t, const struct known_key *old,
                              struct buf *out) {
    struct buf name = {0};
    known_hosts_name(t, &name);
    buf_puts(out, "ssh-keygen -R ");
    shell_quote(out, buf_view(&name));
    buf_puts(out, " -f ");
    shell_quote(out, str_of(old->file));
    buf_free(&name);
}

static void refuse_host_key(struct connection *c, enum known_host answer,
                            const struct known_key *key) {
    const struct ssh_target *t = c->target;
    struct buf print = {0}, what = {0};
    ssh_auth_fingerprint(c->session, &print);
    switch (answer) {
    case HOST_KNOWN:
        break;
    case HOST_UNKNOWN:
        buf_printf(&what, "its host key %s is not known", print.s);
        if (c->known->malformed != NULL) {
            buf_puts(&what, " (");
            put_place(&what, c->known->malformed, c->known->malformed_line);
            buf_puts(&what, " cannot be read)");
        }
        buf_puts(&what, "; if it is the right one, accept it with: ");
        put_way_to_accept(t, &what);
        break;
    case HOST_CHANGED:
        buf_printf(&what, "ITS HOST KEY HAS CHANGED to %s from what ", print.s);
        put_place(&what, key->file, key->line);
        buf_puts(&what, " says: somebody may be in between; if the change is right, forget the old "
                        "key with: ");
        put_way_to_forget(t, key, &what);
        break;
    case HOST_REVOKED:
        buf_printf(&what, "its host key %s is revoked in ", print.s);
        put_place(&what, key->file, key->line);
        break;
    case HOST_UNREADABLE:
        buf_printf(&what, "%s, its RevokedHostKeys, cannot be read: no key is trusted",
                   c->known->revoked_file);
        break;
    case HOST_ASK_SSH:
        buf_puts(&what, "its host key can be checked by the ssh program only, since ");
        put_place(&what, key != NULL ? key->file : c->known->revoked_file,
                  key != NULL ? key->line : 0);
        buf_puts(&what, key != NULL ? " names an authority for it" : " is a binary list");
        break;
    }
    if (answer == HOST_ASK_SSH || (answer == HOST_UNKNOWN && t->other_known_hosts))
        fail_beyond(c, "%s", what.s);
    else
        fail(c, true, "%s", what.s);
    buf_free(&print);
    buf_free(&what);
}

static void check_host_key(struct connection *c) {
    struct str blob = {0};
    int type;
    const struct known_key *key = NULL;
    blob.s = libssh2_session_hostkey(c->session, &blob.n, &type);
    enum known_host answer = blob.s != NULL ? known_name_check(c->known, blob, &key) : HOST_UNKNOWN;
    if (answer != HOST_KNOWN)
        refuse_host_key(c, answer, key);
}

static void wake(void *arg) {
    struct connection *c = arg;
    loop_timer(c->loop, &c->kick, loop_now(c->loop));
}

static void log_in(struct connection *c) {
    struct buf reason = {0};
    enum auth answer = ssh_auth_advance(c->auth, &reason);
    if (c->closed || c->goodbye.n != 0) /* libssh2 may call that a refusal */
        answer = AUTH_BROKEN;
    switch (answer) {
    case AUTH_WAIT:
        /* A person may take their time, and the server will end it. */
        if (ssh_auth_waits_for_person(c->auth))
            loop_timer_clear(c->loop, &c->deadline);
        else if (c->deadline.index == 0)
            time_begins(c);
        break;
    case AUTH_GRANTED:
        ssh_auth_free(c->auth);
        c->auth = NULL;
        c->state = READY;
        gate_leave(c->shared->gate, &c->entrant, true);
        c->last_sign = loop_now(c->loop);
        loop_timer_clear(c->loop, &c->deadline);
        libssh2_keepalive_config(c->session, 1, 1);
        expect_life(c);
        c->events.ready(c->events.context, &c->base);
        break;
    case AUTH_REFUSED:
        fail(c, true, "%s", reason.s);
        break;
    case AUTH_NEEDS_SSH:
        fail_beyond(c, "%s", reason.s);
        break;
    case AUTH_MORE:
    case AUTH_BROKEN:
        connection_fail(c, "the log-in failed");
        break;
    }
    buf_free(&reason);
}

/* The server has said what it speaks; before that it may have said why it does not. */
static bool has_begun(const struct connection *c) {
    const char *banner = libssh2_session_banner_get(c->session);
    return banner != NULL && strncmp(banner, "SSH-", 4) == 0;
}

static void shake_hands(struct connection *c) {
    if (c->session == NULL && !make_session(c))
        return;
    int rc = libssh2_session_handshake(c->session, c->socket.fd);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return;
    if (rc != 0) {
        bool direct = c->target->proxy_command == NULL && c->target->proxy_jump == NULL;
        if (c->closed && direct && !has_begun(c) && try_again(c))
            return;
        if (c->closed && direct)
            fail(c, false,
                 "it closed the connection before the log-in (too many at once? see MaxStartups)");
        else if (c->closed)
            fail_closed(c, "no connection came about");
        else if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE)
            fail_beyond(c,
                        "it offers no cipher, MAC, key exchange or kind of host key that is "
                        "allowed and that this libssh2 (%s) knows",
                        libssh2_version(0));
        else
            connection_fail(c, "the ssh handshake failed");
        return;
    }
    dial_answered(c->dial);
    check_host_key(c);
    if (c->state == DEAD)
        return;
    c->auth = ssh_auth_new(&(struct auth_context){
        .session = c->session, .shared = c->shared, .target = c->target, .wake = wake, .arg = c});
    c->state = LOGGING_IN;
}

/* --- turns --- */

void connection_join(struct connection *c, struct member *m) {
    *vec_push(&c->members) = m;
    m->index = c->members.n;
    connection_kick(c);
}

void connection_leave(struct connection *c, struct member *m) {
    if (m->index == 0)
        return;
    if (c->put_off == m)
        c->put_off = NULL;
    c->members.v[m->index - 1] = NULL;
    m->index = 0;
    if (c->opener == m)
        c->opener = NULL;
}

bool connection_may_open(struct connection *c, const struct member *m) {
    if (c->opener == NULL)
        c->opener = m;
    return c->opener == m;
}

void connection_opened(struct connection *c, const struct member *m) {
    if (c->opener == m)
        c->opener = NULL;
}

void connection_answered(struct connection *c, int64_t took) {
    if (c->delay == 0 || took < c->delay)
        c->delay = took;
}

int64_t connection_delay(const struct connection *c) {
    return c->delay;
}

void connection_serves(struct connection *c) {
    c->served = true;
}

void connection_kick(struct connection *c) {
    if (c->state == READY && !c->pumping)
        loop_timer(c->loop, &c->kick, loop_now(c->loop));
    else if (c->pumping)
        c->received++; /* the round that is going counts as one that received something */
}

static void tidy_members(struct connection *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->members.n; i++)
        if (c->members.v[i] != NULL) {
            c->members.v[kept] = c->members.v[i];
            c->members.v[kept]->index = kept + 1;
            kept++;
        }
    c->members.n = kept;
}

static bool round_of_all(struct connection *c) {
    uint64_t before = c->received;
    bool moved = false;
    c->dry = false;
    if (c->state == SHAKING_HANDS)
        shake_hands(c);
    if (c->state == LOGGING_IN)
        log_in(c);
    size_t n = c->members.n, first = c->put_off != NULL ? c->put_off->index - 1 : 0;
    c->put_off = NULL;
    c->round++;
    for (size_t i = 0; i < n && c->state == READY; i++) {
        struct member *m = c->members.v[(first + i) % n];
        if (m != NULL && m->advance(m->arg))
            moved = true;
    }
    flush(c);
    return (moved || c->received != before) && c->state != DEAD;
}

static void pump(struct connection *c) {
    if (c->pumping)
        return;
    c->pumping = true;
    int rounds = 0;
    while (rounds < ROUNDS && round_of_all(c))
        rounds++;
    tidy_members(c);
    c->pumping = false;
    if (c->closed && c->state != DEAD)
        fail_closed(c, "the connection was closed");
    if (rounds == ROUNDS && c->state != DEAD)
        loop_timer(c->loop, &c->kick, loop_now(c->loop));
    if (c->state == DEAD) /* the last thing done: c may be gone afterwards */
        c->events.lost(c->events.context, &c->base, c->for_good, c->reason.s);
}
