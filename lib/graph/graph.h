/* The model of what is to be done: pools of hosts, steps, files, and what waits for what. It is
 * filled by a reader (lib/read), lives in one arena for the whole run, and knows nothing of the
 * language it was written in. */
#ifndef FORAY_GRAPH_GRAPH_H
#define FORAY_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/map.h"
#include "base/vec.h"
#include "graph/template.h"
#include "graph/uses.h"

#include <stdbool.h>
#include <stdint.h>

enum pick { PICK_LEAST_LOADED, PICK_RANDOM, PICK_ROUND_ROBIN };

/* What to tell ssh beyond its own configuration. Empty strings and 0: nothing. Paths are as
 * written: relative ones start at the working directory, "~/" is the home directory. */
struct ssh_settings {
    struct str config, identity, known_hosts, user;
    uint16_t port;
};

/* A command that runs commands elsewhere, instead of ssh. */
struct launch {
    struct template *words;
    uint32_t n;
    bool per_step; /* the words are not the same for every step: each has a process of its own */
    bool stage;    /* files are carried there and back; if not, the same files are there */
};

struct host {
    uint32_t id;             /* its index in graph.hosts */
    struct str name;         /* as written and shown: "ana@big:2222" */
    struct str user, target; /* user may be empty; target is what ssh is asked for */
    uint16_t port;           /* 0: not said */
    uint32_t slots;          /* steps at once; 0: its cores */
    uint64_t cache;          /* so many bytes of what is sent there may be kept there */
    struct ssh_settings ssh;
    const struct launch *launch; /* NULL: ssh */
    bool awaited;                /* a step waits until it answers */
    struct str address; /* what is really connected to, once the executor knows it, and as long as
                           that lives; empty: not known */
    struct pool *alone; /* the pool of this host alone; NULL: nobody has asked for it */
};

struct pool {
    uint32_t id; /* its index in graph.pools */
    struct str name;
    struct place at;
    struct host **hosts;
    size_t n_hosts;
    enum pick pick;
};

struct variable {
    struct str name;
    struct place at;
    struct str *v;
    size_t n;
    bool list; /* written as a list, even if it has one word */
    bool used; /* something of the file names it */
};

/* A named bound: so many steps that name it run at once. */
struct limit {
    uint32_t id; /* its index in graph.limits */
    struct str name;
    struct place at;
    uint32_t n; /* at least 1 */
};

/* Exit statuses: bit i of word i / 64. */
struct codes {
    uint64_t v[4];
};

/* A step as written: one rule makes one step, or one for each item. */
struct rule {
    uint32_t id; /* its index in graph.rules; of no meaning in stand-ins for all steps of a rule */
    struct str name;
    struct place at;
    struct template script;     /* of `run`: the scripts of a list are joined by newlines */
    struct place in_at, out_at; /* where `in` and `out` stand, or the rule */
    struct place script_at; /* line 0: there is nothing to run, it is a name for what it needs */
    struct str shell;       /* its words, quoted for sh; empty: sh -e */
    struct template dir;    /* where the script starts; n == 0: here, or in the scratch directory */
    struct env {
        struct str name;
        struct template value;
    } * env;
    uint32_t n_env;
    uint32_t retries; /* further tries after a failing one */
    uint32_t cpus;    /* cores that it keeps busy; 0: not said */
    uint32_t n_limits;
    int64_t timeout;    /* ns, of one try from its start to its end, transfers included; 0: none */
    int64_t retry_wait; /* ns, before the second try; 0: not said */
    double retry_backoff;   /* each further pause is so many times longer; 0: not said */
    struct codes *retry_on; /* only after these; NULL: after any failure */
    struct codes *allow;    /* that count as success beside 0; NULL: none */
    uint64_t mem;           /* bytes that it needs; 0: not said */
    struct limit **limits;  /* it holds one of each while it runs */
    int64_t patience;       /* ns that it waits for a host that does not answer yet; 0: not */
    bool console;           /* it has the terminal for itself */
    bool detach;            /* what it leaves running when it has succeeded stays */
    bool speculate;         /* safe to run twice */
    bool prove;             /* what is carried for it must be the same at both ends */
    bool once;              /* where its host is lost while it runs, it is not run again */
    bool captured;          /* somebody uses what it writes to its standard output */
    bool yields;            /* what it writes there is steps */
    bool contents;          /* of files with equal contents it says that they are the same */
    bool keep;              /* what it leaves when it fails stays */
    bool late; /* its steps are known only once others have run; until then it has none */
    struct template deps; /* the file in which it tells what else it has read; n == 0: none */
    struct str describe;
    struct step **steps; /* what it made, in the order of the items */
    uint32_t n_steps, n_refs;
    struct pool *every;  /* it has a step for each host of that pool (and each item) */
    struct rule **refs;  /* late: what it refers to, and so comes after */
    struct rule *lister; /* whose step listed it (yields); NULL: it was written */
    struct str items;    /* late: its `each` as written, for people; empty: it has none */
};

struct file {
    struct str name; /* as a relative or absolute path, normalised: no "./", no "//", no "x/.." */
    struct step *maker; /* NULL: nobody, it must be there */
    uint32_t id;        /* its index in graph.files */
    bool read;          /* a step has it as `in` */
};

/* An `out` that is not a plain name: which files it stands for is known once the step has run. */
struct pattern {
    struct str text; /* for glob(3): what came from values is escaped by backslashes */
    bool optional;   /* it may stand for nothing */
    struct place at;
};

/* A plain copy to or from a fixed place on the step's host: a file, a directory with all that is in
 * it, or what a pattern stands for. `to` with a slash at its end: into that directory. */
struct copy {
    bool fetch;    /* from there to here */
    bool preserve; /* times too, and modes whatever the umask says where it goes */
    bool pattern;
    bool or_name; /* send: `to` with a slash at its end is the name without it where no directory of
                     that name stands there */
    int8_t into;  /* with or_name: 1: one stood there when the first try looked, -1: none did, 0: it
                     is not known yet */
    bool part;    /* send: only `length` bytes of the file, from `start` on */
    uint64_t start, length;
    struct str seed; /* send: see carry/cargo.h; empty: none */
    struct str from, to;
    struct place at;
};

/* A value of an axis, in a matrix. */
struct axis {
    struct str name, value;
};

/* What must have become of a step that is needed. */
enum when { WHEN_SUCCESS, WHEN_FAILURE, WHEN_ALWAYS };

/* There may be millions: their numbers of things fit in 32 bits, side by side. */
struct step {
    uint32_t id;    /* its index in graph.steps */
    bool item_file; /* the item came from a file pattern */
    bool broken;    /* what it should be could not be made out, which was told: it fails */
    bool over;      /* it has run */
    struct rule *rule;
    struct str name;   /* "count", or "count[parts/p.01]" */
    struct str item;   /* s == NULL: its rule has no `each` */
    struct pool *pool; /* NULL: here */
    struct step *same; /* it runs where that one ran; NULL: anywhere in its pool */
    uint32_t n_in, n_out, n_patterns, n_copies, n_axes, n_needs;
    struct file **in, **out; /* out: of its patterns, what they stood for when it had run */
    struct pattern *patterns;
    struct copy *copies;
    struct axis *axes;
    struct step *
        *needs; /* what must be over first, from files and from `needs`; each once, sorted by id */
    uint8_t *when; /* for each need an enum when; NULL: all must succeed */
    int status;    /* of one that has run: its exit status */
    struct str
        stdout_text; /* what it wrote, if that is captured; without the newlines at its end */
};

/* How a graph grows while it runs: by rules whose steps are known only once other steps have run.
 * New steps stand at the end of graph.steps, linked. */
struct growth {
    /* A step that lists steps (rule->yields) has written this. false, told, if that is no list of
     * steps: nothing is changed then. */
    bool (*listed)(struct growth *growth, struct step *step, struct str text, struct diags *diags);
    /* A step is over, well or not: what waited for that unfolds. Mistakes are told; the steps that
     * cannot be made out are `broken`. */
    void (*over)(struct growth *growth, struct step *step, bool well, struct diags *diags);
    void (*free)(struct growth *growth);
};

struct graph {
    struct arena arena;
    VEC(struct host *) hosts;
    VEC(struct pool *) pools;
    VEC(struct limit *) limits;
    VEC(struct variable *) variables;
    VEC(struct rule *) rules;
    VEC(struct step *) steps;
    VEC(struct file *) files;
    struct growth *growth; /* NULL: it does not grow */
    struct uses *uses;     /* what it was made of */
    bool running;          /* what steps leave is known as far as it will be when it is asked for */
    struct map host_names, pool_names, variable_names, rule_names, file_names, limit_names,
        pattern_prefixes;
    struct map step_names; /* of those with items; the others are found by their rules */
    size_t longest_prefix; /* of a pattern: link.c */
};

void graph_init(struct graph *g);
void graph_free(struct graph *g);

/* The pool of that host alone, made if there is none. */
struct pool *graph_host_pool(struct graph *g, struct host *host);
/* The file of that name, made if there is none; the name is normalised and copied. */
struct file *graph_file(struct graph *g, struct str name);
/* NULL if there is none of that (normalised) name. */
struct file *graph_find_file(const struct graph *g, struct str name);
/* Adds a step of a rule with its item (item.s NULL: none; the text must live as long as the graph).
 * in, out and needs are set by the caller. */
struct step *graph_add_step(struct graph *g, struct rule *rule, struct str item, bool item_file);

/* A rule that no file has written, with a script that is complete. */
struct rule *graph_add_rule(struct graph *g, struct str name, struct template script);
/* After its steps were added, from graph.steps[first] on: they are the rule's. */
void graph_rule_done(struct graph *g, struct rule *rule, size_t first);

/* Turns files into edges, for the steps from `first` on, and reports two makers of one file and
 * cycles among them (each printed as a path). No recursion: graphs may be deep. false if there were
 * errors. */
bool graph_link(struct graph *g, size_t first, struct diags *diags);

/* A step also waits for another one. */
struct edge {
    struct step *step, *need;
};
/* Adds such edges (those that are there already count once). false, and nothing is changed: they
 * would make a cycle. */
bool graph_add_needs(struct graph *g, const struct edge *edges, size_t n);

/* The files that the step's patterns stood for, now that it has run: they become files it makes.
 * false, with a reason, if another step makes one of them. */
bool graph_settle(struct graph *g, struct step *step, const struct str *names, size_t n,
                  struct buf *reason);
/* What a step that ran has left: what others refer to as {{STEP.status}}, {{STEP.stdout}}. */
void graph_step_over(struct graph *g, struct step *step, int status, struct str output);

/* What a step's script and environment are once its host is known (host: name, empty for here).
 * Files are named as seen from where the script starts: `prefix` is put before relative names
 * (empty, or with a slash at its end). The script is text for `sh -e`. */
void graph_script(const struct graph *g, const struct step *step, struct str host,
                  struct str prefix, struct buf *out);
/* Calls add for every variable of the step's environment beyond the inherited one: its own `env`,
 * then FORAY_STEP, FORAY_HOST, FORAY_ITEM, FORAY_IN and FORAY_OUT (several files: a line each; left
 * out where longer than 64 KiB, since systems bound the size of one variable). */
void graph_environment(const struct graph *g, const struct step *step, struct str host,
                       struct str prefix,
                       void (*add)(void *context, struct str name, struct str value),
                       void *context);
/* The words of the command that reaches a host (which has one); each ends in a NUL and is the
 * caller's to free. step: NULL if it is for no step. */
void graph_launch(const struct host *host, const struct step *step, str_list *words);
/* The step's `dir`, expanded; empty if it has none. Owned by the caller. */
void graph_dir(const struct graph *g, const struct step *step, struct str host, struct buf *out);
/* Likewise its `deps`, a file's name. */
void graph_deps(const struct graph *g, const struct step *step, struct buf *out);

#endif
