#include "run/hosts_state.h"

#include "base/mem.h"
#include "base/shell.h"
#include "run/files.h"
#include "way/connection.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SESSIONS = 10 }; /* per connection, sshd's default; a refusal teaches better */

struct ride *site_take_waiting(struct site *h) {
    struct ride *ride = h->waiting;
    if (ride == NULL)
        return NULL;
    h->waiting = ride->next;
    if (h->waiting == NULL)
        h->last_waiting = &h->waiting;
    h->n_waiting--;
    return ride;
}

void ride_land(struct ride *ride) {
    struct link *link = ride->adrift;
    ride->adrift = NULL;
    for (size_t i = 0; link != NULL && i < link->adrift.n; i++)
        if (link->adrift.v[i] == ride)
            link->adrift.v[i] = link->adrift.v[--link->adrift.n];
}

void ride_free(struct ride *ride) {
    ride_land(ride);
    if (ride->remote != NULL)
        remote_free(ride->remote);
    ride->job->executing = NULL;
    free(ride);
}

/* The host as a whole cannot be used: lets go of all jobs there. */
void site_lose(struct site *h, bool for_good, const char *reason) {
    h->up = false;
    for (struct ride *ride; (ride = site_take_waiting(h)) != NULL;)
        ride_free(ride);
    h->hosts->events->host_lost(h->hosts->events->context, h->host, for_good, reason);
}

static void may_grow(void *arg) {
    site_grow(arg);
}

/* --- the executor --- */

static struct site *site_of(struct hosts *x, struct host *host) {
    while (x->sites.n <= host->id)
        (void)vec_push(&x->sites);
    struct site *h = x->sites.v[host->id];
    if (h == NULL) {
        h = x->sites.v[host->id] = mem_zalloc(sizeof *h);
        *h = (struct site){.hosts = x, .host = host};
        h->last_waiting = &h->waiting;
        h->max_channels = MAX_SESSIONS;
        h->store = store_new(x->contents, host->cache);
        h->link_pause = (struct timer){.expired = may_grow, .arg = h};
    }
    return h;
}

void site_tell(struct site *h, const char *how, const char *reason) {
    const struct executor_events *e = h->hosts->events;
    if (e->host_way != NULL)
        e->host_way(e->context, h->host, how, reason);
}

void site_use_program(struct site *h, const char *reason) {
    h->by_program = true;
    buf_clear(&h->beyond);
    buf_puts(&h->beyond, reason);
    site_tell(h, "reached by the ssh program", reason);
    link_open(h);
}

static void configured(void *arg, const char *error) {
    struct site *h = arg;
    struct buf why = {0};
    h->asking = false;
    if (error != NULL) {
        ssh_target_free(&h->target);
        site_lose(h, true, error);
        return;
    }
    h->configured = true;
    h->host->address = str_of(h->target.address);
    if (h->target.needs_ssh == NULL) {
        link_open(h);
        return;
    }
    buf_printf(&why, "its ssh configuration says %s, which only the ssh program knows",
               h->target.needs_ssh);
    site_use_program(h, why.s);
    buf_free(&why);
}

static void connect_host(struct executor *base, struct host *host) {
    struct hosts *x = (struct hosts *)base;
    struct site *h = site_of(x, host);
    if (h->asking || h->links.n != 0 || x->closing)
        return;
    if (host->launch == NULL && !x->begun)
        libssh2_init(0);
    bool known = h->configured || host->launch != NULL;
    x->begun = x->begun || host->launch == NULL;
    h->asking = !known;
    if (known)
        link_open(h);
    else
        ssh_asker_ask(x->asker, host, &h->target, configured, h);
}

static void start(struct executor *base, struct job *job) {
    struct hosts *x = (struct hosts *)base;
    struct site *h = site_of(x, job->host);
    struct ride *ride = mem_zalloc(sizeof *ride);
    *ride = (struct ride){.site = h, .job = job};
    job->executing = ride;
    struct seat *seat = h->idle;
    if (seat != NULL) {
        h->idle = seat->next_idle;
        seat_board(seat, ride);
        return;
    }
    *h->last_waiting = ride;
    h->last_waiting = &ride->next;
    h->n_waiting++;
    site_grow(h);
}

static void cancel(struct executor *base, struct job *job, bool at_once) {
    struct hosts *x = (struct hosts *)base;
    struct ride *ride = job->executing;
    if (ride == NULL)
        return;
    if (ride->remote != NULL) {
        remote_cancel(ride->remote, at_once);
        return;
    }
    struct site *h = ride->site;
    struct ride **r = &h->waiting;
    while (*r != ride)
        r = &(*r)->next;
    *r = ride->next;
    if (*r == NULL)
        h->last_waiting = r;
    h->n_waiting--;
    ride_free(ride);
    job->end = JOB_LOST;
    x->events->ended(x->events->context, job);
}

/* Tells the keepers that we are there, and asks one on each host for its load. */
static void tell_all(struct hosts *x, void (*tell)(struct slot *s)) {
    for (size_t i = 0; i < x->sites.n; i++) {
        struct site *h = x->sites.v[i];
        for (size_t l = 0; h != NULL && l < h->links.n; l++)
            for (size_t s = 0; s < h->links.v[l]->seats.n; s++)
                tell(h->links.v[l]->seats.v[s]->slot);
    }
}

static void ping_all(void *arg) {
    struct hosts *x = arg;
    if (!x->paused)
        tell_all(x, slot_ping);
    for (size_t i = 0; i < x->sites.n; i++) {
        struct site *h = x->sites.v[i];
        if (h != NULL && h->idle != NULL && !x->options.no_samples)
            slot_ask_load(h->idle->slot);
    }
    loop_timer(x->loop, &x->ping, loop_now(x->loop) + SLOT_PING * SECOND);
}

void hosts_pause(struct executor *base) {
    struct hosts *x = (struct hosts *)base;
    x->paused = true;
    tell_all(x, slot_pause);
}

void hosts_resume(struct executor *base) {
    struct hosts *x = (struct hosts *)base;
    x->paused = false;
    tell_all(x, slot_resume);
    ping_all(x);
}

void hosts_resized(struct executor *base) {
    tell_all((struct hosts *)base, slot_resized);
}

/* Whatever still runs there is over with them. */
static void drop_links(struct hosts *x) {
    for (size_t i = 0; i < x->sites.n; i++)
        while (x->sites.v[i] != NULL && x->sites.v[i]->links.n != 0) {
            struct link *link = x->sites.v[i]->links.v[0];
            struct ride **rides;
            size_t n;
            link_collect_rides(link, &rides, &n);
            link_drop(link);
            for (size_t r = 0; r < n; r++)
                ride_free(rides[r]);
            free(rides);
        }
}

static bool close_all(struct executor *base) {
    struct hosts *x = (struct hosts *)base;
    bool closed = true;
    for (size_t i = 0; i < x->sites.n; i++) {
        struct site *h = x->sites.v[i];
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
    if (closed)
        drop_links(x);
    return closed && children_ended(x->children);
}

void hosts_child_ended(struct executor *base) {
    children_look(((struct hosts *)base)->children);
}

static void free_all(struct executor *base) {
    struct hosts *x = (struct hosts *)base;
    x->closing = true;
    ssh_asker_free(x->asker);
    drop_links(x);
    for (size_t i = 0; i < x->sites.n; i++) {
        struct site *h = x->sites.v[i];
        if (h == NULL)
            continue;
        for (struct ride *ride; (ride = site_take_waiting(h)) != NULL;)
            ride_free(ride);
        loop_timer_clear(x->loop, &h->link_pause);
        buf_free(&h->beyond);
        vec_free(&h->links);
        h->host->address = (struct str){0};
        ssh_target_free(&h->target);
        store_free(h->store);
        free(h);
    }
    hosts_sweep(x);
    children_free(x->children);
    loop_timer_clear(x->loop, &x->sweep);
    loop_timer_clear(x->loop, &x->ping);
    vec_free(&x->sites);
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

struct executor *hosts_new(struct loop *loop, const struct executor_events *events,
                           const struct hosts_options *options) {
    struct hosts *x = mem_zalloc(sizeof *x);
    *x = (struct hosts){.base = {&table}, .loop = loop, .events = events, .options = *options};
    x->shared = ssh_shared_new(loop, options->watcher, options->prompter);
    x->contents = contents_new(loop);
    x->sums = sums_new(loop);
    x->asker = ssh_asker_new(loop, options->watcher, options->config);
    x->children = children_new(loop, options->watcher);
    x->sweep = (struct timer){.expired = hosts_sweep, .arg = x};
    x->ping = (struct timer){.expired = ping_all, .arg = x};
    loop_timer(loop, &x->ping, loop_now(loop) + SLOT_PING * SECOND);
    return &x->base;
}

void hosts_go_on(struct executor *base) {
    tell_all((struct hosts *)base, slot_go_on);
}

/* --- what there is to say of a host --- */

static const struct site *known_site(struct executor *base, const struct host *host) {
    struct hosts *x = (struct hosts *)base;
    return host->id < x->sites.n ? x->sites.v[host->id] : NULL;
}

static void describe_launch(const struct host *host, struct buf *way_in) {
    str_list words = {0};
    graph_launch(host, NULL, &words);
    for (size_t i = 0; i < words.n; i++) {
        if (i != 0)
            buf_putc(way_in, ' ');
        shell_quote(way_in, words.v[i]);
    }
    str_list_free(&words);
}

static void describe_target(const struct ssh_target *t, struct buf *way_in) {
    bool colon = strchr(t->address, ':') != NULL;
    buf_printf(way_in, colon ? "ssh %s@[%s]:%u" : "ssh %s@%s:%u", t->user, t->address, t->port);
    if (t->proxy_jump != NULL)
        buf_printf(way_in, " via %s", t->proxy_jump);
    else if (t->proxy_command != NULL)
        buf_printf(way_in, " by %s", t->proxy_command);
}

void hosts_describe(struct executor *base, const struct host *host, struct buf *way_in,
                    struct buf *key, struct buf *scratch) {
    const struct site *h = known_site(base, host);
    if (h != NULL && host->launch != NULL)
        describe_launch(host, way_in);
    else if (h != NULL && h->target.address != NULL)
        describe_target(&h->target, way_in);
    if (h != NULL && h->by_program)
        buf_puts(way_in, " (the ssh program)");
    if (h == NULL)
        return;
    if (h->links.n != 0)
        way_key(h->links.v[0]->way, key);
    struct str slots = h->idle != NULL ? slot_scratch(h->idle->slot) : STR("");
    const char *slash = slots.n != 0 ? bytes_last(slots.s, '/', slots.n) : NULL;
    if (slash != NULL)
        buf_add(scratch, slots.s, (size_t)(slash - slots.s));
}

void hosts_ask_load(struct executor *base, const struct host *host) {
    const struct site *h = known_site(base, host);
    if (h != NULL && h->idle != NULL)
        slot_ask_load(h->idle->slot);
}

void hosts_ask_facts(struct executor *base, const struct host *host) {
    const struct site *h = known_site(base, host);
    if (h != NULL && h->idle != NULL)
        slot_ask_facts(h->idle->slot);
}
