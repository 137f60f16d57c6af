#include "graph/uses.h"

#include "base/hash.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* NULL: it is known already. */
static struct use *add(struct uses *u, enum use_kind kind, struct str name) {
    if (map_get(&u->seen[kind], name) != NULL)
        return NULL;
    struct buf copy = {0};
    buf_str(&copy, name);
    buf_add(&copy, "", 0);
    *map_put(&u->seen[kind], buf_view(&copy)) = copy.s;
    struct use *use = vec_push(&u->all);
    *use = (struct use){.kind = kind, .name = buf_view(&copy)};
    return use;
}

void uses_file(struct uses *u, struct str name, int fd) {
    struct stat st;
    struct use *use;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        u->unknown = true;
    else if ((use = add(u, USE_FILE, name)) != NULL)
        use->file = signature_of_stat(&st, signature_now());
}

/* Of all names that match, in whatever order. */
static uint64_t hash_glob(const char *pattern) {
    glob_t found = {0};
    uint64_t hash = 0;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            hash += hash_bytes(str_of(found.gl_pathv[i]), 1);
    globfree(&found);
    return hash;
}

void uses_glob(struct uses *u, struct str pattern) {
    struct use *use = add(u, USE_GLOB, pattern);
    if (use != NULL)
        use->hash = hash_glob(use->name.s);
}

static uint64_t hash_env(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? hash_bytes(str_of(value), 2) : 0;
}

void uses_env(struct uses *u, struct str name) {
    struct use *use = add(u, USE_ENV, name);
    if (use != NULL)
        use->hash = hash_env(use->name.s);
}

bool use_holds(const struct use *use) {
    struct signature is;
    switch (use->kind) {
    case USE_FILE:
        is = signature_of(use->name.s, false);
        return signature_same_stat(&use->file, &is);
    case USE_GLOB:
        return hash_glob(use->name.s) == use->hash;
    case USE_ENV:
        return hash_env(use->name.s) == use->hash;
    }
    return false;
}

void uses_free(struct uses *u) {
    for (size_t i = 0; i < u->all.n; i++)
        free((char *)u->all.v[i].name.s);
    vec_free(&u->all);
    for (size_t i = 0; i < sizeof u->seen / sizeof *u->seen; i++)
        map_free(&u->seen[i]);
}
