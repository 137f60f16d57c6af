#include "run/hosts_state.h"

#include "base/mem.h"
#include "way/ssh_shared.h"

#include <stdlib.h>

/* --- burying what is still on somebody's call stack --- */

void hosts_sweep(void *arg) {
    struct hosts *x = arg;
    for (size_t i = 0; i < x->buried.n; i++) {
        slot_free(x->buried.v[i]->slot);
        free(x->buried.v[i]->empty);
        free(x->buried.v[i]);
    }
    for (size_t i = 0; i < x->buried_carriers.n; i++)
        carrier_free(x->buried_carriers.v[i]);
    x->buried.n = x->buried_carriers.n = 0;
}

void seat_bury(struct seat *seat) {
    struct link *link = seat->link;
    struct hosts *x = link->site->hosts;
    for (size_t i = 0; i < link->seats.n; i++)
        if (link->seats.v[i] == seat) {
            link->seats.v[i] = link->seats.v[--link->seats.n];
            break;
        }
    for (struct seat **s = &link->site->idle; *s != NULL; s = &(*s)->next_idle)
        if (*s == seat) {
            *s = seat->next_idle;
            break;
        }
    if (!seat->ready)
        link->site->seats_opening--;
    link->vacated = link->vacated || seat->ready;
    seat->buried = true;
    *vec_push(&x->buried) = seat;
    loop_timer(x->loop, &x->sweep, loop_now(x->loop));
}

/* --- jobs and seats --- */

static void ride_over(void *arg, struct remote *r);

static bool is_in_place(const struct host *host) {
    return host->launch != NULL && !host->launch->stage;
}

void seat_board(struct seat *seat, struct ride *ride) {
    struct hosts *x = ride->site->hosts;
    seat->ride = ride;
    ride->seat = seat;
    struct berth berth = {
        .slot = seat->slot,
        .loop = x->loop,
        .directories = &seat->directories,
        .empty = &seat->empty,
        .keep_scratch = x->options.keep_scratch,
        .sums = x->sums,
        .in_place = is_in_place(ride->site->host),
        .carry = ride->site->host->launch == NULL ? link_carry : NULL,
        .packs = link_packs,
        .context = seat->link,
        .no_tar = &ride->site->no_tar,
        .prompter = x->options.prompter,
        .watcher = x->options.watcher,
    };
    ride->remote = remote_start(ride->job, &berth, ride_over, ride);
}

static void seat_give_back(struct seat *seat) {
    struct site *h = seat->link->site;
    struct ride *next = site_take_waiting(h);
    if (next != NULL) {
        seat_board(seat, next);
    } else {
        seat->next_idle = h->idle;
        h->idle = seat;
    }
}

static void ride_over(void *arg, struct remote *r) {
    struct ride *ride = arg;
    struct site *h = ride->site;
    struct job *job = ride->job;
    struct seat *seat = ride->seat;
    ride_land(ride);
    remote_free(r);
    free(ride);
    job->executing = NULL;
    if (seat != NULL) {
        seat->ride = NULL;
        /* Where a step may have left something nobody can tell what later ones leave. */
        if (job->step->rule->detach) {
            seat_bury(seat);
            site_grow(h);
        } else {
            seat_give_back(seat);
        }
    }
    h->hosts->events->ended(h->hosts->events->context, job);
}

static void take_load(struct site *h, double load) {
    if (load < 0)
        return;
    h->load = load;
    h->hosts->events->host_load(h->hosts->events->context, h->host, load);
}

static void seat_ready(void *context, struct slot *slot, uint32_t cores, uint64_t memory,
                       double load) {
    struct seat *seat = context;
    struct site *h = seat->link->site;
    struct hosts *x = h->hosts;
    seat->ready = true;
    seat->empty = slot_first_directory(slot);
    h->perl_works = h->perl_works || slot_has_perl(slot);
    h->seats_opening--;
    seat_give_back(seat);
    if (!h->up) {
        h->up = true;
        h->cores = cores != 0 ? cores : 1;
        x->events->host_up(x->events->context, h->host, h->cores, memory);
    }
    take_load(h, load);
    site_grow(h);
}

static void seat_refused(void *context, struct slot *slot) {
    (void)slot;
    struct seat *seat = context;
    struct link *link = seat->link;
    seat_bury(seat);
    if (link->vacated) { /* it is asked once more */
        link->vacated = false;
        link->site->no_seat_before = site_pause_growth(link->site);
        return;
    }
    link_learn_channels(link, link->seats.n + (link->carrier != NULL && link->seats.n != 0));
    if (link->max_channels == 0)
        way_drop(link->way, "it allows no session on its connections (MaxSessions 0?)");
    else
        site_grow(link->site);
}

static void seat_broken(void *context, struct slot *slot, const char *reason) {
    (void)slot;
    struct seat *seat = context;
    struct site *h = seat->link->site;
    struct ride *ride = seat->ride;
    struct link *link = seat->link;
    bool came = seat->ready;
    seat_bury(seat);
    if (!h->up || (!came && h->links.n == 1 && link->seats.n == 0)) {
        way_drop(link->way, reason);
        return;
    }
    if (!came)
        h->no_seat_before = site_pause_growth(h);
    if (ride != NULL) {
        ride->seat = NULL;
        ride->adrift = link;
        *vec_push(&link->adrift) = ride;
        remote_broken(ride->remote, reason);
    }
    site_grow(h);
}

static void seat_output(void *context, struct slot *slot, enum stream stream, struct str bytes) {
    (void)slot;
    struct seat *seat = context;
    struct hosts *x = seat->link->site->hosts;
    if (seat->ride != NULL && !remote_output(seat->ride->remote, stream, bytes))
        x->events->output(x->events->context, seat->ride->job, stream, bytes);
}

static void seat_load(void *context, struct slot *slot, double load) {
    (void)slot;
    struct seat *seat = context;
    struct site *h = seat->link->site;
    take_load(h, load);
    if (seat->ride != NULL)
        remote_heard(seat->ride->remote);
}

static void seat_facts(void *context, struct slot *slot, uint64_t memory, uint64_t disk) {
    (void)slot;
    struct seat *seat = context;
    struct site *h = seat->link->site;
    if (h->hosts->events->host_facts != NULL)
        h->hosts->events->host_facts(h->hosts->events->context, h->host, memory, disk);
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

static void seat_crowded(void *context, struct slot *slot) {
    (void)slot;
    link_find_room(((struct seat *)context)->link);
}

void seat_open(struct link *link) {
    struct site *h = link->site;
    struct seat *seat = mem_zalloc(sizeof *seat);
    seat->link = link;
    h->seats_opening++;
    *vec_push(&link->seats) = seat;
    struct slot_events events = {seat,       seat_ready,  seat_refused, seat_broken, seat_output,
                                 seat_ended, seat_unable, seat_load,    seat_facts,  seat_crowded};
    int64_t silence = h->target.silence / SECOND;
    struct slot_options options = {
        .count_cores = !h->up,
        .keep_scratch = h->hosts->options.keep_scratch,
        .held = h->hosts->options.held,
        .perl_works = h->perl_works,
        .silence = silence > SLOT_SILENCE ? (unsigned)silence : SLOT_SILENCE,
    };
    seat->slot = slot_open(h->hosts->loop, link->way, &options, &events);
}
