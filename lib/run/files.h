/* Small work on the local file system, around a step. */
#ifndef FORAY_RUN_FILES_H
#define FORAY_RUN_FILES_H

#include "run/executor.h"

#include <sys/types.h>

/* Makes the directories that the step's outputs stand in. 0, or errno with the name of what could
 * not be made. */
int files_make_directories_for_outputs(const struct step *step, const char **failed);
int files_make_parents(struct str name); /* 0 or errno */

/* After a step that succeeded: turns its end into a failure if an output it declares is not there.
 */
void files_check_made(struct job *job);

/* What leads from directory dir (as seen from here) back here, with a slash at its end: "../../",
 * or this directory's absolute name where dir is absolute or climbs by "..". */
void files_way_back(struct str dir, struct buf *out);

/* Opens a new file beside `name`, to be renamed to it when it is whole; makes the directories
 * above. The descriptor, and the temporary name; -1 with errno (the name is then of no use). */
int files_open_temporary(struct str name, mode_t mode, struct buf *temporary);

int files_write_all(int fd, struct str bytes); /* 0 or errno; for files, not for what may block */

#endif
