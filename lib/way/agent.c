#include "way/agent.h"

#include "base/mem.h"
#include "way/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    MESSAGE_MAX = 256 * 1024, /* as OpenSSH has it */
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
};
#define BUSY (20 * MILLISECOND) /* between tries to connect to one that others keep busy */

struct agent {
    struct loop *loop;
    struct sockaddr_un address;
    bool too_long; /* the path is: there can be no such socket */
    struct watch socket;
    struct buf out, in;
    agent_answer *answer; /* NULL: nothing is asked */
    void *arg;
    struct timer patience, again;
};

static void ready(void *arg, short revents);
static void give_up(void *arg);
static void begin(void *arg);

struct agent *agent_open(struct loop *loop, const char *path) {
    struct agent *a = mem_zalloc(sizeof *a);
    a->loop = loop;
    a->address.sun_family = AF_UNIX;
    a->too_long = strlen(path) >= sizeof a->address.sun_path;
    if (!a->too_long)
        memcpy(a->address.sun_path, path, strlen(path) + 1);
    a->socket = (struct watch){.fd = -1, .ready = ready, .arg = a};
    a->patience = (struct timer){.expired = give_up, .arg = a};
    a->again = (struct timer){.expired = begin, .arg = a};
    return a;
}

static void hang_up(struct agent *a) {
    loop_unwatch(a->loop, &a->socket);
    if (a->socket.fd >= 0)
        close(a->socket.fd);
    a->socket.fd = -1;
    loop_timer_clear(a->loop, &a->again);
    buf_clear(&a->out);
}

void agent_free(struct agent *a) {
    if (a == NULL)
        return;
    hang_up(a);
    loop_timer_clear(a->loop, &a->patience);
    buf_free(&a->out);
    buf_free(&a->in);
    free(a);
}

/* The last thing done: the agent may be gone afterwards. */
static void tell(struct agent *a, const struct str *message) {
    agent_answer *answer = a->answer;
    loop_timer_clear(a->loop, &a->patience);
    a->answer = NULL;
    answer(a->arg, message);
}

static void give_up(void *arg) {
    struct agent *a = arg;
    hang_up(a);
    tell(a, NULL);
}

/* 0, EAGAIN or another errno. */
static int send_some(struct agent *a) {
    while (a->out.n != 0) {
        ssize_t n = send(a->socket.fd, a->out.s, a->out.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            buf_drop(&a->out, (size_t)n);
    }
    a->socket.events = POLLIN;
    return 0;
}

/* The message that has come, if it is whole; it points into what was read. */
static bool whole_message(const struct agent *a, struct str *message) {
    struct str rest = buf_view(&a->in);
    return wire_take_string(&rest, message);
}

static bool is_sane(const struct agent *a) {
    struct str rest = buf_view(&a->in);
    uint32_t n;
    return !wire_take_u32(&rest, &n) || (n != 0 && n <= MESSAGE_MAX);
}

/* 0: more is to come; EAGAIN: that is all for now; another errno. */
static int receive_some(struct agent *a) {
    char bytes[4096];
    ssize_t n = recv(a->socket.fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return errno != EINTR ? errno : 0;
    if (n == 0)
        return ECONNRESET;
    buf_add(&a->in, bytes, (size_t)n);
    return is_sane(a) ? 0 : EPROTO;
}

static void ready(void *arg, short revents) {
    (void)revents;
    struct agent *a = arg;
    struct str message;
    if (a->answer == NULL) { /* it has ended, or says what nobody has asked */
        hang_up(a);
        return;
    }
    int error = send_some(a);
    while (error == 0 && !whole_message(a, &message))
        error = receive_some(a);
    if (error == 0)
        tell(a, &message);
    else if (error != EAGAIN && error != EWOULDBLOCK)
        give_up(a);
}

static void begin(void *arg) {
    struct agent *a = arg;
    if (a->socket.fd < 0 && !a->too_long) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd >= 0) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            fcntl(fd, F_SETFL, O_NONBLOCK);
        }
        if (fd >= 0 && connect(fd, (struct sockaddr *)&a->address, sizeof a->address) == 0) {
            a->socket.fd = fd;
        } else if (fd >= 0) {
            bool busy = errno == EAGAIN || errno == EINPROGRESS || errno == EINTR;
            close(fd);
            if (busy) {
                loop_timer(a->loop, &a->again, loop_now(a->loop) + BUSY);
                return;
            }
        }
    }
    if (a->socket.fd < 0) {
        give_up(a);
        return;
    }
    a->socket.events = POLLOUT;
    loop_watch(a->loop, &a->socket);
}

static void ask(struct agent *a, const struct buf *message, int64_t patience, agent_answer *answer,
                void *arg) {
    int64_t now = loop_now(a->loop);
    buf_clear(&a->in);
    wire_put_string(&a->out, buf_view(message));
    a->answer = answer;
    a->arg = arg;
    loop_timer(a->loop, &a->patience, now + patience);
    loop_timer(a->loop, &a->again, now); /* no answer comes from within */
}

void agent_ask_keys(struct agent *a, int64_t patience, agent_answer *answer, void *arg) {
    struct buf message = {0};
    buf_putc(&message, REQUEST_IDENTITIES);
    ask(a, &message, patience, answer, arg);
    buf_free(&message);
}

void agent_ask_signature(struct agent *a, struct str key, struct str data, uint32_t flags,
                         int64_t patience, agent_answer *answer, void *arg) {
    struct buf message = {0};
    buf_putc(&message, SIGN_REQUEST);
    wire_put_string(&message, key);
    wire_put_string(&message, data);
    wire_put_u32(&message, flags);
    ask(a, &message, patience, answer, arg);
    buf_free(&message);
}

bool agent_read_keys(struct str message, agent_keys *keys) {
    uint8_t type;
    uint32_t n;
    if (!wire_take_u8(&message, &type) || type != IDENTITIES_ANSWER || !wire_take_u32(&message, &n))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct agent_key key;
        if (!wire_take_string(&message, &key.blob) || !wire_take_string(&message, &key.comment))
            return false;
        *vec_push(keys) = key;
    }
    return true;
}

bool agent_read_signature(struct str message, struct str *algorithm, struct str *signature) {
    uint8_t type;
    struct str whole;
    return wire_take_u8(&message, &type) && type == SIGN_RESPONSE &&
           wire_take_string(&message, &whole) && wire_take_string(&whole, algorithm) &&
           wire_take_string(&whole, signature) && whole.n == 0;
}
