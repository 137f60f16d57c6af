#include "read/nodes.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "read/syntax.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 64,
    /* An alias shares its node, so that a few lines can stand for billions of values: whoever walks
     * the tree would walk for ever. So many more may be met than are written. */
    ALIASED_MAX = 1000 * 1000,
    KEYS_COMPARED = 16,
};

struct open {
    struct node node;
    struct str anchor;
    VEC(struct node) items;
    struct map keys; /* of a map: the texts of its keys */
    uint64_t weight; /* of what is in it */
    struct node key; /* the last one, if its value comes next */
    bool has_key;
    bool skip_value; /* of a key that was refused */
};

struct anchor {
    struct node node;
    uint64_t weight;
};

struct reader {
    struct arena *nodes, *texts;
    const struct source *source;
    struct diags *diags;
    struct open stack[DEPTH_MAX];
    size_t depth;
    struct map anchors;
    struct node *root;
    uint64_t met; /* nodes so far */
    bool failed;
    uint32_t told_line; /* of a value that should be quoted: told, whatever the parser says of it */
    /* libyaml counts characters, and takes more for the end of a line than a newline; places count
     * bytes, and newlines. In most texts there is no difference. Else, since marks come nearly in
     * order, this goes along. */
    bool counts_alike;
    struct {
        size_t chars, bytes, line_start;
        uint32_t line;
    } cursor;
};

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

static size_t byte_of(struct reader *r, const yaml_mark_t *mark) {
    if (!r->counts_alike)
        return move_to(r, mark);
    return mark->index < r->source->text.n ? mark->index : r->source->text.n;
}

static struct place at_mark(struct reader *r, const yaml_mark_t *start, const yaml_mark_t *end) {
    size_t offset = byte_of(r, start);
    struct place p = {r->source, (uint32_t)start->line + 1, (uint32_t)start->column + 1, 1};
    /* The end of the text is a line of its own for libyaml. */
    if (!r->counts_alike || offset == r->source->text.n) {
        move_to(r, start);
        p.line = r->cursor.line + 1;
        p.col = (uint32_t)(offset - r->cursor.line_start) + 1;
    }
    if (end != NULL && end->line == start->line && end->index > start->index)
        p.length = (uint32_t)(byte_of(r, end) - offset);
    return p;
}

/* --- the tree --- */

const char *node_kind_name(const struct node *node) {
    static const char *const names[] = {"a text", "a list", "a map"};
    return node_is_nothing(node) ? "nothing" : names[node->kind];
}

bool node_is_nothing(const struct node *node) {
    struct str text = node->text;
    return node->kind == NODE_SCALAR && node->plain &&
           (text.n == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")));
}

static void fail(struct reader *r, struct place at, const char *what) {
    diag_error(r->diags, at, "%s", what);
    r->failed = true;
}

/* The earlier key of that text. Few keys are compared one by one; of many, the map holds which
 * they are, counted from 1. */
static const struct node *find_key(struct open *top, const struct node *key) {
    const struct node *items = top->items.v;
    if (top->items.n < 2 * KEYS_COMPARED) {
        for (size_t i = 0; i < top->items.n; i += 2)
            if (str_eq(items[i].text, key->text))
                return &items[i];
        return NULL;
    }
    for (size_t i = top->keys.n; i < top->items.n / 2; i++)
        *map_put(&top->keys, items[2 * i].text) = (void *)(uintptr_t)(i + 1);
    void **place = map_put(&top->keys, key->text);
    uintptr_t earlier = (uintptr_t)*place;
    if (earlier == 0)
        *place = (void *)(uintptr_t)(top->items.n / 2 + 1);
    return earlier != 0 ? &items[2 * (earlier - 1)] : NULL;
}

static void refuse_key(struct open *top) {
    top->skip_value = top->node.refused = true;
}

static void take_key(struct reader *r, struct open *top, const struct node *node) {
    top->key = *node;
    top->has_key = true;
    top->skip_value = false;
    if (node->kind != NODE_SCALAR) {
        const struct node *map = &top->node;
        if (map->flow && node->start == map->start + 1 && r->source->text.s[node->start] == '{') {
            diag_error(r->diags, node_at(map), "a value that starts with `{` must be quoted");
            syntax_help_quote(r->source, map->start, r->diags);
            r->told_line = map->line;
        } else {
            diag_error(r->diags, node_at(node), "a key must be a text, this is %s",
                       node_kind_name(node));
        }
        refuse_key(top);
        return;
    }
    if (str_eq(node->text, STR("<<"))) {
        diag_error(r->diags, node_at(node), "merge keys (`<<`) are not read");
        refuse_key(top);
        return;
    }
    const struct node *earlier = find_key(top, node);
    if (earlier != NULL) {
        diag_error(r->diags, node_at(node), "`%s` is here twice", diag_name(r->diags, node->text));
        diag_note(r->diags, node_at(earlier), "first here");
        refuse_key(top);
    }
}

/* A finished node goes to the one that is open. */
static void give(struct reader *r, const struct node *node, uint64_t weight) {
    if (r->depth == 0) {
        r->root = arena_copy(r->nodes, node, sizeof *node);
        return;
    }
    struct open *top = &r->stack[r->depth - 1];
    top->weight += weight;
    if (top->weight > r->met + ALIASED_MAX) {
        fail(r, node_at(node), "the aliases stand for too many values");
        return;
    }
    if (top->node.kind == NODE_LIST) {
        *vec_push(&top->items) = *node;
    } else if (!top->has_key) {
        take_key(r, top, node);
    } else {
        if (!top->skip_value) {
            *vec_push(&top->items) = top->key;
            *vec_push(&top->items) = *node;
        }
        top->has_key = false;
    }
}

static struct str copy_anchor(struct reader *r, const yaml_char_t *anchor) {
    return anchor != NULL ? arena_str(r->nodes, str_of((const char *)anchor)) : (struct str){0};
}

static void name_anchor(struct reader *r, struct str name, const struct node *node,
                        uint64_t weight) {
    if (name.n == 0)
        return;
    struct anchor *a = arena_alloc(r->nodes, sizeof *a);
    *a = (struct anchor){*node, weight};
    *map_put(&r->anchors, name) = a;
}

static struct node new_node(struct reader *r, enum node_kind kind, const yaml_event_t *e) {
    struct node node = {.source = r->source, .kind = kind};
    r->met++;
    struct place at = at_mark(r, &e->start_mark, &e->end_mark);
    node.line = at.line;
    node.col = at.col;
    node.length = at.length;
    node.start = (uint32_t)byte_of(r, &e->start_mark);
    node.end = (uint32_t)byte_of(r, &e->end_mark);
    return node;
}

/* The tag `!` alone is one that libyaml keeps for itself: `run: ! grep x` would lose it. */
static void check_tag(struct reader *r, const yaml_char_t *tag, const struct node *node) {
    struct str text = r->source->text;
    size_t i = node->start;
    if (i < text.n && text.s[i] == '&') {
        while (i < text.n && strchr(" \t\r\n", text.s[i]) == NULL)
            i++;
        while (i < text.n && strchr(" \t\r\n", text.s[i]) != NULL)
            i++;
    }
    if (tag == NULL && (i >= text.n || text.s[i] != '!'))
        return;
    diag_error(r->diags, node_at(node), "a value that starts with `!` must be quoted");
    syntax_help_quote(r->source, node->start, r->diags);
}

static void open_node(struct reader *r, const struct node *node, const yaml_char_t *anchor) {
    if (r->depth == DEPTH_MAX) {
        fail(r, node_at(node), "nested too deeply");
        return;
    }
    /* An anchor's node can be named only when it is complete: one that contains itself would never
     * end. */
    struct open *o = &r->stack[r->depth++];
    o->node = *node;
    o->anchor = copy_anchor(r, anchor);
    o->weight = 1;
    o->has_key = false;
}

static void close_node(struct reader *r, const yaml_event_t *e) {
    struct open *o = &r->stack[--r->depth];
    struct node *node = &o->node;
    node->items = arena_copy(r->nodes, o->items.v, o->items.n * sizeof *o->items.v);
    node->n = o->items.n;
    node->end = (uint32_t)byte_of(r, &e->end_mark);
    o->items.n = 0; /* the next one at this depth goes on with its memory */
    map_free(&o->keys);
    name_anchor(r, o->anchor, node, o->weight);
    give(r, node, o->weight);
}

static void take_alias(struct reader *r, const yaml_event_t *e) {
    const struct anchor *a = map_get(&r->anchors, str_of((const char *)e->data.alias.anchor));
    struct place at = at_mark(r, &e->start_mark, &e->end_mark);
    if (a == NULL) {
        const char *name = diag_name(r->diags, str_of((const char *)e->data.alias.anchor));
        diag_error(r->diags, at, "`*%s` is an alias of a value that is nowhere named `&%s`", name,
                   name);
        syntax_help_quote(r->source, byte_of(r, &e->start_mark), r->diags);
        r->failed = true;
        return;
    }
    give(r, &a->node, a->weight);
}

static void take_scalar(struct reader *r, const yaml_event_t *e) {
    yaml_scalar_style_t style = e->data.scalar.style;
    struct node node = new_node(r, NODE_SCALAR, e);
    node.plain = style == YAML_PLAIN_SCALAR_STYLE;
    node.block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    node.text = arena_str(r->texts,
                          (struct str){(const char *)e->data.scalar.value, e->data.scalar.length});
    check_tag(r, e->data.scalar.tag, &node);
    if (memchr(node.text.s, '\0', node.text.n) != NULL)
        fail(r, node_at(&node), "a NUL character");
    name_anchor(r, copy_anchor(r, e->data.scalar.anchor), &node, 1);
    give(r, &node, 1);
}

static void take_event(struct reader *r, const yaml_event_t *e) {
    struct node node;
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        take_scalar(r, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = new_node(r, NODE_LIST, e);
        node.flow = e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        check_tag(r, e->data.sequence_start.tag, &node);
        open_node(r, &node, e->data.sequence_start.anchor);
        break;
    case YAML_MAPPING_START_EVENT:
        node = new_node(r, NODE_MAP, e);
        node.flow = e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        check_tag(r, e->data.mapping_start.tag, &node);
        open_node(r, &node, e->data.mapping_start.anchor);
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

static void report_syntax(struct reader *r, const yaml_parser_t *p) {
    yaml_mark_t at = p->problem_mark, context = p->context_mark;
    struct syntax_problem problem = {
        .text = p->problem != NULL ? p->problem : "this is not YAML",
        .at = byte_of(r, &at),
        .context = p->context != NULL ? byte_of(r, &context) : SIZE_MAX,
    };
    r->failed = true;
    if (r->told_line != at.line + 1)
        syntax_report(r->source, &problem, r->diags);
}

struct node *nodes_read(struct arena *nodes, struct arena *texts, const struct source *source,
                        struct diags *diags) {
    bool simple;
    if (!syntax_check_text(source, &simple, diags))
        return NULL;
    struct reader *r = mem_zalloc(sizeof *r);
    *r = (struct reader){
        .nodes = nodes, .texts = texts, .source = source, .diags = diags, .counts_alike = simple};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        mem_alloc(SIZE_MAX); /* out of memory is the only reason */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    struct str text = source->text.n != 0 ? source->text : STR("");
    if (str_starts(text,
                   STR("\xef\xbb\xbf"))) { /* a byte order mark; libyaml takes it for a column */
        text = (struct str){text.s + 3, text.n - 3};
        r->cursor.bytes = r->cursor.line_start = 3;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.s, text.n);
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
    for (size_t i = 0; i < DEPTH_MAX; i++) {
        vec_free(&r->stack[i].items);
        map_free(&r->stack[i].keys);
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

const struct node *node_get(const struct node *map, const char *key) {
    for (size_t i = 0; map->kind == NODE_MAP && i + 1 < map->n; i += 2)
        if (str_eq(map->items[i].text, str_of(key)))
            return &map->items[i + 1];
    return NULL;
}

static bool starts_at(struct str text, size_t i, const char *pair) {
    return i + 1 < text.n && text.s[i] == pair[0] && text.s[i + 1] == pair[1];
}

void node_finder_init(struct node_finder *f, const struct node *scalar) {
    struct str source = scalar->source->text;
    *f = (struct node_finder){.scalar = scalar, .source = scalar->start, .line = scalar->line};
    f->line_start = scalar->start - (scalar->col - 1);
    size_t start = scalar->start + !scalar->plain;
    f->same = !scalar->block && start + scalar->text.n <= scalar->end &&
              memcmp(source.s + start, scalar->text.s, scalar->text.n) == 0 &&
              memchr(scalar->text.s, '\n', scalar->text.n) == NULL;
    /* What stands behind `|` is a comment. */
    while (scalar->block && f->source < scalar->end && source.s[f->source] != '\n')
        f->source++;
}

struct place node_find(struct node_finder *f, size_t offset, size_t length) {
    struct place at = node_at(f->scalar);
    struct str text = f->scalar->text, source = at.source->text;
    if (f->same) {
        at.col += (uint32_t)offset + !f->scalar->plain;
        at.length = (uint32_t)length;
        return at;
    }
    if (!starts_at(text, offset, "{{"))
        return at;
    if (offset < f->text)
        node_finder_init(f, f->scalar);
    for (; f->text <= offset; f->text++) {
        if (!starts_at(text, f->text, "{{"))
            continue;
        while (f->source < f->scalar->end && !starts_at(source, f->source, "{{"))
            if (source.s[f->source++] == '\n') {
                f->line++;
                f->line_start = f->source;
            }
        if (f->source >= f->scalar->end)
            return at;
        if (f->text < offset)
            f->source++;
    }
    at.line = f->line;
    at.col = (uint32_t)(f->source++ - f->line_start) + 1;
    at.length = (uint32_t)length;
    return at;
}
