/* The name that may have been meant. */
#ifndef FORAY_BASE_SUGGEST_H
#define FORAY_BASE_SUGGEST_H

#include "base/str.h"

/* The candidate nearest to word, by insertions, deletions, changes and swaps of neighbours; NULL if
 * none is near enough to be worth saying. Works in time proportional to the candidates' sizes;
 * words over 64 bytes get no suggestion. */
const struct str *suggest(struct str word, const struct str *candidates, size_t n);

#endif
