#include "base/cksum.h"

#include "base/mem.h"

enum { POLYNOMIAL = 0x04C11DB7 }; /* of CRC-32; x^32 is left out */

static uint32_t times_x(uint32_t sum) {
    return sum << 1 ^ (sum >> 31 != 0 ? POLYNOMIAL : 0);
}

static uint32_t add_byte(const struct cksum *c, uint32_t sum, unsigned char byte) {
    return sum << 8 ^ c->tables[0][sum >> 24 ^ byte];
}

static uint32_t add_bytes(const struct cksum *c, uint32_t sum, const unsigned char *p, size_t n) {
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t first = sum ^ ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
                                (uint32_t)p[3]);
        sum = c->tables[7][first >> 24] ^ c->tables[6][first >> 16 & 0xff] ^
              c->tables[5][first >> 8 & 0xff] ^ c->tables[4][first & 0xff] ^ c->tables[3][p[4]] ^
              c->tables[2][p[5]] ^ c->tables[1][p[6]] ^ c->tables[0][p[7]];
    }
    for (; n != 0; n--)
        sum = add_byte(c, sum, *p++);
    return sum;
}

#if defined __x86_64__ && defined __GNUC__

#include <immintrin.h>

/* Four blocks of 16 bytes side by side, and each over and over again becomes what is congruent to
 * it so much further on (V. Gopal et al., Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ Instruction, Intel 2009). */
enum { BLOCK = 16, LANES = 4, FOLD_LEAST = 4 * LANES * BLOCK };

static uint32_t power_of_x(unsigned n) {
    uint32_t power = 1;
    while (n-- != 0)
        power = times_x(power);
    return power;
}

/* What the halves of a block are multiplied with to be so many bits further on. */
static void set_factors(uint32_t factors[2], unsigned bits) {
    factors[0] = power_of_x(bits);
    factors[1] = power_of_x(bits + 64);
}

static void prepare(struct cksum *c) {
    set_factors(c->far, LANES * BLOCK * 8);
    set_factors(c->near, BLOCK * 8);
}

#define WIDE __attribute__((target("pclmul,ssse3")))

WIDE static inline __m128i swap_block(__m128i block) {
    return _mm_shuffle_epi8(block,
                            _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

WIDE static inline __m128i load_block(const unsigned char *p) {
    return swap_block(_mm_loadu_si128((const __m128i *)(const void *)p));
}

WIDE static inline __m128i fold(__m128i block, __m128i by, __m128i next) {
    return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(block, by, 0x00),
                                             _mm_clmulepi64_si128(block, by, 0x11)));
}

/* Whole blocks; n: bytes, at least FOLD_LEAST. */
WIDE static uint32_t add_blocks(const struct cksum *c, uint32_t sum, const unsigned char *p,
                                size_t n) {
    const __m128i far = _mm_set_epi64x(c->far[1], c->far[0]);
    const __m128i near = _mm_set_epi64x(c->near[1], c->near[0]);
    const unsigned char *end = p + n;
    unsigned char rest[BLOCK];
    __m128i lanes[LANES];
    for (int i = 0; i < LANES; i++, p += BLOCK)
        lanes[i] = load_block(p);
    lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi32((int)sum, 0, 0, 0));
    for (; end - p >= LANES * BLOCK; p += LANES * BLOCK)
        for (int i = 0; i < LANES; i++)
            lanes[i] = fold(lanes[i], far, load_block(p + i * BLOCK));
    for (int i = 1; i < LANES; i++)
        lanes[0] = fold(lanes[0], near, lanes[i]);
    for (; p < end; p += BLOCK)
        lanes[0] = fold(lanes[0], near, load_block(p));
    _mm_storeu_si128((__m128i *)(void *)rest, swap_block(lanes[0]));
    return add_bytes(c, 0, rest, sizeof rest);
}

static uint32_t add_many(const struct cksum *c, uint32_t sum, const unsigned char *p, size_t n) {
    size_t blocks = n - n % BLOCK;
    if (blocks < FOLD_LEAST || !__builtin_cpu_supports("pclmul") ||
        !__builtin_cpu_supports("ssse3"))
        return add_bytes(c, sum, p, n);
    return add_bytes(c, add_blocks(c, sum, p, blocks), p + blocks, n - blocks);
}

#else

static void prepare(struct cksum *c) {
    (void)c;
}

static uint32_t add_many(const struct cksum *c, uint32_t sum, const unsigned char *p, size_t n) {
    return add_bytes(c, sum, p, n);
}

#endif

/* Table k tells what a byte becomes k bytes further on: eight bytes are taken at once. */
struct cksum *cksum_new(void) {
    struct cksum *c = mem_zalloc(sizeof *c);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t sum = i << 24;
        for (int bit = 0; bit < 8; bit++)
            sum = times_x(sum);
        c->tables[0][i] = sum;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t before = c->tables[k - 1][i];
            c->tables[k][i] = before << 8 ^ c->tables[0][before >> 24];
        }
    prepare(c);
    return c;
}

void cksum_reset(struct cksum *c) {
    c->sum = 0;
    c->size = 0;
}

void cksum_add(struct cksum *c, struct str bytes) {
    c->sum = add_many(c, c->sum, (const unsigned char *)bytes.s, bytes.n);
    c->size += bytes.n;
}

static uint32_t times(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (int bit = 31; bit >= 0; bit--)
        product = times_x(product) ^ (b >> bit & 1 ? a : 0);
    return product;
}

/* The first bytes stand so many bits further on. */
void cksum_join(struct cksum *c, const struct cksum *next) {
    uint32_t square = 1 << 8; /* x^8, x^16, x^32... */
    for (uint64_t n = next->size; n != 0; n >>= 1, square = times(square, square))
        if (n & 1)
            c->sum = times(c->sum, square);
    c->sum ^= next->sum;
    c->size += next->size;
}

uint32_t cksum_end(const struct cksum *c) {
    uint32_t sum = c->sum;
    for (uint64_t n = c->size; n != 0; n >>= 8)
        sum = add_byte(c, sum, (unsigned char)n);
    return ~sum;
}
