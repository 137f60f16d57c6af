/* What is up to date, and why what is not is not.
 *
 * A step with outputs is fresh when its last try ended well, its command and settings are the same,
 * its inputs are as they were before that try, and its outputs as it left them. "As they were" is
 * equality of size, time of change and inode, not an order of times: clocks do not matter. */
#ifndef FORAY_PLAN_FRESH_H
#define FORAY_PLAN_FRESH_H

#include "plan/journal.h"
#include "plan/plan.h"

struct fresh;

struct fresh_options {
    bool always; /* nothing is fresh (-B) */
    bool resume; /* steps without outputs count too, if they ended well in the run that this one
                    goes on with */
};

/* What is known and judged. journal NULL: nothing is remembered. file: of the graph, as named on
 * the command line. All must outlive it. */
struct fresh *fresh_new(struct graph *g, struct journal *journal, struct str file,
                        const struct fresh_options *options);
void fresh_free(struct fresh *f);
struct journal *fresh_journal(const struct fresh *f); /* NULL: none */

enum verdict {
    IS_FRESH,
    RUNS_AS_TOLD,       /* -B */
    RUNS_ALWAYS,        /* it has no outputs */
    NEVER_RAN,          /* that is known */
    DID_NOT_END,        /* it was running when foray ended */
    ENDED_BADLY,        /* see past.last */
    COMMAND_CHANGED,    /* past.last.command */
    SETTINGS_CHANGED,   /* past.last.settings */
    INPUT_CHANGED,      /* name, was, is */
    INPUT_ADDED,        /* name */
    INPUT_REMOVED,      /* name */
    INPUT_UNWATCHED,    /* name: a directory that it sends; what is in it is not looked at */
    DEPENDENCY_CHANGED, /* name, was, is */
    OUTPUT_CHANGED,     /* name, was, is; is may say that it is missing */
    OUTPUT_ADDED,       /* name */
    OUTPUT_REMOVED,     /* name */
    OUTPUT_UNKNOWN,     /* what it wrote to its standard output is needed, and not remembered */
    NEED_RAN,           /* --resume: name, a step that it needs, has run since */
    IS_BROKEN,          /* see struct step */
};

struct judgement {
    enum verdict verdict;
    struct past past;
    struct str name;
    struct signature was, is;
};

/* Whether a step is worth a judgement: it could be fresh, and fresh_prune has not found that it is
 * not. */
bool fresh_may_be(const struct fresh *f, const struct step *step);

/* What has to be read to know more: contents too large to be hashed at once. */
struct to_hash {
    struct str name;
    struct signature is;
    bool good; /* it is hashed */
};
typedef VEC(struct to_hash) hash_list;
void fresh_hash(hash_list *list); /* does it; may be called in any thread */

/* Looks at the step's files as they are now. Its needs must be over. list: takes what it wants
 * hashed first, then it is to be called again with that; NULL: it hashes that itself. */
struct judgement fresh_judge(struct fresh *f, const struct step *step, hash_list *list);
void fresh_hashed(struct fresh *f, const hash_list *list);
/* The step was judged to be fresh: the graph learns what it has left, the steps that it listed too.
 * Mistakes in these are told. */
void fresh_settle(struct fresh *f, struct step *step, struct diags *diags);
/* How long it took when it last ended well, ns; 0: not known. host: where, n == 0: here. */
int64_t fresh_cost(const struct fresh *f, const struct step *step, struct str *host);
/* How large a file was when it was last looked at; 0: it was not. */
uint64_t fresh_size(const struct fresh *f, const struct file *file);
/* What it would be run with: its settings as text, a line each. */
void fresh_settings(const struct fresh *f, const struct step *step, struct buf *out);
void fresh_command(const struct fresh *f, const struct step *step, struct buf *out);
uint64_t fresh_key(const struct fresh *f, const struct step *step);

/* A step that said it has read what another one makes waits for that one from now on. Before the
 * plan is made. */
void fresh_link(struct fresh *f, struct diags *diags);
/* Takes out of the plan all that is fresh and waits for nothing that is not; the graph grows by
 * what these steps let it grow. Mistakes that come to light are told. The number of steps that are
 * up to date. */
size_t fresh_prune(struct fresh *f, struct plan *plan, struct diags *diags);
/* Whether fresh_prune has found the step fresh. */
bool fresh_is_pruned(const struct fresh *f, const struct step *step);

/* --- what runs --- */

/* What a try starts from: its command and the files that it reads, as they are. */
struct memo;
/* Before a try starts; writes down that it does. */
struct memo *fresh_begin(struct fresh *f, const struct step *step, uint32_t attempt,
                         struct str host);
/* Where the step runs here: which of its outputs stood there before, as they were. */
void fresh_note_outputs(struct memo *memo);
/* The outputs that it has made or touched since then: a step that failed must not leave them as if
 * it had not. Names of files of the graph. */
void fresh_touched(const struct memo *memo, str_list *names);
/* After it has ended well: looks at what it has left. deps: further files that it says it has read.
 * What is too large to be hashed at once is added to the
 * list, for fresh_hash, and then for fresh_end. */
void fresh_left(struct fresh *f, struct memo *memo, const str_list *deps, hash_list *list);

struct try_end {
    enum ending ending;
    int status;
    int64_t took; /* ns */
    struct str output;
};
/* Writes down how it ended, and gives the memo back. false: the journal cannot be written. */
bool fresh_end(struct fresh *f, struct memo *memo, const struct try_end *end,
               const hash_list *hashed);
/* Without a word: the try counts for nothing. */
void fresh_drop(struct memo *memo);

/* A run begins, and ends; words: targets and variables as typed. */
bool fresh_begin_run(struct fresh *f, struct str words);
uint32_t fresh_run(const struct fresh *f); /* its number */
bool fresh_end_run(struct fresh *f, struct record_run_end *end);

#endif
