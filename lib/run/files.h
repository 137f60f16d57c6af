/* Small work on the local file system, around a step. */
#ifndef FORAY_RUN_FILES_H
#define FORAY_RUN_FILES_H

#include "run/executor.h"

#include <sys/types.h>

/* Makes the directories that the step's outputs stand in. 0, or errno with the name of what could
 * not be made. */
int files_make_directories_for_outputs(const struct step *step, const char **failed);

/* After a step that succeeded here: turns its end into a failure if an output it declares is not
 * there. What its patterns stand for is in job->made. */
void files_check_made(struct job *job);
/* Before it starts here: notes in job->before what stands there that its patterns match. What the
 * step has not touched then is not what it made, unless it has touched none of it. */
void files_note_before(struct job *job);
/* Files that the step's patterns match and that it has made or touched since then; the names live
 * as long as the graph. */
void files_touched(const struct job *job, str_list *names);
void files_free_found(struct found *before);
/* The files that the step's patterns stand for, without what it reads; the names are the caller's
 * to free. false, with a reason, if one stands for nothing and may not. */
bool files_match_made(const struct step *step, const struct found *before, str_list *made,
                      struct buf *reason);

/* What leads from directory dir (as seen from here) back here, with a slash at its end: "../../",
 * or this directory's absolute name where dir is absolute or climbs by "..". */
void files_way_back(struct str dir, struct buf *out);

#endif
