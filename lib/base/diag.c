#include "base/diag.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct extra {
    struct extra *next;
    struct place at; /* of a note; source NULL: a help */
    struct str text;
};

struct diag {
    struct diag *next;
    enum diag_level level;
    struct place at;
    struct str text;
    struct extra *extras, **last_extra;
};

enum { LINE_SHOWN = 160, NAME_SHOWN = 80 };

void diags_init(struct diags *d) {
    *d = (struct diags){0};
    d->last = &d->first;
}

void diags_free(struct diags *d) {
    arena_free(&d->arena);
}

static struct str format(struct diags *d, const char *fmt, va_list ap) {
    struct buf b = {0};
    buf_vprintf(&b, fmt, ap);
    struct str text = arena_str(&d->arena, buf_view(&b));
    buf_free(&b);
    return text;
}

static void add(struct diags *d, enum diag_level level, struct place at, struct str text) {
    struct diag *new = arena_alloc(&d->arena, sizeof *new);
    *new = (struct diag){.level = level, .at = at, .text = text};
    new->last_extra = &new->extras;
    *d->last = new;
    d->last = &new->next;
    d->n++;
    d->errors += level == DIAG_ERROR;
}

void diag_error(struct diags *d, struct place at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_ERROR, at, format(d, fmt, ap));
    va_end(ap);
}

void diag_warning(struct diags *d, struct place at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add(d, DIAG_WARNING, at, format(d, fmt, ap));
    va_end(ap);
}

static void add_extra(struct diags *d, struct place at, struct str text) {
    struct diag *diag = d->first;
    if (diag == NULL)
        return;
    /* The last one: d->last points to its `next`. */
    diag = (struct diag *)(void *)((char *)d->last - offsetof(struct diag, next));
    struct extra *e = arena_alloc(&d->arena, sizeof *e);
    *e = (struct extra){.at = at, .text = text};
    *diag->last_extra = e;
    diag->last_extra = &e->next;
}

void diag_help(struct diags *d, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add_extra(d, (struct place){0}, format(d, fmt, ap));
    va_end(ap);
}

void diag_note(struct diags *d, struct place at, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    add_extra(d, at, format(d, fmt, ap));
    va_end(ap);
}

/* n bytes, or up to three less, so that no character is cut in two. */
static size_t whole_characters(struct str s, size_t n) {
    size_t whole = n;
    while (whole > 0 && n - whole < 3 && ((unsigned char)s.s[whole] & 0xc0) == 0x80)
        whole--;
    return whole;
}

const char *diag_name(struct diags *d, struct str name) {
    struct buf b = {0};
    bool cut = name.n > NAME_SHOWN;
    if (cut)
        name.n = whole_characters(name, NAME_SHOWN);
    buf_visible(&b, name);
    if (cut)
        buf_puts(&b, "...");
    const char *text = arena_str(&d->arena, buf_view(&b)).s;
    buf_free(&b);
    return text;
}

/* Finds lines of a source, going forward from the last one that was asked for. */
struct cursor {
    const struct source *source;
    uint32_t line;
    size_t offset;
};

static struct str line_text(struct cursor *c, struct place at) {
    if (c->source != at.source || at.line < c->line)
        *c = (struct cursor){at.source, 1, 0};
    struct str text = at.source->text;
    if (text.n == 0)
        return STR("");
    if (c->offset == 0 && str_starts(text, STR("\xef\xbb\xbf")))
        c->offset = 3; /* a byte order mark is in no line */
    while (c->line < at.line) {
        const char *end = memchr(text.s + c->offset, '\n', text.n - c->offset);
        if (end == NULL)
            return STR("");
        c->offset = (size_t)(end - text.s) + 1;
        c->line++;
    }
    const char *end = memchr(text.s + c->offset, '\n', text.n - c->offset);
    size_t n = (end != NULL ? (size_t)(end - text.s) : text.n) - c->offset;
    if (n != 0 && text.s[c->offset + n - 1] == '\r')
        n--;
    return (struct str){text.s + c->offset, n};
}

static void paint(struct buf *out, bool colour, const char *code) {
    if (colour)
        buf_puts(out, code);
}

static size_t characters(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.s[i] & 0xc0) != 0x80;
    return n;
}

/* A tab is shown as one blank: its width would depend on where the line begins. */
static void add_visible(struct buf *out, struct str s) {
    while (s.n != 0) {
        const char *tab = memchr(s.s, '\t', s.n);
        size_t n = tab != NULL ? (size_t)(tab - s.s) : s.n;
        buf_visible(out, (struct str){s.s, n});
        if (tab == NULL)
            return;
        buf_putc(out, ' ');
        s = (struct str){tab + 1, s.n - n - 1};
    }
}

/* The source line, cut around the caret if it is long, and the caret below it. Both are made
 * visible piece by piece, so that the caret stands right whatever is in the line. */
static void print_line(struct cursor *c, struct buf *out, struct place at, bool colour) {
    struct str line = line_text(c, at);
    size_t col = at.col != 0 ? at.col - 1 : 0;
    if (col > line.n)
        col = line.n;
    size_t start = 0, end = line.n;
    if (line.n > LINE_SHOWN) {
        start = col > LINE_SHOWN / 2 ? whole_characters(line, col - LINE_SHOWN / 2) : 0;
        if (end - start > LINE_SHOWN)
            end = whole_characters(line, start + LINE_SHOWN);
    }
    size_t marked = at.length > 1 ? at.length : 1;
    if (marked > end - col)
        marked = end - col;
    struct buf before = {0}, under = {0}, after = {0};
    if (start != 0)
        buf_puts(&before, "...");
    add_visible(&before, (struct str){line.s + start, col - start});
    add_visible(&under, (struct str){line.s + col, marked});
    add_visible(&after, (struct str){line.s + col + marked, end - col - marked});
    size_t margin = out->n;
    buf_printf(out, "%5u ", at.line);
    margin = out->n - margin;
    buf_puts(out, "| ");
    buf_str(out, buf_view(&before));
    buf_str(out, buf_view(&under));
    buf_str(out, buf_view(&after));
    if (end < line.n)
        buf_puts(out, "...");
    buf_printf(out, "\n%*s| ", (int)margin, "");
    for (size_t i = characters(buf_view(&before)); i > 0; i--)
        buf_putc(out, ' ');
    paint(out, colour, "\033[1;32m");
    buf_putc(out, '^');
    for (size_t i = characters(buf_view(&under)); i > 1; i--)
        buf_putc(out, '~');
    paint(out, colour, "\033[0m");
    buf_putc(out, '\n');
    buf_free(&before);
    buf_free(&under);
    buf_free(&after);
}

static void print_place(struct buf *out, struct place at) {
    if (at.source == NULL) {
        buf_puts(out, "foray: ");
        return;
    }
    buf_visible(out, str_of(at.source->name));
    if (at.line != 0)
        buf_printf(out, ":%u:%u", at.line, at.col != 0 ? at.col : 1);
    buf_puts(out, ": ");
}

static void print_one(struct cursor *c, struct buf *out, const struct diag *diag, bool colour) {
    paint(out, colour, "\033[1m");
    print_place(out, diag->at);
    bool error = diag->level == DIAG_ERROR;
    paint(out, colour, error ? "\033[1;31m" : "\033[1;35m");
    buf_puts(out, error ? "error: " : "warning: ");
    paint(out, colour, "\033[0;1m");
    buf_str(out, diag->text);
    paint(out, colour, "\033[0m");
    buf_putc(out, '\n');
    if (diag->at.source != NULL && diag->at.line != 0)
        print_line(c, out, diag->at, colour);
    for (const struct extra *e = diag->extras; e != NULL; e = e->next) {
        bool note = e->at.source != NULL;
        buf_puts(out, note ? "      = note: " : "      = help: ");
        if (note)
            print_place(out, e->at);
        buf_str(out, e->text);
        buf_putc(out, '\n');
    }
}

struct ordered {
    const struct diag *diag;
    size_t source; /* of its source: the first diagnostic of that source */
    size_t index;
};

static int by_place(const void *a, const void *b) {
    const struct ordered *x = a, *y = b;
    const struct place *p = &x->diag->at, *q = &y->diag->at;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (p->line != q->line)
        return p->line < q->line ? -1 : 1;
    if (p->col != q->col)
        return p->col < q->col ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

void diags_print(const struct diags *d, struct buf *out, size_t limit, bool colour) {
    struct ordered *order = mem_array(NULL, d->n, sizeof *order);
    size_t n = 0;
    for (const struct diag *diag = d->first; diag != NULL; diag = diag->next, n++) {
        size_t source = n; /* sources are few, and mostly in a row */
        for (size_t i = n; i > 0 && source == n; i--)
            if (order[i - 1].diag->at.source == diag->at.source)
                source = order[i - 1].source;
        order[n] = (struct ordered){diag, source, n};
    }
    qsort(order, n, sizeof *order, by_place);
    struct cursor cursor = {0};
    for (size_t i = 0; i < n && (limit == 0 || i < limit); i++)
        print_one(&cursor, out, order[i].diag, colour);
    if (limit != 0 && n > limit)
        buf_printf(out, "... and %zu more\n", n - limit);
    buf_add(out, "", 0); /* a text, even if it is empty */
    free(order);
}
