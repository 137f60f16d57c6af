/* What the parts of fresh.h share. */
#ifndef FORAY_PLAN_FRESH_STATE_H
#define FORAY_PLAN_FRESH_STATE_H

#include "plan/fresh.h"

/* A file as it was when it was last looked at. */
struct known {
    struct signature is;
    bool looked;
    bool made; /* it was left so by a step of this run */
};

typedef VEC(struct file *) file_list;

enum step_state {
    STEP_UNKNOWN,
    STEP_FRESH,
    STEP_STALE, /* judged before the run: it has to run, and no other step's end changes that */
    STEP_RAN,
};

struct fresh {
    struct graph *graph;
    struct journal *journal; /* NULL: none */
    struct str file;
    struct fresh_options options;
    uint32_t run, resumes; /* this one, and the first of those that it goes on with; 0: none */
    int64_t began;
    bool looking_once;       /* nothing changes meanwhile: what was looked at is as it was */
    VEC(struct known) files; /* by file id */
    file_list version_files; /* by number; NULL: not asked for so far */
    VEC(uint8_t) steps;      /* by step id: enum step_state */
    struct buf text;         /* scratch */
    bool moved; /* a file was changed meanwhile, or something ran that is never up to date: what is
                   known of the files is not what up to date means */
};

struct memo {
    const struct step *step;
    uint64_t key;
    uint32_t attempt;
    int64_t began;
    struct str host;
    struct buf command, settings;
    VEC(struct version) files; /* what it reads, then what it left, then what it said it read */
    uint32_t n_in, n_out, n_deps;
    VEC(struct signature) before; /* of step->out, where it runs here */
    size_t n_outputs;             /* of the step, when it started */
};

/* What the step reads: `in`, and what it sends beside that; unwatched: one that cannot be watched,
 * n == 0: none. */
void fresh_inputs(struct fresh *f, const struct step *step, file_list *out, struct str *unwatched);
/* Looks at a file again. Its contents are still known if it has not changed. */
struct signature *fresh_look(struct fresh *f, const struct file *file);
void fresh_mark(struct fresh *f, const struct step *step, enum step_state state);
enum step_state fresh_state(const struct fresh *f, const struct step *step);
bool fresh_has_outputs(const struct step *step);

#endif
