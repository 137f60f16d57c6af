#include "graph/template.h"

#include <string.h>

static bool is_name_char(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '-'));
}

static size_t name_length(const char *s, size_t n) {
    size_t i = 0;
    while (i < n && is_name_char(s[i], i == 0))
        i++;
    return i;
}

/* The reference that begins at "{{", if it is one: its length, and its pieces. */
static size_t match_reference(struct str text, struct reference *out) {
    size_t i = 2;
    while (i < text.n && (text.s[i] == ' ' || text.s[i] == '\t'))
        i++;
    size_t word = name_length(text.s + i, text.n - i), part = 0;
    struct reference ref = {.word = {text.s + i, word}};
    if (word == 0)
        return 0;
    i += word;
    if (i < text.n && text.s[i] == '.') {
        part = name_length(text.s + i + 1, text.n - i - 1);
        ref.part = (struct str){text.s + i + 1, part};
        if (part == 0)
            return 0;
        i += part + 1;
    }
    if (str_starts((struct str){text.s + i, text.n - i}, STR(":raw"))) {
        ref.raw = true;
        i += 4;
    }
    while (i < text.n && (text.s[i] == ' ' || text.s[i] == '\t'))
        i++;
    if (i + 2 > text.n || text.s[i] != '}' || text.s[i + 1] != '}')
        return 0;
    ref.text = (struct str){text.s, i + 2};
    *out = ref;
    return i + 2;
}

typedef VEC(struct template_piece) piece_list;

static void add_literal(piece_list *pieces, struct str text) {
    if (text.n != 0)
        *vec_push(pieces) = (struct template_piece){.text = text};
}

static struct template finish(struct arena *arena, piece_list *pieces) {
    struct template t = {.n = (uint32_t)pieces->n};
    t.v = arena_copy(arena, pieces->v, pieces->n * sizeof *pieces->v);
    for (size_t i = 0; i < t.n; i++)
        t.references += t.v[i].reference != NULL;
    vec_free(pieces);
    return t;
}

static struct template literal(struct arena *arena, struct str text) {
    struct template_piece piece = {.text = text};
    return (struct template){.v = arena_copy(arena, &piece, sizeof piece), .n = 1};
}

/* word.n != 0: only references to that word; all else is text. */
static struct template parse(struct arena *arena, struct str text, struct str word) {
    piece_list pieces = {0};
    if (text.n != 0 && memchr(text.s, '{', text.n) == NULL) /* most are so */
        return literal(arena, text);
    size_t start = 0, i = 0;
    while (i + 1 < text.n) {
        const char *brace = memchr(text.s + i, '{', text.n - 1 - i);
        if (brace == NULL)
            break;
        i = (size_t)(brace - text.s);
        struct str rest = {text.s + i, text.n - i};
        struct reference ref;
        size_t n;
        if (word.n == 0 && str_starts(rest, STR("{{{{"))) {
            add_literal(&pieces, (struct str){text.s + start, i + 2 - start});
            i += 4;
            start = i;
        } else if (str_starts(rest, STR("{{")) && (n = match_reference(rest, &ref)) != 0 &&
                   (word.n == 0 || (str_eq(ref.word, word) && ref.part.n == 0))) {
            add_literal(&pieces, (struct str){text.s + start, i - start});
            *vec_push(&pieces) =
                (struct template_piece){ref.text, arena_copy(arena, &ref, sizeof ref)};
            i += n;
            start = i;
        } else {
            i++;
        }
    }
    add_literal(&pieces, (struct str){text.s + start, text.n - start});
    return finish(arena, &pieces);
}

struct template template_parse(struct arena *arena, struct str text) {
    return parse(arena, text, (struct str){0});
}

void template_locate(struct template *t, struct str text, const struct text_origin *origin) {
    for (size_t i = 0; i < t->n; i++) {
        struct reference *ref = t->v[i].reference;
        if (ref != NULL)
            ref->at = origin->place(origin, (size_t)(ref->text.s - text.s), ref->text.n);
    }
}

static const char *variable_of(struct str word) {
    static const struct {
        const char *word, *variable;
    } known[] = {{"item", "FORAY_ITEM"},
                 {"in", "FORAY_IN"},
                 {"out", "FORAY_OUT"},
                 {"host", "FORAY_HOST"},
                 {"step", "FORAY_STEP"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(word, str_of(known[i].word)))
            return known[i].variable;
    return NULL;
}

static void refuse(struct diags *diags, const struct reference *p) {
    diag_error(diags, p->at, "`%s` cannot be quoted %s", diag_name(diags, p->text),
               shell_context_reason(p->context));
    if (p->context == SHELL_AFTER_BACKSLASH || p->context == SHELL_AFTER_DOLLAR) {
        diag_help(diags, "leave the `%c` out, or write it twice as far away as `'%c'`",
                  p->context == SHELL_AFTER_DOLLAR ? '$' : '\\',
                  p->context == SHELL_AFTER_DOLLAR ? '$' : '\\');
        return;
    }
    if (p->context == SHELL_BACKQUOTE)
        diag_help(diags, "write $(...) instead of `...`");
    const char *variable = p->part.n == 0 ? variable_of(p->word) : NULL;
    if (variable != NULL)
        diag_help(diags, "the same value is in the environment: \"$%s\"", variable);
    else
        diag_help(diags, "give it to the script by `env:`, and write \"$NAME\" there");
}

/* Finds out how each reference of a script is to be quoted. */
static void follow_quoting(struct template *t, struct str text, const struct text_origin *origin,
                           struct diags *diags) {
    if (t->references == 0)
        return;
    template_locate(t, text, origin);
    struct shell_scan *scan = shell_scan_new();
    for (size_t i = 0; i < t->n; i++) {
        struct reference *p = t->v[i].reference;
        if (p == NULL) {
            shell_scan_text(scan, t->v[i].text);
            continue;
        }
        p->context = shell_scan_context(scan);
        if (p->context == SHELL_COMMENT) { /* what cannot run needs no value, and a newline in it
                                              would end the comment */
            t->v[i].reference = NULL;
            t->references--;
            continue;
        }
        if (!p->raw && shell_context_reason(p->context) != NULL)
            refuse(diags, p);
        shell_scan_word(scan);
    }
    shell_scan_free(scan);
}

struct template template_parse_script(struct arena *arena, struct str text,
                                      const struct text_origin *origin, struct diags *diags) {
    struct template t = parse(arena, text, (struct str){0});
    follow_quoting(&t, text, origin, diags);
    return t;
}

struct template template_parse_command(struct arena *arena, struct str text, struct str word,
                                       const struct text_origin *origin, struct diags *diags) {
    struct template t = parse(arena, text, word);
    follow_quoting(&t, text, origin, diags);
    return t;
}

static void add_word(const struct reference *p, const struct value *value, size_t i,
                     struct buf *out) {
    struct str word = value->v[i];
    struct buf safe = {0};
    if (value->file && word.n != 0 && word.s[0] == '-') {
        buf_puts(&safe, "./");
        buf_str(&safe, word);
        word = buf_view(&safe);
    }
    if (p->raw)
        buf_str(out, word);
    else
        shell_insert(out, p->context, word);
    buf_free(&safe);
}

static bool expand(const struct template *t, template_lookup *lookup, void *context, bool script,
                   struct buf *out) {
    for (size_t i = 0; i < t->n; i++) {
        const struct reference *p = t->v[i].reference;
        struct value value;
        if (p == NULL) {
            buf_str(out, t->v[i].text);
            continue;
        }
        if (!lookup(context, p, &value))
            return false;
        for (size_t k = 0; k < value.n; k++) {
            if (k != 0)
                buf_putc(out, ' ');
            if (script)
                add_word(p, &value, k, out);
            else
                buf_str(out, value.v[k]);
        }
    }
    buf_add(out, "", 0);
    return true;
}

bool template_text(const struct template *t, template_lookup *lookup, void *context,
                   struct buf *out) {
    return expand(t, lookup, context, false, out);
}

bool template_script(const struct template *t, template_lookup *lookup, void *context,
                     struct buf *out) {
    return expand(t, lookup, context, true, out);
}

static void add_escaped(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (strchr("*?[\\", text.s[i]) != NULL && text.s[i] != '\0')
            buf_putc(out, '\\');
        buf_putc(out, text.s[i]);
    }
}

static bool expand_list(const struct template *t, template_lookup *lookup, void *context,
                        bool escape, struct arena *arena, str_list *out) {
    struct value *values = arena_alloc(arena, t->n * sizeof *values);
    size_t total = 1;
    bool good = true;
    for (size_t i = 0; i < t->n && good; i++) {
        struct value *value = &values[i];
        if (t->v[i].reference == NULL)
            *value = (struct value){.v = &t->v[i].text, .n = 1};
        else
            good = lookup(context, t->v[i].reference, value);
        if (good && value->n != 0 && total > SIZE_MAX / value->n)
            good = false;
        total *= good ? value->n : 0;
    }
    struct buf text = {0};
    for (size_t k = 0; k < total && good; k++) {
        size_t block = total, rest = k;
        buf_clear(&text);
        for (size_t i = 0; i < t->n; i++) {
            block /= values[i].n;
            struct str word = values[i].v[rest / block];
            if (escape && t->v[i].reference != NULL)
                add_escaped(&text, word);
            else
                buf_str(&text, word);
            rest %= block;
        }
        *vec_push(out) = arena_str(arena, buf_view(&text));
    }
    buf_free(&text);
    return good;
}

bool template_list(const struct template *t, template_lookup *lookup, void *context,
                   struct arena *arena, str_list *out) {
    return expand_list(t, lookup, context, false, arena, out);
}

bool template_patterns(const struct template *t, template_lookup *lookup, void *context,
                       struct arena *arena, str_list *out) {
    return expand_list(t, lookup, context, true, arena, out);
}
