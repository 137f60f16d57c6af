/* Judgements and records in words. */
#ifndef FORAY_VIEW_WHY_H
#define FORAY_VIEW_WHY_H

#include "plan/fresh.h"

/* Why a step runs, or that it need not, with what was and what is: "its input a.txt has changed:
 * was
 * ...". Several lines where texts differ, without a newline at the end. */
void why_say(const struct fresh *fresh, const struct step *step, const struct judgement *j,
             struct buf *out);
/* "failed with status 3" */
void why_say_ending(struct buf *out, const struct record_end *last);
/* "2026-11-21 08:15:03", local time. */
void why_say_time(struct buf *out, int64_t when);

#endif
