#include "base/cksum.h"

#include "base/mem.h"

/* Table k tells what a byte becomes k bytes further on: eight bytes are taken at once. */
struct cksum *cksum_new(void) {
    struct cksum *c = mem_zalloc(sizeof *c);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t sum = i << 24;
        for (int bit = 0; bit < 8; bit++)
            sum = sum << 1 ^ (sum >> 31 != 0 ? 0x04C11DB7 : 0);
        c->tables[0][i] = sum;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t before = c->tables[k - 1][i];
            c->tables[k][i] = before << 8 ^ c->tables[0][before >> 24];
        }
    return c;
}

static uint32_t add_byte(const struct cksum *c, uint32_t sum, unsigned char byte) {
    return sum << 8 ^ c->tables[0][sum >> 24 ^ byte];
}

void cksum_add(struct cksum *c, struct str bytes) {
    const unsigned char *p = (const unsigned char *)bytes.s;
    uint32_t sum = c->sum;
    size_t n = bytes.n;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t first = sum ^ ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
                                (uint32_t)p[3]);
        sum = c->tables[7][first >> 24] ^ c->tables[6][first >> 16 & 0xff] ^
              c->tables[5][first >> 8 & 0xff] ^ c->tables[4][first & 0xff] ^ c->tables[3][p[4]] ^
              c->tables[2][p[5]] ^ c->tables[1][p[6]] ^ c->tables[0][p[7]];
    }
    for (; n != 0; n--)
        sum = add_byte(c, sum, *p++);
    c->sum = sum;
    c->size += bytes.n;
}

uint32_t cksum_end(const struct cksum *c) {
    uint32_t sum = c->sum;
    for (uint64_t n = c->size; n != 0; n >>= 8)
        sum = add_byte(c, sum, (unsigned char)n);
    return ~sum;
}
