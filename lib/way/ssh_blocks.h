/* Which lines of the user's ssh configuration count for a host: so that what `ssh -G` answers for
 * one host can be told for others, for which the same lines count, without asking it again.
 *
 * Only as much of the language is understood as is needed for that, and all else (Match, quotes
 * where names are looked at, what is included for some hosts only) makes it good for nothing: then
 * ssh is asked for every host. What ssh says itself of how it came to its answer (-v) tells which
 * files count, and has to agree with what is found here. */
#ifndef FORAY_WAY_SSH_BLOCKS_H
#define FORAY_WAY_SSH_BLOCKS_H

#include "base/str.h"

#include <stdbool.h>

/* What an answer does not take from the configuration: it was said in the call. */
struct ssh_given {
    bool user, port;
};

struct ssh_blocks;

/* From what `ssh -v -G` said on standard error, besides its answer, for this host. read: the text
 * of a file; false: it cannot be read. NULL: nothing can be told from it. */
struct ssh_blocks *ssh_blocks_new(struct str said, struct str host, struct ssh_given given,
                                  bool (*read)(void *context, const char *path, struct buf *text),
                                  void *context);
void ssh_blocks_free(struct ssh_blocks *b);

/* A text that is the same for hosts whose answers differ only in what is a host's own: its name,
 * address, port, user and alias. false: it cannot be told for this one. */
bool ssh_blocks_signature(const struct ssh_blocks *b, struct str host, struct buf *signature);
/* From the answer for one host, that for another one with the same signature. false: the answer is
 * not what was expected, and nothing can be told from it. */
bool ssh_blocks_answer(const struct ssh_blocks *b, struct str answer, struct str from,
                       struct str host, struct buf *out);

#endif
