/* Diagnostics with places: what is wrong, in which file, line and column, and what to do about it.
 *
 * They are collected while reading, and printed together, in the order of their places:
 *
 *     foray.yaml:12:5: error: unknown key `runn`
 *        12 |     runn: make
 *           |     ^~~~
 *           = help: did you mean `run`?
 */
#ifndef FORAY_BASE_DIAG_H
#define FORAY_BASE_DIAG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* A text that diagnostics point into. It must outlive them. */
struct source {
    const char *name; /* as the user wrote it; "<stdin>" for standard input */
    struct str text;
};

/* A piece of a source. Lines and columns count from 1, columns in bytes; line 0: the source as a
 * whole. */
struct place {
    const struct source *source; /* NULL: nowhere, such as the command line */
    uint32_t line, col;
    uint32_t length; /* bytes to underline; 0 and 1 are a caret alone */
};

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diags {
    struct arena arena;
    struct diag *first, **last;
    size_t n, errors;
};

void diags_init(struct diags *d);
void diags_free(struct diags *d);
/* Messages say what is wrong in a few words, without a full stop; names in `backquotes`, passed
 * through diag_name. */
void diag_error(struct diags *d, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(struct diags *d, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What to do, or where the other party stands: belongs to the last error or warning. */
void diag_help(struct diags *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "note: WHERE: ..." with a second place, for the last error or warning. */
void diag_note(struct diags *d, struct place at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A name for use in a message: visible characters only, cut when very long. Lives as long as the
 * diagnostics. */
const char *diag_name(struct diags *d, struct str name);
/* Appends all of them to out, sorted by place (stable), with source lines and carets; at most
 * `limit` are shown (0: all), with a count of the others. colour: with ANSI colours. */
void diags_print(const struct diags *d, struct buf *out, size_t limit, bool colour);

#endif
