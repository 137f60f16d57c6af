/* Several files become one. */
#ifndef FORAY_RUN_JOIN_H
#define FORAY_RUN_JOIN_H

#include "base/strlist.h"

#include <stdatomic.h>

/* Writes files of a directory one behind the other into the file `to`, which appears whole or not
 * at all. A name that ends in a slash is a directory in that one: all its files, by name. Blocks:
 * to be done aside. stop: set to true, it ends soon, with ECANCELED. 0 or errno, with the name of
 * what failed. */
int join_files(struct str directory, const str_list *names, struct str to, atomic_bool *stop,
               struct buf *failed);
/* Removes that directory with all that is in it, as far as that can be done. */
void join_remove(struct str directory);

#endif
