/* Dependency files as compilers write them (cc -MD, -MP): rules of make, of which the names behind
 * the colons matter. */
#ifndef FORAY_READ_DEPFILE_H
#define FORAY_READ_DEPFILE_H

#include "base/arena.h"
#include "base/strlist.h"

/* Adds the prerequisites of all rules to names, unescaped, each once, in the order in which they
 * first appear; what names held before is not looked at. They are made in the arena. A text without
 * rules adds nothing. On a mistake: false, nothing is added, and `why` gets a reason that begins
 * with its line. */
bool depfile_parse(struct str text, struct arena *arena, str_list *names, struct buf *why);

#endif
