/* A way to a host by a command that runs commands there, such as `docker exec -i NAME`: every
 * channel is a process of its own. */
#ifndef FORAY_WAY_LAUNCHER_H
#define FORAY_WAY_LAUNCHER_H

#include "base/strlist.h"
#include "way/child.h"

/* words: of the command, `sh` comes behind them; each ends in a NUL. They must outlive the way. */
struct way *launcher_open(struct loop *loop, struct children *children, const str_list *words,
                          const struct way_events *events);

#endif
