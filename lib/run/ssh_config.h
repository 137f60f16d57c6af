/* What the user's ssh configuration says of a host. */
#ifndef FORAY_RUN_SSH_CONFIG_H
#define FORAY_RUN_SSH_CONFIG_H

#include "run/loop.h"
#include "run/ssh_target.h"
#include "run/watcher.h"

/* Asks `ssh -G` for the effective configuration of a host, which costs a child process but honours
 * everything the user has set up; where there is no ssh program, takes ssh's defaults. config: a
 * file to use instead of the user's, or NULL. Calls done once, from the loop, with NULL on success,
 * else what is wrong. The target is filled by then; free it with ssh_target_free. Returns a handle
 * to cancel with before done was called. */
struct ssh_config_query;
struct ssh_config_query *ssh_config_ask(struct loop *loop, const struct watcher *watcher,
                                        const struct host *host, const char *config,
                                        struct ssh_target *target,
                                        void (*done)(void *arg, const char *error), void *arg);
void ssh_config_cancel(struct ssh_config_query *q);

/* The words behind "ssh" that make it go where foray would go: options, "--" and the host. They are
 * the caller's, and end in a NUL. */
void ssh_config_words(const struct host *host, const char *config, str_list *words);

#endif
