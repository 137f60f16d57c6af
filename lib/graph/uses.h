/* What a graph was made of: files, patterns of names, variables of the environment. As long as all
 * of them are the same, reading it again would give the same graph. */
#ifndef FORAY_GRAPH_USES_H
#define FORAY_GRAPH_USES_H

#include "base/map.h"
#include "base/signature.h"
#include "base/vec.h"

enum use_kind { USE_FILE, USE_GLOB, USE_ENV };

struct use {
    enum use_kind kind;
    struct str name; /* of a file or variable, or a pattern of glob(3); with a NUL behind it */
    struct signature file; /* USE_FILE: as it was when it was read */
    uint64_t hash;         /* USE_GLOB: of the names; USE_ENV: of the value */
};

struct uses {
    VEC(struct use) all;
    struct map seen[3]; /* by kind */
    bool unknown;       /* something else was read, such as standard input */
};

/* Each notes something once. */
void uses_file(struct uses *u, struct str name, int fd);
void uses_glob(struct uses *u, struct str pattern);
void uses_env(struct uses *u, struct str name);
void uses_free(struct uses *u);
/* Whether it is still as it was noted. */
bool use_holds(const struct use *use);

#endif
