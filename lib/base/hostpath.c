#include "base/hostpath.h"

#include <string.h>

/* The next colon from i on that is outside brackets; word.n: a slash, or the end, comes before. */
static size_t find_colon(struct str word, size_t i) {
    bool bracket = false;
    for (; i < word.n && (bracket || word.s[i] != ':'); i++) {
        if (word.s[i] == '/' && !bracket)
            return word.n;
        if (word.s[i] == '[' || word.s[i] == ']')
            bracket = word.s[i] == '[';
    }
    return i;
}

static size_t skip_digits(struct str word, size_t i) {
    while (i < word.n && word.s[i] >= '0' && word.s[i] <= '9')
        i++;
    return i;
}

bool hostpath_split(struct str word, struct str *hosts, struct str *path) {
    size_t colon = find_colon(word, 0);
    while (colon < word.n) {
        size_t end = skip_digits(word, colon + 1);
        if (end == colon + 1 || end == word.n || memchr(":,!&^", word.s[end], 5) == NULL)
            break;
        size_t next = find_colon(word, end);
        if (next == word.n)
            break;
        colon = next;
        if (next == end)
            break;
    }
    if (colon == word.n)
        return false;
    *hosts = (struct str){word.s, colon};
    *path = (struct str){word.s + colon + 1, word.n - colon - 1};
    return true;
}
