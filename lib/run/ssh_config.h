/* What is known about a host before connecting to it. */
#ifndef FORAY_RUN_SSH_CONFIG_H
#define FORAY_RUN_SSH_CONFIG_H

#include "base/strlist.h"
#include "graph/graph.h"
#include "run/loop.h"

struct ssh_target {
    char *address; /* what to look up and connect to */
    char *user;
    char *known_as; /* the name its key is known under; NULL: address and port */
    uint16_t port;
    str_list identities;     /* files of private keys; names end in a NUL */
    str_list known_hosts;    /* files */
    bool identities_only;    /* of the agent's keys, only those that are also in `identities` */
    char *agent;             /* the agent's socket; NULL: none */
    int64_t connect_timeout; /* ns */
};

/* Asks `ssh -G` for the effective configuration of a host, which costs a child process but honours
 * everything the user has set up; where there is no ssh program, takes ssh's defaults. config: a
 * file to use instead of the user's, or NULL. Calls done once, from the loop, with NULL on success,
 * else what is wrong. The target is filled by then; free it with ssh_target_free. Returns a handle
 * to cancel with before done was called. */
struct ssh_config_query;
struct ssh_config_query *ssh_config_ask(struct loop *loop, const struct host *host,
                                        const char *config, struct ssh_target *target,
                                        void (*done)(void *arg, const char *error), void *arg);
void ssh_config_cancel(struct ssh_config_query *q);
void ssh_target_free(struct ssh_target *target);

#endif
