#include "read/nodes.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 64,
    SIZE_MAX_MIB = 64,
    /* An alias shares its node, so that a few lines can stand for billions of values: whoever walks the tree would walk
     * for ever. Nodes are counted as they would be if every alias were written out. */
    NODES_MAX = 20 * 1000 * 1000,
};

struct open {
    struct node *node;
    VEC(struct node *) items;
    struct map keys; /* of a map: key -> its node */
    uint64_t weight; /* of what is in it */
    struct node *key; /* the last key, whose value comes next; NULL: a key comes next */
    bool skip_value;  /* of a key that was refused */
};

struct anchor {
    struct node *node;
    uint64_t weight;
};

struct reader {
    struct arena *arena;
    const struct source *source;
    struct diags *diags;
    struct open stack[DEPTH_MAX];
    size_t depth;
    struct map anchors;
    struct node *root;
    bool failed;
    /* libyaml counts characters; places count bytes. Marks come nearly in order: this goes along. */
    struct {
        size_t chars, bytes, line_start;
        uint32_t line;
    } cursor;
};

static struct place at_offset(const struct source *source, size_t offset) {
    struct place p = {source, 1, 1, 1};
    size_t line_start = 0;
    for (size_t i = 0; i < offset && i < source->text.n; i++)
        if (source->text.s[i] == '\n') {
            p.line++;
            line_start = i + 1;
        }
    p.col = (uint32_t)(offset - line_start) + 1;
    return p;
}

static bool continues(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Moves the cursor to a mark, and tells its byte. */
static size_t move_to(struct reader *r, const yaml_mark_t *mark) {
    struct str text = r->source->text;
    while (r->cursor.chars < mark->index && r->cursor.bytes < text.n) {
        if (text.s[r->cursor.bytes++] == '\n') {
            r->cursor.line++;
            r->cursor.line_start = r->cursor.bytes;
        }
        while (r->cursor.bytes < text.n && continues(text.s[r->cursor.bytes]))
            r->cursor.bytes++;
        r->cursor.chars++;
    }
    while (r->cursor.chars > mark->index && r->cursor.bytes > 0) {
        r->cursor.bytes--;
        while (r->cursor.bytes > 0 && continues(text.s[r->cursor.bytes]))
            r->cursor.bytes--;
        r->cursor.chars--;
        if (text.s[r->cursor.bytes] == '\n') {
            r->cursor.line--;
            const char *before = bytes_last(text.s, '\n', r->cursor.bytes);
            r->cursor.line_start = before != NULL ? (size_t)(before - text.s) + 1 : 0;
        }
    }
    return r->cursor.bytes;
}

static struct place at_mark(struct reader *r, const yaml_mark_t *start, const yaml_mark_t *end) {
    size_t offset = move_to(r, start);
    struct place p = {r->source, r->cursor.line + 1, (uint32_t)(offset - r->cursor.line_start) + 1, 1};
    if (end != NULL && end->line == start->line && end->index > start->index)
        p.length = (uint32_t)(move_to(r, end) - offset);
    return p;
}

/* --- what libyaml would take badly --- */

static bool check_utf8(const struct source *source, struct diags *diags) {
    const unsigned char *s = (const unsigned char *)source->text.s;
    size_t n = source->text.n;
    if (n >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff))) {
        diag_error(diags, (struct place){source, 1, 1, 1}, "this is UTF-16; only UTF-8 is read");
        return false;
    }
    for (size_t i = 0; i < n;) {
        size_t len = s[i] < 0x80 ? 1 : s[i] >= 0xf0 && s[i] < 0xf5 ? 4 : s[i] >= 0xe0 ? 3 : s[i] >= 0xc2 ? 2 : 0;
        bool good = len != 0 && s[i] < 0xf5 && i + len <= n;
        for (size_t k = 1; good && k < len; k++)
            good = (s[i + k] & 0xc0) == 0x80;
        if (good && len == 3)
            good = !(s[i] == 0xe0 && s[i + 1] < 0xa0) && !(s[i] == 0xed && s[i + 1] >= 0xa0);
        if (good && len == 4)
            good = !(s[i] == 0xf0 && s[i + 1] < 0x90) && !(s[i] == 0xf4 && s[i + 1] >= 0x90);
        bool control = good && len == 1 && (s[i] < 0x20 || s[i] == 0x7f) && s[i] != '\n' && s[i] != '\r' && s[i] != '\t';
        if (!good || control) {
            if (control)
                diag_error(diags, at_offset(source, i), "a control character (byte 0x%02x)", s[i]);
            else
                diag_error(diags, at_offset(source, i), "byte 0x%02x is not UTF-8", s[i]);
            diag_help(diags, "inside \"...\" it can be written as \"\\x%02x\"", s[i]);
            return false;
        }
        i += len;
    }
    return true;
}

/* libyaml takes time that grows with the square of the nesting: brackets are counted before it sees them. Those in
 * quotes, comments and texts count too, which is harmless at this bound: they are closed again, or not many in a row. */
static bool check_nesting(const struct source *source, struct diags *diags) {
    size_t run = 0;
    for (size_t i = 0; i < source->text.n; i++) {
        char c = source->text.s[i];
        if (c == '[' || c == '{' || (c == '-' && run != 0)) {
            if (++run > 4 * DEPTH_MAX) {
                diag_error(diags, at_offset(source, i), "nested too deeply");
                return false;
            }
        } else if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
            run = 0;
        }
    }
    return true;
}

/* --- the tree --- */

const char *node_kind_name(const struct node *node) {
    static const char *const names[] = {"a text", "a list", "a map"};
    return names[node->kind];
}

static void give(struct reader *r, struct node *node, uint64_t weight);

static void fail(struct reader *r, struct place at, const char *what) {
    diag_error(r->diags, at, "%s", what);
    r->failed = true;
}

static void take_key(struct reader *r, struct open *top, struct node *node) {
    top->key = node;
    top->skip_value = false;
    if (node->kind != NODE_SCALAR) {
        diag_error(r->diags, node->at, "a key must be a text, this is %s", node_kind_name(node));
        if (node->flow)
            diag_help(r->diags, "a value that starts with `{` or `[` must be quoted");
        top->skip_value = top->node->refused = true;
        return;
    }
    if (str_eq(node->text, STR("<<"))) {
        diag_error(r->diags, node->at, "merge keys (`<<`) are not read");
        top->skip_value = top->node->refused = true;
        return;
    }
    void **place = map_put(&top->keys, node->text);
    if (*place != NULL) {
        diag_error(r->diags, node->at, "`%s` is here twice", diag_name(r->diags, node->text));
        diag_note(r->diags, ((struct node *)*place)->at, "first here");
        top->skip_value = top->node->refused = true;
        return;
    }
    *place = node;
}

/* A finished node goes to the one that is open. */
static void give(struct reader *r, struct node *node, uint64_t weight) {
    if (r->depth == 0) {
        r->root = node;
        return;
    }
    struct open *top = &r->stack[r->depth - 1];
    top->weight += weight;
    if (top->weight > NODES_MAX) {
        fail(r, node->at, "the aliases stand for far too many values");
        return;
    }
    if (top->node->kind == NODE_LIST) {
        *vec_push(&top->items) = node;
    } else if (top->key == NULL) {
        take_key(r, top, node);
    } else {
        if (!top->skip_value) {
            *vec_push(&top->items) = top->key;
            *vec_push(&top->items) = node;
        }
        top->key = NULL;
    }
}

static void name_anchor(struct reader *r, const yaml_char_t *anchor, struct node *node, uint64_t weight) {
    if (anchor == NULL)
        return;
    struct str name = arena_str(r->arena, str_of((const char *)anchor));
    struct anchor *a = arena_alloc(r->arena, sizeof *a);
    *a = (struct anchor){node, weight};
    *map_put(&r->anchors, name) = a;
}

static struct node *new_node(struct reader *r, enum node_kind kind, const yaml_event_t *e) {
    struct node *node = arena_alloc(r->arena, sizeof *node);
    node->kind = kind;
    node->start = move_to(r, &e->start_mark);
    node->at = at_mark(r, &e->start_mark, &e->end_mark);
    node->end = move_to(r, &e->end_mark);
    return node;
}

static void check_tag(struct reader *r, const yaml_char_t *tag, const struct node *node) {
    if (tag == NULL || strcmp((const char *)tag, "!") == 0)
        return;
    diag_error(r->diags, node->at, "tags (`!...`) are not read");
    diag_help(r->diags, "a value that starts with `!` must be quoted");
}

static void open_node(struct reader *r, struct node *node, const yaml_char_t *anchor) {
    if (r->depth == DEPTH_MAX) {
        fail(r, node->at, "nested too deeply");
        return;
    }
    /* An anchor's node can be named only when it is complete: one that contains itself would never end. */
    struct open *o = &r->stack[r->depth++];
    memset(o, 0, sizeof *o);
    o->node = node;
    o->weight = 1;
    if (anchor != NULL)
        node->text = arena_str(r->arena, str_of((const char *)anchor));
}

static void close_node(struct reader *r, const yaml_event_t *e) {
    struct open *o = &r->stack[--r->depth];
    struct node *node = o->node;
    node->items = arena_copy(r->arena, o->items.v, o->items.n * sizeof *o->items.v);
    node->n = o->items.n;
    node->end = move_to(r, &e->end_mark);
    uint64_t weight = o->weight;
    vec_free(&o->items);
    map_free(&o->keys);
    if (node->text.n != 0)
        name_anchor(r, (const yaml_char_t *)node->text.s, node, weight);
    node->text = (struct str){0};
    give(r, node, weight);
}

static void take_alias(struct reader *r, const yaml_event_t *e) {
    const struct anchor *a = map_get(&r->anchors, str_of((const char *)e->data.alias.anchor));
    struct place at = at_mark(r, &e->start_mark, &e->end_mark);
    if (a == NULL) {
        diag_error(r->diags, at, "`*%s` is an alias, and nothing has that name",
                   diag_name(r->diags, str_of((const char *)e->data.alias.anchor)));
        diag_help(r->diags, "a value that starts with `*` must be quoted");
        r->failed = true;
        return;
    }
    give(r, a->node, a->weight);
}

static void take_event(struct reader *r, const yaml_event_t *e) {
    struct node *node;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        node = new_node(r, NODE_SCALAR, e);
        node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text =
            arena_str(r->arena, (struct str){(const char *)e->data.scalar.value, e->data.scalar.length});
        check_tag(r, e->data.scalar.tag, node);
        if (memchr(node->text.s, '\0', node->text.n) != NULL)
            fail(r, node->at, "a NUL character");
        name_anchor(r, e->data.scalar.anchor, node, 1);
        give(r, node, 1);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = new_node(r, NODE_LIST, e);
        node->flow = e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        check_tag(r, e->data.sequence_start.tag, node);
        open_node(r, node, e->data.sequence_start.anchor);
        break;
    case YAML_MAPPING_START_EVENT:
        node = new_node(r, NODE_MAP, e);
        node->flow = e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        check_tag(r, e->data.mapping_start.tag, node);
        open_node(r, node, e->data.mapping_start.anchor);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(r, e);
        break;
    case YAML_ALIAS_EVENT:
        take_alias(r, e);
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (r->root != NULL)
            fail(r, at_mark(r, &e->start_mark, NULL), "a second document; only one is read");
        break;
    default:
        break;
    }
}

/* --- mistakes of syntax --- */

/* libyaml's words name its grammar; these say what to do. */
static void explain(struct reader *r, const yaml_parser_t *p, size_t offset) {
    char c = offset < r->source->text.n ? r->source->text.s[offset] : '\0';
    const char *problem = p->problem != NULL ? p->problem : "";
    if (c == '\t') {
        diag_help(r->diags, "YAML is indented with blanks, not with tabs");
    } else if (strchr("@`%", c) != NULL && c != '\0') {
        diag_help(r->diags, "a value that starts with `%c` must be quoted", c);
    } else if (strstr(problem, "mapping values are not allowed") != NULL) {
        diag_help(r->diags, "a value with `: ` in it must be quoted, or written as a block (`run: |`)");
    } else if (strstr(problem, "could not find expected ':'") != NULL) {
        diag_help(r->diags, "a key is followed by `: `, with a blank; or a line of a block is not indented enough");
    } else if (strstr(problem, "did not find expected key") != NULL ||
               strstr(problem, "did not find expected '-' indicator") != NULL) {
        diag_help(r->diags, "is the line indented like its neighbours? a value that goes on after a closing quote, `}` "
                            "or `]` must be quoted as a whole");
    } else if (strstr(problem, "or '}'") != NULL || strstr(problem, "or ']'") != NULL) {
        diag_help(r->diags, "a value that starts with `%c` must be quoted", strstr(problem, "'}'") != NULL ? '{' : '[');
    } else if (strstr(problem, "alphabetic or numeric") != NULL) {
        diag_help(r->diags, "a value that starts with `*` or `&` must be quoted");
    } else if (strstr(problem, "tag") != NULL) {
        diag_help(r->diags, "a value that starts with `!` must be quoted");
    }
}

static void report_syntax(struct reader *r, const yaml_parser_t *p) {
    yaml_mark_t mark = p->problem_mark;
    struct place at = at_mark(r, &mark, NULL);
    diag_error(r->diags, at, "%s", p->problem != NULL ? p->problem : "this is not YAML");
    if (p->context != NULL && p->context_mark.line != mark.line)
        diag_note(r->diags, at_mark(r, &p->context_mark, NULL), "%s", p->context);
    explain(r, p, move_to(r, &mark));
    r->failed = true;
}

struct node *nodes_read(struct arena *arena, const struct source *source, struct diags *diags) {
    struct reader *r = mem_zalloc(sizeof *r);
    *r = (struct reader){.arena = arena, .source = source, .diags = diags};
    if (source->text.n > (size_t)SIZE_MAX_MIB << 20) {
        diag_error(diags, (struct place){.source = source}, "larger than %d MiB", SIZE_MAX_MIB);
        free(r);
        return NULL;
    }
    if (!check_utf8(source, diags) || !check_nesting(source, diags)) {
        free(r);
        return NULL;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        mem_alloc(SIZE_MAX); /* out of memory is the only reason */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->text.s, source->text.n);
    if (str_starts(source->text, STR("\xef\xbb\xbf"))) /* a byte order mark: libyaml does not count it */
        r->cursor.bytes = r->cursor.line_start = 3;
    for (bool end = false; !end && !r->failed;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            report_syntax(r, &parser);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        take_event(r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    while (r->depth > 0) {
        r->depth--;
        vec_free(&r->stack[r->depth].items);
        map_free(&r->stack[r->depth].keys);
    }
    map_free(&r->anchors);
    struct node *root = r->failed ? NULL : r->root;
    if (root == NULL && !r->failed) {
        diag_error(diags, (struct place){source, 1, 1, 1}, "there is nothing in it");
        diag_help(diags, "a first step: `steps: {hello: {run: echo hello}}`");
    }
    free(r);
    return root;
}

struct node *node_get(const struct node *map, const char *key) {
    for (size_t i = 0; i + 1 < map->n; i += 2)
        if (str_eq(map->items[i]->text, str_of(key)))
            return map->items[i + 1];
    return NULL;
}

struct place node_place(const struct node *scalar, size_t offset, size_t length) {
    struct place at = scalar->at;
    struct str text = scalar->text, source = at.source->text;
    if (offset + 1 >= text.n)
        return at;
    const char *pair = text.s + offset;
    size_t before = 0;
    for (size_t i = 0; i < offset; i++)
        before += text.s[i] == pair[0] && text.s[i + 1] == pair[1];
    size_t line_start = scalar->start;
    while (line_start > 0 && source.s[line_start - 1] != '\n')
        line_start--;
    for (size_t i = scalar->start; i + 1 < source.n && i < scalar->end; i++) {
        if (source.s[i] == '\n') {
            at.line++;
            line_start = i + 1;
        } else if (source.s[i] == pair[0] && source.s[i + 1] == pair[1] && before-- == 0) {
            at.col = (uint32_t)(i - line_start) + 1;
            at.length = (uint32_t)length;
            return at;
        }
    }
    return scalar->at;
}
