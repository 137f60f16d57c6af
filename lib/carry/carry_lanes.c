/* Large files on their way to what is far: by several SFTP servers there at once, the lanes, each
 * on a channel of its own, since one channel carries less than the network (WAY_FAR). All of them
 * write to the same file, each the chunks that it has room for. The carrier's own server makes it,
 * and ends it when all of it is there. */
#include "carry/carry_state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 8 * 1024 * 1024 /* bytes of a file: less is there before a lane is */ };

/* A parcel's file, as a lane has it. */
struct lane_file {
    struct parcel *parcel;
    enum { UNASKED, ASKED, OPENED, REFUSED } state;
    struct buf handle;
    size_t busy; /* writes */
};

static struct lane_file *file_of(const struct lane *lane, const struct parcel *p) {
    return &p->lane_files[lane - p->load->carrier->lanes];
}

static bool is_in_use(const struct lane *lane) {
    const struct carrier *k = lane->carrier;
    for (size_t i = 0; i < k->n_loads; i++)
        for (size_t j = 0; j < k->loads[i]->parcels.n; j++) {
            const struct parcel *p = k->loads[i]->parcels.v[j];
            const struct lane_file *f = p->lane_files != NULL ? file_of(lane, p) : NULL;
            if (f != NULL && (f->state == ASKED || f->state == OPENED || f->busy != 0))
                return true;
        }
    return false;
}

static void broken(void *context, bool refused, const char *reason) {
    struct lane *lane = context;
    (void)refused;
    lane->gone = true;
    if (is_in_use(lane))
        carrier_break(lane->carrier, reason);
}

static void opened(void *arg, const struct sftp_answer *answer) {
    struct lane_file *f = arg;
    struct parcel *p = f->parcel;
    struct sftp *sftp = p->load->carrier->lanes[f - p->lane_files].sftp;
    f->state = REFUSED;
    if (answer->status == SFTP_OK && p->state == MOVING) {
        buf_str(&f->handle, answer->bytes);
        f->state = OPENED;
    } else if (answer->status == SFTP_OK) {
        sftp_close(sftp, answer->bytes, carry_ignore, NULL);
    }
    send_answered(p);
}

static void written(void *arg, const struct sftp_answer *answer) {
    struct lane_file *f = arg;
    struct parcel *p = f->parcel;
    f->busy--;
    sftp_kick(p->load->carrier->sftp);
    send_written(p, answer);
}

static bool move(struct lane *lane, struct parcel *p) {
    struct lane_file *f = file_of(lane, p);
    bool moved = false;
    if (f->state == UNASKED && p->at < p->size) {
        f->state = ASKED;
        p->busy++;
        sftp_open_file(lane->sftp, send_name_there(p), SFTP_WRITE, 0, opened, f);
        return true;
    }
    while (f->state == OPENED && !p->load->outcome.stopping && sftp_room(lane->sftp) != 0 &&
           send_chunk(p, lane->sftp, buf_view(&f->handle), written, f)) {
        f->busy++;
        moved = true;
    }
    return moved;
}

static bool room(void *context) {
    struct lane *lane = context;
    const struct carrier *k = lane->carrier;
    bool moved = false;
    for (size_t i = 0; i < k->n_loads; i++) {
        struct load *l = k->loads[i];
        for (size_t j = 0; j < l->parcels.n && !l->outcome.stopping; j++)
            if (l->parcels.v[j]->lane_files != NULL && l->parcels.v[j]->state == MOVING)
                moved = move(lane, l->parcels.v[j]) || moved;
    }
    return moved;
}

void lanes_join(struct parcel *p) {
    struct carrier *k = p->load->carrier;
    if (p->size < LEAST || !sftp_is_far(k->sftp))
        return;
    p->lane_files = mem_zalloc(CARRY_LANES * sizeof *p->lane_files);
    for (size_t i = 0; i < CARRY_LANES; i++) {
        struct lane *lane = &k->lanes[i];
        p->lane_files[i].parcel = p;
        lane->carrier = k;
        if (lane->sftp == NULL)
            lane->sftp =
                sftp_open(k->loop, k->way, k->patience, &(struct sftp_events){lane, room, broken});
        if (lane->gone)
            p->lane_files[i].state = REFUSED;
        else
            sftp_kick(lane->sftp);
    }
}

bool lanes_are_busy(const struct parcel *p) {
    for (size_t i = 0; p->lane_files != NULL && i < CARRY_LANES; i++)
        if (p->lane_files[i].busy != 0)
            return true;
    return false;
}

void lanes_leave(struct parcel *p) {
    for (size_t i = 0; p->lane_files != NULL && i < CARRY_LANES; i++) {
        struct lane_file *f = &p->lane_files[i];
        if (f->state != OPENED)
            continue;
        sftp_close(p->load->carrier->lanes[i].sftp, buf_view(&f->handle), carry_ignore, NULL);
        f->state = REFUSED;
    }
}

void lanes_forget(struct parcel *p) {
    for (size_t i = 0; p->lane_files != NULL && i < CARRY_LANES; i++)
        buf_free(&p->lane_files[i].handle);
    free(p->lane_files);
    p->lane_files = NULL;
}

void lanes_hurry(struct carrier *k) {
    for (size_t i = 0; i < CARRY_LANES; i++)
        if (k->lanes[i].sftp != NULL)
            sftp_hurry(k->lanes[i].sftp);
}

void lanes_stop(struct carrier *k) {
    for (size_t i = 0; i < CARRY_LANES; i++)
        sftp_stop(k->lanes[i].sftp);
}

void lanes_close(struct carrier *k) {
    for (size_t i = 0; i < CARRY_LANES; i++)
        sftp_free(k->lanes[i].sftp);
    memset(k->lanes, 0, sizeof k->lanes);
}

void lanes_close_unused(struct carrier *k) {
    if (k->lanes[0].sftp == NULL)
        return;
    for (size_t i = 0; i < k->n_loads; i++)
        for (size_t j = 0; j < k->loads[i]->parcels.n; j++)
            if (k->loads[i]->parcels.v[j]->lane_files != NULL)
                return;
    lanes_close(k);
}
