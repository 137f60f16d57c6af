/* Words for a POSIX shell: quoting them, and knowing in which quoting context a point of a script
 * stands.
 *
 * The scanner follows the Shell Command Language of POSIX.1 (XCU 2.2 quoting, 2.3 token
 * recognition, 2.6 expansions, 2.7.4 here-documents) far enough to say, at any point, how a word
 * inserted there must be written so that the shell takes it as data. Where sh, dash, bash and
 * busybox sh disagree, it says that nothing can be inserted. */
#ifndef FORAY_BASE_SHELL_H
#define FORAY_BASE_SHELL_H

#include "base/str.h"

enum shell_context {
    SHELL_BARE,    /* outside quotes, inside $(...) too: 'word' */
    SHELL_DOUBLE,  /* inside "...": \ before $ ` " \ */
    SHELL_SINGLE,  /* inside '...': ' becomes '\'' */
    SHELL_COMMENT, /* behind #: nothing is inserted, the text stays as it is written */
    /* Nothing can safely be inserted here: */
    SHELL_BACKQUOTE,       /* inside `...` */
    SHELL_HEREDOC,         /* in the body of a here-document, or in its delimiter */
    SHELL_ANSI_C,          /* inside $'...' */
    SHELL_ARITHMETIC,      /* inside $((...)) or ((...)) */
    SHELL_PARAMETER,       /* inside ${...} */
    SHELL_AFTER_DOLLAR,    /* right behind an unescaped $ */
    SHELL_AFTER_BACKSLASH, /* right behind an unescaped \ */
};

struct shell_scan; /* where a scanner stands: a stack of open constructs */

struct shell_scan *shell_scan_new(void);
void shell_scan_free(struct shell_scan *scan);
void shell_scan_text(struct shell_scan *scan,
                     struct str text);         /* the script goes on with this text */
void shell_scan_word(struct shell_scan *scan); /* an inserted word stands here */
enum shell_context shell_scan_context(const struct shell_scan *scan);
/* Why nothing can be inserted in this context, in a few words: "inside `...`"; NULL for the first
 * four. */
const char *shell_context_reason(enum shell_context context);

/* Appends word, written for that context (one of the first three). word must not contain NUL. */
void shell_insert(struct buf *out, enum shell_context context, struct str word);
/* The same for SHELL_BARE, leaving words that need no quoting as they are: for people to read and
 * to paste. */
void shell_quote(struct buf *out, struct str word);
/* Appends a pattern of glob(3), so that a shell expands it to the names that glob would find; an
 * escaped character stands for itself. pattern must not contain NUL. */
void shell_pattern(struct buf *out, struct str pattern);

#endif
