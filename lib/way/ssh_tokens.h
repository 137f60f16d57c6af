/* The tokens of ssh's configuration, "%h" and the like, which `ssh -G` leaves in some of its
 * answers. */
#ifndef FORAY_WAY_SSH_TOKENS_H
#define FORAY_WAY_SSH_TOKENS_H

#include "way/ssh_target.h"

enum ssh_tokens {
    SSH_TOKENS_PROXY, /* %% %h %k %n %p %r: ProxyCommand and ProxyJump */
    SSH_TOKENS_FILE,  /* those and %d %i %L %l %u, ${NAME} and a leading ~: names of files */
};

/* Appends the text with what its tokens stand for. False if there is one that ssh does not know, or
 * a variable that is not set: it is left as it stands. */
bool ssh_tokens_expand(const struct ssh_target *t, enum ssh_tokens which, struct str text,
                       struct buf *out);

/* The home directory: $HOME, else what the system says. */
const char *ssh_tokens_home(void);

#endif
