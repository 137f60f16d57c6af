/* A list of strings. */
#ifndef FORAY_BASE_STRLIST_H
#define FORAY_BASE_STRLIST_H

#include "base/str.h"
#include "base/vec.h"

typedef VEC(struct str) str_list;

/* For lists that own what is in them: adds a copy, which ends in a NUL; adds what a buffer holds,
 * which is empty then; frees all. */
void str_list_add(str_list *list, struct str s);
void str_list_take(str_list *list, struct buf *b);
void str_list_free(str_list *list);

#endif
