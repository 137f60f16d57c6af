#include "carry/pack.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

enum { IN = 32 * 1024, GZIP = 16 }; /* GZIP: zlib is to write its header */

struct packer {
    size_t (*read)(void *context, char *bytes, size_t n);
    void *context;
    z_stream z;
    bool over, ended; /* nothing more is read; all of it is packed */
    char in[IN];
};

struct packer *packer_new(size_t (*read)(void *context, char *bytes, size_t n), void *context) {
    struct packer *p = mem_zalloc(sizeof *p);
    p->read = read;
    p->context = context;
    if (deflateInit2(&p->z, PACK_LEVEL, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        mem_alloc(SIZE_MAX); /* there is no memory left */
    return p;
}

static void fill(struct packer *p) {
    size_t n = 0;
    while (n < IN && !p->over) {
        size_t more = p->read(p->context, p->in + n, IN - n);
        p->over = more == 0;
        n += more;
    }
    p->z.next_in = (Bytef *)p->in;
    p->z.avail_in = (uInt)n;
}

size_t packer_read(void *packer, char *bytes, size_t n) {
    struct packer *p = packer;
    p->z.next_out = (Bytef *)bytes;
    p->z.avail_out = (uInt)n;
    while (p->z.avail_out != 0 && !p->ended) {
        if (p->z.avail_in == 0 && !p->over)
            fill(p);
        p->ended = deflate(&p->z, p->over ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_END;
    }
    return n - p->z.avail_out;
}

void packer_free(struct packer *p) {
    if (p == NULL)
        return;
    deflateEnd(&p->z);
    free(p);
}
