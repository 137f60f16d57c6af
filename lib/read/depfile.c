#include "read/depfile.h"

#include "base/map.h"

#include <string.h>

/* Of make's syntax this is what compilers write. They escape as follows, and since they do not
 * agree with make in all of it, what they write counts:
 *
 *     \ before a blank     a blank of the name; backslashes in front of it are doubled
 *     \ before # or :      that character; backslashes in front of it are as they are
 *     $$                   a dollar
 *     \ before a newline   a blank that separates: the line goes on
 *
 * Any other backslash or dollar stands for itself. The colon behind the targets ends a word, as it
 * does for ninja: one inside a word, or behind the first prerequisite, belongs to a name. */
struct depfile {
    struct str text;
    size_t at, line;
    bool targets;    /* before the rule's colon */
    struct buf name; /* the word last read */
    struct map seen;
    struct arena *arena;
    str_list *names;
};

/* --- what stands at a byte --- */

static bool is_byte(const struct depfile *r, size_t i, char c) {
    return i < r->text.n && r->text.s[i] == c;
}

static bool is_blank(const struct depfile *r, size_t i) {
    return is_byte(r, i, ' ') || is_byte(r, i, '\t');
}

/* The length of the newline there, 0 if there is none. A CR that stands elsewhere is a byte of a
 * name. */
static size_t newline(const struct depfile *r, size_t i) {
    return is_byte(r, i, '\n') ? 1 : is_byte(r, i, '\r') && is_byte(r, i + 1, '\n') ? 2 : 0;
}

static size_t continuation(const struct depfile *r, size_t i) {
    size_t n = is_byte(r, i, '\\') ? newline(r, i + 1) : 0;
    return n != 0 ? n + 1 : 0;
}

static bool is_line_end(const struct depfile *r, size_t i) {
    return i >= r->text.n || newline(r, i) != 0;
}

static bool is_word_end(const struct depfile *r, size_t i) {
    return is_line_end(r, i) || is_blank(r, i) || is_byte(r, i, '#') || continuation(r, i) != 0;
}

/* The colon between targets and prerequisites. */
static bool is_separator(const struct depfile *r, size_t i) {
    return r->targets && is_byte(r, i, ':') && is_word_end(r, i + 1);
}

/* --- between words --- */

static bool skip_continuation(struct depfile *r) {
    size_t n = continuation(r, r->at);
    r->at += n;
    r->line += n != 0;
    return n != 0;
}

/* To the end of the line; as in make, a comment goes on behind a continuation. */
static void skip_comment(struct depfile *r) {
    while (!is_line_end(r, r->at))
        if (!skip_continuation(r))
            /* Both of a pair of backslashes: the second one continues nothing. */
            r->at += is_byte(r, r->at, '\\') && is_byte(r, r->at + 1, '\\') ? 2 : 1;
}

static void skip_blanks(struct depfile *r) {
    for (;;) {
        if (is_blank(r, r->at))
            r->at++;
        else if (is_byte(r, r->at, '#'))
            skip_comment(r);
        else if (!skip_continuation(r))
            return;
    }
}

/* --- words --- */

static void take(struct depfile *r, size_t n) {
    buf_add(&r->name, r->text.s + r->at, n);
    r->at += n;
}

/* A run of backslashes, with the character that the last of them escapes. */
static void take_backslashes(struct depfile *r) {
    size_t n = 1;
    while (is_byte(r, r->at + n, '\\'))
        n++;
    size_t behind = r->at + n;
    if (is_blank(r, behind)) {
        take(r, n / 2);
        r->at = behind;
        if (n % 2 != 0)
            take(r, 1);
    } else if (newline(r, behind) != 0 && n % 2 != 0) {
        take(r, n / 2);
        r->at = behind - 1; /* at the continuation, which ends the word */
    } else if (is_byte(r, behind, '#') || (is_byte(r, behind, ':') && !is_separator(r, behind))) {
        take(r, n - 1);
        r->at = behind;
        take(r, 1);
    } else {
        take(r, n);
    }
}

static void take_word(struct depfile *r) {
    buf_clear(&r->name);
    while (!is_word_end(r, r->at) && !is_separator(r, r->at)) {
        if (is_byte(r, r->at, '\\')) {
            take_backslashes(r);
        } else {
            if (is_byte(r, r->at, '$') && is_byte(r, r->at + 1, '$'))
                r->at++;
            take(r, 1);
        }
    }
}

static void add_name(struct depfile *r) {
    if (map_get(&r->seen, buf_view(&r->name)) != NULL)
        return;
    struct str copy = arena_str(r->arena, buf_view(&r->name));
    *map_put(&r->seen, copy) = r;
    *vec_push(r->names) = copy;
}

/* --- rules --- */

/* Through its colon; false if the line ends before. */
static bool skip_targets(struct depfile *r) {
    r->targets = true;
    while (!is_separator(r, r->at)) {
        if (is_line_end(r, r->at))
            return false;
        take_word(r);
        skip_blanks(r);
    }
    r->at++;
    r->targets = false;
    return true;
}

static bool take_rule(struct depfile *r, struct buf *why) {
    size_t line = r->line;
    if (!skip_targets(r)) {
        buf_printf(why, "line %zu: no `:` ends the targets", line);
        return false;
    }
    skip_blanks(r);
    while (!is_line_end(r, r->at)) {
        take_word(r);
        add_name(r);
        skip_blanks(r);
    }
    return true;
}

static bool take_rules(struct depfile *r, struct buf *why) {
    for (;;) {
        skip_blanks(r);
        if (r->at >= r->text.n)
            return true;
        size_t n = newline(r, r->at);
        r->at += n;
        r->line += n != 0;
        if (n == 0 && !take_rule(r, why))
            return false;
    }
}

/* No name holds a NUL, so that all of them can be given to the system. */
static bool has_no_nul(struct str text, struct buf *why) {
    const char *nul = text.n != 0 ? memchr(text.s, '\0', text.n) : NULL;
    if (nul == NULL)
        return true;
    size_t line = 1;
    for (const char *s = text.s; s < nul; s++)
        line += *s == '\n';
    buf_printf(why, "line %zu: a NUL byte", line);
    return false;
}

bool depfile_parse(struct str text, struct arena *arena, str_list *names, struct buf *why) {
    struct depfile r = {.text = text, .line = 1, .arena = arena, .names = names};
    size_t before = names->n;
    bool good = has_no_nul(text, why) && take_rules(&r, why);
    if (!good)
        names->n = before;
    map_free(&r.seen);
    buf_free(&r.name);
    return good;
}
