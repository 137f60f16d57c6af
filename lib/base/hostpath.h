/* HOSTS:PATH, a place on other machines, told from a name here as scp tells it. */
#ifndef FORAY_BASE_HOSTPATH_H
#define FORAY_BASE_HOSTPATH_H

#include "base/str.h"

#include <stdbool.h>

/* Splits at the first colon, if no slash stands before it: what is in brackets counts neither way
 * (node[0-20/5]:x, [::1]:x), and a port is part of HOSTS where there is a further colon for PATH
 * (ana@big:2222:x, a:22,b:22:x). false: it is the name of something here, such as ./a:b. Either
 * part may be empty. */
bool hostpath_split(struct str word, struct str *hosts, struct str *path);

#endif
