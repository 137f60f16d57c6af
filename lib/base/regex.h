/* Regular expressions of pcre2, with limits set so that no pattern can hang the program. */
#ifndef FORAY_BASE_REGEX_H
#define FORAY_BASE_REGEX_H

#include "base/str.h"

struct regex;

/* NULL on a mistake, with a message in `error` (n bytes) and the offset of the mistake. */
struct regex *regex_new(struct str pattern, char *error, size_t n, size_t *offset);
/* 1: matches somewhere, 0: does not, -1: gave up at the match limit. */
int regex_match(const struct regex *r, struct str subject);
void regex_free(struct regex *r);

#endif
