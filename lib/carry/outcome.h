/* How an errand ends. The first trouble counts: from then on nothing more of the errand begins, and
 * it ends as soon as nothing of it is under way. */
#ifndef FORAY_CARRY_OUTCOME_H
#define FORAY_CARRY_OUTCOME_H

#include "carry/carry.h"

struct outcome {
    bool stopping; /* there was trouble, or nothing more is wanted of it */
    enum carried how;
    struct buf why;
};

void outcome_trouble(struct outcome *o, enum carried how, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "cannot send NAME: why" */
void outcome_trouble_with(struct outcome *o, enum carried how, const char *what, struct str name,
                          const char *why);
/* Calls e->done. What the outcome is part of may be gone by then: it is the caller's copy, and
 * freed after that. */
void outcome_tell(struct outcome o, struct errand *e);

#endif
