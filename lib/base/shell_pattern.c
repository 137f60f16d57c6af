/* Patterns of glob(3) as patterns of a shell. */
#include "base/shell.h"

#include <string.h>

/* The length of a bracket expression that begins a pattern; 0: the bracket stands for itself. */
static size_t bracket_length(struct str p) {
    size_t i = 1;
    if (i < p.n && (p.s[i] == '!' || p.s[i] == '^'))
        i++;
    for (size_t first = i; i < p.n && p.s[i] != '/'; i++) {
        if (p.s[i] == ']' && i > first)
            return i + 1;
        if (p.s[i] == '\\' && i + 1 < p.n) {
            i++;
        } else if (p.s[i] == '[' && i + 1 < p.n && strchr(":.=", p.s[i + 1]) != NULL) {
            size_t k = i + 2;
            while (k + 1 < p.n && !(p.s[k] == p.s[i + 1] && p.s[k + 1] == ']'))
                k++;
            if (k + 1 < p.n)
                i = k + 1;
        }
    }
    return 0;
}

static void end_literal(struct buf *out, struct buf *literal) {
    if (literal->n != 0)
        shell_insert(out, SHELL_BARE, buf_view(literal));
    buf_clear(literal);
}

/* Of what stands in brackets only what has a meaning there stays bare. */
static void add_bracket(struct buf *out, struct str p, struct buf *literal) {
    size_t i = 1, end = p.n - 1;
    buf_putc(out, '[');
    if (p.s[i] == '!' || p.s[i] == '^') {
        buf_putc(out, '!');
        i++;
    }
    for (; i < end; i++) {
        bool class = p.s[i] == '[' && i + 1 < end && strchr(":.=", p.s[i + 1]) != NULL;
        size_t k = i + 2;
        while (class && k + 1 < end && !(p.s[k] == p.s[i + 1] && p.s[k + 1] == ']'))
            k++;
        if (class && k + 1 < end) {
            end_literal(out, literal);
            buf_str(out, (struct str){p.s + i, k + 2 - i});
            i = k + 1;
        } else if (p.s[i] == '-') {
            end_literal(out, literal);
            buf_putc(out, '-');
        } else {
            if (p.s[i] == '\\' && i + 1 < end)
                i++;
            buf_putc(literal, p.s[i]);
        }
    }
    end_literal(out, literal);
    buf_putc(out, ']');
}

void shell_pattern(struct buf *out, struct str pattern) {
    struct buf literal = {0};
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.s[i];
        size_t bracket = c == '[' ? bracket_length((struct str){pattern.s + i, pattern.n - i}) : 0;
        if (c == '*' || c == '?') {
            end_literal(out, &literal);
            buf_putc(out, c);
        } else if (bracket != 0) {
            end_literal(out, &literal);
            add_bracket(out, (struct str){pattern.s + i, bracket}, &literal);
            i += bracket - 1;
        } else {
            if (c == '\\' && i + 1 < pattern.n)
                i++;
            buf_putc(&literal, pattern.s[i]);
        }
    }
    end_literal(out, &literal);
    buf_free(&literal);
}
