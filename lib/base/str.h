/* Bytes with a length: slices that point elsewhere, and buffers that grow. */
#ifndef FORAY_BASE_STR_H
#define FORAY_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A slice of somebody else's bytes. May hold any byte; not necessarily followed by a NUL. */
struct str {
    const char *s;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_FMT(x) (int)(x).n, (x).s /* for "%.*s"; shorter than 2 GiB */

struct str str_of(const char *s); /* of a C string */
bool str_eq(struct str a, struct str b);
int str_cmp(struct str a, struct str b); /* by bytes, like strcmp */
bool str_starts(struct str a, struct str prefix);
bool str_ends(struct str a, struct str suffix);

/* The last c among n bytes, NULL if there is none (memrchr, which not every system has). */
char *bytes_last(const char *s, char c, size_t n);
struct str str_directory(struct str name); /* up to its last slash, with that */
/* The next of the parts of a name between its slashes; some may be empty. *at: where it begins, at
 * first 0; moved on. false: there is no more. */
bool str_component(struct str name, size_t *at, struct str *part);

/* A growing buffer. {0} is an empty one. After any call below, s is not NULL and s[n] is '\0'. */
struct buf {
    char *s;
    size_t n, cap;
};

void buf_reserve(struct buf *b, size_t more); /* room for that many more bytes, and a NUL */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_drop(struct buf *b, size_t n);   /* removes the first n bytes */
void buf_clear(struct buf *b);            /* empties it, keeping its memory */
void buf_free(struct buf *b);             /* gives its memory back; {0} again */
struct str buf_view(const struct buf *b); /* valid until the next change */

/* Appends s as a person may see it: control characters and bytes that are not UTF-8 become \n, \t,
 * \xNN ..., so that no name reaches a terminal as an escape sequence. */
void buf_visible(struct buf *b, struct str s);

#endif
