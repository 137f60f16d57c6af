#include "read/yaml.h"

#include "read/reader.h"
#include "read/schema.h"

enum { TEXTS_MAX = 2 * 1000 * 1000, BYTES_MAX = 256 * 1024 * 1024 };

static void later(void *context, const struct node *value) {
    (void)context;
    (void)value;
}

static const struct key top_keys[] = {
    {"include", later, KEY_TEXT | KEY_LIST},
    {"hosts", later, KEY_MAP},
    {"vars", later, KEY_MAP},
    {"limits", later, KEY_MAP},
    {"defaults", later, KEY_MAP},
    {"steps", later, KEY_MAP},
};
const struct key_table schema_top = {top_keys, sizeof top_keys / sizeof *top_keys};

/* The keys may stand in any order; they are read in one in which each knows what it may name. */
static void read_all(struct reader *r) {
    bool steps = false, good = true;
    size_t errors = r->diags->errors;
    for (size_t i = 0; i < r->documents.n; i++) {
        const struct node *root = r->documents.v[i]->root;
        good = read_keys(root, "the file", schema_top.keys, schema_top.n, r, r->diags) && good;
        steps = steps || root->refused || node_get(root, "steps") != NULL;
    }
    if (!good)
        return;
    if (!steps && errors == r->diags->errors)
        diag_error(r->diags, node_at(r->documents.v[r->documents.n - 1]->root),
                   "there are no `steps`");
    read_hosts(r);
    read_variables(r);
    read_limits(r);
    read_steps(r);
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

/* What nobody asks for was most likely meant for something else. */
static void check_assignments(struct reader *r) {
    const struct graph *g = r->graph;
    str_list names = {0};
    for (size_t i = 0; i < g->variables.n; i++)
        if (g->variables.v[i]->at.line != 0)
            *vec_push(&names) = g->variables.v[i]->name;
    for (size_t i = 0; i < g->variables.n; i++) {
        const struct variable *v = g->variables.v[i];
        if (v->at.line != 0 || v->used)
            continue;
        diag_error(r->diags, (struct place){0}, "`%s` has a value here, and nothing uses it",
                   diag_name(r->diags, v->name));
        help_meant(r->diags, v->name, names.v, names.n);
    }
    vec_free(&names);
}

static void forget_reading(struct reader *r) {
    arena_free(&r->nodes);
    vec_free(&r->documents);
    vec_free(&r->rule_names);
    map_free(&r->told);
}

bool yaml_read_hosts(const struct source *source, struct graph *graph, struct diags *diags) {
    size_t errors = diags->errors;
    struct reader r = {.graph = graph, .diags = diags};
    if (read_documents(&r, source))
        read_hosts(&r);
    forget_reading(&r);
    return errors == diags->errors;
}

bool yaml_read(const struct source *source, const struct assignment *assignments,
               size_t n_assignments, struct graph *graph, struct diags *diags) {
    size_t errors = diags->errors;
    struct reader *r = arena_alloc(&graph->arena, sizeof *r); /* it may grow the graph later */
    *r = (struct reader){
        .graph = graph, .diags = diags, .texts_left = TEXTS_MAX, .bytes_left = BYTES_MAX};
    for (size_t i = 0; i < n_assignments; i++)
        assign(r, &assignments[i]);
    if (read_documents(r, source))
        read_all(r);
    if (errors == diags->errors)
        check_assignments(r);
    if (graph->growth == NULL)
        forget_reading(r);
    return errors == diags->errors;
}
