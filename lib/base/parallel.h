/* The same small piece of work for many things, on all cores at once. */
#ifndef FORAY_BASE_PARALLEL_H
#define FORAY_BASE_PARALLEL_H

#include <stddef.h>

/* Calls work(context, from, to) for parts of 0 .. n that together are all of it, from several
 * threads where that is worth it, and returns when all is done. Blocks signals in these threads. */
void parallel(size_t n, void (*work)(void *context, size_t from, size_t to), void *context);

#endif
