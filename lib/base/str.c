#include "base/str.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *s) {
    return (struct str){s, strlen(s)};
}

bool str_eq(struct str a, struct str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

int str_cmp(struct str a, struct str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n != 0 ? memcmp(a.s, b.s, n) : 0;
    if (c != 0)
        return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str a, struct str prefix) {
    return a.n >= prefix.n && str_eq((struct str){a.s, prefix.n}, prefix);
}

bool str_ends(struct str a, struct str suffix) {
    return a.n >= suffix.n && str_eq((struct str){a.s + (a.n - suffix.n), suffix.n}, suffix);
}

struct str str_directory(struct str name) {
    const char *slash = bytes_last(name.s, '/', name.n);
    return (struct str){name.s, slash != NULL ? (size_t)(slash - name.s) + 1 : 0};
}

bool str_component(struct str name, size_t *at, struct str *part) {
    if (*at >= name.n)
        return false;
    const char *start = name.s + *at, *slash = memchr(start, '/', name.n - *at);
    *part = (struct str){start, slash != NULL ? (size_t)(slash - start) : name.n - *at};
    *at += part->n + 1;
    return true;
}

char *bytes_last(const char *s, char c, size_t n) {
    while (n > 0)
        if (s[--n] == c)
            return (char *)s + n;
    return NULL;
}

void buf_reserve(struct buf *b, size_t more) {
    if (more < b->cap - b->n && b->cap != 0)
        return;
    size_t cap = b->cap != 0 ? b->cap : 64;
    while (cap - b->n <= more)
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : SIZE_MAX;
    b->s = mem_array(b->s, cap, 1);
    b->cap = cap;
}

void buf_add(struct buf *b, const void *bytes, size_t n) {
    buf_reserve(b, n);
    if (n != 0)
        memcpy(b->s + b->n, bytes, n);
    b->n += n;
    b->s[b->n] = '\0';
}

void buf_str(struct buf *b, struct str s) {
    buf_add(b, s.s, s.n);
}

void buf_puts(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c) {
    buf_add(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n > 0) {
        buf_reserve(b, (size_t)n);
        vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else {
        buf_add(b, "", 0);
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_drop(struct buf *b, size_t n) {
    if (n >= b->n) {
        buf_clear(b);
        return;
    }
    memmove(b->s, b->s + n, b->n - n);
    b->n -= n;
    b->s[b->n] = '\0';
}

void buf_clear(struct buf *b) {
    b->n = 0;
    buf_add(b, "", 0);
}

void buf_free(struct buf *b) {
    free(b->s);
    *b = (struct buf){0};
}

struct str buf_view(const struct buf *b) {
    return (struct str){b->s != NULL ? b->s : "", b->n};
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629: no surrogates, nothing over-long), 0 if
 * there is none. */
static size_t utf8_length(const unsigned char *s, size_t n) {
    if (s[0] < 0x80)
        return 1;
    size_t len = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (len == 0 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return len;
}

void buf_visible(struct buf *b, struct str text) {
    const unsigned char *s = (const unsigned char *)text.s;
    for (size_t i = 0; i < text.n;) {
        size_t len = utf8_length(s + i, text.n - i);
        bool c1 = len == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0; /* U+0080..U+009F: C1 controls */
        if (s[i] == '\n')
            buf_puts(b, "\\n");
        else if (s[i] == '\t')
            buf_puts(b, "\\t");
        else if (s[i] == '\r')
            buf_puts(b, "\\r");
        else if (len == 0 || s[i] < 0x20 || s[i] == 0x7f)
            buf_printf(b, "\\x%02x", s[i]);
        else if (c1)
            buf_printf(b, "\\x%02x\\x%02x", s[i], s[i + 1]);
        else
            buf_add(b, s + i, len);
        i += len != 0 ? len : 1;
    }
    buf_add(b, "", 0);
}
