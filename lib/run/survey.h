/* What hosts are like: connects to them, asks each a few things, runs nothing. */
#ifndef FORAY_RUN_SURVEY_H
#define FORAY_RUN_SURVEY_H

#include "graph/graph.h"
#include "loop/loop.h"
#include "loop/watcher.h"

/* Numbers are UINT64_MAX where they are not known. */
struct host_facts {
    struct host *host;
    struct buf way_in, key, scratch; /* empty: not known */
    struct buf error;                /* why it cannot be used; empty: it can */
    int64_t latency;                 /* ns of a round trip; 0: not known */
    uint32_t cores;
    double load; /* < 0: not known */
    uint64_t memory, memory_free, disk_free;
    /* The survey's. */
    enum { FACTS_CONNECTING, FACTS_ASKED, FACTS_KNOWN, FACTS_PINGED, FACTS_OVER } phase;
    int64_t asked; /* when the ping went out */
    unsigned pings;
};

struct survey;

/* ssh_config: a configuration to use instead of the user's, or NULL. */
struct survey *survey_new(struct loop *loop, const struct watcher *watcher,
                          struct host *const *hosts, size_t n, const char *ssh_config);
bool survey_is_over(const struct survey *s);
/* One for each host, in their order; good until survey_free. */
const struct host_facts *survey_facts(const struct survey *s);
bool survey_close(struct survey *s); /* true when hosts are tidy; else again after a turn */
void survey_free(struct survey *s);

#endif
