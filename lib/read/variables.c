/* The key `vars`: names for texts and lists of texts, which may use one another in any order. */
#include "read/keys.h"
#include "read/reader.h"

#include <string.h>

enum { PATH_SHOWN = 20 };

struct draft_variable {
    struct variable *variable;
    VEC(const struct node *) nodes;
    VEC(struct template) texts;
    size_t text, piece; /* the next reference, while its value is found */
    bool open, done, broken;
};

struct variables {
    struct reader *reader;
    VEC(struct draft_variable *) drafts;
    struct map names; /* of drafts */
    VEC(struct draft_variable *) stack;
};

static void take_text(void *context, const struct node *scalar) {
    struct draft_variable *d = context;
    *vec_push(&d->nodes) = scalar;
}

static void read_variable(struct variables *all, const struct node *key, const struct node *value) {
    struct reader *r = all->reader;
    struct graph *g = r->graph;
    const char *name = diag_name(r->diags, key->text);
    if (is_reserved(key->text)) {
        diag_error(r->diags, node_at(key),
                   "`%s` has a meaning of its own, no variable is called so", name);
        return;
    }
    if (!is_identifier(key->text, "-")) {
        diag_error(r->diags, node_at(key),
                   "a variable's name is made of letters, digits, `_` and `-`, not `%s`", name);
        return;
    }
    struct variable *known = map_get(&g->variable_names, key->text);
    if (known != NULL) {
        /* Given on the command line: its value wins, its kind stays. Given by a file that includes
         * this one: so it is. */
        if (known->at.line == 0)
            known->list = value->kind == NODE_LIST;
        known->used = true;
        return;
    }
    struct draft_variable *d = arena_alloc(&g->arena, sizeof *d);
    d->variable = arena_alloc(&g->arena, sizeof *d->variable);
    *d->variable =
        (struct variable){.name = key->text, .at = node_at(key), .list = value->kind == NODE_LIST};
    *vec_push(&g->variables) = d->variable;
    *map_put(&g->variable_names, key->text) = d->variable;
    *vec_push(&all->drafts) = d;
    *map_put(&all->names, key->text) = d;
    d->broken = !want_texts(value, "a variable", r->diags, take_text, d);
    for (size_t i = 0; i < d->nodes.n; i++)
        *vec_push(&d->texts) = parse_text(r, d->nodes.v[i]);
}

/* The next variable that this one uses, and where; NULL if there is none left. */
static struct draft_variable *next_use(struct variables *all, struct draft_variable *d,
                                       struct place *at) {
    for (; d->text < d->texts.n; d->text++, d->piece = 0)
        while (d->piece < d->texts.v[d->text].n) {
            const struct reference *p = d->texts.v[d->text].v[d->piece++].reference;
            if (p == NULL)
                continue;
            struct draft_variable *other = p->part.n == 0 ? map_get(&all->names, p->word) : NULL;
            *at = p->at;
            if (other != NULL)
                return other;
        }
    return NULL;
}

static void find_value(struct variables *all, struct draft_variable *d) {
    struct reader *r = all->reader;
    struct scope scope = {.graph = r->graph, .arena = &r->graph->arena};
    str_list values = {0};
    for (size_t i = 0; i < d->texts.n; i++) {
        if (!check_references(r, NULL, &d->texts.v[i], 0))
            d->broken = true;
        if (!d->broken)
            expand_texts(r, &d->texts.v[i], node_at(d->nodes.v[i]), &scope, false, &r->graph->arena,
                         &values);
    }
    d->variable->v = arena_copy(&r->graph->arena, values.v, values.n * sizeof *values.v);
    d->variable->n = values.n;
    vec_free(&values);
}

static void report_loop(struct variables *all, const struct draft_variable *back, struct place at) {
    struct diags *diags = all->reader->diags;
    struct buf path = {0};
    size_t i = all->stack.n, n;
    while (all->stack.v[i - 1] != back)
        i--;
    n = all->stack.n - --i;
    for (size_t end = i + (n < PATH_SHOWN ? n : PATH_SHOWN); i < end; i++)
        buf_printf(&path, "%s -> ", diag_name(diags, all->stack.v[i]->variable->name));
    if (n > PATH_SHOWN)
        buf_puts(&path, "... -> ");
    buf_puts(&path, diag_name(diags, back->variable->name));
    diag_error(diags, at, "the value of `%s` depends on itself: %s",
               diag_name(diags, back->variable->name), path.s);
    buf_free(&path);
}

/* Finds the values of variables after those of the ones they use. */
static void settle(struct variables *all, struct draft_variable *first) {
    if (!first->done)
        *vec_push(&all->stack) = first;
    while (all->stack.n != 0) {
        struct draft_variable *d = all->stack.v[all->stack.n - 1];
        struct place at;
        struct draft_variable *other = next_use(all, d, &at);
        d->open = true;
        if (other == NULL) {
            find_value(all, d);
            d->open = false;
            d->done = true;
            all->stack.n--;
        } else if (other->open) {
            report_loop(all, other, at);
            d->broken = true;
        } else if (!other->done) {
            *vec_push(&all->stack) = other;
        }
    }
}

void read_variables(struct reader *r) {
    struct variables all = {.reader = r};
    /* What a file says wins over what it includes. */
    for (size_t d = r->documents.n; d-- > 0;) {
        const struct node *value = node_get(r->documents.v[d]->root, "vars");
        if (value == NULL || !want_map(value, "`vars`", r->diags))
            continue;
        for (size_t i = 0; i + 1 < value->n; i += 2)
            read_variable(&all, &value->items[i], &value->items[i + 1]);
    }
    for (size_t i = 0; i < all.drafts.n; i++)
        settle(&all, all.drafts.v[i]);
    for (size_t i = 0; i < all.drafts.n; i++) {
        vec_free(&all.drafts.v[i]->nodes);
        vec_free(&all.drafts.v[i]->texts);
    }
    vec_free(&all.drafts);
    vec_free(&all.stack);
    map_free(&all.names);
}
