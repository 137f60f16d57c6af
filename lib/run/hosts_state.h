/* What the executor on hosts is made of: sites (hosts as this run uses them), their links
 * (connections), the seats on these (slots), and the rides of jobs. */
#ifndef FORAY_RUN_HOSTS_STATE_H
#define FORAY_RUN_HOSTS_STATE_H

#include "base/vec.h"
#include "carry/carry.h"
#include "run/hosts.h"
#include "run/remote.h"
#include "way/child.h"
#include "way/slot.h"
#include "way/ssh_asker.h"

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
    struct site *site;
    struct job *job;
    struct remote *remote; /* NULL: it waits */
    struct seat *seat;
    struct link *adrift; /* its seat there broke, and its errand is not over; else NULL */
    struct ride *next;   /* waiting */
};

struct link {
    struct site *site;
    struct way *way;
    VEC(struct seat *) seats;
    VEC(struct ride *) adrift; /* without a seat any more: their errands go by its carriers */
    struct carrier *carrier;
    struct way *files;       /* for the carrier, if `way` takes no more channels; else NULL */
    struct way *aside;       /* likewise for terminals of steps */
    struct errand *to_carry; /* when that is ready */
    size_t max_channels;
    bool vacated; /* a seat of it was given up: the other side may still count that */
    /* For errands that carry much: by the ssh program, whose ciphers are faster, on another core;
     * the second one compresses. */
    struct bulk {
        struct link *link;
        struct way *way; /* NULL: none */
        struct carrier *carrier;
        struct errand *waiting; /* when that is ready */
        struct timer begin;     /* the waiting */
    } bulks[2];
};

struct site {
    struct hosts *hosts;
    struct host *host;
    struct ssh_target target;
    bool asking, configured, up; /* asking: for its configuration */
    bool perl_works;             /* there, as a seat has found */
    bool by_program;             /* it is reached by the ssh program */
    struct buf beyond;           /* since: what libssh2 cannot do */
    bool no_bulk;                /* the ssh program does not get there, or got lost */
    bool no_tar;                 /* there, as an errand has found */
    VEC(struct link *) links;
    struct seat *idle;
    struct ride *waiting, **last_waiting;
    size_t n_waiting, seats_opening;
    size_t max_channels;    /* of a connection, as far as is known */
    int64_t no_link_before; /* when a further connection may be tried again */
    int64_t no_seat_before; /* likewise, after a shell was gone before it was ready */
    struct timer link_pause;
    uint32_t cores;
    double load;         /* as it was told last */
    struct store *store; /* what is kept there of what was sent */
};

struct hosts {
    struct executor base;
    struct loop *loop;
    const struct executor_events *events;
    struct hosts_options options;
    struct ssh_shared *shared;
    struct ssh_asker *asker;
    struct children *children;
    VEC(struct site *) sites;  /* by host id; NULL: not used so far */
    VEC(struct seat *) buried; /* to be freed when nobody is in the middle of using them */
    VEC(struct carrier *) buried_carriers;
    struct timer sweep, ping;
    bool paused; /* we are being stopped */
    bool begun; /* the library is of use only from the first host on, and takes its time to begin */
    bool closing;
    struct contents *contents; /* of files that are sent */
    struct sums *sums;
};

/* --- hosts.c --- */

struct ride *site_take_waiting(struct site *h); /* the next one that waits for a seat; NULL: none */
/* The host as a whole cannot be used: lets go of all jobs there. */
void site_lose(struct site *h, bool for_good, const char *reason);
void ride_free(struct ride *ride);
void ride_land(struct ride *ride); /* it is not adrift any more */
/* For those who want to know: "reached by ...", and why. */
void site_tell(struct site *h, const char *how, const char *reason);
/* From now on it is reached by the ssh program, for that reason. */
void site_use_program(struct site *h, const char *reason);

/* --- links.c --- */

void link_open(struct site *h);
/* Its rides must have been collected. */
void link_drop(struct link *link);
/* The rides of a connection that is gone; the array is the caller's. Their errands go with its
 * carriers. */
void link_collect_rides(struct link *link, struct ride ***rides, size_t *n);
/* It takes no more than so many channels, and neither will others to this host. */
void link_learn_channels(struct link *link, size_t n);
/* Has the link's carrier do an errand. context: the link. */
void link_carry(void *context, struct errand *e);
bool link_packs(void *context, bool here, const char *why); /* see struct berth */
/* A terminal of a step there waits for a way that takes one more channel. */
void link_find_room(struct link *link);
/* If more jobs wait than seats are being opened: opens more, on further links too. */
void site_grow(struct site *h);
/* For a while no more are opened there; until when. */
int64_t site_pause_growth(struct site *h);

/* --- seats.c --- */

void seat_open(struct link *link);
void seat_board(struct seat *seat, struct ride *ride);
/* It is of no use any more; freed later, since it may still be on somebody's call stack. */
void seat_bury(struct seat *seat);
void hosts_sweep(void *arg); /* frees what is buried; arg: the struct hosts */

#endif
