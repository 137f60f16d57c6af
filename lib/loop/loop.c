#include "loop/loop.h"

#include "base/mem.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

struct errand {
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    struct errand *next;
};

struct loop {
    VEC(struct watch *) watches;
    VEC(struct pollfd) polled;
    VEC(struct timer *) timers; /* a binary heap by `at` */
    int64_t now;
    /* Blocking work: threads take errands from a list, and tell the loop through a pipe. */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct errand *waiting, **last_waiting, *finished;
    pthread_t threads[16];
    size_t n_threads, idle_threads, pending;
    bool closing;
    int wake_pipe[2];
    struct watch wake;
};

int64_t loop_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static void errands_done(void *arg, short revents) {
    (void)revents;
    struct loop *l = arg;
    char bytes[64];
    while (read(l->wake_pipe[0], bytes, sizeof bytes) > 0)
        ;
    pthread_mutex_lock(&l->lock);
    struct errand *e = l->finished;
    l->finished = NULL;
    pthread_mutex_unlock(&l->lock);
    while (e != NULL) {
        struct errand *next = e->next;
        l->pending--;
        e->done(e->arg);
        free(e);
        e = next;
    }
}

struct loop *loop_new(void) {
    struct loop *l = mem_zalloc(sizeof *l);
    if (pipe(l->wake_pipe) != 0) {
        free(l);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        fcntl(l->wake_pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(l->wake_pipe[i], F_SETFL, O_NONBLOCK);
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    l->last_waiting = &l->waiting;
    l->now = loop_clock();
    l->wake =
        (struct watch){.fd = l->wake_pipe[0], .events = POLLIN, .ready = errands_done, .arg = l};
    loop_watch(l, &l->wake);
    return l;
}

void loop_free(struct loop *l) {
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->more);
    size_t busy = l->n_threads - l->idle_threads;
    pthread_mutex_unlock(&l->lock);
    /* A look-up may hang for long: threads that are in one are left to the end of the program. */
    if (busy != 0)
        return;
    for (size_t i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    while (l->waiting != NULL) {
        struct errand *e = l->waiting;
        l->waiting = e->next;
        free(e);
    }
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->more);
    close(l->wake_pipe[0]);
    close(l->wake_pipe[1]);
    vec_free(&l->watches);
    vec_free(&l->polled);
    vec_free(&l->timers);
    free(l);
}

int64_t loop_now(const struct loop *l) {
    return l->now;
}

void loop_watch(struct loop *l, struct watch *w) {
    if (w->index != 0)
        return;
    *vec_push(&l->watches) = w;
    w->index = l->watches.n;
    struct pollfd *p = vec_push(&l->polled);
    p->fd = w->fd;
}

void loop_unwatch(struct loop *l, struct watch *w) {
    if (w->index == 0)
        return;
    size_t i = w->index - 1, last = l->watches.n - 1;
    l->watches.v[i] = l->watches.v[last];
    l->watches.v[i]->index = i + 1;
    l->polled.v[i] = l->polled.v[last];
    l->watches.n = l->polled.n = last;
    w->index = 0;
}

static void timer_put(struct loop *l, size_t i, struct timer *t) {
    l->timers.v[i] = t;
    t->index = i + 1;
}

static void timer_sift(struct loop *l, size_t i) {
    struct timer *t = l->timers.v[i];
    while (i > 0 && l->timers.v[(i - 1) / 2]->at > t->at) {
        timer_put(l, i, l->timers.v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < l->timers.n && l->timers.v[child + 1]->at < l->timers.v[child]->at)
            child++;
        if (child >= l->timers.n || l->timers.v[child]->at >= t->at)
            break;
        timer_put(l, i, l->timers.v[child]);
        i = child;
    }
    timer_put(l, i, t);
}

void loop_timer(struct loop *l, struct timer *t, int64_t at) {
    t->at = at;
    if (t->index == 0) {
        *vec_push(&l->timers) = t;
        t->index = l->timers.n;
    }
    timer_sift(l, t->index - 1);
}

void loop_timer_clear(struct loop *l, struct timer *t) {
    if (t->index == 0)
        return;
    size_t i = t->index - 1;
    struct timer *last = l->timers.v[--l->timers.n];
    t->index = 0;
    if (last != t) {
        timer_put(l, i, last);
        timer_sift(l, i);
    }
}

static void *errand_thread(void *arg) {
    struct loop *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (l->waiting == NULL && !l->closing) {
            l->idle_threads++;
            pthread_cond_wait(&l->more, &l->lock);
            l->idle_threads--;
        }
        if (l->closing)
            break;
        struct errand *e = l->waiting;
        l->waiting = e->next;
        if (l->waiting == NULL)
            l->last_waiting = &l->waiting;
        pthread_mutex_unlock(&l->lock);
        e->work(e->arg);
        pthread_mutex_lock(&l->lock);
        e->next = l->finished;
        l->finished = e;
        ssize_t written = write(l->wake_pipe[1], "", 1); /* full: the loop is being woken already */
        (void)written;
    }
    l->idle_threads++; /* on its way out: nothing holds it up any more */
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

void loop_aside(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg) {
    struct errand *e = mem_zalloc(sizeof *e);
    *e = (struct errand){.work = work, .done = done, .arg = arg};
    size_t max = sizeof l->threads / sizeof *l->threads;
    pthread_mutex_lock(&l->lock);
    *l->last_waiting = e;
    l->last_waiting = &e->next;
    l->pending++;
    bool grow = l->idle_threads == 0 && l->n_threads < max;
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    if (grow) {
        /* Signals are the main thread's. */
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        if (pthread_create(&l->threads[l->n_threads], NULL, errand_thread, l) == 0)
            l->n_threads++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (l->n_threads == 0) { /* no thread to be had: here, then */
        l->waiting = NULL;
        l->last_waiting = &l->waiting;
        e->work(arg);
        e->next = l->finished;
        l->finished = e;
        ssize_t written = write(l->wake_pipe[1], "", 1);
        (void)written;
    }
}

void loop_turn(struct loop *l) {
    int timeout = -1;
    if (l->timers.n != 0) {
        int64_t wait = l->timers.v[0]->at - loop_clock();
        int64_t ms = wait <= 0 ? 0 : (wait + MILLISECOND - 1) / MILLISECOND;
        timeout = ms > 3600 * 1000 ? 3600 * 1000 : (int)ms;
    }
    for (size_t i = 0; i < l->watches.n; i++) {
        l->polled.v[i].events = l->watches.v[i]->events;
        /* A descriptor nobody waits on must not report POLLHUP again and again. */
        l->polled.v[i].fd = l->watches.v[i]->events != 0 ? l->watches.v[i]->fd : -1;
        l->polled.v[i].revents = 0;
    }
    int n = poll(l->polled.v, l->polled.n, timeout);
    l->now = loop_clock();
    /* From the end: when a watch is taken out, the last one, already looked at, moves into its
     * place. */
    for (size_t i = l->polled.n; n > 0 && i-- > 0;) {
        if (i >= l->polled.n)
            continue;
        short revents = l->polled.v[i].revents;
        if (revents == 0)
            continue;
        n--;
        l->polled.v[i].revents = 0;
        struct watch *w = l->watches.v[i];
        w->ready(w->arg, revents);
    }
    /* As many as there are now: one that sets itself to "now" again must not keep the loop from its
     * descriptors. */
    for (size_t i = l->timers.n; i > 0 && l->timers.n != 0 && l->timers.v[0]->at <= l->now; i--) {
        struct timer *t = l->timers.v[0];
        loop_timer_clear(l, t);
        t->expired(t->arg);
    }
}
