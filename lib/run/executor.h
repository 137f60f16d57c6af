/* What runs steps: this machine (local.h) and ssh hosts (hosts.h), behind one table of functions.
 */
#ifndef FORAY_RUN_EXECUTOR_H
#define FORAY_RUN_EXECUTOR_H

#include "base/stream.h"
#include "base/strlist.h"
#include "carry/tally.h"
#include "graph/graph.h"

#include <stdbool.h>
#include <stdint.h>

enum job_end {
    JOB_EXITED,   /* status is the exit status */
    JOB_SIGNALED, /* status is the signal */
    JOB_FAILED,   /* it could not be started, or did not make what it promised: reason says what */
    JOB_LOST,     /* its host or a transfer failed: reason says how */
};

/* One try of one step. */
struct job {
    struct graph *graph;
    const struct step *step;
    struct host *host; /* NULL: here */
    uint32_t id;       /* the step's, for the scheduler */
    uint32_t attempt;  /* from 1 */
    int64_t started, ended;
    bool timed_out, cancelled; /* it was ended by us */
    bool refused;              /* JOB_LOST: its host can be used, and would refuse it again */
    bool unkept;               /* likewise: it ran, and what it made cannot be kept here */
    enum job_end end;
    int status;
    struct buf reason;
    struct buf kept;      /* the scratch directory there, if it stays */
    struct buf written;   /* to its standard output, where that is captured */
    bool overflowed;      /* it wrote more than can be captured */
    struct found *before; /* what stood there before it started that its patterns match: files.h */
    str_list made;        /* what the patterns of its step stood for; the names are the job's own */
    struct memo *memo;    /* what it started from: plan/fresh.h; NULL: that was written down */
    bool looked_at;       /* it has ended well; what it has left is being hashed aside */
    str_list removed;     /* outputs that it had touched when it failed */
    struct tally tally;
    struct job *twin; /* another try of the step, that runs at the same time elsewhere */
    void *executing;  /* the executor's */
    void *shown;      /* the view's */
};

/* What executors tell. */
struct executor_events {
    void *context;
    void (*output)(void *context, struct job *job, enum stream stream, struct str bytes);
    /* The try is over; end, status and reason are set. The executor does not touch the job again.
     */
    void (*ended)(void *context, struct job *job);
    /* memory in bytes; 0: not known. */
    void (*host_up)(void *context, struct host *host, uint32_t cores, uint64_t memory);
    /* The host cannot be used (for_good: not in this run); what ran there is lost: no `ended` comes
     * for it, and the executor has let go of those jobs. */
    void (*host_lost)(void *context, struct host *host, bool for_good, const char *reason);
    /* The host is reached in a way that is not the usual one ("reached by ..."); told of each
     * connection that is. NULL: nobody wants to know. */
    void (*host_way)(void *context, struct host *host, const char *how, const char *reason);
    void (*host_load)(void *context, struct host *host, double load);
    /* The host keeps what this file contains: it need not be sent there again. NULL, like the next
     * one, where nothing asks for it. */
    void (*host_holds)(void *context, struct host *host, struct str file);
    /* What hosts_ask_facts asked for. */
    void (*host_facts)(void *context, struct host *host, uint64_t memory, uint64_t disk);
};

struct executor;

struct executor_table {
    void (*connect)(struct executor *x, struct host *host);
    void (*start)(struct executor *x, struct job *job);
    /* Ends a job, TERM and after GRACE KILL; at_once: KILL. `ended` follows. */
    void (*cancel)(struct executor *x, struct job *job, bool at_once);
    /* No more jobs come: begins to clean up; true when all is done (else call again after a turn of
     * the loop). */
    bool (*close)(struct executor *x);
    void (*free)(struct executor *x);
};

struct executor {
    const struct executor_table *table;
};

static inline bool codes_have(const struct codes *codes, int status) {
    return codes != NULL && status >= 0 && status < 256 &&
           (codes->v[status / 64] >> status % 64 & 1) != 0;
}

static inline bool job_succeeded(const struct job *job) {
    return job->end == JOB_EXITED && !job->timed_out && !job->cancelled &&
           (job->status == 0 || codes_have(job->step->rule->allow, job->status));
}

/* Whether it works on the files of this directory itself. */
static inline bool job_is_in_place(const struct job *job) {
    return job->host == NULL || (job->host->launch != NULL && !job->host->launch->stage);
}

/* What a shell is given for a job: a script that is no option, and variables NAME=VALUE beyond the
 * inherited ones (each ends in a NUL). prefix as in graph_script. */
void job_script(const struct job *job, struct str prefix, struct buf *out);
/* Where the files of this directory are: with the change of directory before it; prefix is what
 * leads from there to the files. */
void job_script_in_place(const struct job *job, struct buf *prefix, struct buf *script);
void job_variables(const struct job *job, struct str prefix, str_list *out);

#endif
