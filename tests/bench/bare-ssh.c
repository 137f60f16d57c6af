/* The limit for remote steps: one exec channel after another in a bare loop of libssh2, several on
 * each of the sessions, and nothing around it. bare-ssh KEYFILE USER PORT COUNT SLOTS ADDRESS... */
#include <arpa/inet.h>
#include <errno.h>
#include <libssh2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOSTS = 16, SLOTS = 8 };

struct lane {
    LIBSSH2_CHANNEL *channel;
    enum { FREE, OPENING, STARTING, READING, CLOSING } state;
};

struct session {
    LIBSSH2_SESSION *session;
    int fd;
    struct lane lanes[SLOTS];
    struct lane *opener;
};

static int left;
static unsigned long
    received; /* by all sessions: packets of one channel may be read with another's */

static ssize_t count_received(libssh2_socket_t fd, void *bytes, size_t n, int flags,
                              void **abstract) {
    (void)abstract;
    ssize_t got = recv(fd, bytes, n, flags);
    if (got > 0)
        received += (unsigned long)got;
    return got < 0 ? -errno : got;
}

static void connect_to(struct session *s, const char *address, int port, const char *user,
                       const char *key) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, address, &a.sin_addr);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    s->session = libssh2_session_init();
    if (connect(s->fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        libssh2_session_handshake(s->session, s->fd) != 0 ||
        libssh2_userauth_publickey_fromfile(s->session, user, NULL, key, NULL) != 0) {
        fprintf(stderr, "bare-ssh: cannot log in to %s\n", address);
        exit(1);
    }
    union {
        ssize_t (*recv)(libssh2_socket_t, void *, size_t, int, void **);
        void *any;
    } callback = {.recv = count_received};
    libssh2_session_callback_set(s->session, LIBSSH2_CALLBACK_RECV, callback.any);
    libssh2_session_set_blocking(s->session, 0);
}

/* One step further with a lane; whether anything moved. */
static int advance(struct session *s, struct lane *l) {
    char bytes[4096];
    switch (l->state) {
    case FREE:
        if (left == 0 || s->opener != NULL)
            return 0;
        left--;
        s->opener = l;
        l->state = OPENING;
        return 1;
    case OPENING:
        l->channel = libssh2_channel_open_session(s->session);
        if (l->channel == NULL)
            return 0;
        l->state = STARTING;
        return 1;
    case STARTING:
        if (libssh2_channel_exec(l->channel, "true") != 0)
            return 0;
        s->opener = NULL;
        l->state = READING;
        return 1;
    case READING:
        while (libssh2_channel_read(l->channel, bytes, sizeof bytes) > 0)
            ;
        if (!libssh2_channel_eof(l->channel))
            return 0;
        l->state = CLOSING;
        return 1;
    case CLOSING:
        if (libssh2_channel_free(l->channel) == LIBSSH2_ERROR_EAGAIN)
            return 0;
        l->state = FREE;
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    static struct session sessions[HOSTS];
    if (argc < 7)
        return 2;
    int n = argc - 6 < HOSTS ? argc - 6 : HOSTS, slots = atoi(argv[5]);
    left = atoi(argv[4]);
    libssh2_init(0);
    for (int i = 0; i < n; i++)
        connect_to(&sessions[i], argv[6 + i], atoi(argv[3]), argv[2], argv[1]);
    for (;;) {
        int busy = 0, moved = 0;
        unsigned long before = received;
        struct pollfd polled[HOSTS];
        for (int i = 0; i < n; i++) {
            struct session *s = &sessions[i];
            for (int k = 0; k < slots && k < SLOTS; k++) {
                moved |= advance(s, &s->lanes[k]);
                busy |= s->lanes[k].state != FREE;
            }
            int directions = libssh2_session_block_directions(s->session);
            polled[i] = (struct pollfd){.fd = s->fd, .events = POLLIN};
            if ((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0)
                polled[i].events |= POLLOUT;
        }
        if (!busy && left == 0)
            break;
        if (!moved && received == before)
            poll(polled, (nfds_t)n, 1000);
    }
    return 0;
}
