#include "read/yaml.h"

#include "read/keys.h"
#include "read/reader.h"

enum { TEXTS_MAX = 2 * 1000 * 1000, BYTES_MAX = 256 * 1024 * 1024 };

/* In the order in which they are read: they may stand in any. */
static const struct key top_keys[] = {
    {"hosts", read_hosts}, {"vars", read_variables}, {"steps", read_steps}};
enum { TOP_KEYS = sizeof top_keys / sizeof *top_keys };

static void later(void *context, const struct node *value) {
    (void)context;
    (void)value;
}

static void read_top(struct reader *r, const struct node *root) {
    struct key names[TOP_KEYS];
    size_t errors = r->diags->errors;
    for (size_t i = 0; i < TOP_KEYS; i++)
        names[i] = (struct key){top_keys[i].name, later};
    if (!read_keys(root, "the file", names, TOP_KEYS, r, r->diags))
        return;
    if (node_get(root, "steps") == NULL && errors == r->diags->errors && !root->refused)
        diag_error(r->diags, root->at, "there are no `steps`");
    for (size_t i = 0; i < TOP_KEYS; i++) {
        const struct node *value = node_get(root, top_keys[i].name);
        if (value != NULL)
            top_keys[i].read(r, value);
    }
}

static void assign(struct reader *r, const struct assignment *a) {
    struct graph *g = r->graph;
    if (is_reserved(a->name))
        diag_error(r->diags, (struct place){0},
                   "`%s` has a meaning of its own, no variable is called so",
                   diag_name(r->diags, a->name));
    struct variable *v = map_get(&g->variable_names, a->name); /* the last one counts */
    if (v == NULL) {
        v = arena_alloc(&g->arena, sizeof *v);
        *v = (struct variable){.name = a->name};
        *vec_push(&g->variables) = v;
        *map_put(&g->variable_names, a->name) = v;
    }
    v->v = arena_copy(&g->arena, &a->value, sizeof a->value);
    v->n = 1;
}

bool yaml_read(const struct source *source, const struct assignment *assignments,
               size_t n_assignments, struct graph *graph, struct diags *diags) {
    struct reader r = {
        .graph = graph, .diags = diags, .texts_left = TEXTS_MAX, .bytes_left = BYTES_MAX};
    size_t errors = diags->errors;
    struct node *root = nodes_read(&graph->arena, source, diags);
    if (root == NULL)
        return false;
    for (size_t i = 0; i < n_assignments; i++)
        assign(&r, &assignments[i]);
    read_top(&r, root);
    graph_link(graph, diags);
    vec_free(&r.rule_names);
    return errors == diags->errors;
}
