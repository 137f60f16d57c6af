#include "view/drawing.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>

/* A step, or what stands for all steps of a rule where others need them all; with --rules a rule.
 */
struct node {
    struct str name;
    const struct rule *rule;
    const struct step *step; /* NULL: a rule */
    uint32_t *needs;         /* indices of nodes */
    uint8_t *when;
    size_t n_needs;
    bool needed;
};

struct drawing {
    const struct plan *plan;
    const struct drawing_options *options;
    FILE *out;
    VEC(struct node) nodes;
    uint32_t *of_step; /* by step id; UINT32_MAX: none */
    uint32_t *of_rule;
};

typedef VEC(uint32_t) index_list;

/* --- nodes and edges --- */

static bool is_stand_in(const struct step *step) {
    return step->rule->id == UINT32_MAX;
}

static uint32_t add_node(struct drawing *d, struct str name, const struct rule *rule,
                         const struct step *step) {
    *vec_push(&d->nodes) = (struct node){.name = name, .rule = rule, .step = step};
    return (uint32_t)d->nodes.n - 1;
}

static uint32_t node_of(const struct drawing *d, const struct step *step) {
    return d->options->rules && !is_stand_in(step) ? d->of_rule[step->rule->id]
                                                   : d->of_step[step->id];
}

struct edges {
    struct drawing *d;
    index_list to;
    VEC(uint8_t) when;
    uint32_t *seen;    /* by node: 1 + the node whose edges these are */
    uint32_t *through; /* likewise by step, of stand-ins */
    uint32_t from;
};

static void add_edge(struct edges *e, uint32_t to, uint8_t when) {
    if (to == UINT32_MAX || to == e->from || e->seen[to] == e->from + 1)
        return;
    e->seen[to] = e->from + 1;
    *vec_push(&e->to) = to;
    *vec_push(&e->when) = when;
    e->d->nodes.v[to].needed = true;
}

/* With --rules stand-ins are looked through; they may need stand-ins. */
static void add_needs(struct edges *e, const struct step *step) {
    VEC(const struct step *) through = {0};
    *vec_push(&through) = step;
    for (size_t i = 0; i < through.n; i++)
        for (size_t k = 0; k < through.v[i]->n_needs; k++) {
            const struct step *need = through.v[i]->needs[k];
            if (!is_stand_in(need) || !e->d->options->rules) {
                add_edge(e, node_of(e->d, need),
                         through.v[i]->when != NULL ? through.v[i]->when[k] : WHEN_SUCCESS);
            } else if (e->through[need->id] != e->from + 1) {
                e->through[need->id] = e->from + 1;
                *vec_push(&through) = need;
            }
        }
    vec_free(&through);
}

static void collect(struct drawing *d) {
    const struct graph *g = d->plan->graph;
    d->of_step = mem_array(NULL, g->steps.n + 1, sizeof *d->of_step);
    d->of_rule = mem_array(NULL, g->rules.n + 1, sizeof *d->of_rule);
    for (size_t i = 0; i < g->steps.n; i++)
        d->of_step[i] = UINT32_MAX;
    for (size_t i = 0; i < g->rules.n; i++)
        d->of_rule[i] = UINT32_MAX;
    for (size_t i = 0; i < d->plan->steps.n; i++) {
        const struct step *step = d->plan->steps.v[i];
        if (is_stand_in(step) && d->options->rules)
            continue;
        if (!d->options->rules)
            d->of_step[step->id] = add_node(d, step->name, step->rule, step);
        else if (d->of_rule[step->rule->id] == UINT32_MAX)
            d->of_rule[step->rule->id] = add_node(d, step->rule->name, step->rule, NULL);
    }
    /* Rules whose steps are not known yet stand for themselves. */
    for (size_t i = 0; i < d->plan->late.n; i++) {
        const struct rule *rule = d->plan->late.v[i];
        d->of_rule[rule->id] = add_node(d, rule->name, rule, NULL);
    }
}

static void connect(struct drawing *d) {
    struct edges e = {.d = d};
    e.seen = mem_zalloc((d->nodes.n + 1) * sizeof *e.seen);
    e.through = mem_zalloc((d->plan->graph->steps.n + 1) * sizeof *e.through);
    for (uint32_t i = 0; i < d->nodes.n; i++) {
        struct node *node = &d->nodes.v[i];
        e.from = i;
        e.to.n = e.when.n = 0;
        if (node->step != NULL)
            add_needs(&e, node->step);
        for (size_t k = 0; node->step == NULL && k < node->rule->n_steps; k++)
            add_needs(&e, node->rule->steps[k]);
        for (size_t k = 0; node->rule->n_steps == 0 && k < node->rule->n_refs; k++) {
            const struct rule *to = node->rule->refs[k];
            if (d->of_rule[to->id] != UINT32_MAX)
                add_edge(&e, d->of_rule[to->id], WHEN_SUCCESS);
            for (size_t s = 0; !d->options->rules && s < to->n_steps; s++)
                add_edge(&e, d->of_step[to->steps[s]->id], WHEN_SUCCESS);
        }
        node->n_needs = e.to.n;
        node->needs = mem_array(NULL, e.to.n + 1, sizeof *node->needs);
        node->when = mem_array(NULL, e.to.n + 1, sizeof *node->when);
        for (size_t k = 0; k < e.to.n; k++) {
            node->needs[k] = e.to.v[k];
            node->when[k] = e.when.v[k];
        }
    }
    free(e.seen);
    free(e.through);
    vec_free(&e.to);
    vec_free(&e.when);
}

/* --- what stands in a node --- */

static const struct pool *pool_of(const struct node *node) {
    if (node->step != NULL)
        return node->step->pool;
    if (node->rule->every != NULL)
        return node->rule->every;
    return node->rule->n_steps != 0 ? node->rule->steps[0]->pool : NULL;
}

static bool is_late(const struct node *node) {
    return node->rule->late && node->rule->n_steps == 0;
}

/* "count on farm", "count x 12", "count (known only while it runs)": what people see. */
static void add_title(const struct node *node, struct buf *out) {
    const struct pool *pool = pool_of(node);
    buf_visible(out, node->name);
    if (node->step != NULL && is_stand_in(node->step))
        buf_puts(out, " (all)");
    if (node->step == NULL && node->rule->n_steps > 1)
        buf_printf(out, " x %u", node->rule->n_steps);
    if (pool != NULL) {
        buf_puts(out, " on ");
        buf_visible(out, pool->name);
    }
    if (is_late(node))
        buf_puts(out, " (known only while it runs)");
}

static void write_buf(struct drawing *d, struct buf *b) {
    fwrite(b->s != NULL ? b->s : "", 1, b->n, d->out);
    buf_clear(b);
}

static const char *when_name(uint8_t when) {
    return when == WHEN_FAILURE ? "failure" : when == WHEN_ALWAYS ? "always" : "success";
}

/* --- tree --- */

/* A node that is being printed, and which of its needs comes next. */
struct branch {
    uint32_t node;
    size_t next;
};

static void print_line(struct drawing *d, const struct branch *path, size_t depth, bool again,
                       uint8_t when, struct buf *line) {
    const struct node *node = &d->nodes.v[path[depth].node];
    bool ascii = d->options->ascii;
    enum { INDENT_MAX = 60 }; /* a chain of a thousand steps is no picture any more */
    size_t first = depth > INDENT_MAX ? depth - INDENT_MAX : 0;
    if (first != 0)
        buf_printf(line, "%zu%s", first, ascii ? ">" : "»");
    for (size_t i = first; i < depth; i++) {
        bool more = path[i].next < d->nodes.v[path[i].node].n_needs;
        const char *part = i + 1 == depth
                               ? (more ? (ascii ? "|-- " : "├── ") : (ascii ? "`-- " : "└── "))
                               : (more ? (ascii ? "|   " : "│   ") : "    ");
        buf_puts(line, part);
    }
    add_title(node, line);
    if (when != WHEN_SUCCESS)
        buf_printf(line, " [%s]", when_name(when));
    if (again && node->n_needs != 0)
        buf_puts(line, " (*)");
    for (size_t i = 0; !again && node->step != NULL && i < node->step->n_out && i < 4; i++) {
        buf_puts(line, i == 0 ? " -> " : ", ");
        if (i == 3 && node->step->n_out > 4)
            buf_puts(line, "...");
        else
            buf_visible(line, node->step->out[i]->name);
    }
    buf_putc(line, '\n');
    write_buf(d, line);
}

static void print_tree(struct drawing *d) {
    bool *done = mem_zalloc(d->nodes.n + 1);
    VEC(struct branch) path = {0};
    struct buf line = {0};
    for (uint32_t root = 0; root < d->nodes.n; root++) {
        if (d->nodes.v[root].needed)
            continue;
        path.n = 0;
        *vec_push(&path) = (struct branch){.node = root};
        print_line(d, path.v, 0, false, WHEN_SUCCESS, &line);
        done[root] = true;
        while (path.n != 0) {
            struct branch *top = &path.v[path.n - 1];
            const struct node *node = &d->nodes.v[top->node];
            if (top->next == node->n_needs) {
                path.n--;
                continue;
            }
            uint8_t when = node->when[top->next];
            uint32_t need = node->needs[top->next++];
            bool again = done[need];
            *vec_push(&path) = (struct branch){.node = need};
            print_line(d, path.v, path.n - 1, again, when, &line);
            if (again)
                path.n--;
            done[need] = true;
        }
    }
    buf_free(&line);
    vec_free(&path);
    free(done);
}

/* --- dot --- */

static void add_quoted(struct buf *out, struct str text) {
    buf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.s[i] == '"' || text.s[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, text.s[i]);
    }
    buf_putc(out, '"');
}

static void print_dot(struct drawing *d) {
    struct buf line = {0}, title = {0};
    fputs("digraph foray {\n    rankdir=LR\n    node [shape=box, style=rounded]\n", d->out);
    for (size_t i = 0; i < d->nodes.n; i++) {
        buf_clear(&title);
        add_title(&d->nodes.v[i], &title);
        buf_printf(&line, "    s%zu [label=", i);
        add_quoted(&line, buf_view(&title));
        buf_puts(&line, is_late(&d->nodes.v[i]) ? ", style=\"rounded,dashed\"]\n" : "]\n");
        write_buf(d, &line);
    }
    for (size_t i = 0; i < d->nodes.n; i++)
        for (size_t k = 0; k < d->nodes.v[i].n_needs; k++) {
            uint8_t when = d->nodes.v[i].when[k];
            buf_printf(&line, "    s%u -> s%zu", (unsigned)d->nodes.v[i].needs[k], i);
            if (when != WHEN_SUCCESS)
                buf_printf(&line, " [style=%s, label=\"%s\"]",
                           when == WHEN_FAILURE ? "dashed" : "dotted", when_name(when));
            buf_putc(&line, '\n');
            write_buf(d, &line);
        }
    fputs("}\n", d->out);
    buf_free(&line);
    buf_free(&title);
}

/* --- mermaid --- */

/* Mermaid has entities for what would end a label. */
static void add_label(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        if (c == '"' || c == '#' || c == '<' || c == '>' || c == '&' || c == '`' || c == '\\')
            buf_printf(out, "#%d;", c);
        else
            buf_putc(out, c);
    }
}

static void print_mermaid(struct drawing *d) {
    struct buf line = {0}, title = {0};
    fputs("flowchart LR\n", d->out);
    for (size_t i = 0; i < d->nodes.n; i++) {
        buf_clear(&title);
        add_title(&d->nodes.v[i], &title);
        buf_printf(&line, "    s%zu[\"", i);
        add_label(&line, buf_view(&title));
        buf_puts(&line, "\"]\n");
        write_buf(d, &line);
    }
    for (size_t i = 0; i < d->nodes.n; i++)
        for (size_t k = 0; k < d->nodes.v[i].n_needs; k++) {
            uint8_t when = d->nodes.v[i].when[k];
            buf_printf(&line, "    s%u ", (unsigned)d->nodes.v[i].needs[k]);
            if (when == WHEN_SUCCESS)
                buf_puts(&line, "-->");
            else
                buf_printf(&line, "-. %s .->", when_name(when));
            buf_printf(&line, " s%zu\n", i);
            write_buf(d, &line);
        }
    buf_free(&line);
    buf_free(&title);
}

/* --- JSON --- */

/* JSON holds characters: a name of other bytes is made visible, with \xNN for them. */
static json_t *text_of(struct str text) {
    json_t *value = json_stringn(text.s, text.n);
    if (value != NULL)
        return value;
    struct buf b = {0};
    buf_visible(&b, text);
    value = json_stringn(b.s, b.n);
    buf_free(&b);
    return value;
}

static void add_text(json_t *object, const char *key, struct str text) {
    json_object_set_new(object, key, text_of(text));
}

static void add_files(json_t *object, const char *key, struct file *const *files, size_t n) {
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(names, text_of(files[i]->name));
    json_object_set_new(object, key, names);
}

static json_t *json_of(const struct drawing *d, const struct node *node) {
    json_t *object = json_object(), *needs = json_array();
    const struct pool *pool = pool_of(node);
    add_text(object, "name", node->name);
    add_text(object, "rule", node->rule->name);
    if (node->rule->describe.n != 0)
        add_text(object, "describe", node->rule->describe);
    if (pool != NULL)
        add_text(object, "on", pool->name);
    if (node->step != NULL && node->step->item.s != NULL)
        add_text(object, "item", node->step->item);
    if (node->step == NULL)
        json_object_set_new(object, "steps", json_integer((json_int_t)node->rule->n_steps));
    if (is_late(node))
        json_object_set_new(object, "late", json_true());
    if (node->step != NULL && is_stand_in(node->step))
        json_object_set_new(object, "all", json_true());
    if (node->step != NULL) {
        add_files(object, "in", node->step->in, node->step->n_in);
        add_files(object, "out", node->step->out, node->step->n_out);
    }
    if (node->step != NULL && node->step->n_patterns != 0) {
        json_t *patterns = json_array();
        for (size_t i = 0; i < node->step->n_patterns; i++)
            json_array_append_new(patterns, text_of(node->step->patterns[i].text));
        json_object_set_new(object, "patterns", patterns);
    }
    for (size_t k = 0; k < node->n_needs; k++) {
        json_t *need = json_object();
        add_text(need, "step", d->nodes.v[node->needs[k]].name);
        json_object_set_new(need, "when", json_string(when_name(node->when[k])));
        json_array_append_new(needs, need);
    }
    json_object_set_new(object, "needs", needs);
    return object;
}

/* One node at a time: a large graph is never there as JSON as a whole. */
static void print_json(struct drawing *d) {
    fputs("{\"steps\": [", d->out);
    for (size_t i = 0; i < d->nodes.n; i++) {
        json_t *object = json_of(d, &d->nodes.v[i]);
        fputs(i != 0 ? ",\n  " : "\n  ", d->out);
        json_dumpf(object, d->out, JSON_COMPACT);
        json_decref(object);
    }
    fputs("\n]}\n", d->out);
}

void drawing_print(const struct plan *plan, const struct drawing_options *options, FILE *out) {
    struct drawing d = {.plan = plan, .options = options, .out = out};
    void (*const print[])(struct drawing *) = {
        [DRAWING_TREE] = print_tree,
        [DRAWING_DOT] = print_dot,
        [DRAWING_MERMAID] = print_mermaid,
        [DRAWING_JSON] = print_json,
    };
    collect(&d);
    connect(&d);
    print[options->format](&d);
    for (size_t i = 0; i < d.nodes.n; i++) {
        free(d.nodes.v[i].needs);
        free(d.nodes.v[i].when);
    }
    vec_free(&d.nodes);
    free(d.of_step);
    free(d.of_rule);
}
