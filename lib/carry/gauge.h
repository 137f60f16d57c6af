/* Finds out of a stream that comes whether it would come sooner if it were packed (pack.h). */
#ifndef FORAY_CARRY_GAUGE_H
#define FORAY_CARRY_GAUGE_H

#include "base/str.h"
#include "loop/loop.h"

#include <stdbool.h>

struct gauge;

/* pays is called from the loop if it would; why is only good until it returns. false: not now. */
struct gauge *gauge_new(struct loop *loop, bool (*pays)(void *context, const char *why),
                        void *context);
void gauge_take(struct gauge *g, struct str bytes); /* they have come */
void gauge_pause(struct gauge *g);                  /* no more comes, for a while */
/* At any time: nobody is told then. NULL: does nothing. */
void gauge_free(struct gauge *g);

#endif
