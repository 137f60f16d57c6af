/* Durations as people write them: "1.5s", "90", "10m", "1h30m", "250ms", "2d". A number alone
 * counts seconds. */
#ifndef FORAY_BASE_DURATION_H
#define FORAY_BASE_DURATION_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds; false if text is not a duration, is negative, or is longer than 100 years. */
bool duration_parse(struct str text, int64_t *ns);
/* For people: "0.41s", "12.3s", "4m05s", "2h03m". */
void duration_print(struct buf *out, int64_t ns);

#endif
