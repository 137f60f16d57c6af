#include "run/solo.h"

#include "base/mem.h"
#include "run/files.h"
#include "run/remote.h"
#include "way/launcher.h"

#include <stdlib.h>

enum { CORES = 1 << 20 };

struct solo {
    struct executor base;
    struct loop *loop;
    const struct executor_events *events;
    struct children *children;
    const struct watcher *watcher;
    struct prompter *prompter;
    bool keep_scratch, paused;
    const bool *held;
    VEC(struct solo_host *) hosts; /* by host id; NULL: not used so far */
    struct ride *rides;
    struct ride *buried; /* to be freed when nobody is in the middle of using them */
    struct timer sweep, ping;
};

struct solo_host {
    struct solo *solo;
    struct host *host;
    struct timer up;
};

/* A job, and the process that it has. */
struct ride {
    struct solo *solo;
    struct ride *next, **link;
    struct job *job;
    struct way *way;
    struct slot *slot;     /* NULL: not yet */
    struct remote *remote; /* NULL: its shell is not ready */
    unsigned directories;
    char *empty; /* see struct berth */
};

/* --- the end of a ride --- */

static void unlink_ride(struct ride *ride) {
    *ride->link = ride->next;
    if (ride->next != NULL)
        ride->next->link = ride->link;
}

static void link_ride(struct ride *ride, struct ride **list) {
    ride->link = list;
    ride->next = *list;
    if (ride->next != NULL)
        ride->next->link = &ride->next;
    *list = ride;
}

static void free_ride(struct ride *ride) {
    unlink_ride(ride);
    if (ride->slot != NULL)
        slot_free(ride->slot);
    if (ride->remote != NULL) /* whose terminal the slot may have had */
        remote_free(ride->remote);
    way_close(ride->way);
    free(ride->empty);
    free(ride);
}

static void sweep(void *arg) {
    struct solo *x = arg;
    while (x->buried != NULL)
        free_ride(x->buried);
}

/* The job is its own again. */
static void bury(struct ride *ride) {
    struct solo *x = ride->solo;
    unlink_ride(ride);
    link_ride(ride, &x->buried);
    ride->job->executing = NULL;
    ride->job = NULL;
    /* Before whatever else is due: no timer of what it was made of comes after. */
    loop_timer(x->loop, &x->sweep, 0);
}

static void lose(struct ride *ride, const char *reason) {
    struct solo *x = ride->solo;
    struct job *job = ride->job;
    bury(ride);
    job->end = JOB_LOST;
    buf_puts(&job->reason, reason);
    x->events->ended(x->events->context, job);
}

static void over(void *arg, struct remote *r) {
    (void)r;
    struct ride *ride = arg;
    struct solo *x = ride->solo;
    struct job *job = ride->job;
    bury(ride);
    x->events->ended(x->events->context, job);
}

/* --- what its slot and its way tell --- */

static void ready(void *context, struct slot *slot, uint32_t cores, uint64_t memory, double load) {
    (void)cores, (void)memory, (void)load;
    struct ride *ride = context;
    if (ride->job == NULL)
        return;
    const struct launch *launch = ride->job->host->launch;
    ride->empty = slot_first_directory(slot);
    struct berth berth = {
        .slot = slot,
        .loop = ride->solo->loop,
        .directories = &ride->directories,
        .empty = &ride->empty,
        .keep_scratch = ride->solo->keep_scratch,
        .in_place = !launch->stage,
        .prompter = ride->solo->prompter,
        .watcher = ride->solo->watcher,
    };
    ride->remote = remote_start(ride->job, &berth, over, ride);
}

static void broken(void *context, struct slot *slot, const char *reason) {
    (void)slot;
    struct ride *ride = context;
    if (ride->job == NULL)
        return;
    if (ride->remote != NULL)
        remote_broken(ride->remote, reason);
    else
        lose(ride, reason);
}

static void refused(void *context, struct slot *slot) {
    broken(context, slot, "it takes no more processes");
}

static void output(void *context, struct slot *slot, enum stream stream, struct str bytes) {
    (void)slot;
    struct ride *ride = context;
    struct solo *x = ride->solo;
    if (ride->job != NULL && !remote_output(ride->remote, stream, bytes))
        x->events->output(x->events->context, ride->job, stream, bytes);
}

static void ended(void *context, struct slot *slot, int status, bool clean, double load) {
    (void)slot, (void)load;
    struct ride *ride = context;
    if (ride->job != NULL)
        remote_ended(ride->remote, status, clean);
}

static void unable(void *context, struct slot *slot, const char *reason) {
    (void)slot;
    struct ride *ride = context;
    if (ride->job != NULL)
        remote_unable(ride->remote, reason);
}

static void told_load(void *context, struct slot *slot, double load) {
    (void)slot, (void)load;
    struct ride *ride = context;
    if (ride->job != NULL)
        remote_heard(ride->remote);
}

static void no_facts(void *context, struct slot *slot, uint64_t memory, uint64_t disk) {
    (void)context, (void)slot, (void)memory, (void)disk;
}

static void way_ready(void *context, struct way *w) {
    struct ride *ride = context;
    struct slot_events events = {ride,  ready,  refused,   broken,   output,
                                 ended, unable, told_load, no_facts, NULL};
    struct slot_options options = {.keep_scratch = ride->solo->keep_scratch,
                                   .silence = SLOT_SILENCE,
                                   .patient = true,
                                   .held = ride->solo->held};
    ride->slot = slot_open(ride->solo->loop, w, &options, &events);
}

/* There is no such command: for no other step of that host either. */
static void lose_host(struct solo *x, struct host *host, const char *reason) {
    for (struct ride *ride = x->rides, *next; ride != NULL; ride = next) {
        next = ride->next;
        if (ride->job->host == host)
            bury(ride);
    }
    x->events->host_lost(x->events->context, host, true, reason);
}

static void way_lost(void *context, struct way *w, bool for_good, const char *reason) {
    (void)w;
    struct ride *ride = context;
    if (ride->job == NULL)
        return;
    if (for_good)
        lose_host(ride->solo, ride->job->host, reason);
    else
        lose(ride, reason);
}

/* --- the executor --- */

static void is_up(void *arg) {
    struct solo_host *h = arg;
    h->solo->events->host_up(h->solo->events->context, h->host, CORES, 0);
}

static void connect_host(struct executor *base, struct host *host) {
    struct solo *x = (struct solo *)base;
    while (x->hosts.n <= host->id)
        (void)vec_push(&x->hosts);
    struct solo_host *h = x->hosts.v[host->id];
    if (h == NULL) {
        h = x->hosts.v[host->id] = mem_zalloc(sizeof *h);
        *h = (struct solo_host){.solo = x, .host = host};
        h->up = (struct timer){.expired = is_up, .arg = h};
    }
    loop_timer(x->loop, &h->up, loop_now(x->loop));
}

static void start(struct executor *base, struct job *job) {
    struct solo *x = (struct solo *)base;
    struct ride *ride = mem_zalloc(sizeof *ride);
    *ride = (struct ride){.solo = x, .job = job};
    job->executing = ride;
    link_ride(ride, &x->rides);
    struct launching words = {0};
    graph_launch(job->host, job->step, &words.shell);
    str_list_add(&words.shell, STR("sh"));
    struct way_events events = {ride, way_ready, way_lost};
    ride->way = launcher_open(x->loop, x->children, &words, &events);
}

static void cancel(struct executor *base, struct job *job, bool at_once) {
    (void)base;
    struct ride *ride = job->executing;
    if (ride != NULL && ride->remote != NULL)
        remote_cancel(ride->remote, at_once);
    else if (ride != NULL)
        lose(ride, "given up");
}

static void tell_all(struct solo *x, void (*tell)(struct slot *s)) {
    for (struct ride *ride = x->rides; ride != NULL; ride = ride->next)
        if (ride->slot != NULL)
            tell(ride->slot);
}

static void ping_all(void *arg) {
    struct solo *x = arg;
    if (!x->paused)
        tell_all(x, slot_ping);
    loop_timer(x->loop, &x->ping, loop_now(x->loop) + SLOT_PING * SECOND);
}

void solo_go_on(struct executor *base) {
    tell_all((struct solo *)base, slot_go_on);
}

void solo_pause(struct executor *base) {
    struct solo *x = (struct solo *)base;
    x->paused = true;
    tell_all(x, slot_pause);
}

void solo_resume(struct executor *base) {
    struct solo *x = (struct solo *)base;
    x->paused = false;
    tell_all(x, slot_resume);
    ping_all(x);
}

void solo_resized(struct executor *base) {
    tell_all((struct solo *)base, slot_resized);
}

static bool close_all(struct executor *base) {
    return children_ended(((struct solo *)base)->children);
}

static void free_all(struct executor *base) {
    struct solo *x = (struct solo *)base;
    while (x->rides != NULL)
        bury(x->rides);
    sweep(x);
    children_free(x->children);
    loop_timer_clear(x->loop, &x->sweep);
    loop_timer_clear(x->loop, &x->ping);
    for (size_t i = 0; i < x->hosts.n; i++)
        if (x->hosts.v[i] != NULL) {
            loop_timer_clear(x->loop, &x->hosts.v[i]->up);
            free(x->hosts.v[i]);
        }
    vec_free(&x->hosts);
    free(x);
}

void solo_child_ended(struct executor *base) {
    children_look(((struct solo *)base)->children);
}

static const struct executor_table table = {connect_host, start, cancel, close_all, free_all};

struct executor *solo_new(struct loop *loop, const struct executor_events *events,
                          const struct watcher *watcher, struct prompter *prompter,
                          bool keep_scratch, const bool *held) {
    struct solo *x = mem_zalloc(sizeof *x);
    *x = (struct solo){.base = {&table},
                       .loop = loop,
                       .events = events,
                       .watcher = watcher,
                       .prompter = prompter,
                       .keep_scratch = keep_scratch,
                       .held = held};
    x->children = children_new(loop, watcher);
    x->sweep = (struct timer){.expired = sweep, .arg = x};
    x->ping = (struct timer){.expired = ping_all, .arg = x};
    loop_timer(loop, &x->ping, loop_now(loop) + SLOT_PING * SECOND);
    return &x->base;
}
