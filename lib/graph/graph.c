#include "graph/graph.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void graph_init(struct graph *g) {
    *g = (struct graph){.uses = mem_zalloc(sizeof *g->uses)};
}

void graph_free(struct graph *g) {
    struct map *maps[] = {&g->host_names, &g->pool_names, &g->variable_names, &g->rule_names,
                          &g->step_names, &g->file_names, &g->limit_names,    &g->pattern_prefixes};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        map_free(maps[i]);
    if (g->growth != NULL)
        g->growth->free(g->growth);
    uses_free(g->uses);
    free(g->uses);
    vec_free(&g->hosts);
    vec_free(&g->pools);
    vec_free(&g->limits);
    vec_free(&g->variables);
    vec_free(&g->rules);
    vec_free(&g->steps);
    vec_free(&g->files);
    arena_free(&g->arena);
}

struct pool *graph_host_pool(struct graph *g, struct host *host) {
    if (host->alone != NULL)
        return host->alone;
    struct pool *pool = arena_alloc(&g->arena, sizeof *pool);
    *pool = (struct pool){.id = (uint32_t)g->pools.n, .name = host->name, .n_hosts = 1};
    pool->hosts = arena_copy(&g->arena, &host, sizeof host);
    *vec_push(&g->pools) = pool;
    host->alone = pool;
    return pool;
}

/* One file has one name here: "./a//b/../c" is "a/c". ".." that leads out of the directory stays.
 */
static void normalise(struct str name, struct buf *out) {
    bool absolute = name.n != 0 && name.s[0] == '/';
    size_t floor = absolute ? 1 : 0; /* ".." does not climb below this */
    if (absolute)
        buf_putc(out, '/');
    struct str part;
    for (size_t at = 0; str_component(name, &at, &part);) {
        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR(".."))) {
            if (out->n > floor) {
                const char *last = bytes_last(out->s, '/', out->n);
                size_t keep = last != NULL ? (size_t)(last - out->s) : 0;
                out->n = keep > floor ? keep : floor;
                out->s[out->n] = '\0';
                continue;
            }
            if (absolute)
                continue;
        }
        if (out->n != 0 && out->s[out->n - 1] != '/')
            buf_putc(out, '/');
        buf_str(out, part);
        if (!absolute && str_eq(part, STR("..")))
            floor = out->n;
    }
    if (out->n == 0)
        buf_putc(out, '.');
}

/* Most names are as they should be, and need no copy to be looked up. */
static bool is_normal(struct str name) {
    if (name.n == 0 || name.s[name.n - 1] == '/' || name.s[0] == '.')
        return false;
    for (size_t i = 0; i + 1 < name.n; i++)
        if (name.s[i] == '/' && (name.s[i + 1] == '/' || name.s[i + 1] == '.'))
            return false;
    return true;
}

struct file *graph_find_file(const struct graph *g, struct str name) {
    if (is_normal(name))
        return map_get(&g->file_names, name);
    struct buf b = {0};
    normalise(name, &b);
    struct file *f = map_get(&g->file_names, buf_view(&b));
    buf_free(&b);
    return f;
}

struct file *graph_file(struct graph *g, struct str name) {
    struct buf b = {0};
    if (!is_normal(name)) {
        normalise(name, &b);
        name = buf_view(&b);
    }
    struct map_entry *entry = map_at(&g->file_names, name);
    struct file *f = entry->value;
    if (f == NULL) {
        f = arena_alloc(&g->arena, sizeof *f);
        f->id = (uint32_t)g->files.n;
        f->name = arena_str(&g->arena, name);
        *vec_push(&g->files) = f;
        *entry = (struct map_entry){f->name, f};
    }
    buf_free(&b);
    return f;
}

bool graph_settle(struct graph *g, struct step *step, const struct str *names, size_t n,
                  struct buf *reason) {
    struct file **out = arena_alloc(&g->arena, (step->n_out + n) * sizeof *out);
    size_t n_out = 0;
    for (; n_out < step->n_out; n_out++)
        out[n_out] = step->out[n_out];
    for (size_t i = 0; i < n; i++) {
        struct file *f = graph_file(g, names[i]);
        if (f->maker != NULL && f->maker != step) {
            buf_puts(reason, "it made ");
            buf_visible(reason, f->name);
            buf_puts(reason, ", which is made by ");
            buf_visible(reason, f->maker->name);
            return false;
        }
        bool known = false;
        for (size_t k = 0; k < step->n_out && !known; k++)
            known = step->out[k] == f;
        if (!known)
            out[n_out++] = f;
    }
    for (size_t i = step->n_out; i < n_out; i++)
        out[i]->maker = step;
    step->out = out;
    step->n_out = (uint32_t)n_out;
    return true;
}

void graph_step_over(struct graph *g, struct step *step, int status, struct str output) {
    while (output.n != 0 && output.s[output.n - 1] == '\n')
        output.n--;
    step->over = true;
    step->status = status;
    step->stdout_text = arena_str(&g->arena, output);
}

struct step *graph_add_step(struct graph *g, struct rule *rule, struct str item, bool item_file) {
    struct step *step = arena_alloc(&g->arena, sizeof *step);
    *step = (struct step){
        .id = (uint32_t)g->steps.n, .rule = rule, .item = item, .item_file = item_file};
    const struct str parts[] = {rule->name, STR("["), item, STR("]")};
    step->name = item.s != NULL ? arena_join(&g->arena, parts, 4) : rule->name;
    *vec_push(&g->steps) = step;
    return step;
}

struct rule *graph_add_rule(struct graph *g, struct str name, struct template script) {
    struct rule *rule = arena_alloc(&g->arena, sizeof *rule);
    *rule = (struct rule){
        .id = (uint32_t)g->rules.n, .name = name, .script = script, .script_at = {.line = 1}};
    *vec_push(&g->rules) = rule;
    *map_put(&g->rule_names, name) = rule;
    return rule;
}

void graph_rule_done(struct graph *g, struct rule *rule, size_t first) {
    rule->n_steps = (uint32_t)(g->steps.n - first);
    rule->steps = arena_copy(&g->arena, g->steps.v + first, rule->n_steps * sizeof *g->steps.v);
}
