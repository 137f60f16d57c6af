/* Private keys that libssh2 cannot use as they stand in their files: such as want a passphrase, and
 * RSA keys. They are put into an agent of the run's own, unlocked once for all hosts; who uses them
 * speaks to it as to any agent (agent.h). ssh-agent and ssh-add do the work, and end with foray. */
#ifndef FORAY_WAY_KEYRING_H
#define FORAY_WAY_KEYRING_H

#include "loop/watcher.h"
#include "way/prompt.h"

struct keyring;
struct keyring_wait;

struct keyring *keyring_new(struct loop *loop, const struct watcher *watcher,
                            struct prompter *prompter);
void keyring_free(struct keyring *k);

/* good: the key is in the agent; else why it is not, in a few words behind the name of the file. It
 * comes from the loop, and only once. */
typedef void keyring_done(void *arg, bool good, const char *why_not);

/* Puts the key of a file into the agent, if it is not there. locked: it wants a passphrase, for
 * which a person is asked, unless batch. The file's name is copied. Returns what keyring_leave
 * takes. */
struct keyring_wait *keyring_add(struct keyring *k, const char *file, bool locked, bool batch,
                                 keyring_done *done, void *arg);
/* It is not waited for any more; allowed before `done` only. */
void keyring_leave(struct keyring_wait *w);

/* The agent's socket; NULL: there is none so far. */
const char *keyring_socket(const struct keyring *k);

/* foray is also the program that ssh-add asks for a passphrase: in that case passes it on, and
 * returns the exit status; -1: it was started for something else. */
int keyring_answer(void);

#endif
