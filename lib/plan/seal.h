/* .foray/fresh: all files of a plan in which everything was up to date, as they were then. As long
 * as all of them are the same, and what the graph was made of too, nothing has to be read or
 * planned to know that there is nothing to do. */
#ifndef FORAY_PLAN_SEAL_H
#define FORAY_PLAN_SEAL_H

#include "graph/uses.h"
#include "plan/fresh.h"

/* Whether all is up to date for this command line (any text that says what was asked for); steps:
 * how many that are. */
bool seal_holds(const char *dir, struct str command_line, size_t *steps);
/* Writes it down. That it cannot be written does no harm. */
void seal_write(const char *dir, struct str command_line, const struct uses *uses,
                const struct fresh *fresh, size_t steps);
/* It is of no use any more. */
void seal_remove(const char *dir);

#endif
