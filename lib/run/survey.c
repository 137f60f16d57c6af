#include "run/survey.h"

#include "base/mem.h"
#include "base/vec.h"
#include "run/hosts.h"

#include <stdlib.h>
#include <time.h>

enum {
    PINGS = 3,   /* the fastest one counts */
    AT_ONCE = 8, /* hosts that are pinged: more of them would measure this machine */
};
/* What a host does not say in this time stays unknown: its disk may hang. */
#define ANSWER_TIME (5 * SECOND)

struct survey {
    struct loop *loop;
    struct executor *hosts;
    struct prompter *prompter;
    struct executor_events events;
    struct host_facts *facts;
    size_t n;
    VEC(uint32_t) by_id; /* of hosts: their place in facts */
    size_t left;         /* hosts that are connecting or asked */
    size_t next, pinged; /* the next one to be pinged; how many are */
    struct timer deadline;
};

static struct host_facts *facts_of(struct survey *s, const struct host *host) {
    return &s->facts[s->by_id.v[host->id]];
}

static void ping(struct survey *s, struct host_facts *f) {
    f->phase = FACTS_PINGED;
    f->asked = loop_clock();
    hosts_ask_load(s->hosts, f->host);
}

static void describe(struct survey *s, struct host_facts *f) {
    buf_clear(&f->way_in);
    buf_clear(&f->key);
    buf_clear(&f->scratch);
    hosts_describe(s->hosts, f->host, &f->way_in, &f->key, &f->scratch);
}

/* All are known or lost: now nothing else is done here, and round trips can be measured. */
static void ping_next(struct survey *s) {
    while (s->left == 0 && s->pinged < AT_ONCE && s->next < s->n) {
        struct host_facts *f = &s->facts[s->next++];
        if (f->phase != FACTS_KNOWN)
            continue;
        s->pinged++;
        ping(s, f);
    }
}

static void too_late(void *arg) {
    struct survey *s = arg;
    for (size_t i = 0; i < s->n; i++) {
        struct host_facts *f = &s->facts[i];
        if (f->phase == FACTS_ASKED) {
            f->phase = FACTS_KNOWN;
            s->left--;
        } else if (f->phase == FACTS_PINGED) {
            f->phase = FACTS_OVER;
            s->pinged--;
        }
    }
    if (s->left == 0 && s->next < s->n)
        loop_timer(s->loop, &s->deadline, loop_now(s->loop) + ANSWER_TIME);
    ping_next(s);
}

static void know(struct survey *s, struct host_facts *f) {
    f->phase = FACTS_KNOWN;
    s->left--;
    loop_timer(s->loop, &s->deadline, loop_now(s->loop) + ANSWER_TIME);
    ping_next(s);
}

static void on_up(void *context, struct host *host, uint32_t cores, uint64_t memory) {
    struct survey *s = context;
    struct host_facts *f = facts_of(s, host);
    if (f->phase != FACTS_CONNECTING)
        return;
    f->cores = cores;
    f->memory = memory != 0 ? memory : UINT64_MAX;
    f->phase = FACTS_ASKED;
    describe(s, f);
    hosts_ask_facts(s->hosts, host);
    loop_timer(s->loop, &s->deadline, loop_now(s->loop) + ANSWER_TIME);
}

static void on_facts(void *context, struct host *host, uint64_t memory, uint64_t disk) {
    struct survey *s = context;
    struct host_facts *f = facts_of(s, host);
    f->memory_free = memory;
    f->disk_free = disk;
    if (f->phase == FACTS_ASKED)
        know(s, f);
}

static void on_load(void *context, struct host *host, double load) {
    struct survey *s = context;
    struct host_facts *f = facts_of(s, host);
    f->load = load;
    if (f->phase != FACTS_PINGED)
        return;
    int64_t took = loop_clock() - f->asked;
    if (f->latency == 0 || took < f->latency)
        f->latency = took;
    if (++f->pings < PINGS) {
        ping(s, f);
    } else {
        f->phase = FACTS_OVER;
        s->pinged--;
        ping_next(s);
    }
}

static void on_lost(void *context, struct host *host, bool for_good, const char *reason) {
    (void)for_good;
    struct survey *s = context;
    struct host_facts *f = facts_of(s, host);
    if (f->phase == FACTS_OVER)
        return;
    if (f->phase == FACTS_CONNECTING)
        describe(s, f);
    buf_puts(&f->error, reason);
    s->left -= f->phase == FACTS_CONNECTING || f->phase == FACTS_ASKED;
    s->pinged -= f->phase == FACTS_PINGED;
    f->phase = FACTS_OVER;
    loop_timer(s->loop, &s->deadline, loop_now(s->loop) + ANSWER_TIME);
    ping_next(s);
}

/* Nothing is run, so none of these comes. */
static void on_output(void *context, struct job *job, enum stream stream, struct str bytes) {
    (void)context;
    (void)job;
    (void)stream;
    (void)bytes;
}
static void on_ended(void *context, struct job *job) {
    (void)context;
    (void)job;
}

struct survey *survey_new(struct loop *loop, const struct watcher *watcher,
                          struct host *const *hosts, size_t n, const char *ssh_config) {
    struct survey *s = mem_zalloc(sizeof *s);
    *s = (struct survey){.loop = loop, .n = n, .left = n};
    s->events = (struct executor_events){s,    on_output, on_ended, on_up,   on_lost,
                                         NULL, on_load,   NULL,     on_facts};
    s->deadline = (struct timer){.expired = too_late, .arg = s};
    s->facts = mem_zalloc((n + 1) * sizeof *s->facts);
    s->prompter = prompter_new(loop, NULL, NULL);
    s->hosts = hosts_new(
        loop, &s->events,
        &(struct hosts_options){
            .config = ssh_config, .no_samples = true, .watcher = watcher, .prompter = s->prompter});
    for (size_t i = 0; i < n; i++) {
        s->facts[i] = (struct host_facts){.host = hosts[i],
                                          .load = -1,
                                          .memory = UINT64_MAX,
                                          .memory_free = UINT64_MAX,
                                          .disk_free = UINT64_MAX};
        while (s->by_id.n <= hosts[i]->id)
            *vec_push(&s->by_id) = 0;
        s->by_id.v[hosts[i]->id] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        s->hosts->table->connect(s->hosts, hosts[i]);
    return s;
}

bool survey_is_over(const struct survey *s) {
    return s->left == 0 && s->pinged == 0 && s->next == s->n;
}

const struct host_facts *survey_facts(const struct survey *s) {
    return s->facts;
}

bool survey_close(struct survey *s) {
    loop_timer_clear(s->loop, &s->deadline);
    return s->hosts->table->close(s->hosts);
}

void survey_free(struct survey *s) {
    loop_timer_clear(s->loop, &s->deadline);
    s->hosts->table->free(s->hosts);
    prompter_free(s->prompter);
    for (size_t i = 0; i < s->n; i++) {
        buf_free(&s->facts[i].way_in);
        buf_free(&s->facts[i].key);
        buf_free(&s->facts[i].scratch);
        buf_free(&s->facts[i].error);
    }
    free(s->facts);
    vec_free(&s->by_id);
    free(s);
}
