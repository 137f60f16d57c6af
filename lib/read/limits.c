/* The key `limits`: names for how many steps may run at once. */
#include "read/keys.h"
#include "read/reader.h"

enum { LIMIT_MAX = 1000 * 1000 };

static void read_limit(struct reader *r, const struct node *key, const struct node *value) {
    struct graph *g = r->graph;
    uint32_t n;
    if (!is_identifier(key->text, "-.")) {
        diag_error(r->diags, node_at(key),
                   "a limit's name is made of letters, digits, `_`, `-` and `.`, not `%s`",
                   diag_name(r->diags, key->text));
        return;
    }
    const struct limit *known = map_get(&g->limit_names, key->text);
    if (known != NULL) {
        diag_error(r->diags, node_at(key), "there is a limit `%s` already",
                   diag_name(r->diags, key->text));
        diag_note(r->diags, known->at, "the other one");
        return;
    }
    if (!want_number(value, "a limit", 1, LIMIT_MAX, &n, r->diags))
        n = 1; /* told; steps may name it */
    struct limit *limit = arena_alloc(&g->arena, sizeof *limit);
    *limit =
        (struct limit){.id = (uint32_t)g->limits.n, .name = key->text, .at = node_at(key), .n = n};
    *vec_push(&g->limits) = limit;
    *map_put(&g->limit_names, key->text) = limit;
}

void read_limits(struct reader *r) {
    for (size_t i = 0; i < r->documents.n; i++) {
        const struct node *value = node_get(r->documents.v[i]->root, "limits");
        if (value == NULL)
            continue;
        if (!want_map(value, "`limits`", r->diags)) {
            diag_help(r->diags, "from names to numbers: `limits: {database: 2}`");
            continue;
        }
        for (size_t k = 0; k + 1 < value->n; k += 2)
            read_limit(r, &value->items[k], &value->items[k + 1]);
    }
}
