#include "way/dial.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_WORDS (200 * MILLISECOND) /* for a proxy that has closed the connection to end */

/* A look-up, which may outlive who has asked for it. */
struct lookup {
    struct dial *dial; /* NULL: nobody waits for it any more */
    char *name, *from;
    char port[8];
    int family;
    struct addrinfo *found, *own; /* own: the addresses to connect from; NULL: any */
    int error, own_error;
};

struct dial {
    struct loop *loop;
    const struct ssh_target *target;
    struct dial_events events;
    struct proxy *proxy;
    struct lookup *lookup; /* under way */
    struct addrinfo *addresses, *next, *own;
    struct watch socket;
    struct timer soon;
    int64_t ends_by;
};

static void try_next_address(struct dial *d, int error);

static void connect_ended(void *arg, short revents) {
    struct dial *d = arg;
    int error = 0, fd = d->socket.fd;
    socklen_t n = sizeof error;
    (void)revents;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
    loop_unwatch(d->loop, &d->socket);
    d->socket.fd = -1;
    if (error == 0) {
        d->events.done(d->events.context, fd);
        return;
    }
    close(fd);
    try_next_address(d, error);
}

/* 0 or errno. */
static int bind_own(const struct dial *d, int fd, int family) {
    if (d->target->bind_address == NULL)
        return 0;
    for (const struct addrinfo *a = d->own; a != NULL; a = a->ai_next)
        if (a->ai_family == family)
            return bind(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    return EADDRNOTAVAIL;
}

static int try_address(struct dial *d, const struct addrinfo *a) {
    int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol), on = 1;
    if (fd < 0)
        return errno;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int error = bind_own(d, fd, a->ai_family);
    if (error == 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS)
        error = errno;
    if (error != 0) {
        close(fd);
        return error;
    }
    d->socket = (struct watch){.fd = fd, .events = POLLOUT, .ready = connect_ended, .arg = d};
    loop_watch(d->loop, &d->socket);
    return 0;
}

static void fail(struct dial *d, bool for_good, const struct buf *reason) {
    d->events.failed(d->events.context, for_good, reason->s);
}

static void try_next_address(struct dial *d, int error) {
    while (d->next != NULL) {
        const struct addrinfo *a = d->next;
        d->next = a->ai_next;
        error = try_address(d, a);
        if (error == 0)
            return;
    }
    const struct ssh_target *t = d->target;
    struct buf reason = {0};
    buf_printf(&reason, "cannot connect to %s port %u", t->address, t->port);
    if (t->bind_address != NULL)
        buf_printf(&reason, " from %s", t->bind_address);
    buf_printf(&reason, ": %s", strerror(error));
    fail(d, false, &reason);
    buf_free(&reason);
}

static int get_addresses(const struct lookup *l, bool own, int flags, struct addrinfo **found) {
    struct addrinfo hints = {.ai_family = l->family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    return getaddrinfo(own ? l->from : l->name, own ? NULL : l->port, &hints, found);
}

static void look_up(void *arg) {
    struct lookup *l = arg;
    l->error = get_addresses(l, false, AI_ADDRCONFIG, &l->found);
    if (l->error == 0 && l->from != NULL)
        l->own_error = get_addresses(l, true, AI_PASSIVE, &l->own);
}

static void free_lookup(struct lookup *l) {
    free(l->name);
    free(l->from);
    free(l);
}

static void looked_up(void *arg) {
    struct lookup *l = arg;
    struct dial *d = l->dial;
    int error = l->error != 0 ? l->error : l->own_error;
    if (d == NULL) {
        if (l->found != NULL)
            freeaddrinfo(l->found);
        if (l->own != NULL)
            freeaddrinfo(l->own);
        free_lookup(l);
        return;
    }
    d->lookup = NULL;
    d->addresses = d->next = l->found;
    d->own = l->own;
    if (error != 0) {
        struct buf reason = {0};
        buf_printf(&reason, "cannot find the address of %s: %s", l->error != 0 ? l->name : l->from,
                   gai_strerror(error));
        fail(d, error == EAI_NONAME && !d->target->awaited, &reason);
        buf_free(&reason);
    } else {
        try_next_address(d, 0);
    }
    free_lookup(l);
}

static void begin(void *arg) {
    struct dial *d = arg;
    struct lookup *l = mem_zalloc(sizeof *l);
    l->name = mem_strdup(d->target->address);
    l->from = d->target->bind_address != NULL ? mem_strdup(d->target->bind_address) : NULL;
    snprintf(l->port, sizeof l->port, "%u", d->target->port);
    l->family = d->target->family;
    l->dial = d;
    d->lookup = l;
    d->events.begun(d->events.context);
    /* A number: nothing to look up. */
    int numeric = AI_NUMERICHOST | AI_NUMERICSERV;
    if (l->from == NULL && get_addresses(l, false, numeric, &l->found) == 0)
        looked_up(l);
    else
        loop_aside(d->loop, look_up, looked_up, l);
}

static const char *proxy_kind(const struct dial *d) {
    return d->target->proxy_command != NULL ? "ProxyCommand" : "ProxyJump";
}

static void proxy_started(void *context, int fd, int error) {
    struct dial *d = context;
    d->events.begun(d->events.context);
    if (fd >= 0) {
        d->events.done(d->events.context, fd);
        return;
    }
    struct buf reason = {0};
    buf_printf(&reason, "cannot start its %s: %s", proxy_kind(d), strerror(error));
    fail(d, error == ENOENT || error == EACCES, &reason);
    buf_free(&reason);
}

struct dial *dial_start(struct loop *loop, struct proxies *proxies, const struct ssh_target *target,
                        const struct dial_events *events) {
    struct dial *d = mem_zalloc(sizeof *d);
    *d = (struct dial){.loop = loop, .target = target, .events = *events};
    d->socket.fd = -1;
    d->soon = (struct timer){.expired = begin, .arg = d};
    if (target->proxy_command != NULL || target->proxy_jump != NULL)
        d->proxy = proxy_start(proxies, target, proxy_started, d);
    else
        loop_timer(loop, &d->soon, loop_now(loop));
    return d;
}

const char *dial_waits_for(const struct dial *d, const char *connected) {
    if (d->proxy != NULL)
        return d->target->proxy_command != NULL ? "its ProxyCommand did not get through"
                                                : "its ProxyJump did not get through";
    if (d->lookup != NULL)
        return "its address was not found";
    return d->socket.fd >= 0 ? "it does not answer" : connected;
}

void dial_answered(struct dial *d) {
    if (d->proxy != NULL)
        proxy_through(d->proxy);
}

bool dial_has_ended(struct dial *d) {
    if (d->proxy == NULL)
        return true;
    if (d->ends_by == 0)
        d->ends_by = loop_now(d->loop) + LAST_WORDS;
    return proxy_has_ended(d->proxy) || loop_now(d->loop) >= d->ends_by;
}

bool dial_explain(struct dial *d, struct buf *out) {
    if (d->proxy == NULL)
        return false;
    buf_printf(out, " (%s", proxy_kind(d));
    bool hopeless = proxy_explain(d->proxy, out);
    buf_putc(out, ')');
    return hopeless;
}

void dial_free(struct dial *d) {
    if (d == NULL)
        return;
    if (d->lookup != NULL)
        d->lookup->dial = NULL;
    if (d->addresses != NULL)
        freeaddrinfo(d->addresses);
    if (d->own != NULL)
        freeaddrinfo(d->own);
    loop_unwatch(d->loop, &d->socket);
    if (d->socket.fd >= 0)
        close(d->socket.fd);
    loop_timer_clear(d->loop, &d->soon);
    proxy_release(d->proxy);
    free(d);
}
