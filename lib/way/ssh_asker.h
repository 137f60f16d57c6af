/* What the user's ssh configuration says of many hosts, with few questions: of hosts for which the
 * same of its lines count (ssh_blocks.h) two are asked for, by `ssh -G`, and where the second
 * answer is what the first one let expect, the others' are told from it. */
#ifndef FORAY_WAY_SSH_ASKER_H
#define FORAY_WAY_SSH_ASKER_H

#include "loop/loop.h"
#include "loop/watcher.h"
#include "way/ssh_target.h"

struct ssh_asker;

/* config: a file to use instead of the user's, or NULL. It must outlive the asker. */
struct ssh_asker *ssh_asker_new(struct loop *loop, const struct watcher *watcher,
                                const char *config);
void ssh_asker_free(struct ssh_asker *a); /* what is still being asked for is never answered */
/* Fills the target, where there is no ssh program with ssh's defaults, and calls done once, maybe
 * from within, with NULL on success, else what is wrong. The target is freed with ssh_target_free
 * in any case. */
void ssh_asker_ask(struct ssh_asker *a, const struct host *host, struct ssh_target *target,
                   void (*done)(void *arg, const char *error), void *arg);

#endif
