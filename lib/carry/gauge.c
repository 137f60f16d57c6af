#include "carry/gauge.h"

#include "base/mem.h"
#include "carry/pack.h"

#include <stdlib.h>

enum {
    FIRST_LOOK = 256 * 1024, /* bytes; the next one when it is twice as many */
    SLOW = 12 * 1024 * 1024, /* bytes a second, as of a network of 100 Mbit/s: what is faster may
                                be as slow as it is for other reasons than its way */
};
#define LONG_ENOUGH (100 * MILLISECOND) /* to know how fast it comes */

struct gauge {
    struct loop *loop;
    bool (*pays)(void *context, const char *why); /* NULL: nobody wants to know any more */
    void *context;
    int64_t last;  /* bytes came then; 0: none have, or it was interrupted */
    int64_t took;  /* ns that it came in */
    uint64_t came; /* in these */
    uint64_t due;  /* to be looked at when so many have */
    bool was_slow; /* at the last look */
    bool aside;    /* the sample is being packed */
    double pace;   /* bytes a second, at the last look */
    struct buf sample;
    struct packing packing;
};

struct gauge *gauge_new(struct loop *loop, bool (*pays)(void *context, const char *why),
                        void *context) {
    struct gauge *g = mem_zalloc(sizeof *g);
    *g = (struct gauge){.loop = loop, .pays = pays, .context = context, .due = FIRST_LOOK};
    return g;
}

static void release(struct gauge *g) {
    buf_free(&g->sample);
    free(g);
}

void gauge_free(struct gauge *g) {
    if (g == NULL)
        return;
    g->pays = NULL;
    if (!g->aside)
        release(g);
}

static void measure(void *arg) {
    struct gauge *g = arg;
    pack_measure(buf_view(&g->sample), &g->packing);
}

static void look_again(struct gauge *g) {
    g->due = 2 * g->came;
    buf_clear(&g->sample);
}

static void measured(void *arg) {
    struct gauge *g = arg;
    struct buf why = {0};
    g->aside = false;
    if (g->pays == NULL) {
        release(g);
        return;
    }
    bool worth_it =
        g->packing.to != 0 && packing_seconds(&g->packing, g->pace, g->pace) * PACK_WORTH < 1;
    packing_say(&g->packing, g->pace, &why);
    if (worth_it && g->pays(g->context, why.s))
        g->due = UINT64_MAX;
    else
        look_again(g);
    buf_free(&why);
}

void gauge_pause(struct gauge *g) {
    g->last = 0;
}

void gauge_take(struct gauge *g, struct str bytes) {
    int64_t now = loop_clock(), before = g->last;
    g->last = now;
    if (before == 0)
        return;
    g->took += now - before;
    g->came += bytes.n;
    if (g->came < g->due || g->aside)
        return;
    size_t room = PACK_SAMPLE - g->sample.n;
    buf_add(&g->sample, bytes.s, bytes.n < room ? bytes.n : room);
    if (g->sample.n < PACK_SAMPLE)
        return;
    g->pace = (double)g->came * SECOND / (double)(g->took != 0 ? g->took : 1);
    bool slow = g->took >= LONG_ENOUGH && g->pace < SLOW;
    if (!slow || !g->was_slow) {
        g->was_slow = slow;
        look_again(g);
        return;
    }
    g->aside = true;
    loop_aside(g->loop, measure, measured, g);
}
