#include "base/suggest.h"

#include <stdint.h>

enum { LONGEST = 64 };

/* Insertions, deletions, changes and swaps of neighbours (optimal string alignment); more than
 * `most` is `most + 1`. */
static size_t distance(struct str a, struct str b, size_t most) {
    if (a.n > LONGEST || b.n > LONGEST || a.n > b.n + most || b.n > a.n + most)
        return most + 1;
    uint8_t rows[3][LONGEST + 1];
    uint8_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = (uint8_t)j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned cost = a.s[i - 1] != b.s[j - 1];
            unsigned least = last[j - 1] + cost;
            if (last[j] + 1u < least)
                least = last[j] + 1u;
            if (now[j - 1] + 1u < least)
                least = now[j - 1] + 1u;
            if (i > 1 && j > 1 && a.s[i - 1] == b.s[j - 2] && a.s[i - 2] == b.s[j - 1] &&
                before[j - 2] + 1u < least)
                least = before[j - 2] + 1u;
            now[j] = (uint8_t)least;
        }
        uint8_t *free = before;
        before = last;
        last = now;
        now = free;
    }
    return last[b.n];
}

const struct str *suggest(struct str word, const struct str *candidates, size_t n) {
    /* One slip in a short word, two in a longer one; never so many that nothing of the word is
     * left. */
    size_t most = word.n < 3 ? 1 : word.n < 8 ? 2 : 3;
    const struct str *best = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, candidates[i], most);
        if (d <= most && d < word.n && d < candidates[i].n) {
            best = &candidates[i];
            if (d == 0)
                break;
            most = d - 1; /* only a nearer one is better */
        }
    }
    return best;
}
