/* A list of strings. */
#ifndef FORAY_BASE_STRLIST_H
#define FORAY_BASE_STRLIST_H

#include "base/str.h"
#include "base/vec.h"

typedef VEC(struct str) str_list;

#endif
