/* Before anything is carried: by which way it comes soonest. Whether over one that compresses
 * depends on how fast the way is, on what is carried, and on this machine, so all three are
 * measured: a part of the way's pace with more and more bytes, and a sample of the data with what
 * ssh would make of it. Many small files go as one stream, since SFTP takes some five requests, and
 * two journeys there and back, for each of them. */
#include "carry/carry_state.h"

#include "base/mem.h"
#include "carry/pack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLES = 8, /* places from which it is taken */
    FIRST_BATCH = 64 * 1024,
    LAST_BATCH = 2 * 1024 * 1024,
    SHARE = 8,         /* at most such a part of all is sent for measuring */
    MANY = 200,        /* files: with fewer the programs that make a stream take longer */
    SMALL = 64 * 1024, /* bytes of one */
};
#define LONG_ENOUGH (100 * MILLISECOND) /* for a batch, to know */
/* One more connection: seconds, and journeys there and back, until it carries. */
#define LOG_IN 0.5
#define LOG_IN_JOURNEYS 10
#define WINDOW 2097152.0 /* bytes that OpenSSH has under way: before they are made less */

/* A place in a file here. */
struct place {
    struct buf name;
    uint64_t at;
};

struct weighing {
    struct load *load; /* NULL: nobody waits for it any more, but for what is done aside */
    enum weighing_state { TO_BEGIN, SAMPLING, SAMPLED, MEASURING } state;
    bool failed;
    struct place places[SAMPLES]; /* SEND: of the sample */
    struct buf path;              /* of what is written to, or read, there */
    struct buf handle;
    int64_t asked, latency; /* when it was asked last; until the first answer */
    size_t batch, sent;     /* bytes: of this one, of all of them */
    size_t unanswered;      /* requests */
    uint64_t pace;          /* bytes a second; 0: not known */
    struct buf sample;
    struct packing packing; /* of that */
};

static bool sends(const struct load *l) {
    return l->errand->kind == ERRAND_SEND;
}

/* Of the way, for what the load carries. */
static uint64_t *pace_of(const struct load *l) {
    return &l->carrier->pace[l->errand->kind];
}

static void release(struct weighing *w) {
    for (size_t i = 0; i < SAMPLES; i++)
        buf_free(&w->places[i].name);
    buf_free(&w->path);
    buf_free(&w->handle);
    buf_free(&w->sample);
    free(w);
}

void weigh_drop(struct load *l) {
    struct weighing *w = l->weighing;
    if (w == NULL)
        return;
    if (l->carrier->weigher == l)
        l->carrier->weigher = NULL;
    l->weighing = NULL;
    w->load = NULL;
    if (w->state != SAMPLING) /* which is done aside */
        release(w);
}

/* --- the choice --- */

/* What the host would keep goes file by file. */
static bool is_many_small(const struct load *l) {
    size_t files = 0;
    uint64_t bytes = 0;
    if (l->errand->as_stream == NULL || l->items.n < MANY)
        return false;
    for (size_t i = 0; i < l->items.n; i++) {
        const struct cargo_item *item = &l->items.v[i];
        files += item->kind != CARGO_DIRECTORY;
        bytes += item->size;
        if (sends(l) && l->errand->make_where && item->size >= STORE_LEAST)
            return false;
    }
    return files >= MANY && bytes / files < SMALL;
}

static void give_back(struct load *l, enum given given, const char *packed) {
    l->outcome.stopping = true;
    l->given = given;
    if (packed != NULL)
        buf_puts(&l->packed, packed);
}

bool weigh_many(struct load *l, const char *packed) {
    if (!is_many_small(l))
        return false;
    l->packs = packed != NULL || (!sends(l) && *pace_of(l) < PACK_FAST);
    give_back(l, GIVEN_AS_STREAM, packed);
    return true;
}

/* To and from what is far more goes ahead than by the ssh program (carry_lanes.c, sftp.c). */
static bool is_much(const struct load *l) {
    return l->bytes >= CARRY_MUCH && l->carrier->events.bulk && !sftp_is_far(l->carrier->sftp);
}

/* packed: why it is to be; NULL: it is not. false: it is carried here. */
static bool goes_otherwise(struct load *l, const char *packed) {
    if (weigh_many(l, packed))
        return true;
    if (packed == NULL && !is_much(l))
        return false;
    l->errand->much = true;
    give_back(l, GIVEN_FOR_BULK, packed);
    return true;
}

static void choose(struct load *l, const char *packed) {
    if (l->outcome.stopping || goes_otherwise(l, packed))
        return;
    if (sends(l))
        send_weighed(l);
    else
        fetch_weighed(l);
}

static bool is_worth_it(const struct weighing *w) {
    if (w->pace == 0 || w->packing.to == 0)
        return false;
    double bytes = (double)w->load->bytes, pace = (double)w->pace,
           packed = packing_seconds(&w->packing, bytes, pace);
    if (!is_many_small(w->load)) { /* those go on the way that there is */
        double journey = (double)w->load->carrier->journey / SECOND,
               most = bytes * journey / WINDOW;
        packed = (packed > most ? packed : most) + LOG_IN + LOG_IN_JOURNEYS * journey;
    }
    return packed * PACK_WORTH < bytes / pace;
}

static void end(struct weighing *w) {
    struct load *l = w->load;
    struct buf why = {0};
    bool worth_it = is_worth_it(w);
    if (worth_it)
        packing_say(&w->packing, (double)w->pace, &why);
    if (w->handle.n != 0)
        sftp_close(l->carrier->sftp, buf_view(&w->handle), carry_ignore, NULL);
    weigh_drop(l);
    l->busy--;
    choose(l, worth_it ? why.s : NULL);
    sftp_kick(l->carrier->sftp);
    buf_free(&why);
}

/* --- the sample --- */

static void read_sample(struct weighing *w) {
    const size_t most = PACK_SAMPLE / SAMPLES;
    buf_reserve(&w->sample, PACK_SAMPLE);
    for (size_t i = 0; i < SAMPLES; i++) {
        int fd = open(w->places[i].name.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            continue;
        ssize_t n = pread(fd, w->sample.s + w->sample.n, most, (off_t)w->places[i].at);
        w->sample.n += n > 0 ? (size_t)n : 0;
        close(fd);
    }
}

static void pack(void *arg) {
    struct weighing *w = arg;
    if (w->sample.n == 0)
        read_sample(w);
    pack_measure(buf_view(&w->sample), &w->packing);
}

static void packed(void *arg) {
    struct weighing *w = arg;
    w->state = SAMPLED;
    if (w->load == NULL)
        release(w);
    else
        sftp_kick(w->load->carrier->sftp);
}

static void pack_sample(struct weighing *w) {
    w->state = SAMPLING;
    loop_aside(w->load->carrier->loop, pack, packed, w);
}

/* --- the pace --- */

static void ask_batch(struct weighing *w);

/* A way takes a while to become as fast as it can be, and what is fast needs much to be measured.
 * Once is not enough to take it for fast: a journey may have taken long for reasons of its own. */
static void batch_over(struct weighing *w) {
    int64_t all = loop_clock() - w->asked, took = all - w->latency;
    uint64_t before = w->pace;
    if (took < 0)
        w->latency = all;
    w->pace = took > 0 ? (uint64_t)((double)w->batch * SECOND / (double)took) : 0;
    bool sure = w->pace >= PACK_FAST ? before >= PACK_FAST
                                     : took > LONG_ENOUGH && w->pace < before + before / 2;
    if (!sure && w->batch < LAST_BATCH && w->sent + 2 * w->batch <= w->load->bytes / SHARE) {
        w->batch *= 2;
        ask_batch(w);
        return;
    }
    if (w->pace != 0 && (sure || w->pace < PACK_FAST))
        *pace_of(w->load) = w->pace;
    w->load->carrier->journey = w->latency;
    if (sends(w->load) || w->pace >= PACK_FAST)
        end(w);
    else
        pack_sample(w);
}

static void answered(void *arg, const struct sftp_answer *answer) {
    struct weighing *w = arg;
    w->unanswered--;
    if (answer->status != SFTP_OK || w->load->outcome.stopping)
        w->failed = true;
    if (w->sample.n < PACK_SAMPLE && !sends(w->load))
        buf_str(&w->sample, answer->bytes);
    if (w->unanswered != 0)
        return;
    if (w->failed)
        end(w);
    else
        batch_over(w);
}

static void ask_batch(struct weighing *w) {
    struct sftp *sftp = w->load->carrier->sftp;
    size_t chunk = sftp_chunk(sftp);
    w->asked = loop_clock();
    for (size_t at = 0; at < w->batch; at += chunk, w->unanswered++) {
        size_t n = w->batch - at < chunk ? w->batch - at : chunk;
        if (sends(w->load))
            memset(sftp_write(sftp, buf_view(&w->handle), w->sent + at, (uint32_t)n, answered, w),
                   'x', n);
        else
            sftp_read(sftp, buf_view(&w->handle), w->sent + at, (uint32_t)n, answered, w);
    }
    w->sent += w->batch;
}

static void opened(void *arg, const struct sftp_answer *answer) {
    struct weighing *w = arg;
    w->latency = loop_clock() - w->asked;
    if (answer->status == SFTP_OK)
        buf_str(&w->handle, answer->bytes);
    if (answer->status != SFTP_OK || w->load->outcome.stopping) {
        end(w);
        return;
    }
    w->batch = *pace_of(w->load) == 0 ? FIRST_BATCH : PACK_SAMPLE;
    ask_batch(w);
}

static void measure_pace(struct weighing *w) {
    bool send = sends(w->load);
    w->state = MEASURING;
    w->asked = loop_clock();
    sftp_open_file(w->load->carrier->sftp, send ? STR("/dev/null") : buf_view(&w->path),
                   send ? SFTP_WRITE : SFTP_READ, 0, opened, w);
}

/* --- the beginning --- */

/* So that a sample is of all of it: evenly from all bytes. */
static void choose_places(struct weighing *w) {
    const struct load *l = w->load;
    uint64_t before = 0; /* bytes, of the items before this one */
    size_t n = 0;
    for (size_t i = 0; i < l->items.n && n < SAMPLES; i++) {
        const struct cargo_item *item = &l->items.v[i];
        for (uint64_t at; n < SAMPLES && (at = l->bytes / SAMPLES * n) < before + item->size; n++) {
            buf_str(&w->places[n].name, item->from);
            w->places[n].at = (item->part ? item->start : 0) + at - before;
        }
        before += item->size;
    }
}

void weigh(struct load *l, struct str path) {
    struct carrier *k = l->carrier;
    if (l->errand->much)
        return;
    if (l->bytes < CARRY_WEIGHED || !k->events.packs || *pace_of(l) >= PACK_FAST) {
        goes_otherwise(l, NULL);
        return;
    }
    struct weighing *w = mem_zalloc(sizeof *w);
    w->load = l;
    buf_str(&w->path, path);
    if (sends(l))
        choose_places(w);
    l->weighing = w;
    l->state = WEIGHING;
    sftp_kick(k->sftp);
}

static void begin(struct weighing *w) {
    struct load *l = w->load;
    struct carrier *k = l->carrier;
    bool known = *pace_of(l) != 0;
    if (!known && k->weigher != NULL)
        return; /* what is measured while others measure is no measure */
    if (!known)
        k->weigher = l;
    l->busy++;
    if (sends(l))
        pack_sample(w);
    else
        measure_pace(w);
}

static void go_on(struct weighing *w) {
    struct load *l = w->load;
    bool packs = (double)w->packing.from > PACK_WORTH * (double)w->packing.to;
    if (w->pace == 0)
        w->pace = *pace_of(l);
    if (w->pace == 0 && w->sent == 0 && packs && !l->outcome.stopping)
        measure_pace(w);
    else
        end(w);
}

bool weigh_go(struct load *l) {
    struct weighing *w = l->weighing;
    enum weighing_state before = w->state;
    if (before == TO_BEGIN && !l->outcome.stopping)
        begin(w);
    else if (before == SAMPLED)
        go_on(w);
    return l->weighing == NULL || w->state != before;
}
