/* What files here contain: a digest of each that is sent to be kept somewhere, made aside, and once
 * as long as the file stays as it is. */
#ifndef FORAY_CARRY_CONTENTS_H
#define FORAY_CARRY_CONTENTS_H

#include "base/hash.h"
#include "loop/loop.h"

#include <sys/stat.h>

struct contents;

struct contents *contents_new(struct loop *loop);
void contents_free(struct contents *c);

enum contents_answer {
    CONTENTS_KNOWN,
    CONTENTS_SOON, /* the bell rings when they are known */
    CONTENTS_NONE, /* the file cannot be read, or changes */
};
enum contents_answer contents_ask(struct contents *c, struct str name, const struct stat *st,
                                  struct digest *digest);

/* Who is rung when something becomes known, here or in a store (store.h). */
struct listener {
    void (*ring)(void *arg);
    void *arg;
    size_t index; /* its place + 1; 0: it does not listen */
};
void contents_listen(struct contents *c, struct listener *l);
void contents_unlisten(struct contents *c, struct listener *l);
void contents_ring(struct contents *c);

#endif
