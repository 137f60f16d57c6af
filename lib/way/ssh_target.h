/* What is known about a host before connecting to it: what the user's ssh configuration says, in
 * the words of `ssh -G`, and what foray.yaml says of it. */
#ifndef FORAY_WAY_SSH_TARGET_H
#define FORAY_WAY_SSH_TARGET_H

#include "base/strlist.h"
#include "graph/graph.h"

struct ssh_target {
    char *name;    /* as it stands in the graph: "%n" */
    char *address; /* what to look up and connect to */
    char *user;
    char *known_as; /* the name its key is known under; NULL: address and port */
    uint16_t port;
    bool awaited; /* its name need not be known yet */
    char *config; /* the ssh configuration that counts for it; NULL: the one ssh finds by itself */

    char *proxy_command, *proxy_jump; /* the way round, tokens not expanded; NULL: none */
    int family;                       /* AF_UNSPEC, AF_INET or AF_INET6 */
    char *bind_address;               /* to connect from; NULL: any */
    int64_t connect_timeout;          /* ns, for all until it is logged in */
    int64_t alive_interval;           /* ns between signs of life that are asked for */
    int64_t silence;                  /* ns without any, after which it counts as lost */

    /* What may be agreed on, in the order of preference; NULL: whatever the library has. */
    char *ciphers, *macs, *key_exchanges, *host_keys;
    bool compress;

    str_list known_hosts;   /* files; names end in a NUL, here and below */
    size_t own_known_hosts; /* the first of them that is the user's */
    bool other_known_hosts; /* there are host keys that only ssh can ask for (KnownHostsCommand) */
    str_list revoked;       /* files of host keys that must not be used */

    bool keys, password, keyboard; /* ways to log in that are allowed */
    char *preferred;               /* their order and choice; NULL: as the server likes it */
    str_list identities;           /* files of private keys */
    bool identities_only; /* of the agent's keys, only those that are also in `identities` */
    char *agent;          /* the agent's socket; NULL: none */
    unsigned prompts;     /* tries that a person has for a password */
    bool batch;           /* nobody is to be asked */
    /* Ways to log in that are set up for it, but that only the ssh program knows: "GSSAPI"; NULL:
     * none. */
    const char *only_ssh_logs_in;
    /* Why only the ssh program can reach it, in a few words; NULL: it need not. */
    const char *needs_ssh;
};

/* ssh's own defaults for a host. config: a file to use instead of the user's, or NULL. */
void ssh_target_begin(struct ssh_target *t, const struct host *host, const char *config);
/* Takes the answer of `ssh -G` for the host. False, with what is wrong, if it cannot be used. */
bool ssh_target_read(struct ssh_target *t, const struct host *host, struct str answer,
                     struct buf *error);
/* Without an ssh program: what the graph says of the host, and the usual places. */
void ssh_target_fall_back(struct ssh_target *t, const struct host *host);
void ssh_target_free(struct ssh_target *t);

#endif
