/* The records of the journal, as bytes. A file of records is
 *
 *     header      "foray journal\n", a version, a number that only this file has
 *     record ...  each starts at a multiple of 8: kind, length, checksum, payload, padding
 *
 * in the byte order of the machine (another one is refused by its version). The checksum is over
 * kind, length, payload and the file's number: what a disk, another program or a kill in the midst
 * of a write has left is told apart, and the records after it are found again. */
#ifndef FORAY_PLAN_RECORD_H
#define FORAY_PLAN_RECORD_H

#include "base/signature.h"
#include "base/str.h"
#include "base/vec.h"

enum record_kind {
    RECORD_RUN = 1, /* a run has begun */
    RECORD_START,   /* a try of a step */
    RECORD_END,     /* and how that ended */
    RECORD_RUN_END,
};

/* How a try ended. */
enum ending { ENDED_WELL = 1, ENDED_FAILED, ENDED_TIMED_OUT, ENDED_CANCELLED, ENDED_LOST };

/* A file as it was at some time. */
struct version {
    struct str name; /* with a NUL behind it; s == NULL: a number that stands for nothing */
    struct signature was;
};

struct record_run {
    uint32_t run;     /* counted from 1 */
    uint32_t resumes; /* the first of the runs that this one goes on with; itself: none */
    int64_t began;    /* wall time, ns */
    int64_t pid;
    struct str file, words; /* of the graph; targets and variables, as typed */
};

struct record_start {
    uint64_t key; /* of the step: journal_key */
    uint32_t run, attempt;
    int64_t began;
    struct str name, host; /* host.n == 0: here */
};

struct record_end {
    uint64_t key;
    uint32_t run, attempt;
    int64_t began, took; /* wall time; ns */
    enum ending ending;
    int status; /* exit status */
    struct str name, host;
    struct str command, settings; /* of the step, expanded */
    bool captured;                /* output is what it wrote to its standard output */
    struct str output;
    /* Numbers of versions: what it read, what it left, what it said that it read beside that. */
    const uint32_t *in, *out, *deps;
    uint32_t n_in, n_out, n_deps;
    /* Versions that no record before this one had: `base` and the numbers after it. */
    uint32_t base;
    const struct version *fresh;
    uint32_t n_fresh;
};

struct record_run_end {
    uint32_t run;
    int status;
    int64_t ended, took;
    uint32_t done, fresh, failed, other; /* steps */
};

enum { RECORD_ALIGN = 8, RECORD_HEAD = 16, JOURNAL_HEADER = 32 };

/* The beginning of a file of records. */
void record_header(uint64_t number, struct buf *out);
enum header { HEADER_GOOD, HEADER_CUT, HEADER_FOREIGN };
enum header record_read_header(struct str bytes, uint64_t *number);

/* Each appends a whole record. */
void record_put_run(struct buf *out, uint64_t number, const struct record_run *r);
void record_put_start(struct buf *out, uint64_t number, const struct record_start *r);
void record_put_end(struct buf *out, uint64_t number, const struct record_end *r);
void record_put_run_end(struct buf *out, uint64_t number, const struct record_run_end *r);

/* The record at `at` (a multiple of 8): its kind and payload, and where the next one begins. false:
 * there is none, or it is damaged. */
bool record_at(struct str bytes, size_t at, uint64_t number, enum record_kind *kind,
               struct str *payload, size_t *next);
/* The payload of a record that record_at has found good before. */
struct str record_payload(const char *record);
/* What a payload says; texts point into it. false: it is none of that kind. */
bool record_get_run(struct str payload, struct record_run *r);
bool record_get_start(struct str payload, struct record_start *r);
/* `versions` takes those that it brings (r->fresh is not set). What it refers to is checked to be
 * among them. */
typedef VEC(struct version) version_list;
bool record_get_end(struct str payload, struct record_end *r, version_list *versions,
                    size_t file_size);
/* The same, without a look at versions: of a record that record_get_end has taken before. */
void record_get_end_again(struct str payload, struct record_end *r);
bool record_get_run_end(struct str payload, struct record_run_end *r);

#endif
