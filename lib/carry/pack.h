/* Makes a stream smaller on its way: as gzip has it (RFC 1952). */
#ifndef FORAY_CARRY_PACK_H
#define FORAY_CARRY_PACK_H

#include <stddef.h>

enum { PACK_LEVEL = 6 }; /* of zlib: as gzip and ssh have it */

struct packer;

/* read gives what is to be packed: at most n bytes; 0: that was all. */
struct packer *packer_new(size_t (*read)(void *context, char *bytes, size_t n), void *context);
/* The same of what it has become. */
size_t packer_read(void *packer, char *bytes, size_t n);
void packer_free(struct packer *p); /* NULL: does nothing */

#endif
