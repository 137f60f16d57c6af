#include "graph/expand.h"

#include <stdlib.h>
#include <string.h>

/* Longer variables are left out of a step's environment: systems bound the size of one (128 KiB on
 * Linux). */
enum { VARIABLE_MAX = 64 * 1024 };

static struct str with_prefix(const struct scope *s, struct str name) {
    if (s->prefix.n == 0 || (name.n != 0 && name.s[0] == '/'))
        return name;
    return arena_printf(s->arena, "%.*s%.*s", STR_FMT(s->prefix), STR_FMT(name));
}

static void names_of(const struct scope *s, struct file *const *files, size_t n,
                     struct value *out) {
    struct str *names = arena_alloc(s->arena, (n + 1) * sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = with_prefix(s, files[i]->name);
    *out = (struct value){.v = names, .n = n, .file = true};
}

static void one(const struct scope *s, struct str text, bool file, struct value *out) {
    *out = (struct value){.v = arena_copy(s->arena, &text, sizeof text), .n = 1, .file = file};
}

/* "a/b.tar.gz": .dir "a", .base "b.tar.gz", .stem "b.tar", .ext ".gz". A name that only starts with
 * a dot has no ext. */
static bool item_part(const struct scope *s, struct str part, struct value *out) {
    struct str item = s->item;
    const char *slash = bytes_last(item.s, '/', item.n);
    struct str base = item;
    if (slash != NULL)
        base = (struct str){slash + 1, (size_t)(item.s + item.n - slash) - 1};
    const char *dot = base.n > 1 ? bytes_last(base.s + 1, '.', base.n - 1) : NULL;
    size_t stem = dot != NULL ? (size_t)(dot - base.s) : base.n;
    if (str_eq(part, STR("base")))
        one(s, base, false, out);
    else if (str_eq(part, STR("stem")))
        one(s, (struct str){base.s, stem}, false, out);
    else if (str_eq(part, STR("ext")))
        one(s, (struct str){base.s + stem, base.n - stem}, false, out);
    else if (str_eq(part, STR("dir")))
        one(s,
            slash == NULL     ? STR(".")
            : slash == item.s ? STR("/")
                              : (struct str){item.s, (size_t)(slash - item.s)},
            false, out);
    else
        return false;
    return true;
}

/* The steps of a rule that a step means by its name: of two rules with a step for every host, the
 * one of its own host; else all. */
static struct step *const *steps_meant(const struct scope *s, const struct rule *rule, size_t *n) {
    if (s->step != NULL && rule->every != NULL && s->step->rule->every != NULL &&
        s->step->item.s != NULL) {
        struct str name =
            arena_printf(s->arena, "%.*s[%.*s]", STR_FMT(rule->name), STR_FMT(s->step->item));
        struct step *const pair = map_get(&s->graph->step_names, name);
        if (pair != NULL) {
            *n = 1;
            return arena_copy(s->arena, &pair, sizeof pair);
        }
    }
    *n = rule->n_steps;
    return rule->steps;
}

static void add_lines(struct str text, str_list *out) {
    while (text.n != 0) {
        const char *end = memchr(text.s, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.s) : text.n;
        *vec_push(out) = (struct str){text.s, n};
        n += end != NULL;
        text = (struct str){text.s + n, text.n - n};
    }
}

/* {{STEP.stdout}}, {{STEP.status}}: a word for each step, or where lists are wanted, for each line.
 * What is not known yet stands for itself, for people to read. */
static bool left_by(const struct scope *s, const struct rule *rule, const struct reference *ref,
                    struct value *out) {
    size_t n;
    struct step *const *steps = steps_meant(s, rule, &n);
    bool status = str_eq(ref->part, STR("status"));
    str_list words = {0};
    if (rule->n_steps == 0 && rule->late)
        *vec_push(&words) = ref->text;
    for (size_t i = 0; i < n; i++) {
        const struct step *step = steps[i];
        if (!step->over)
            *vec_push(&words) = s->graph->running ? STR("") : ref->text;
        else if (status)
            *vec_push(&words) = arena_printf(s->arena, "%d", step->status);
        else if (s->lines)
            add_lines(step->stdout_text, &words);
        else
            *vec_push(&words) = step->stdout_text;
    }
    *out =
        (struct value){.v = arena_copy(s->arena, words.v, words.n * sizeof *words.v), .n = words.n};
    vec_free(&words);
    return true;
}

static bool axis_of(const struct scope *s, struct str name, struct value *out) {
    for (size_t i = 0; i < s->n_axes; i++)
        if (str_eq(s->axes[i].name, name)) {
            one(s, s->axes[i].value, false, out);
            return true;
        }
    return false;
}

static bool outputs_of(const struct scope *s, const struct rule *rule, const struct reference *ref,
                       struct value *out) {
    size_t n = 0;
    bool known = s->graph->running || !rule->late || rule->n_steps != 0;
    for (size_t i = 0; i < rule->n_steps; i++) {
        const struct step *step = rule->steps[i];
        n += step->n_out;
        known = known && (step->n_patterns == 0 || step->over || s->graph->running);
    }
    if (!known) { /* stands for itself, for people to read */
        one(s, ref->text, false, out);
        return true;
    }
    struct file **files = arena_alloc(s->arena, (n + 1) * sizeof *files);
    n = 0;
    for (size_t i = 0; i < rule->n_steps; i++)
        for (size_t o = 0; o < rule->steps[i]->n_out; o++)
            files[n++] = rule->steps[i]->out[o];
    names_of(s, files, n, out);
    return true;
}

bool scope_lookup(void *context, const struct reference *ref, struct value *out) {
    const struct scope *s = context;
    bool part = ref->part.n != 0;
    if (str_eq(ref->word, STR("item")) && s->item.s != NULL) {
        if (part)
            return axis_of(s, ref->part, out) || item_part(s, ref->part, out);
        one(s, s->item, s->item_file, out);
        return true;
    }
    if (str_eq(ref->word, STR("env")) && part) {
        char *name = (char *)arena_str(s->arena, ref->part).s;
        const char *value = getenv(name);
        uses_env(s->graph->uses, ref->part);
        if (value == NULL)
            return false;
        one(s, arena_str(s->arena, str_of(value)), false, out);
        return true;
    }
    if (!part && s->step != NULL) {
        if (str_eq(ref->word, STR("in"))) {
            names_of(s, s->step->in, s->step->n_in, out);
            return true;
        }
        if (str_eq(ref->word, STR("out"))) {
            names_of(s, s->step->out, s->step->n_out, out);
            return true;
        }
        if (str_eq(ref->word, STR("step"))) {
            one(s, s->step->name, false, out);
            return true;
        }
        if (str_eq(ref->word, STR("host"))) {
            one(s, s->host, false, out);
            return true;
        }
    }
    if (!part) {
        const struct variable *v = map_get(&s->graph->variable_names, ref->word);
        if (v == NULL || v->v == NULL)
            return false;
        *out = (struct value){.v = v->v, .n = v->n};
        return true;
    }
    const struct rule *rule = map_get(&s->graph->rule_names, ref->word);
    if (rule == NULL)
        return false;
    if (str_eq(ref->part, STR("out")))
        return outputs_of(s, rule, ref, out);
    return left_by(s, rule, ref, out);
}

static struct scope scope_of(const struct graph *g, const struct step *step, struct str host,
                             struct str prefix, struct arena *arena) {
    return (struct scope){.graph = g,
                          .step = step,
                          .item = step->item,
                          .item_file = step->item_file,
                          .axes = step->axes,
                          .n_axes = step->n_axes,
                          .host = host,
                          .prefix = prefix,
                          .arena = arena};
}

void graph_script(const struct graph *g, const struct step *step, struct str host,
                  struct str prefix, struct buf *out) {
    struct arena arena = {0};
    struct scope scope = scope_of(g, step, host, prefix, &arena);
    template_script(&step->rule->script, scope_lookup, &scope, out);
    arena_free(&arena);
}

void graph_dir(const struct graph *g, const struct step *step, struct str host, struct buf *out) {
    struct arena arena = {0};
    struct scope scope = scope_of(g, step, host, STR(""), &arena);
    template_text(&step->rule->dir, scope_lookup, &scope, out);
    arena_free(&arena);
}

void graph_deps(const struct graph *g, const struct step *step, struct buf *out) {
    struct arena arena = {0};
    struct scope scope = scope_of(g, step, STR(""), STR(""), &arena);
    template_text(&step->rule->deps, scope_lookup, &scope, out);
    arena_free(&arena);
}

static void add_files(struct file *const *files, size_t n, struct str name, struct str prefix,
                      void (*add)(void *context, struct str name, struct str value),
                      void *context) {
    struct buf lines = {0};
    for (size_t i = 0; i < n; i++) {
        struct str file = files[i]->name;
        if (i != 0)
            buf_putc(&lines, '\n');
        if (file.n != 0 && file.s[0] != '/')
            buf_str(&lines, prefix);
        if (prefix.n == 0 && file.n != 0 && file.s[0] == '-')
            buf_puts(&lines, "./");
        buf_str(&lines, file);
        if (lines.n > VARIABLE_MAX)
            break;
    }
    if (n != 0 && lines.n <= VARIABLE_MAX)
        add(context, name, buf_view(&lines));
    buf_free(&lines);
}

void graph_environment(const struct graph *g, const struct step *step, struct str host,
                       struct str prefix,
                       void (*add)(void *context, struct str name, struct str value),
                       void *context) {
    struct arena arena = {0};
    struct scope scope = scope_of(g, step, host, prefix, &arena);
    for (size_t i = 0; i < step->rule->n_env; i++) {
        struct buf value = {0};
        template_text(&step->rule->env[i].value, scope_lookup, &scope, &value);
        add(context, step->rule->env[i].name, buf_view(&value));
        buf_free(&value);
    }
    add(context, STR("FORAY_STEP"), step->name);
    add(context, STR("FORAY_HOST"), host);
    if (step->item.s != NULL && step->item.n <= VARIABLE_MAX)
        add(context, STR("FORAY_ITEM"), step->item);
    add_files(step->in, step->n_in, STR("FORAY_IN"), prefix, add, context);
    add_files(step->out, step->n_out, STR("FORAY_OUT"), prefix, add, context);
    arena_free(&arena);
}
