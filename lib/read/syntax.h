/* Mistakes of YAML's own syntax, in words that say what to do. */
#ifndef FORAY_READ_SYNTAX_H
#define FORAY_READ_SYNTAX_H

#include "base/diag.h"

/* The place of one byte of a source. Goes through the source from its start. */
struct place syntax_place(const struct source *source, size_t offset);

/* false, told, if the bytes are not a text that can be read: too many, not UTF-8, or with control
 * characters. simple: every character is a byte, and every line ends with a newline alone. */
bool syntax_check_text(const struct source *source, bool *simple, struct diags *diags);

/* What libyaml complained about, and where. */
struct syntax_problem {
    const char *text;
    size_t at;      /* the byte of the source */
    size_t context; /* the byte where what was being read began; SIZE_MAX: not known */
};

void syntax_report(const struct source *source, const struct syntax_problem *problem,
                   struct diags *diags);

/* "help: ..." for the last error: the value that begins at this byte, written in quotes; nothing if
 * it does not end with its line. */
void syntax_help_quote(const struct source *source, size_t start, struct diags *diags);

/* Whether a text is a key whose `:` has no blank behind it, as in `run:make`: the key's length, and
 * the colon's; or 0. */
size_t syntax_joined_key(struct str text);

#endif
