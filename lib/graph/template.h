/* Texts with {{references}}: {{word}}, {{word.part}}, {{word:raw}}, {{word.part:raw}}, blanks
 * allowed inside the braces. Anything else between braces is text ({{.ID}} and {{json .}} of other
 * tools pass); "{{{{" is a literal "{{". */
#ifndef FORAY_GRAPH_TEMPLATE_H
#define FORAY_GRAPH_TEMPLATE_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/shell.h"
#include "base/strlist.h"

/* What a reference stands for: one word or several. */
struct value {
    const struct str *v;
    size_t n;
    bool file; /* names of files: one that starts with "-" is written "./-..." in scripts */
};

struct reference {
    struct str text;            /* as written, braces included */
    struct str word, part;      /* part.n may be 0 */
    bool raw;                   /* :raw, goes in as it is */
    enum shell_context context; /* how to write it, in a script */
    struct place at;
};

struct template_piece {
    struct str text;
    struct reference *reference; /* NULL: a literal */
};

/* Pieces in order; lives in the arena it was parsed into. */
struct template {
    struct template_piece *v;
    uint32_t n, references;
};

/* One piece that stands for itself, as in most texts. */
static inline bool template_is_literal(const struct template *t) {
    return t->n == 1 && t->references == 0;
}

/* Tells the place of bytes [offset, offset + length) of a text. */
struct text_origin {
    struct place (*place)(const struct text_origin *origin, size_t offset, size_t length);
};

/* Parses a plain text. The result points into text, which must outlive it. */
struct template template_parse(struct arena *arena, struct str text);
/* Parses a shell script, following its quoting; a reference where none can be written safely
 * becomes an error that names the way out (the value's environment variable). Places of references
 * are set in both. */
struct template template_parse_script(struct arena *arena, struct str text,
                                      const struct text_origin *origin, struct diags *diags);
/* The same of a command that was not written as a template: only references to that word count,
 * `{{{{` and all others are text. */
struct template template_parse_command(struct arena *arena, struct str text, struct str word,
                                       const struct text_origin *origin, struct diags *diags);
/* Sets the places of the references of a plain text. */
void template_locate(struct template *t, struct str text, const struct text_origin *origin);

/* Finds what a reference stands for. false: unknown (the caller reports it); nothing is written
 * then. The value must stay valid until the expansion is done. */
typedef bool template_lookup(void *context, const struct reference *reference, struct value *out);

/* As one text: several words are joined by a blank. In scripts every word is quoted for its
 * context: several words are several shell words where bare, one word joined by blanks inside
 * quotes. false if a look-up failed. */
bool template_text(const struct template *t, template_lookup *lookup, void *context,
                   struct buf *out);
bool template_script(const struct template *t, template_lookup *lookup, void *context,
                     struct buf *out);
/* As a list: a reference to several words makes several texts, each with the text around it
 * ("{{in}}.gz"). The texts are made in the arena. Two references to lists of more than one word in
 * one template: the product, first one slowest. */
bool template_list(const struct template *t, template_lookup *lookup, void *context,
                   struct arena *arena, str_list *out);
/* The same as patterns of glob(3): what references stand for is escaped, and stands for itself. */
bool template_patterns(const struct template *t, template_lookup *lookup, void *context,
                       struct arena *arena, str_list *out);

#endif
