/* How a try ended, for people. */
#ifndef FORAY_VIEW_ENDING_H
#define FORAY_VIEW_ENDING_H

#include "run/executor.h"

/* "exit status 3", "ended by SIGSEGV", or the reason why it could not be. */
void ending_say(struct buf *out, const struct job *job);
void ending_say_signal(struct buf *out, int sig); /* "SIGINT" */

#endif
