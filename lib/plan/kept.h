/* What steps wrote, kept from run to run: .foray/output/RUN.zst holds a piece for each try, with
 * both streams in the order in which they were read, compressed. Of all runs, the last ones are
 * kept. */
#ifndef FORAY_PLAN_KEPT_H
#define FORAY_PLAN_KEPT_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Of one try the first and the last so many bytes. */
enum { KEPT_FIRST = 512 * 1024, KEPT_LAST = 512 * 1024 };

struct kept;

/* The output of a new run; its file is made with the first piece, and old ones are removed then
 * where all of them together are too large. That nothing can be kept does no harm. */
struct kept *kept_new(const char *dir, uint32_t run);
void kept_free(struct kept *k);
/* A stretch of one of the streams, for kept_add. error: of standard error. */
void kept_stretch(struct kept *k, bool error, struct str bytes);
/* The stretches so far are what a try of a step wrote. On a full disk nothing more is kept. */
void kept_add(struct kept *k, struct str step, uint32_t attempt);

/* Calls take for every stretch of what a step wrote in a run, in its last try if attempt is 0.
 * false: nothing is kept of it. Takes a file that is being written to for as long as it is. */
bool kept_read(const char *dir, uint32_t run, struct str step, uint32_t attempt,
               void (*take)(void *context, bool error, struct str bytes), void *context);

#endif
