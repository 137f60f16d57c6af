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

static bool may_use_bulk(const struct link *link, bool packed);

static void much(void *context, struct errand *e, const char *packed);

/* What waited, or had not begun. */
static void carry_all(struct link *link, struct errand *e) {
    while (e != NULL) {
        struct errand *next = e->next;
        link_carry(link, e);
        e = next;
    }
}

static void lose_all(struct errand *e, const char *reason) {
    while (e != NULL) {
        struct errand *next = e->next;
        e->done(e->arg, CARRY_LOST, reason);
        e = next;
    }
}

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
    if (elsewhere) {
        open_files(link);
        carry_all(link, e);
        return;
    }
    lose_all(e, reason);
}

static void carrier_holds(void *context, struct str name) {
    struct site *h = ((struct link *)context)->site;
    h->hosts->events->host_holds(h->hosts->events->context, h->host, name);
}

/* It is the host that packs what comes here. */
bool link_packs(void *context, bool here, const char *why) {
    struct site *h = ((struct link *)context)->site;
    if (here && (h->target.compress || h->load >= h->cores))
        return false;
    site_tell(h,
              here ? "asked for many small files compressed" : "sent many small files compressed",
              why);
    return true;
}

static void open_carrier(struct link *link, struct way *way) {
    link->carrier =
        carrier_open(link->site->hosts->loop, way, link->site->store,
                     CARRY_PATIENCE * link->site->target.silence,
                     &(struct carrier_events){link, carrier_broken, carrier_holds, much,
                                              may_use_bulk(link, false), may_use_bulk(link, true)});
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
        open_carrier(link, way);
    carrier_do(link->carrier, e);
}

/* --- for what is much: a way of its own --- */

static bool may_use_bulk(const struct link *link, bool packed) {
    const struct site *h = link->site;
    return h->host->launch == NULL && !h->by_program && !h->no_bulk &&
           (packed ? !h->target.compress : sysconf(_SC_NPROCESSORS_ONLN) > 1);
}

static void stop_bulk(struct bulk *b) {
    if (b->link != NULL)
        loop_timer_clear(b->link->site->hosts->loop, &b->begin);
}

static void holds_by_bulk(void *context, struct str name) {
    carrier_holds(((struct bulk *)context)->link, name);
}

static void no_bulk(struct site *h, const char *reason) {
    if (!h->no_bulk)
        site_tell(h, "reached without one more connection", reason);
    h->no_bulk = true;
}

/* What waited for it, or had not begun, goes the usual way. */
static void bulk_broken(void *context, struct carrier *k, bool refused, const char *reason) {
    struct bulk *b = context;
    struct link *link = b->link;
    struct hosts *x = link->site->hosts;
    (void)refused;
    struct errand *e = b->waiting;
    stop_bulk(b);
    b->waiting = NULL;
    b->carrier = NULL;
    no_bulk(link->site, reason);
    *vec_push(&x->buried_carriers) = k;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
    way_drop(b->way, reason);
    carry_all(link, carrier_take_back(k));
    carry_all(link, e);
}

static void begin_bulk(void *arg) {
    struct bulk *b = arg;
    struct errand *e = b->waiting;
    b->waiting = NULL;
    while (e != NULL) {
        struct errand *next = e->next;
        carrier_do(b->carrier, e);
        e = next;
    }
}

/* Not before what was said of an errand on the slot's connection has gone out. */
static void begin_bulk_soon(struct bulk *b) {
    struct loop *loop = b->link->site->hosts->loop;
    b->begin.expired = begin_bulk;
    b->begin.arg = b;
    loop_timer(loop, &b->begin, loop_now(loop) + MILLISECOND);
}

static void bulk_ready(void *context, struct way *w) {
    struct bulk *b = context;
    struct site *h = b->link->site;
    b->carrier = carrier_open(
        h->hosts->loop, w, h->store, CARRY_PATIENCE * h->target.silence,
        &(struct carrier_events){.context = b, .broken = bulk_broken, .holds = holds_by_bulk});
    begin_bulk_soon(b);
}

static void bulk_lost(void *context, struct way *w, bool for_good, const char *reason) {
    struct bulk *b = context;
    struct link *link = b->link;
    (void)for_good;
    stop_bulk(b);
    no_bulk(link->site, reason);
    if (b->carrier != NULL)
        carrier_break(b->carrier, reason); /* what waits is taken from b by that */
    struct errand *e = b->waiting;
    hosts_sweep(link->site->hosts);
    way_close(w);
    *b = (struct bulk){0};
    carry_all(link, e);
}

static void open_bulk(struct bulk *b, const char *packed) {
    struct site *h = b->link->site;
    struct hosts *x = h->hosts;
    struct way_events events = {b, bulk_ready, bulk_lost};
    if (packed != NULL)
        site_tell(h, "reached by one more connection, which compresses", packed);
    b->way = ssh_program_open(x->loop, x->children, h->host, &h->target, packed != NULL, &events);
}

static void much(void *context, struct errand *e, const char *packed) {
    struct link *link = context;
    struct bulk *b = &link->bulks[packed != NULL];
    if (!may_use_bulk(link, packed != NULL)) {
        link_carry(link, e);
        return;
    }
    b->link = link;
    e->next = b->waiting;
    b->waiting = e;
    if (b->carrier != NULL)
        begin_bulk_soon(b);
    else if (b->way == NULL)
        open_bulk(b, packed);
}

static void drop_bulk(struct bulk *b) {
    stop_bulk(b);
    if (b->carrier != NULL)
        carrier_free(b->carrier);
    b->carrier = NULL;
}

static void files_ready(void *context, struct way *w) {
    (void)w;
    struct link *link = context;
    struct errand *e = link->to_carry;
    link->to_carry = NULL;
    carry_all(link, e);
}

/* What it was to carry is lost, and nothing else; the next one opens another. */
static void files_lost(void *context, struct way *w, bool for_good, const char *reason) {
    struct link *link = context;
    struct errand *e = link->to_carry;
    (void)for_good;
    link->to_carry = NULL;
    link->files = NULL;
    if (link->carrier != NULL)
        carrier_break(link->carrier, reason);
    hosts_sweep(link->site->hosts);
    way_close(w);
    lose_all(e, reason);
}

/* --- connections --- */

void link_drop(struct link *link) {
    if (link->carrier != NULL)
        carrier_free(link->carrier);
    for (size_t i = 0; i < 2; i++)
        drop_bulk(&link->bulks[i]);
    while (link->seats.n != 0)
        seat_bury(link->seats.v[link->seats.n - 1]);
    hosts_sweep(
        link->site->hosts); /* no connection is in the middle of a round when it is dropped */
    way_close(link->way);
    if (link->files != NULL)
        way_close(link->files);
    for (size_t i = 0; i < 2; i++)
        if (link->bulks[i].way != NULL)
            way_close(link->bulks[i].way);
    if (link->aside != NULL)
        way_close(link->aside);
    vec_free(&link->seats);
    vec_free(&link->adrift);
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
    for (size_t i = 0; i < link->adrift.n; i++) {
        link->adrift.v[i]->adrift = NULL;
        *vec_push(&found) = link->adrift.v[i];
    }
    link->adrift.n = 0;
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
        struct job **jobs = mem_array(NULL, n + 1, sizeof *jobs);
        for (size_t i = 0; i < n; i++) {
            jobs[i] = rides[i]->job;
            ride_free(rides[i]);
            jobs[i]->end = JOB_LOST;
            buf_str(&jobs[i]->reason, buf_view(&why));
        }
        /* Of one the others may be cancelled: none of them executes any more by then. */
        for (size_t i = 0; i < n; i++)
            x->events->ended(x->events->context, jobs[i]);
        free(jobs);
    }
    free(rides);
    buf_free(&why);
}

static void link_ready(void *context, struct way *w) {
    (void)w;
    struct link *link = context;
    struct site *h = link->site;
    seat_open(link);
    if (h->hosts->options.carries && h->host->launch == NULL && link->max_channels != 1)
        open_carrier(link, link->way);
    if (h->up)
        site_grow(h);
}

/* It goes with its link, at the latest. */
static struct way *open_way(struct link *link, void (*ready)(void *context, struct way *w),
                            void (*lost)(void *context, struct way *w, bool for_good,
                                         const char *reason)) {
    const struct site *h = link->site;
    struct hosts *x = h->hosts;
    struct way_events events = {link, ready, lost};
    struct launching words = {0};
    if (h->by_program)
        return ssh_program_open(x->loop, x->children, h->host, &h->target, false, &events);
    if (h->host->launch == NULL)
        return connection_open(x->shared, &h->target, &events);
    graph_launch(h->host, NULL, &words.shell);
    str_list_add(&words.shell, STR("sh"));
    return launcher_open(x->loop, x->children, &words, &events);
}

/* The link's own connection is full of slots. */
static void open_files(struct link *link) {
    link->files = open_way(link, files_ready, files_lost);
}

static void aside_ready(void *context, struct way *w) {
    struct link *link = context;
    for (size_t i = 0; i < link->seats.n; i++)
        slot_take_terminal(link->seats.v[i]->slot, w);
}

static void aside_lost(void *context, struct way *w, bool for_good, const char *reason) {
    struct link *link = context;
    (void)for_good, (void)reason;
    for (size_t i = 0; i < link->seats.n; i++)
        slot_lose_terminal(link->seats.v[i]->slot);
    way_close(w);
    link->aside = NULL;
}

void link_find_room(struct link *link) {
    if (link->aside == NULL)
        link->aside = open_way(link, aside_ready, aside_lost);
    else if (way_is_ready(link->aside))
        aside_ready(link, link->aside);
}

void link_open(struct site *h) {
    struct link *link = mem_zalloc(sizeof *link);
    link->site = h;
    link->max_channels = h->max_channels;
    *vec_push(&h->links) = link;
    if (h->host->launch != NULL)
        link->max_channels = MAX_PROCESSES;
    link->way = open_way(link, link_ready, link_lost);
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
