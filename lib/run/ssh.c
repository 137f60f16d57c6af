#include "run/ssh.h"

#include "base/mem.h"
#include "base/shell.h"
#include "run/connection.h"
#include "run/files.h"
#include "run/launcher.h"
#include "run/remote.h"
#include "run/ssh_asker.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SESSIONS = 10 };       /* per connection, sshd's default; a refusal teaches better */
enum { CARRY_PATIENCE = 4 };      /* disks may be silent for so much longer than hosts */
enum { MAX_PROCESSES = 1 << 20 }; /* of a launcher: no bound of ours */
#define LINK_PAUSE (2 * SECOND)   /* after a further connection to a host was refused */

/* A slot and who is on it. */
struct seat {
    struct link *link;
    struct slot *slot;
    bool ready, buried;
    unsigned directories;
    char *empty; /* see struct berth */
    struct ride *ride;
    struct seat *next_idle;
};

/* A job on a host, with a seat or waiting for one. */
struct ride {
    struct ssh_host *host;
    struct job *job;
    struct remote *remote; /* NULL: it waits */
    struct seat *seat;
    struct ride *next; /* waiting */
};

struct link {
    struct ssh_host *host;
    struct way *way;
    str_list words; /* of a launcher */
    VEC(struct seat *) seats;
    struct carrier *carrier;
    struct way *files;       /* for the carrier, if `way` takes no more channels; else NULL */
    struct errand *to_carry; /* when that is ready */
    size_t max_channels;
};

struct ssh_host {
    struct ssh *ssh;
    struct host *host;
    struct ssh_target target;
    bool asking, configured, up; /* asking: for its configuration */
    VEC(struct link *) links;
    struct seat *idle;
    struct ride *waiting, **last_waiting;
    size_t n_waiting, seats_opening;
    size_t max_channels;    /* of a connection, as far as is known */
    int64_t no_link_before; /* when a further connection may be tried again */
    int64_t no_seat_before; /* likewise, after a shell was gone before it was ready */
    struct timer link_pause;
    struct store *store; /* what is kept there of what was sent */
};

struct ssh {
    struct executor base;
    struct loop *loop;
    const struct executor_events *events;
    struct ssh_options options;
    struct ssh_shared *shared;
    struct ssh_asker *asker;
    struct children *children;
    VEC(struct ssh_host *) hosts; /* by host id; NULL: not used so far */
    VEC(struct seat *) buried;    /* to be freed when nobody is in the middle of using them */
    VEC(struct carrier *) buried_carriers;
    struct timer sweep, ping;
    bool paused; /* we are being stopped */
    bool begun; /* the library is of use only from the first host on, and takes its time to begin */
    bool closing;
    struct contents *contents; /* of files that are sent */
    struct sums *sums;
};

static void grow(struct ssh_host *h);

/* --- burying what is still on somebody's call stack --- */

static void sweep(void *arg) {
    struct ssh *x = arg;
    for (size_t i = 0; i < x->buried.n; i++) {
        slot_free(x->buried.v[i]->slot);
        free(x->buried.v[i]->empty);
        free(x->buried.v[i]);
    }
    for (size_t i = 0; i < x->buried_carriers.n; i++)
        carrier_free(x->buried_carriers.v[i]);
    x->buried.n = x->buried_carriers.n = 0;
}

static void bury_seat(struct seat *seat) {
    struct link *link = seat->link;
    struct ssh *x = link->host->ssh;
    for (size_t i = 0; i < link->seats.n; i++)
        if (link->seats.v[i] == seat) {
            link->seats.v[i] = link->seats.v[--link->seats.n];
            break;
        }
    for (struct seat **s = &link->host->idle; *s != NULL; s = &(*s)->next_idle)
        if (*s == seat) {
            *s = seat->next_idle;
            break;
        }
    if (!seat->ready)
        link->host->seats_opening--;
    seat->buried = true;
    *vec_push(&x->buried) = seat;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
}

/* --- jobs and seats --- */

static void ride_over(void *arg, struct remote *r);

static void carry(void *context, struct errand *e);

static bool is_in_place(const struct host *host) {
    return host->launch != NULL && !host->launch->stage;
}

static void board(struct seat *seat, struct ride *ride) {
    struct ssh *x = ride->host->ssh;
    seat->ride = ride;
    ride->seat = seat;
    struct berth berth = {
        .slot = seat->slot,
        .loop = x->loop,
        .directories = &seat->directories,
        .empty = &seat->empty,
        .keep_scratch = x->options.keep_scratch,
        .sums = x->sums,
        .in_place = is_in_place(ride->host->host),
        .carry = ride->host->host->launch == NULL ? carry : NULL,
        .context = seat->link,
    };
    ride->remote = remote_start(ride->job, &berth, ride_over, ride);
}

static struct ride *take_waiting(struct ssh_host *h) {
    struct ride *ride = h->waiting;
    if (ride == NULL)
        return NULL;
    h->waiting = ride->next;
    if (h->waiting == NULL)
        h->last_waiting = &h->waiting;
    h->n_waiting--;
    return ride;
}

static void seat_free_again(struct seat *seat) {
    struct ssh_host *h = seat->link->host;
    struct ride *next = take_waiting(h);
    if (next != NULL) {
        board(seat, next);
    } else {
        seat->next_idle = h->idle;
        h->idle = seat;
    }
}

static void ride_over(void *arg, struct remote *r) {
    struct ride *ride = arg;
    struct ssh_host *h = ride->host;
    struct job *job = ride->job;
    struct seat *seat = ride->seat;
    remote_free(r);
    free(ride);
    job->executing = NULL;
    if (seat != NULL) {
        seat->ride = NULL;
        /* Where a step may have left something nobody can tell what later ones leave. */
        if (job->step->rule->detach) {
            bury_seat(seat);
            grow(h);
        } else {
            seat_free_again(seat);
        }
    }
    h->ssh->events->ended(h->ssh->events->context, job);
}

static void seat_ready(void *context, struct slot *slot, uint32_t cores, uint64_t memory,
                       double load) {
    (void)slot;
    struct seat *seat = context;
    struct ssh_host *h = seat->link->host;
    struct ssh *x = h->ssh;
    seat->ready = true;
    h->seats_opening--;
    seat_free_again(seat);
    if (!h->up) {
        h->up = true;
        x->events->host_up(x->events->context, h->host, cores != 0 ? cores : 1, memory);
    }
    if (load >= 0)
        x->events->host_load(x->events->context, h->host, load);
    grow(h);
}

/* It takes no more than so many, and neither will others to this host. */
static void learn_channels(struct link *link, size_t n) {
    link->max_channels = n;
    if (n != 0 && n < link->host->max_channels)
        link->host->max_channels = n;
}

static void seat_refused(void *context, struct slot *slot) {
    (void)slot;
    struct seat *seat = context;
    struct link *link = seat->link;
    bury_seat(seat);
    learn_channels(link, link->seats.n + (link->carrier != NULL));
    if (link->max_channels == 0)
        way_drop(link->way, "it allows no session on its connections (MaxSessions 0?)");
    else
        grow(link->host);
}

/* Until when no more are opened there. */
static int64_t pause_growth(struct ssh_host *h) {
    int64_t until = loop_now(h->ssh->loop) + LINK_PAUSE;
    loop_timer(h->ssh->loop, &h->link_pause, until);
    return until;
}

static void seat_broken(void *context, struct slot *slot, const char *reason) {
    (void)slot;
    struct seat *seat = context;
    struct ssh_host *h = seat->link->host;
    struct ride *ride = seat->ride;
    struct link *link = seat->link;
    bool came = seat->ready;
    bury_seat(seat);
    if (!h->up || (!came && h->links.n == 1 && link->seats.n == 0)) {
        way_drop(link->way, reason);
        return;
    }
    if (!came)
        h->no_seat_before = pause_growth(h);
    if (ride != NULL) {
        ride->seat = NULL;
        remote_broken(ride->remote, reason);
    }
    grow(h);
}

static void seat_output(void *context, struct slot *slot, enum stream stream, struct str bytes) {
    (void)slot;
    struct seat *seat = context;
    struct ssh *x = seat->link->host->ssh;
    if (seat->ride != NULL && !remote_output(seat->ride->remote, stream, bytes))
        x->events->output(x->events->context, seat->ride->job, stream, bytes);
}

static void seat_load(void *context, struct slot *slot, double load) {
    (void)slot;
    struct seat *seat = context;
    struct ssh_host *h = seat->link->host;
    if (load >= 0)
        h->ssh->events->host_load(h->ssh->events->context, h->host, load);
}

static void seat_facts(void *context, struct slot *slot, uint64_t memory, uint64_t disk) {
    (void)slot;
    struct seat *seat = context;
    struct ssh_host *h = seat->link->host;
    if (h->ssh->events->host_facts != NULL)
        h->ssh->events->host_facts(h->ssh->events->context, h->host, memory, disk);
}

static void seat_ended(void *context, struct slot *slot, int status, bool clean, double load) {
    struct seat *seat = context;
    seat_load(seat, slot, load);
    if (seat->ride != NULL)
        remote_ended(seat->ride->remote, status, clean);
}

static void seat_unable(void *context, struct slot *slot, const char *reason) {
    (void)slot;
    struct seat *seat = context;
    if (seat->ride != NULL)
        remote_unable(seat->ride->remote, reason);
}

static void open_seat(struct link *link) {
    struct ssh_host *h = link->host;
    struct seat *seat = mem_zalloc(sizeof *seat);
    seat->link = link;
    h->seats_opening++;
    *vec_push(&link->seats) = seat;
    struct slot_events events = {seat,       seat_ready,  seat_refused, seat_broken, seat_output,
                                 seat_ended, seat_unable, seat_load,    seat_facts};
    int64_t silence = h->target.silence / SECOND;
    struct slot_options options = {
        .count_cores = !h->up,
        .keep_scratch = h->ssh->options.keep_scratch,
        .silence = silence > SLOT_SILENCE ? (unsigned)silence : SLOT_SILENCE,
    };
    seat->slot = slot_open(h->ssh->loop, link->way, &options, &events);
}

/* --- carriers --- */

static void open_files(struct link *link);

static void carrier_broken(void *context, struct carrier *k, bool refused, const char *reason) {
    struct link *link = context;
    struct ssh *x = link->host->ssh;
    link->carrier = NULL;
    bool elsewhere = refused && link->files == NULL && link->seats.n != 0;
    if (elsewhere)
        learn_channels(link, link->seats.n);
    struct errand *e = carrier_take_back(k);
    *vec_push(&x->buried_carriers) = k;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
    if (elsewhere)
        open_files(link);
    while (e != NULL) {
        struct errand *next = e->next;
        if (elsewhere)
            carry(link, e);
        else
            e->done(e->arg, CARRY_LOST, reason);
        e = next;
    }
}

static void carrier_holds(void *context, struct str name) {
    struct ssh_host *h = ((struct link *)context)->host;
    h->ssh->events->host_holds(h->ssh->events->context, h->host, name);
}

/* A link has one, as soon as it has something to carry. */
static void carry(void *context, struct errand *e) {
    struct link *link = context;
    struct way *way = link->files != NULL ? link->files : link->way;
    if (!way_is_ready(way)) {
        e->next = link->to_carry;
        link->to_carry = e;
        return;
    }
    if (link->carrier == NULL)
        link->carrier = carrier_open(link->host->ssh->loop, way, link->host->store,
                                     CARRY_PATIENCE * link->host->target.silence,
                                     &(struct carrier_events){link, carrier_broken, carrier_holds});
    carrier_do(link->carrier, e);
}

static void files_ready(void *context, struct way *w) {
    (void)w;
    struct link *link = context;
    struct errand *e = link->to_carry;
    link->to_carry = NULL;
    while (e != NULL) {
        struct errand *next = e->next;
        carry(link, e);
        e = next;
    }
}

/* --- connections --- */

static void drop_link(struct link *link) {
    if (link->carrier != NULL)
        carrier_free(link->carrier);
    while (link->seats.n != 0)
        bury_seat(link->seats.v[link->seats.n - 1]);
    sweep(link->host->ssh); /* no connection is in the middle of a round when it is dropped */
    way_close(link->way);
    if (link->files != NULL)
        way_close(link->files);
    files_free_names(&link->words);
    vec_free(&link->seats);
    struct ssh_host *h = link->host;
    for (size_t i = 0; i < h->links.n; i++)
        if (h->links.v[i] == link)
            h->links.v[i] = h->links.v[--h->links.n];
    free(link);
}

static void free_ride(struct ride *ride) {
    if (ride->remote != NULL)
        remote_free(ride->remote);
    ride->job->executing = NULL;
    free(ride);
}

/* The host as a whole cannot be used: lets go of all jobs there. */
static void lose_host(struct ssh_host *h, bool for_good, const char *reason) {
    h->up = false;
    for (struct ride *ride; (ride = take_waiting(h)) != NULL;)
        free_ride(ride);
    h->ssh->events->host_lost(h->ssh->events->context, h->host, for_good, reason);
}

/* The rides of a connection that is gone. Their errands go with its carriers. */
static void collect_rides(struct link *link, struct ride ***rides, size_t *n) {
    VEC(struct ride *) found = {0};
    for (size_t i = 0; i < link->seats.n; i++)
        if (link->seats.v[i]->ride != NULL) {
            link->seats.v[i]->ride->seat = NULL;
            *vec_push(&found) = link->seats.v[i]->ride;
            link->seats.v[i]->ride = NULL;
        }
    *rides = found.v;
    *n = found.n;
}

static void link_lost(void *context, struct way *w, bool for_good, const char *reason) {
    (void)w;
    struct link *link = context;
    struct ssh_host *h = link->host;
    struct ssh *x = h->ssh;
    struct buf why = {0};
    struct ride **rides;
    size_t n;
    buf_puts(&why, reason);
    collect_rides(link, &rides, &n);
    drop_link(link);
    if (h->links.n == 0 || !h->up) {
        for (size_t i = 0; i < n; i++)
            free_ride(rides[i]);
        if (!x->closing)
            lose_host(h, for_good, why.s);
    } else {
        /* The others go on; whoever was on this one is told that it is lost. */
        h->no_link_before = pause_growth(h);
        for (size_t i = 0; i < n; i++) {
            struct job *job = rides[i]->job;
            free_ride(rides[i]);
            job->end = JOB_LOST;
            buf_str(&job->reason, buf_view(&why));
            x->events->ended(x->events->context, job);
        }
    }
    free(rides);
    buf_free(&why);
}

static void link_ready(void *context, struct way *w) {
    (void)w;
    struct link *link = context;
    open_seat(link);
    if (link->host->up)
        grow(link->host);
}

/* Its own connection is full of slots: another one, which comes and goes with it. */
static void open_files(struct link *link) {
    struct ssh_host *h = link->host;
    struct way_events events = {link, files_ready, link_lost};
    link->files = connection_open(h->ssh->shared, &h->target, &events);
}

static void open_link(struct ssh_host *h) {
    struct link *link = mem_zalloc(sizeof *link);
    link->host = h;
    link->max_channels = h->max_channels;
    struct way_events events = {link, link_ready, link_lost};
    *vec_push(&h->links) = link;
    if (h->host->launch == NULL) {
        link->way = connection_open(h->ssh->shared, &h->target, &events);
    } else {
        link->max_channels = MAX_PROCESSES;
        graph_launch(h->host, NULL, &link->words);
        link->way = launcher_open(h->ssh->loop, h->ssh->children, &link->words, &events);
    }
}

/* How many seats a connection may have: one of its channels is for carrying files. */
static size_t seats_allowed(const struct link *link) {
    if (link->files != NULL)
        return link->max_channels;
    return link->max_channels > 1 ? link->max_channels - 1 : 1;
}

/* More jobs wait than seats are being opened: opens more. */
static void grow(struct ssh_host *h) {
    if (!h->up || h->ssh->closing)
        return;
    int64_t now = loop_now(h->ssh->loop);
    size_t coming = 0; /* seats, with connections that are being opened */
    for (size_t i = 0; i < h->links.n; i++) {
        struct link *link = h->links.v[i];
        coming += way_is_ready(link->way) ? 0 : seats_allowed(link);
        while (h->n_waiting > h->seats_opening && way_is_ready(link->way) &&
               link->seats.n < seats_allowed(link) && now >= h->no_seat_before)
            open_seat(link);
    }
    while (h->n_waiting > h->seats_opening + coming && now >= h->no_link_before &&
           now >= h->no_seat_before) {
        open_link(h);
        coming += seats_allowed(h->links.v[h->links.n - 1]);
    }
}

static void may_grow(void *arg) {
    grow(arg);
}

/* --- the executor --- */

static struct ssh_host *host_of(struct ssh *x, struct host *host) {
    while (x->hosts.n <= host->id)
        (void)vec_push(&x->hosts);
    struct ssh_host *h = x->hosts.v[host->id];
    if (h == NULL) {
        h = x->hosts.v[host->id] = mem_zalloc(sizeof *h);
        *h = (struct ssh_host){.ssh = x, .host = host};
        h->last_waiting = &h->waiting;
        h->max_channels = MAX_SESSIONS;
        h->store = store_new(x->contents, host->cache);
        h->link_pause = (struct timer){.expired = may_grow, .arg = h};
    }
    return h;
}

static void configured(void *arg, const char *error) {
    struct ssh_host *h = arg;
    h->asking = false;
    struct buf why = {0};
    if (error != NULL)
        buf_puts(&why, error);
    else if (h->target.needs_ssh != NULL)
        buf_printf(&why, "its ssh configuration says %s, which only the ssh program knows",
                   h->target.needs_ssh);
    if (why.n != 0) {
        ssh_target_free(&h->target);
        lose_host(h, true, why.s);
        buf_free(&why);
        return;
    }
    h->configured = true;
    h->host->address = str_of(h->target.address);
    open_link(h);
}

static void connect_host(struct executor *base, struct host *host) {
    struct ssh *x = (struct ssh *)base;
    struct ssh_host *h = host_of(x, host);
    if (h->asking || h->links.n != 0 || x->closing)
        return;
    if (host->launch == NULL && !x->begun)
        libssh2_init(0);
    bool known = h->configured || host->launch != NULL;
    x->begun = x->begun || host->launch == NULL;
    h->asking = !known;
    if (known)
        open_link(h);
    else
        ssh_asker_ask(x->asker, host, &h->target, configured, h);
}

static void start(struct executor *base, struct job *job) {
    struct ssh *x = (struct ssh *)base;
    struct ssh_host *h = host_of(x, job->host);
    struct ride *ride = mem_zalloc(sizeof *ride);
    *ride = (struct ride){.host = h, .job = job};
    job->executing = ride;
    struct seat *seat = h->idle;
    if (seat != NULL) {
        h->idle = seat->next_idle;
        board(seat, ride);
        return;
    }
    *h->last_waiting = ride;
    h->last_waiting = &ride->next;
    h->n_waiting++;
    grow(h);
}

static void cancel(struct executor *base, struct job *job, bool at_once) {
    struct ssh *x = (struct ssh *)base;
    struct ride *ride = job->executing;
    if (ride == NULL)
        return;
    if (ride->remote != NULL) {
        remote_cancel(ride->remote, at_once);
        return;
    }
    struct ssh_host *h = ride->host;
    struct ride **r = &h->waiting;
    while (*r != ride)
        r = &(*r)->next;
    *r = ride->next;
    if (*r == NULL)
        h->last_waiting = r;
    h->n_waiting--;
    free_ride(ride);
    job->end = JOB_LOST;
    x->events->ended(x->events->context, job);
}

/* Tells the keepers that we are there, and asks one on each host for its load. */
static void tell_all(struct ssh *x, void (*tell)(struct slot *s)) {
    for (size_t i = 0; i < x->hosts.n; i++) {
        struct ssh_host *h = x->hosts.v[i];
        for (size_t l = 0; h != NULL && l < h->links.n; l++)
            for (size_t s = 0; s < h->links.v[l]->seats.n; s++)
                tell(h->links.v[l]->seats.v[s]->slot);
    }
}

static void ping_all(void *arg) {
    struct ssh *x = arg;
    if (!x->paused)
        tell_all(x, slot_ping);
    for (size_t i = 0; i < x->hosts.n; i++) {
        struct ssh_host *h = x->hosts.v[i];
        if (h != NULL && h->idle != NULL && !x->options.no_samples)
            slot_ask_load(h->idle->slot);
    }
    loop_timer(x->loop, &x->ping, loop_now(x->loop) + SLOT_PING * SECOND);
}

void ssh_pause(struct executor *base) {
    struct ssh *x = (struct ssh *)base;
    x->paused = true;
    tell_all(x, slot_pause);
}

void ssh_resume(struct executor *base) {
    struct ssh *x = (struct ssh *)base;
    x->paused = false;
    ping_all(x);
}

static bool close_all(struct executor *base) {
    struct ssh *x = (struct ssh *)base;
    bool closed = true;
    for (size_t i = 0; i < x->hosts.n; i++) {
        struct ssh_host *h = x->hosts.v[i];
        for (size_t l = 0; h != NULL && l < h->links.n; l++) {
            struct link *link = h->links.v[l];
            for (size_t s = 0; s < link->seats.n; s++) {
                if (!x->closing)
                    slot_close(link->seats.v[s]->slot);
                closed = closed && slot_is_closed(link->seats.v[s]->slot);
            }
        }
    }
    x->closing = true;
    return closed && children_ended(x->children);
}

void ssh_child_ended(struct executor *base) {
    children_look(((struct ssh *)base)->children);
}

static void free_all(struct executor *base) {
    struct ssh *x = (struct ssh *)base;
    x->closing = true;
    ssh_asker_free(x->asker);
    for (size_t i = 0; i < x->hosts.n; i++) {
        struct ssh_host *h = x->hosts.v[i];
        if (h == NULL)
            continue;
        for (struct ride *ride; (ride = take_waiting(h)) != NULL;)
            free_ride(ride);
        while (h->links.n != 0) {
            struct ride **rides;
            size_t n;
            collect_rides(h->links.v[0], &rides, &n);
            drop_link(h->links.v[0]);
            for (size_t r = 0; r < n; r++)
                free_ride(rides[r]);
            free(rides);
        }
        loop_timer_clear(x->loop, &h->link_pause);
        vec_free(&h->links);
        h->host->address = (struct str){0};
        ssh_target_free(&h->target);
        store_free(h->store);
        free(h);
    }
    sweep(x);
    children_free(x->children);
    loop_timer_clear(x->loop, &x->sweep);
    loop_timer_clear(x->loop, &x->ping);
    vec_free(&x->hosts);
    vec_free(&x->buried);
    vec_free(&x->buried_carriers);
    ssh_shared_free(x->shared);
    contents_free(x->contents);
    sums_free(x->sums);
    if (x->begun)
        libssh2_exit();
    free(x);
}

static const struct executor_table table = {connect_host, start, cancel, close_all, free_all};

struct executor *ssh_new(struct loop *loop, const struct executor_events *events,
                         const struct ssh_options *options) {
    struct ssh *x = mem_zalloc(sizeof *x);
    *x = (struct ssh){.base = {&table}, .loop = loop, .events = events, .options = *options};
    x->shared = ssh_shared_new(loop, options->watcher, events->asking, events->context);
    x->contents = contents_new(loop);
    x->sums = sums_new(loop);
    x->asker = ssh_asker_new(loop, options->watcher, options->config);
    x->children = children_new(loop, options->watcher);
    x->sweep = (struct timer){.expired = sweep, .arg = x};
    x->ping = (struct timer){.expired = ping_all, .arg = x};
    loop_timer(loop, &x->ping, loop_now(loop) + SLOT_PING * SECOND);
    return &x->base;
}

void ssh_hold(struct executor *base, bool hold) {
    struct ssh *x = (struct ssh *)base;
    x->shared->held = hold;
    for (size_t i = 0; i < x->hosts.n && !hold; i++) {
        struct ssh_host *h = x->hosts.v[i];
        for (size_t l = 0; h != NULL && l < h->links.n; l++)
            for (size_t s = 0; s < h->links.v[l]->seats.n; s++)
                slot_go_on(h->links.v[l]->seats.v[s]->slot);
    }
}

/* --- what there is to say of a host --- */

static const struct ssh_host *known_host(struct executor *base, const struct host *host) {
    struct ssh *x = (struct ssh *)base;
    return host->id < x->hosts.n ? x->hosts.v[host->id] : NULL;
}

static void describe_launch(const struct host *host, struct buf *way_in) {
    str_list words = {0};
    graph_launch(host, NULL, &words);
    for (size_t i = 0; i < words.n; i++) {
        if (i != 0)
            buf_putc(way_in, ' ');
        shell_quote(way_in, words.v[i]);
    }
    files_free_names(&words);
}

static void describe_target(const struct ssh_target *t, struct buf *way_in) {
    bool colon = strchr(t->address, ':') != NULL;
    buf_printf(way_in, colon ? "ssh %s@[%s]:%u" : "ssh %s@%s:%u", t->user, t->address, t->port);
    if (t->proxy_jump != NULL)
        buf_printf(way_in, " via %s", t->proxy_jump);
    else if (t->proxy_command != NULL)
        buf_printf(way_in, " by %s", t->proxy_command);
}

void ssh_describe(struct executor *base, const struct host *host, struct buf *way_in,
                  struct buf *key, struct buf *scratch) {
    const struct ssh_host *h = known_host(base, host);
    if (h != NULL && host->launch != NULL)
        describe_launch(host, way_in);
    else if (h != NULL && h->target.address != NULL)
        describe_target(&h->target, way_in);
    if (h == NULL)
        return;
    if (h->links.n != 0)
        way_key(h->links.v[0]->way, key);
    struct str slots = h->idle != NULL ? slot_scratch(h->idle->slot) : STR("");
    const char *slash = slots.n != 0 ? bytes_last(slots.s, '/', slots.n) : NULL;
    if (slash != NULL)
        buf_add(scratch, slots.s, (size_t)(slash - slots.s));
}

void ssh_ask_load(struct executor *base, const struct host *host) {
    const struct ssh_host *h = known_host(base, host);
    if (h != NULL && h->idle != NULL)
        slot_ask_load(h->idle->slot);
}

void ssh_ask_facts(struct executor *base, const struct host *host) {
    const struct ssh_host *h = known_host(base, host);
    if (h != NULL && h->idle != NULL)
        slot_ask_facts(h->idle->slot);
}
