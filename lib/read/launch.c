/* The keys `launch` and `stage` of a pool. */
#include "read/keys.h"
#include "read/reader.h"

#include <string.h>

static const struct {
    struct str word;
    bool per_step;
} known[] = {{{"host", 4}, false}, {{"cpus", 4}, true}, {{"mem", 3}, true}, {{"step", 4}, true}};

struct words {
    struct reader *reader;
    struct launch *launch;
    VEC(struct template) words;
};

static void check_reference(struct words *w, const struct reference *p) {
    struct diags *diags = w->reader->diags;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (p->part.n == 0 && str_eq(p->word, known[i].word)) {
            w->launch->per_step = w->launch->per_step || known[i].per_step;
            return;
        }
    diag_error(diags, p->at, "`%s` has no meaning in `launch`", diag_name(diags, p->text));
    diag_help(diags, "its words may name {{host}}, {{cpus}}, {{mem}} and {{step}}");
}

static void take_word(void *context, const struct node *scalar) {
    struct words *w = context;
    struct diags *diags = w->reader->diags;
    if (memchr(scalar->text.s, '\0', scalar->text.n) != NULL)
        diag_error(diags, node_at(scalar), "a word of `launch` cannot hold a NUL");
    struct template t = parse_text(w->reader, scalar);
    for (size_t i = 0; i < t.n; i++)
        if (t.v[i].reference != NULL)
            check_reference(w, t.v[i].reference);
    *vec_push(&w->words) = t;
}

struct launch *read_launch(struct reader *r, const struct node *value) {
    struct launch *launch = arena_alloc(&r->graph->arena, sizeof *launch);
    struct words w = {.reader = r, .launch = launch};
    *launch = (struct launch){.stage = true};
    if (value->kind != NODE_LIST || value->n == 0) {
        diag_error(r->diags, node_at(value), "`launch` must be a list of words, this is %s",
                   value->kind == NODE_LIST ? "empty" : node_kind_name(value));
        diag_help(r->diags, "a command, and what it is given before the command that it runs: "
                            "`launch: [docker, exec, -i, \"{{host}}\"]`");
    } else {
        want_names(value, "a word of `launch`", r->diags, take_word, &w);
    }
    launch->n = (uint32_t)w.words.n;
    launch->words = arena_copy(&r->graph->arena, w.words.v, w.words.n * sizeof *w.words.v);
    vec_free(&w.words);
    return launch;
}

bool launch_names_host(const struct launch *launch) {
    for (uint32_t i = 0; i < launch->n; i++)
        for (uint32_t k = 0; k < launch->words[i].n; k++) {
            const struct reference *p = launch->words[i].v[k].reference;
            if (p != NULL && str_eq(p->word, STR("host")))
                return true;
        }
    return false;
}

void read_stage(struct reader *r, const struct node *value, bool *stage) {
    static const struct str names[] = {{"tar", 3}, {"none", 4}};
    struct str text;
    if (!want_text(value, "`stage`", &text, r->diags))
        return;
    *stage = str_eq(text, names[0]);
    if (*stage || str_eq(text, names[1]))
        return;
    diag_error(r->diags, node_at(value), "`stage` must be tar or none, not `%s`",
               diag_name(r->diags, text));
    help_meant(r->diags, text, names, sizeof names / sizeof *names);
}

void launch_key(const struct launch *launch, struct buf *key) {
    buf_putc(key, launch->stage ? 's' : '-');
    for (uint32_t i = 0; i < launch->n; i++) {
        buf_putc(key, '\0');
        for (uint32_t k = 0; k < launch->words[i].n; k++)
            buf_str(key, launch->words[i].v[k].text);
    }
}
