#include "carry/pack.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <zlib.h>

enum {
    IN = 32 * 1024, /* at once, as ssh does */
    OUT = 64 * 1024,
    GZIP = 16,             /* zlib is to write, or read, its header */
    IN_VAIN = 1024 * 1024, /* bytes of which nothing becomes */
};

/* --- whether it pays --- */

static double thread_seconds(void) {
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void pack_measure(struct str sample, struct packing *p) {
    z_stream z = {0};
    Bytef out[IN + IN / 8];
    double before = thread_seconds();
    *p = (struct packing){.from = sample.n};
    if (sample.n == 0 || deflateInit(&z, PACK_LEVEL) != Z_OK)
        return;
    for (size_t at = 0; at < sample.n; at += IN) {
        z.next_in = (Bytef *)sample.s + at;
        z.avail_in = (uInt)(sample.n - at < IN ? sample.n - at : IN);
        z.next_out = out;
        z.avail_out = sizeof out;
        deflate(&z, Z_PARTIAL_FLUSH);
    }
    double took = thread_seconds() - before;
    p->to = z.total_out;
    p->speed = (double)sample.n / (took > 1e-6 ? took : 1e-6);
    deflateEnd(&z);
}

double packing_seconds(const struct packing *p, double bytes, double pace) {
    double on_way = bytes / pace * (double)p->to / (double)p->from, packing = bytes / p->speed;
    return on_way > packing ? on_way : packing;
}

void packing_say(const struct packing *p, double pace, struct buf *out) {
    buf_printf(out, "it is slow (%.1f MB/s), and of %zu KiB of this %zu are left", pace / 1e6,
               p->from / 1024, p->to / 1024);
}

/* --- packing --- */

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

/* --- unpacking --- */

struct unpacker {
    bool (*take)(void *context, struct str bytes);
    void *context;
    z_stream z;
    enum { LENGTH, PORTION, PACKED, OVER } state;
    unsigned char length[4];
    size_t got;     /* of the length */
    uint32_t left;  /* of the portion */
    size_t in_vain; /* packed bytes since some became of them */
};

struct unpacker *unpacker_new(bool (*take)(void *context, struct str bytes), void *context) {
    struct unpacker *u = mem_zalloc(sizeof *u);
    u->take = take;
    u->context = context;
    if (inflateInit2(&u->z, MAX_WBITS + GZIP) != Z_OK)
        mem_alloc(SIZE_MAX); /* there is no memory left */
    return u;
}

static void take_length(struct unpacker *u, struct str *bytes) {
    u->length[u->got++] = (unsigned char)*bytes->s;
    bytes->s++;
    bytes->n--;
    if (u->got < sizeof u->length)
        return;
    u->got = 0;
    u->left = (uint32_t)u->length[0] << 24 | (uint32_t)u->length[1] << 16 |
              (uint32_t)u->length[2] << 8 | u->length[3];
    u->state = u->left != 0 ? PORTION : PACKED;
}

/* false: the taker wants no more. */
static bool take_portion(struct unpacker *u, struct str *bytes) {
    size_t n = bytes->n < u->left ? bytes->n : u->left;
    struct str portion = {bytes->s, n};
    *bytes = (struct str){bytes->s + n, bytes->n - n};
    u->left -= (uint32_t)n;
    if (u->left == 0)
        u->state = LENGTH;
    return u->take(u->context, portion);
}

/* All of it, unless the taker wants no more; false: it is none. */
static bool unpack(struct unpacker *u, struct str bytes) {
    char out[OUT];
    u->z.next_in = (Bytef *)bytes.s;
    u->z.avail_in = (uInt)bytes.n;
    for (bool more = true; more;) {
        u->z.next_out = (Bytef *)out;
        u->z.avail_out = sizeof out;
        uInt before = u->z.avail_in;
        int status = inflate(&u->z, Z_NO_FLUSH);
        size_t n = sizeof out - u->z.avail_out;
        u->in_vain = n != 0 ? 0 : u->in_vain + (before - u->z.avail_in);
        if (u->in_vain > IN_VAIN)
            return false;
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return false;
        if (n != 0 && !u->take(u->context, (struct str){out, n}))
            return true;
        if (status == Z_STREAM_END) {
            u->state = OVER;
            return u->z.avail_in == 0;
        }
        more = status == Z_OK && (u->z.avail_in != 0 || u->z.avail_out == 0);
    }
    return true;
}

bool unpacker_take(struct unpacker *u, struct str bytes) {
    while (bytes.n != 0) {
        switch (u->state) {
        case LENGTH:
            take_length(u, &bytes);
            break;
        case PORTION:
            if (!take_portion(u, &bytes))
                return true;
            break;
        case PACKED:
            return unpack(u, bytes);
        case OVER:
            return false;
        }
    }
    return true;
}

void unpacker_free(struct unpacker *u) {
    if (u == NULL)
        return;
    inflateEnd(&u->z);
    free(u);
}
