#include "base/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* A thread costs about as much as so many pieces; they are handed out in such portions. */
enum { PORTION = 1024, THREADS = 8 };

struct parallel {
    void (*work)(void *context, size_t from, size_t to);
    void *context;
    size_t n;
    atomic_size_t next;
};

static void *take_portions(void *arg) {
    struct parallel *p = arg;
    for (;;) {
        size_t from = atomic_fetch_add(&p->next, PORTION);
        if (from >= p->n)
            return NULL;
        p->work(p->context, from, p->n - from > PORTION ? from + PORTION : p->n);
    }
}

void parallel(size_t n, void (*work)(void *context, size_t from, size_t to), void *context) {
    struct parallel p = {work, context, n, 0};
    pthread_t threads[THREADS];
    /* Linux reads a file to know it. */
    long cores = n >= 2 * (size_t)PORTION ? sysconf(_SC_NPROCESSORS_ONLN) : 1;
    size_t most = cores > THREADS ? THREADS : cores > 0 ? (size_t)cores : 1, started = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started + 1 < most && started < n / (2 * (size_t)PORTION) &&
           pthread_create(&threads[started], NULL, take_portions, &p) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    take_portions(&p);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
