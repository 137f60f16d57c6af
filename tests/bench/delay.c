/* Makes a network slow: takes connections, passes on what comes, in both directions so many
 * milliseconds later, as fast as it came. For kernels without netem. TCP on either side of it sees
 * no delay: what it slows down is what waits for answers, not how windows grow. delay MILLISECONDS
 * PORT [ADDRESS:PORT]...   PORT on each ADDRESS leads to ADDRESS:PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, CHUNKS = 1024 /* on their way at once */, MOST = 256 };

struct chunk {
    int64_t due;
    size_t at, n;
    char bytes[CHUNK];
};

/* One direction of a connection. */
struct way {
    int from, to; /* -1: there is none */
    struct chunk *chunks[CHUNKS];
    size_t first, n;
    bool ended; /* nothing more comes */
    int64_t end_due;
};

static struct way ways[2 * MOST]; /* of connection i: 2i, 2i + 1 */
static int64_t delay;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void take(struct way *w) {
    struct chunk *c = malloc(sizeof *c);
    if (c == NULL)
        die("malloc");
    ssize_t n = read(w->from, c->bytes, CHUNK);
    if (n > 0) {
        c->due = now() + delay;
        c->at = 0;
        c->n = (size_t)n;
        w->chunks[(w->first + w->n++) % CHUNKS] = c;
        return;
    }
    free(c);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    w->ended = true;
    w->end_due = now() + delay;
}

static void drop(struct way *w) {
    for (; w->n != 0; w->n--)
        free(w->chunks[w->first++ % CHUNKS]);
    w->first = 0;
}

static void give(struct way *w) {
    struct chunk *c = w->chunks[w->first];
    ssize_t n = send(w->to, c->bytes + c->at, c->n - c->at, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        drop(w);
        w->ended = true;
        w->end_due = 0;
        return;
    }
    c->at += (size_t)n;
    if (c->at != c->n)
        return;
    free(c);
    w->first = (w->first + 1) % CHUNKS;
    w->n--;
}

static void prepare(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void begin(int listener, const struct sockaddr_in *target) {
    int in = accept(listener, NULL, NULL), out = socket(AF_INET, SOCK_STREAM, 0);
    size_t i = 0;
    while (i < 2 * MOST && ways[i].from >= 0)
        i += 2;
    if (in < 0 || out < 0 || i == 2 * MOST ||
        connect(out, (const struct sockaddr *)target, sizeof *target) != 0) {
        close(in);
        close(out);
        return;
    }
    prepare(in);
    prepare(out);
    ways[i].from = ways[i + 1].to = in;
    ways[i].to = ways[i + 1].from = out;
}

/* Passes on the end of a direction; with that of the other one the connection is over. */
static void finish(struct way *w) {
    if (w->from < 0 || !w->ended || w->n != 0 || w->end_due > now())
        return;
    if (w->end_due != INT64_MIN) {
        shutdown(w->to, SHUT_WR);
        w->end_due = INT64_MIN;
    }
    struct way *other = &ways[(w - ways) ^ 1];
    if (!other->ended || other->n != 0 || other->end_due != INT64_MIN)
        return;
    close(w->from);
    close(w->to);
    *w = *other = (struct way){.from = -1, .to = -1};
}

static int listen_at(struct sockaddr_in at, uint16_t port) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 64) != 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv) {
    static struct pollfd polled[MOST + 4 * MOST];
    struct sockaddr_in targets[MOST];
    int listeners[MOST], n = argc - 3;
    if (n < 1 || n > MOST)
        return 2;
    delay = atoll(argv[1]) * 1000000;
    for (int i = 0; i < n; i++) {
        char *colon = strchr(argv[i + 3], ':');
        targets[i] = (struct sockaddr_in){.sin_family = AF_INET};
        if (colon == NULL)
            return 2;
        *colon = '\0';
        targets[i].sin_port = htons((uint16_t)atoi(colon + 1));
        if (inet_pton(AF_INET, argv[i + 3], &targets[i].sin_addr) != 1)
            return 2;
        listeners[i] = listen_at(targets[i], (uint16_t)atoi(argv[2]));
    }
    for (int i = 0; i < 2 * MOST; i++)
        ways[i].from = ways[i].to = -1;
    for (;;) {
        int64_t next = INT64_MAX, moment = now();
        int all = 0;
        for (; all < n; all++)
            polled[all] = (struct pollfd){.fd = listeners[all], .events = POLLIN};
        for (int i = 0; i < 2 * MOST; i++) {
            struct way *w = &ways[i];
            int64_t due = w->n != 0 ? w->chunks[w->first]->due : w->ended ? w->end_due : INT64_MAX;
            bool ready = w->n != 0 && due <= moment;
            if (w->from >= 0 && due > moment && due < next)
                next = due;
            polled[all++] =
                (struct pollfd){.fd = w->ended || w->n == CHUNKS ? -1 : w->from, .events = POLLIN};
            polled[all++] = (struct pollfd){.fd = ready ? w->to : -1, .events = POLLOUT};
        }
        int64_t wait = next == INT64_MAX ? 3600000000000LL : next - moment;
        struct timespec t = {wait / 1000000000, wait % 1000000000};
        if (ppoll(polled, (nfds_t)all, &t, NULL) < 0 && errno != EINTR)
            die("poll");
        for (int i = 0; i < 2 * MOST; i++) {
            if (polled[n + 2 * i].revents != 0)
                take(&ways[i]);
            if (polled[n + 2 * i + 1].revents != 0 && ways[i].n != 0)
                give(&ways[i]);
        }
        for (int i = 0; i < 2 * MOST; i++)
            finish(&ways[i]);
        for (int i = 0; i < n; i++)
            if (polled[i].revents != 0)
                begin(listeners[i], &targets[i]);
    }
}
