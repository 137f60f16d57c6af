/* What is known of hosts, as a table or as JSON. */
#ifndef FORAY_VIEW_HOST_TABLE_H
#define FORAY_VIEW_HOST_TABLE_H

#include "base/str.h"
#include "run/survey.h"

/* width: of the terminal; 0: as wide as it comes. */
void host_table_print(const struct host_facts *hosts, size_t n, size_t width, bool colour,
                      struct buf *out);
/* One object with a list `hosts`. */
void host_table_json(const struct host_facts *hosts, size_t n, struct buf *out);

#endif
