/* The words of the command that leads to a host by its ProxyCommand or ProxyJump. */
#ifndef FORAY_WAY_PROXY_WORDS_H
#define FORAY_WAY_PROXY_WORDS_H

#include "way/ssh_target.h"

/* As ssh does it: a ProxyCommand goes to the user's shell, a ProxyJump is an ssh to the last of the
 * jumps. The words are the caller's, and end in a NUL. */
void proxy_words(const struct ssh_target *t, str_list *argv);

#endif
