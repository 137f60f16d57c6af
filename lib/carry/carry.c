#include "carry/carry_state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool room(void *context);
static void broken(void *context, bool refused, const char *reason);

static void rung(void *arg) {
    sftp_kick(((struct carrier *)arg)->sftp);
}

struct carrier *carrier_open(struct loop *loop, struct way *w, struct store *store,
                             int64_t patience, const struct carrier_events *events) {
    struct carrier *k = mem_zalloc(sizeof *k);
    *k = (struct carrier){
        .loop = loop, .way = w, .patience = patience, .events = *events, .store = store};
    k->listener = (struct listener){.ring = rung, .arg = k};
    k->last = &k->first;
    k->sftp = sftp_open(loop, w, patience, &(struct sftp_events){k, room, broken});
    if (store != NULL)
        contents_listen(store_contents(store), &k->listener);
    return k;
}

/* --- syncing and renaming, aside --- */

static void synced(void *arg, int error, struct str failed) {
    struct load *l = arg;
    l->state = OVER;
    if (error != 0)
        outcome_trouble_with(&l->outcome, CARRY_UNKEPT, "cannot keep", failed, strerror(error));
    sftp_kick(l->carrier->sftp);
}

static void start_sync(struct load *l) {
    l->state = SYNCING;
    landing_sync(l->landing, !l->sync_each, synced, l);
}

/* --- parcels --- */

struct parcel *parcel_new(struct load *l, size_t item) {
    struct parcel *p = mem_zalloc(sizeof *p);
    *p = (struct parcel){.load = l, .item = item, .place = l->parcels.n, .fd = -1};
    *vec_push(&l->parcels) = p;
    l->busy++;
    return p;
}

void parcel_free(struct parcel *p) {
    struct load *l = p->load;
    struct parcel *last = l->parcels.v[--l->parcels.n];
    l->parcels.v[p->place] = last;
    last->place = p->place;
    l->busy--;
    if (p->fd >= 0)
        close(p->fd);
    keep_drop(p);
    lanes_forget(p);
    fetch_free_pieces(p);
    if (p->temporary.n != 0 && l->errand->kind == ERRAND_FETCH)
        unlink(p->temporary.s);
    free(p->sum);
    buf_free(&p->handle);
    buf_free(&p->path);
    buf_free(&p->temporary);
    buf_free(&p->source);
    free(p);
}

struct marks carry_marks(const struct sftp_attributes *a, uint32_t mode) {
    return (struct marks){.mode = ((a->has & SFTP_HAS_MODE) != 0 ? a->mode : mode) & 0777,
                          .accessed = (int64_t)a->accessed,
                          .modified = (int64_t)a->modified};
}

void carry_ignore(void *arg, const struct sftp_answer *answer) {
    (void)arg;
    (void)answer;
}

/* --- loads --- */

void load_path(const struct load *l, struct str name, struct buf *path) {
    buf_clear(path);
    cargo_path(l->errand->where, name, path);
}

static void free_load(struct load *l) {
    weigh_drop(l);
    while (l->parcels.n != 0)
        parcel_free(l->parcels.v[0]);
    vec_free(&l->parcels);
    landing_free(l->landing);
    for (size_t i = 0; i < l->looks.n; i++)
        look_free(l->looks.v[i]);
    vec_free(&l->looks);
    for (size_t i = 0; i < l->directories.n; i++)
        free((char *)l->directories.v[i].path.s);
    vec_free(&l->directories);
    for (size_t i = 0; i < l->held.n; i++) {
        buf_free(&l->held.v[i].path);
        buf_free(&l->held.v[i].temporary);
    }
    vec_free(&l->held);
    vec_free(&l->unproved);
    cargo_free(&l->items);
    buf_free(&l->outcome.why);
    buf_free(&l->packed);
    free(l->cargo);
    free(l);
}

/* To be carried in another way. */
static void give_back(struct carrier *k, struct load *l) {
    struct errand *e = l->errand;
    bool as_stream = l->given == GIVEN_AS_STREAM, packs = l->packs;
    struct buf packed = l->packed;
    l->packed = (struct buf){0};
    if (as_stream && e->kind == ERRAND_SEND) {
        e->items = l->items;
        l->items = (cargo_list){0};
    }
    free_load(l);
    e->packed = as_stream && packs && e->packs != NULL;
    if (e->packed && packed.n != 0)
        e->packed = e->packs(e->arg, packed.s);
    if (as_stream)
        e->as_stream(e->arg);
    else
        k->events.much(k->events.context, e, packed.s);
    buf_free(&packed);
}

static void end_load(struct carrier *k, size_t place) {
    struct load *l = k->loads[place];
    struct errand *e = l->errand;
    k->loads[place] = k->loads[--k->n_loads];
    if (l->given != KEPT) {
        give_back(k, l);
        return;
    }
    struct outcome outcome = l->outcome;
    l->outcome.why = (struct buf){0};
    if (!outcome.stopping && e->kind == ERRAND_FETCH && e->made != NULL)
        for (size_t i = 0; i < l->items.n; i++)
            if (l->items.v[i].found && l->items.v[i].kind == CARGO_FILE)
                str_list_add(e->made, l->items.v[i].to);
    free_load(l);
    outcome_tell(outcome, e);
}

static bool begin_load(struct carrier *k) {
    struct errand *e = k->first;
    k->first = e->next;
    if (k->first == NULL)
        k->last = &k->first;
    struct load *l = mem_zalloc(sizeof *l);
    *l = (struct load){.carrier = k, .errand = e, .landing = landing_new(k->loop)};
    l->cargo = mem_array(NULL, e->n_cargo + 1, sizeof *l->cargo);
    for (size_t i = 0; i < e->n_cargo; i++)
        l->cargo[i] = (struct errand_cargo){.load = l};
    e->load = l;
    k->loads[k->n_loads++] = l;
    return e->kind == ERRAND_SEND ? send_begin(l) : look_begin(l);
}

/* What still holds something open there closes it. */
static void stop_parcels(struct load *l) {
    for (size_t i = l->parcels.n; i-- > 0;) {
        struct parcel *p = l->parcels.v[i];
        if (p->dropped)
            continue;
        p->dropped = true;
        if (l->errand->kind == ERRAND_SEND)
            send_drop(p);
        else
            fetch_drop(p);
    }
}

/* Each in its turn a chunk, so that a large one does not hold up the others. */
static bool move_parcels(struct load *l) {
    struct sftp *sftp = l->carrier->sftp;
    bool sending = l->errand->kind == ERRAND_SEND, moved = false, more = true;
    while (l->item < l->items.n && l->parcels.n < PARCELS_MAX && !l->outcome.stopping &&
           sftp_room(sftp) != 0)
        moved = (sending ? send_begin_parcel(l) : fetch_begin_parcel(l)) || moved;
    while (more && !l->outcome.stopping && sftp_room(sftp) != 0) {
        more = false;
        for (size_t i = l->parcels.n; i-- > 0 && sftp_room(sftp) != 0;)
            if (l->parcels.v[i]->state == WAITING)
                more = keep_wait(l->parcels.v[i]) || more;
            else if (l->parcels.v[i]->state == MOVING)
                more = (sending ? send_more(l->parcels.v[i]) : fetch_more(l->parcels.v[i])) || more;
        moved = moved || more;
    }
    return moved;
}

/* Everything is there, or here. */
static void settle(struct load *l) {
    if (l->errand->kind == ERRAND_SEND)
        l->state = NAMING;
    else if (!landing_is_empty(l->landing))
        start_sync(l);
    else
        l->state = OVER;
}

static bool is_to_prove(const struct load *l) {
    return l->errand->proof != NULL && !proof_is_empty(l->errand->proof);
}

static void can_be_proved(struct load *l) {
    l->came = true;
    l->errand->came(l->errand->arg);
}

/* FETCH: all that is to be proved is known, and in the making here. */
static bool is_opened_for_proof(const struct load *l) {
    return l->errand->kind == ERRAND_FETCH && l->errand->prove_all && fetch_all_opened(l) &&
           is_to_prove(l);
}

static void end_carrying(struct load *l) {
    struct errand *e = l->errand;
    if (!is_to_prove(l)) {
        settle(l);
        return;
    }
    l->state = PROVING;
    if (e->kind == ERRAND_FETCH || !e->prove_all)
        proof_read(e->proof);
    if (!l->came)
        can_be_proved(l);
}

void errand_go_on(struct errand *e, enum carried how, const char *reason) {
    struct load *l = e->load;
    if (!l->outcome.stopping)
        keep_proved(l, how == CARRIED);
    if (how != CARRIED)
        outcome_trouble(&l->outcome, how, "%s%s", reason,
                        l->unproved.n != 0 ? "; what the host had kept of it is not used again"
                                           : "");
    else if (!l->outcome.stopping)
        settle(l);
    sftp_kick(l->carrier->sftp);
}

static bool go(struct load *l) {
    bool moved = false;
    if (*l->errand->give_up && l->state < SYNCING) {
        outcome_trouble(&l->outcome, CARRY_LOST, "given up");
        sftp_hurry(l->carrier->sftp);
        lanes_hurry(l->carrier);
    }
    if (l->weighing != NULL)
        moved = weigh_go(l);
    if (l->outcome.stopping) {
        stop_parcels(l);
        return send_free_held(l) || moved;
    }
    if (l->state == PLACING && l->busy == 0)
        moved = send_place(l) || moved;
    if (l->state == KNOWING && !l->outcome.stopping && keep_know(l))
        l->state = MAKING;
    if (l->state == MAKING && !l->outcome.stopping)
        moved = directories_make(l) || moved;
    if (l->state == LOOKING && !l->outcome.stopping)
        moved = look_further(l) || moved;
    if (l->state == CARRYING && !l->outcome.stopping)
        moved = move_parcels(l) || moved;
    if (l->state == CARRYING && !l->came && !l->outcome.stopping && is_opened_for_proof(l))
        can_be_proved(l); /* while it is on its way */
    if (l->state == CARRYING && l->item == l->items.n && l->busy == 0 && !l->outcome.stopping)
        end_carrying(l);
    if (l->state == NAMING && !l->outcome.stopping)
        moved = send_free_held(l) || moved;
    if (l->state == MARKING && !l->outcome.stopping)
        moved = directories_mark(l) || moved;
    return moved;
}

static bool is_over(const struct load *l) {
    return l->busy == 0 && l->freed == l->held.n && (l->state == OVER || l->outcome.stopping) &&
           !landing_is_syncing(l->landing);
}

/* A turn of all errands. */
static bool room(void *context) {
    struct carrier *k = context;
    bool moved = false;
    while (k->first != NULL && k->n_loads < LOADS_MAX)
        moved = begin_load(k) || moved;
    for (size_t i = 0; i < k->n_loads; i++)
        moved = go(k->loads[(i + k->turn) % k->n_loads]) || moved;
    k->turn++;
    for (size_t i = k->n_loads; i-- > 0;)
        if (is_over(k->loads[i])) {
            end_load(k, i);
            lanes_close_unused(k);
            moved = true; /* who waited may have a next errand */
        }
    return moved;
}

/* --- the carrier --- */

/* Who tries again does so by another one. What one server breaks the others might still answer. */
static void broken(void *context, bool refused, const char *reason) {
    struct carrier *k = context;
    sftp_stop(k->sftp);
    lanes_stop(k);
    k->events.broken(k->events.context, k, refused, reason);
    while (k->n_loads != 0) {
        struct load *l = k->loads[k->n_loads - 1];
        if (l->given != KEPT) /* it was to be given back, which is no trouble */
            l->outcome.stopping = false;
        l->given = KEPT;
        outcome_trouble(&l->outcome, CARRY_LOST, "%s", reason);
        end_load(k, k->n_loads - 1);
    }
}

void carrier_break(struct carrier *k, const char *reason) {
    broken(k, false, reason);
}

void carrier_free(struct carrier *k) {
    if (k->store != NULL)
        contents_unlisten(store_contents(k->store), &k->listener);
    sftp_free(k->sftp);
    lanes_close(k);
    keep_stop(k);
    while (k->n_loads != 0)
        free_load(k->loads[--k->n_loads]);
    free(k);
}

void carrier_do(struct carrier *k, struct errand *e) {
    e->next = NULL;
    *k->last = e;
    k->last = &e->next;
    sftp_kick(k->sftp);
}

size_t carrier_waiting(const struct carrier *k) {
    size_t n = k->n_loads;
    for (const struct errand *e = k->first; e != NULL; e = e->next)
        n++;
    return n;
}

struct errand *carrier_take_back(struct carrier *k) {
    struct errand *rest = k->first;
    k->first = NULL;
    k->last = &k->first;
    return rest;
}
