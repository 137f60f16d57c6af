/* Carries files to a host and back through a slot, as streams of tar: for hosts that have a shell
 * and tar, and no SFTP, and for many small files, since SFTP takes several requests and two
 * journeys for each. The slot must be idle, and is used by nothing else meanwhile. */
#ifndef FORAY_CARRY_STAGE_H
#define FORAY_CARRY_STAGE_H

#include "carry/carry.h"
#include "way/slot.h"

struct stage;

/* Begins an errand (see carry.h), of which give_up is not looked at: there is stage_give_up. It
 * proves by itself what is to be proved: `came` is not called. When its `done` is called, from the
 * loop, the stage is gone. */
struct stage *stage_begin(struct loop *loop, struct slot *slot, struct errand *errand);
/* Forgets it, without a word. NULL: does nothing. */
void stage_free(struct stage *s);

/* What the slot tells. */
void stage_output(struct stage *s, enum stream stream, struct str bytes);
void stage_ended(struct stage *s, int status);
void stage_unable(struct stage *s, const char *reason);
void stage_broken(struct stage *s, const char *reason);

/* The slot breaks by that, if something is under way. */
void stage_give_up(struct stage *s);

#endif
