#include "run/hosts_state.h"

#include "base/mem.h"
#include "run/files.h"
#include "way/connection.h"
#include "way/launcher.h"
#include "way/ssh_program.h"

#include <stdlib.h>
#include <unistd.h>

enum { CARRY_PATIENCE = 4 };      /* disks may be silent for so much longer than hosts */
enum { MAX_PROCESSES = 1 << 20 }; /* of a launcher: no bound of ours */
#define LINK_PAUSE (2 * SECOND)   /* after a further connection to a host was refused */

/* It takes no more than so many, and neither will others to this host. */
void link_learn_channels(struct link *link, size_t n) {
    link->max_channels = n;
    if (n != 0 && n < link->site->max_channels)
        link->site->max_channels = n;
}

/* Until when no more are opened there. */
int64_t site_pause_growth(struct site *h) {
    int64_t until = loop_now(h->hosts->loop) + LINK_PAUSE;
    loop_timer(h->hosts->loop, &h->link_pause, until);
    return until;
}

/* --- carriers --- */

static void open_files(struct link *link);

static bool may_use_bulk(const struct link *link);

static void much(void *context, struct errand *e);

static void carrier_broken(void *context, struct carrier *k, bool refused, const char *reason) {
    struct link *link = context;
    struct hosts *x = link->site->hosts;
    link->carrier = NULL;
    bool elsewhere = refused && link->files == NULL && link->seats.n != 0;
    if (elsewhere)
        link_learn_channels(link, link->seats.n);
    struct errand *e = carrier_take_back(k);
    *vec_push(&x->buried_carriers) = k;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
    if (elsewhere)
        open_files(link);
    while (e != NULL) {
        struct errand *next = e->next;
        if (elsewhere)
            link_carry(link, e);
        else
            e->done(e->arg, CARRY_LOST, reason);
        e = next;
    }
}

static void carrier_holds(void *context, struct str name) {
    struct site *h = ((struct link *)context)->site;
    h->hosts->events->host_holds(h->hosts->events->context, h->host, name);
}

/* A link has one, as soon as it has something to carry. */
void link_carry(void *context, struct errand *e) {
    struct link *link = context;
    struct way *way = link->files != NULL ? link->files : link->way;
    if (!way_is_ready(way)) {
        e->next = link->to_carry;
        link->to_carry = e;
        return;
    }
    if (link->carrier == NULL)
        link->carrier = carrier_open(link->site->hosts->loop, way, link->site->store,
                                     CARRY_PATIENCE * link->site->target.silence,
                                     &(struct carrier_events){link, carrier_broken, carrier_holds,
                                                              may_use_bulk(link) ? much : NULL});
    carrier_do(link->carrier, e);
}

/* --- for what is much: a way of its own --- */

static bool may_use_bulk(const struct link *link) {
    const struct site *h = link->site;
    return h->host->launch == NULL && !h->by_program && !h->no_bulk &&
           sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

/* What waited for it, or had not begun, goes the usual way. */
static void carry_all(struct link *link, struct errand *e) {
    while (e != NULL) {
        struct errand *next = e->next;
        link_carry(link, e);
        e = next;
    }
}

static void stop_bulk(struct link *link) {
    if (link->bulk.begin.expired != NULL)
        loop_timer_clear(link->site->hosts->loop, &link->bulk.begin);
}

static void bulk_broken(void *context, struct carrier *k, bool refused, const char *reason) {
    struct link *link = context;
    struct hosts *x = link->site->hosts;
    (void)refused;
    struct errand *e = link->bulk.waiting;
    stop_bulk(link);
    link->bulk.waiting = NULL;
    link->bulk.carrier = NULL;
    link->site->no_bulk = true;
    *vec_push(&x->buried_carriers) = k;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
    way_drop(link->bulk.way, reason);
    carry_all(link, carrier_take_back(k));
    carry_all(link, e);
}

static void begin_bulk(void *arg) {
    struct link *link = arg;
    struct errand *e = link->bulk.waiting;
    link->bulk.waiting = NULL;
    while (e != NULL) {
        struct errand *next = e->next;
        carrier_do(link->bulk.carrier, e);
        e = next;
    }
}

/* Not before what was said of an errand on the slot's connection has gone out. */
static void begin_bulk_soon(struct link *link) {
    struct loop *loop = link->site->hosts->loop;
    link->bulk.begin.expired = begin_bulk;
    link->bulk.begin.arg = link;
    loop_timer(loop, &link->bulk.begin, loop_now(loop) + MILLISECOND);
}

static void bulk_ready(void *context, struct way *w) {
    struct link *link = context;
    struct site *h = link->site;
    link->bulk.carrier =
        carrier_open(h->hosts->loop, w, h->store, CARRY_PATIENCE * h->target.silence,
                     &(struct carrier_events){link, bulk_broken, carrier_holds, NULL});
    begin_bulk_soon(link);
}

static void bulk_lost(void *context, struct way *w, bool for_good, const char *reason) {
    struct link *link = context;
    struct errand *e = link->bulk.waiting;
    (void)for_good;
    stop_bulk(link);
    if (link->bulk.carrier != NULL)
        carrier_break(link->bulk.carrier, reason);
    hosts_sweep(link->site->hosts);
    way_close(w);
    link->bulk = (struct bulk){0};
    link->site->no_bulk = true;
    carry_all(link, e);
}

static void much(void *context, struct errand *e) {
    struct link *link = context;
    struct site *h = link->site;
    if (!may_use_bulk(link)) {
        link_carry(link, e);
    } else {
        e->next = link->bulk.waiting;
        link->bulk.waiting = e;
        if (link->bulk.carrier != NULL)
            begin_bulk_soon(link);
        else if (link->bulk.way == NULL)
            link->bulk.way =
                ssh_program_open(h->hosts->loop, h->hosts->children, h->host, &h->target,
                                 &(struct way_events){link, bulk_ready, bulk_lost});
    }
}

static void files_ready(void *context, struct way *w) {
    (void)w;
    struct link *link = context;
    struct errand *e = link->to_carry;
    link->to_carry = NULL;
    while (e != NULL) {
        struct errand *next = e->next;
        link_carry(link, e);
        e = next;
    }
}

/* --- connections --- */

void link_drop(struct link *link) {
    if (link->carrier != NULL)
        carrier_free(link->carrier);
    stop_bulk(link);
    if (link->bulk.carrier != NULL)
        carrier_free(link->bulk.carrier);
    while (link->seats.n != 0)
        seat_bury(link->seats.v[link->seats.n - 1]);
    hosts_sweep(
        link->site->hosts); /* no connection is in the middle of a round when it is dropped */
    way_close(link->way);
    if (link->files != NULL)
        way_close(link->files);
    if (link->bulk.way != NULL)
        way_close(link->bulk.way);
    if (link->aside != NULL)
        way_close(link->aside);
    vec_free(&link->seats);
    struct site *h = link->site;
    for (size_t i = 0; i < h->links.n; i++)
        if (h->links.v[i] == link)
            h->links.v[i] = h->links.v[--h->links.n];
    free(link);
}

/* The rides of a connection that is gone. Their errands go with its carriers. */
void link_collect_rides(struct link *link, struct ride ***rides, size_t *n) {
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
    struct link *link = context;
    struct site *h = link->site;
    struct hosts *x = h->hosts;
    struct buf why = {0};
    struct ride **rides;
    size_t n;
    if (h->by_program)
        buf_printf(&why, "%s; the ssh program says: ", h->beyond.s);
    buf_puts(&why, reason);
    bool beyond = h->host->launch == NULL && !h->by_program && !h->up && connection_needs_ssh(w);
    link_collect_rides(link, &rides, &n);
    link_drop(link);
    if (beyond && n == 0 && h->links.n == 0 && !x->closing) {
        site_use_program(h, why.s);
    } else if (h->links.n == 0 || !h->up) {
        for (size_t i = 0; i < n; i++)
            ride_free(rides[i]);
        if (!x->closing)
            site_lose(h, for_good, why.s);
    } else {
        /* The others go on; whoever was on this one is told that it is lost. */
        h->no_link_before = site_pause_growth(h);
        for (size_t i = 0; i < n; i++) {
            struct job *job = rides[i]->job;
            ride_free(rides[i]);
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
    seat_open(link);
    if (link->site->up)
        site_grow(link->site);
}

static struct way *open_way(struct site *h, const struct way_events *events) {
    struct hosts *x = h->hosts;
    struct launching words = {0};
    if (h->by_program)
        return ssh_program_open(x->loop, x->children, h->host, &h->target, events);
    if (h->host->launch == NULL)
        return connection_open(x->shared, &h->target, events);
    graph_launch(h->host, NULL, &words.shell);
    str_list_add(&words.shell, STR("sh"));
    return launcher_open(x->loop, x->children, &words, events);
}

/* The link's own connection is full of slots: another one, which comes and goes with it. */
static struct way *open_another(struct link *link, void (*ready)(void *context, struct way *w)) {
    struct site *h = link->site;
    struct way_events events = {link, ready, link_lost};
    return open_way(h, &events);
}

static void open_files(struct link *link) {
    link->files = open_another(link, files_ready);
}

static void aside_ready(void *context, struct way *w) {
    struct link *link = context;
    for (size_t i = 0; i < link->seats.n; i++)
        slot_take_terminal(link->seats.v[i]->slot, w);
}

void link_find_room(struct link *link) {
    if (link->aside == NULL)
        link->aside = open_another(link, aside_ready);
    else if (way_is_ready(link->aside))
        aside_ready(link, link->aside);
}

void link_open(struct site *h) {
    struct link *link = mem_zalloc(sizeof *link);
    link->site = h;
    link->max_channels = h->max_channels;
    struct way_events events = {link, link_ready, link_lost};
    *vec_push(&h->links) = link;
    if (h->host->launch != NULL)
        link->max_channels = MAX_PROCESSES;
    link->way = open_way(h, &events);
}

/* How many seats a connection may have: one of its channels is for carrying files. */
static size_t seats_allowed(const struct link *link) {
    if (link->files != NULL)
        return link->max_channels;
    return link->max_channels > 1 ? link->max_channels - 1 : 1;
}

/* More jobs wait than seats are being opened: opens more. */
void site_grow(struct site *h) {
    if (!h->up || h->hosts->closing)
        return;
    int64_t now = loop_now(h->hosts->loop);
    size_t coming = 0; /* seats, with connections that are being opened */
    for (size_t i = 0; i < h->links.n; i++) {
        struct link *link = h->links.v[i];
        coming += way_is_ready(link->way) ? 0 : seats_allowed(link);
        while (h->n_waiting > h->seats_opening && way_is_ready(link->way) &&
               link->seats.n < seats_allowed(link) && now >= h->no_seat_before)
            seat_open(link);
    }
    while (h->n_waiting > h->seats_opening + coming && now >= h->no_link_before &&
           now >= h->no_seat_before) {
        link_open(h);
        coming += seats_allowed(h->links.v[h->links.n - 1]);
    }
}
