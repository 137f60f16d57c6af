#include "read/syntax.h"

#include <stdint.h>
#include <string.h>

enum { SIZE_MAX_MIB = 64, SAMPLE_MAX = 60 };

struct place syntax_place(const struct source *source, size_t offset) {
    struct place p = {source, 1, 1, 1};
    size_t line_start = str_starts(source->text, STR("\xef\xbb\xbf")) ? 3 : 0;
    for (size_t i = 0; i < offset && i < source->text.n; i++)
        if (source->text.s[i] == '\n') {
            p.line++;
            line_start = i + 1;
        }
    p.col = (uint32_t)(offset > line_start ? offset - line_start : 0) + 1;
    return p;
}

/* --- bytes --- */

/* The length of the character at s, 0 if it is not UTF-8. */
static size_t character(const unsigned char *s, size_t n, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > n || s[0] > 0xf4)
        return 0;
    *code = len == 1 ? s[0] : s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3f);
    }
    bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
    return *code < least[len] || surrogate || *code > 0x10ffff ? 0 : len;
}

static bool is_control(uint32_t c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0) ||
           c == 0xfffe || c == 0xffff;
}

bool syntax_check_text(const struct source *source, bool *simple, struct diags *diags) {
    const unsigned char *s = (const unsigned char *)source->text.s;
    size_t n = source->text.n;
    if (n > (size_t)SIZE_MAX_MIB << 20) {
        diag_error(diags, (struct place){.source = source}, "larger than %d MiB", SIZE_MAX_MIB);
        return false;
    }
    if (n >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff))) {
        diag_error(diags, (struct place){.source = source}, "this is UTF-16, only UTF-8 is read");
        return false;
    }
    *simple = true;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t code = 0;
        len = 1;
        if ((s[i] >= 0x20 && s[i] < 0x7f) || s[i] == '\n' || s[i] == '\t') /* most are */
            continue;
        *simple = false;
        len = character(s + i, n - i, &code);
        if (len == 0) {
            diag_error(diags, syntax_place(source, i), "byte 0x%02x is not UTF-8", s[i]);
            return false;
        }
        if (is_control(code)) {
            diag_error(diags, syntax_place(source, i), "a control character (U+%04X)", code);
            if (code != 0)
                diag_help(diags, "inside \"...\" it can be written as \"\\u%04x\"", code);
            return false;
        }
    }
    return true;
}

/* --- lines --- */

static struct str line_at(const struct source *source, size_t offset) {
    struct str text = source->text;
    if (offset > text.n)
        offset = text.n;
    const char *before = offset != 0 ? bytes_last(text.s, '\n', offset) : NULL;
    size_t start = before != NULL ? (size_t)(before - text.s) + 1 : 0;
    const char *after = text.n != offset ? memchr(text.s + offset, '\n', text.n - offset) : NULL;
    size_t end = after != NULL ? (size_t)(after - text.s) : text.n;
    while (end > start && strchr(" \t\r", text.s[end - 1]) != NULL)
        end--;
    return (struct str){text.s + start, end - start};
}

static size_t skip_blanks(struct str s, size_t i) {
    while (i < s.n && s.s[i] == ' ')
        i++;
    return i;
}

static bool is_key_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("_-.", c) != NULL;
}

/* Where the value of a line like `- key: value` begins; 0 if the line is not like that. */
static size_t value_of_line(struct str line) {
    size_t i = skip_blanks(line, 0);
    bool found = false;
    while (i + 1 < line.n && line.s[i] == '-' && line.s[i + 1] == ' ') {
        i = skip_blanks(line, i + 1);
        found = true;
    }
    size_t key = i;
    while (i < line.n && line.s[i] != '\0' && is_key_char(line.s[i]))
        i++;
    if (i > key && i + 1 < line.n && line.s[i] == ':' && line.s[i + 1] == ' ')
        return skip_blanks(line, i + 1);
    return found ? key : 0;
}

size_t syntax_joined_key(struct str text) {
    size_t i = 0;
    while (i < text.n && text.s[i] != '\0' && is_key_char(text.s[i]))
        i++;
    bool joined = i != 0 && i + 1 < text.n && text.s[i] == ':' && text.s[i + 1] != '/' &&
                  strchr(" \t\r\n", text.s[i + 1]) == NULL;
    return joined ? i + 1 : 0;
}

void syntax_help_quote(const struct source *source, size_t start, struct diags *diags) {
    struct str line = line_at(source, start);
    size_t value = value_of_line(line);
    struct str rest = {line.s + value, line.n - value};
    if (value == 0 || rest.s != source->text.s + start || rest.n > SAMPLE_MAX)
        return;
    struct buf quoted = {0};
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.s[i] == '\'')
            buf_putc(&quoted, '\'');
        buf_putc(&quoted, rest.s[i]);
    }
    diag_help(diags, "in quotes it is a text: '%s'", diag_name(diags, buf_view(&quoted)));
    buf_free(&quoted);
}

/* --- problems --- */

static bool has(const struct syntax_problem *p, const char *words) {
    return strstr(p->text, words) != NULL;
}

/* Whether brackets that were opened from start on are closed again before end. */
static bool is_closed(struct str text, size_t start, size_t end) {
    size_t open = 0;
    for (size_t i = start; i < end; i++) {
        if (text.s[i] == '[' || text.s[i] == '{')
            open++;
        else if ((text.s[i] == ']' || text.s[i] == '}') && --open == 0)
            return true;
    }
    return false;
}

/* A value of which YAML makes something else than a text: `run: *.c`, `run: [ -f x ] && y`. */
static bool report_value(const struct source *source, const struct syntax_problem *p,
                         struct diags *diags) {
    struct str line = line_at(source, p->at);
    size_t value = value_of_line(line);
    size_t start = (size_t)(line.s - source->text.s) + value;
    if (value == 0 || value >= line.n || start > p->at)
        return false;
    char c = line.s[value];
    if (strchr("'\"", c) != NULL && p->at > start && has(p, "did not find expected"))
        diag_error(diags, syntax_place(source, p->at),
                   "the value goes on behind its closing quote: it must be quoted as a whole");
    else if (strchr("@`%*&!|>", c) != NULL || (strchr("]},?-", c) != NULL && p->at == start) ||
             ((c == '[' || c == '{') && is_closed(source->text, start, p->at)) ||
             (c == '{' && value + 1 < line.n && line.s[value + 1] == '{'))
        diag_error(diags, syntax_place(source, start),
                   "a value that starts with %s%c%s must be quoted", c == '`' ? "" : "`", c,
                   c == '`' ? "" : "`");
    else
        return false;
    syntax_help_quote(source, start, diags);
    return true;
}

/* `run:make` and, on the next line, `in: x`: for YAML one text of two lines, then a colon. */
static bool report_joined_key(const struct source *source, const struct syntax_problem *p,
                              struct diags *diags) {
    struct str line = line_at(source, p->at);
    if (line.s == source->text.s)
        return false;
    line = line_at(source, (size_t)(line.s - source->text.s) - 1);
    size_t i = skip_blanks(line, 0);
    size_t key = syntax_joined_key((struct str){line.s + i, line.n - i});
    if (key == 0)
        return false;
    struct place at = syntax_place(source, (size_t)(line.s - source->text.s) + i);
    at.length = (uint32_t)key;
    diag_error(diags, at, "behind a key's `:` comes a blank");
    return true;
}

static bool is_indentation(const struct source *source, size_t offset) {
    struct str line = line_at(source, offset);
    for (const char *c = line.s; c < source->text.s + offset; c++)
        if (*c != ' ' && *c != '\t')
            return false;
    return true;
}

void syntax_report(const struct source *source, const struct syntax_problem *p,
                   struct diags *diags) {
    struct str text = source->text;
    char c = p->at < text.n ? text.s[p->at] : '\0';
    struct place at = syntax_place(source, p->at);
    bool context = p->context != SIZE_MAX;
    if (c == '\t' && is_indentation(source, p->at)) {
        diag_error(diags, at, "a tab: YAML is indented with blanks");
    } else if (report_value(source, p, diags)) {
    } else if (has(p, "mapping values are not allowed")) {
        if (report_joined_key(source, p, diags))
            return;
        diag_error(diags, at, "a second `: ` on one line");
        diag_help(diags, "a value with `: ` in it must be quoted, or written as a block (`|`)");
    } else if (has(p, "could not find expected ':'")) {
        if (context)
            at = syntax_place(source, p->context);
        diag_error(diags, at, "a key without its `: `");
        diag_help(diags, "or a line of the text above, not indented far enough");
    } else if (has(p, "did not find expected key") || has(p, "expected '-' indicator")) {
        diag_error(diags, at, "this does not go on with what stands above it");
        diag_help(diags, "is the line indented like its neighbours?");
    } else if (has(p, "expected ',' or '}'") || has(p, "expected ',' or ']'")) {
        char close = has(p, "'}'") ? '}' : ']';
        if (c == '{' || c == '[')
            diag_error(diags, at, "inside `[` and `{` a text with `%c` in it must be quoted", c);
        else
            diag_error(diags, at, "a `,` or `%c` is missing", close);
        if (context)
            diag_note(diags, syntax_place(source, p->context), "the `%c` is here",
                      close == '}' ? '{' : '[');
    } else if (has(p, "unexpected end of stream") && context) {
        diag_error(diags, syntax_place(source, p->context), "the closing quote is missing");
    } else if (has(p, "unknown escape")) {
        size_t n = p->at + 1 < text.n ? 2 : 1;
        diag_error(diags, at, "`%s` has no meaning inside \"...\"",
                   diag_name(diags, (struct str){text.s + p->at, n}));
        diag_help(diags, "a backslash is written as `\\\\`, or in '...' as it is");
    } else if (has(p, "cannot start any token") || has(p, "alphabetic or numeric")) {
        diag_error(diags, at, "a value that starts with `%s` must be quoted",
                   c == '@' || c == '`' || c == '%' ? (char[]){c, '\0'} : "*` or `&");
    } else {
        diag_error(diags, at, "%s", p->text);
        if (context)
            diag_note(diags, syntax_place(source, p->context), "it begins here");
    }
}
