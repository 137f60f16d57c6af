/* What the user's ssh configuration says of a host. */
#ifndef FORAY_WAY_SSH_CONFIG_H
#define FORAY_WAY_SSH_CONFIG_H

#include "base/strlist.h"
#include "graph/graph.h"
#include "loop/loop.h"
#include "loop/watcher.h"

/* What came of a question. */
struct ssh_answer {
    const char *error; /* NULL: there is an answer */
    bool no_program;   /* there is no ssh to ask, and that is the error */
    struct str text;   /* as `ssh -G` prints it */
    struct str said;   /* on its standard error */
};

/* Asks `ssh -G` for the effective configuration of a host, which costs a child process but honours
 * everything the user has set up. config: as ssh_config_file gives it. verbose: it also says how it
 * came to that. Calls done once, from the loop; the texts are good until it returns. Returns a
 * handle to cancel with before done was called. */
struct ssh_config_query;
struct ssh_config_query *ssh_config_ask(struct loop *loop, const struct watcher *watcher,
                                        const struct host *host, const char *config, bool verbose,
                                        void (*done)(void *arg, const struct ssh_answer *answer),
                                        void *arg);
void ssh_config_cancel(struct ssh_config_query *q);

/* The file that counts for a host, of which `config` is used instead of the user's, unless it is
 * NULL. Owned by the caller; NULL: ssh finds it by itself. */
char *ssh_config_file(const struct host *host, const char *config);

/* The words behind "ssh" that make it go where foray would go: options, "--" and the host. They are
 * the caller's, and end in a NUL. */
void ssh_config_words(const struct host *host, const char *config, str_list *words);

#endif
