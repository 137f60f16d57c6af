/* Files as lines. */
#ifndef FORAY_BASE_LINES_H
#define FORAY_BASE_LINES_H

#include <stddef.h>
#include <stdint.h>

/* Where to cut a file of that size into n parts without breaking a line: part i is the bytes from
 * starts[i] up to starts[i + 1], so there are n + 1 of these. Every part begins with the first line
 * that begins at i / n of the bytes, rounded down, or behind that; it may be empty. 0 or errno. */
int lines_split(int fd, uint64_t size, size_t n, uint64_t *starts);

#endif
