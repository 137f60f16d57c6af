/* What steps wrote, kept from run to run: .foray/output/RUN.zst holds a piece for each try, with
 * both streams in the order in which they were read, compressed. Of long output the beginning and
 * the end are kept; of all runs, the last ones. */
#ifndef FORAY_VIEW_KEPT_H
#define FORAY_VIEW_KEPT_H

#include "view/capture.h"

struct kept;

/* The output of a new run; old ones are removed where all of them together are too large. NULL:
 * nothing can be kept, which does no harm. */
struct kept *kept_new(const char *dir, uint32_t run);
void kept_free(struct kept *k);
/* What a try of a step wrote. On a full disk nothing more is kept. */
void kept_add(struct kept *k, struct str step, uint32_t attempt, const struct capture *c);

/* Calls take for every piece of what a step wrote in a run, the last try's if attempt is 0. false:
 * nothing is kept of it. Takes a file that is being written to for as long as it is. */
bool kept_read(const char *dir, uint32_t run, struct str step, uint32_t attempt,
               void (*take)(void *context, enum stream stream, struct str bytes), void *context);

#endif
