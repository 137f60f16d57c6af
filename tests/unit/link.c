/* Names of files, edges between steps, and cycles, in graphs that no reader made. */
#include "graph/graph.h"

#include "unit.h"

#include <time.h>

struct model {
    struct graph graph;
    struct diags diags;
};

static void model_init(struct model *m) {
    graph_init(&m->graph);
    diags_init(&m->diags);
}

static void model_free(struct model *m) {
    graph_free(&m->graph);
    diags_free(&m->diags);
}

/* A rule of one step, called by a letter or a number. */
static struct step *add(struct model *m, const char *name) {
    struct graph *g = &m->graph;
    struct rule *rule = arena_alloc(&g->arena, sizeof *rule);
    rule->name = arena_str(&g->arena, str_of(name));
    struct step *step = graph_add_step(g, rule, (struct str){0}, false);
    rule->steps = arena_copy(&g->arena, &step, sizeof step);
    rule->n_steps = 1;
    return step;
}

static void set_files(struct model *m, struct file ***files, uint32_t *n, const char *names) {
    for (struct str rest = str_of(names); rest.n != 0;) {
        const char *blank = memchr(rest.s, ' ', rest.n);
        size_t length = blank != NULL ? (size_t)(blank - rest.s) : rest.n;
        struct file **more = arena_alloc(&m->graph.arena, (*n + 1) * sizeof *more);
        if (*n != 0)
            memcpy(more, *files, *n * sizeof *more);
        more[(*n)++] = graph_file(&m->graph, (struct str){rest.s, length});
        *files = more;
        length += blank != NULL;
        rest = (struct str){rest.s + length, rest.n - length};
    }
}

static void need(struct model *m, struct step *step, struct step *needed) {
    struct step **more = arena_alloc(&m->graph.arena, (step->n_needs + 1) * sizeof *more);
    if (step->n_needs != 0)
        memcpy(more, step->needs, step->n_needs * sizeof *more);
    more[step->n_needs++] = needed;
    step->needs = more;
}

/* The messages of linking, a line each, without their places. */
static const char *link_told(struct model *m) {
    static struct buf out;
    struct buf printed = {0};
    buf_clear(&out);
    bool good = graph_link(&m->graph, 0, &m->diags);
    CHECK(good == (m->diags.errors == 0));
    diags_print(&m->diags, &printed, 0, false);
    for (char *line = strtok(printed.s, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, "foray: error: ", 14) == 0)
            buf_printf(&out, "%s\n", line + 14);
    buf_free(&printed);
    return out.s;
}

TEST(a_file_has_one_name) {
    static const struct {
        const char *written, *name;
    } table[] = {
        {"a", "a"},
        {"./a", "a"},
        {"a/", "a"},
        {"a//b", "a/b"},
        {"a/./b", "a/b"},
        {"a/../b", "b"},
        {"a/b/../..", "."},
        {"..", ".."},
        {"../a", "../a"},
        {"a/../..", ".."},
        {"../../a", "../../a"},
        {"../a/../b", "../b"},
        {"/", "/"},
        {"//", "/"},
        {"/..", "/"},
        {"/a/../../b", "/b"},
        {"/a/.", "/a"},
        {".", "."},
        {"", "."},
        {".a", ".a"},
        {"..a", "..a"},
        {"a/.b", "a/.b"},
        {"a/..b", "a/..b"},
        {"a..", "a.."},
    };
    struct model m;
    model_init(&m);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct file *f = graph_file(&m.graph, str_of(table[i].written));
        CHECK_STR(f->name.s, table[i].name);
        CHECK(graph_file(&m.graph, str_of(table[i].name)) == f);
        CHECK(graph_find_file(&m.graph, str_of(table[i].written)) == f);
    }
    CHECK(graph_find_file(&m.graph, STR("nowhere")) == NULL);
    model_free(&m);
}

TEST(edges_come_from_files_and_needs_each_once_by_id) {
    struct model m;
    model_init(&m);
    struct step *a = add(&m, "a"), *b = add(&m, "b"), *c = add(&m, "c");
    set_files(&m, &c->out, &c->n_out, "x y");
    set_files(&m, &b->out, &b->n_out, "z");
    set_files(&m, &a->in, &a->n_in, "y z x other z");
    need(&m, a, c);
    need(&m, a, b);
    need(&m, a, c);
    CHECK_STR(link_told(&m), "");
    CHECK(a->n_needs == 2 && a->needs[0] == b && a->needs[1] == c);
    CHECK(b->n_needs == 0 && c->n_needs == 0);
    CHECK(graph_find_file(&m.graph, STR("x"))->maker == c);
    CHECK(graph_find_file(&m.graph, STR("other"))->maker == NULL);
    model_free(&m);
}

TEST(a_file_has_one_maker) {
    struct model m;
    model_init(&m);
    struct step *a = add(&m, "a"), *b = add(&m, "b");
    set_files(&m, &a->out, &a->n_out, "x y");
    set_files(&m, &b->out, &b->n_out, "z ./y z");
    CHECK_STR(link_told(&m), "`y` is made by `a` and by `b`\n`z` is made twice by `b`\n");
    model_free(&m);
}

TEST(items_that_make_the_same_files_are_one_mistake) {
    struct model m;
    model_init(&m);
    struct step *steps[6];
    for (int r = 0; r < 2; r++) { /* two rules of three steps that all make the same two files */
        steps[3 * r] = add(&m, r == 0 ? "a" : "b");
        struct rule *rule = steps[3 * r]->rule;
        for (int i = 1; i < 3; i++)
            steps[3 * r + i] = graph_add_step(&m.graph, rule, STR("i"), false);
        rule->steps = arena_copy(&m.graph.arena, steps + 3 * r, 3 * sizeof *steps);
        rule->n_steps = 3;
    }
    for (int i = 0; i < 6; i++)
        set_files(&m, &steps[i]->out, &steps[i]->n_out, "x y");
    CHECK_STR(link_told(&m), "`x` is made by `a` and by `a[i]`\n`x` is made by `a` and by `b`\n");
    model_free(&m);
}

TEST(every_component_with_a_cycle_is_told_once) {
    struct model m;
    model_init(&m);
    struct step *s[9];
    for (int i = 0; i < 9; i++)
        s[i] = add(&m, (char[]){(char)('a' + i), '\0'});
    /* b -> c -> d -> b with a chord; a waits for it and i does not; e <-> f wait for it too; g
     * needs itself; h waits for all of them. */
    need(&m, s[0], s[3]);
    need(&m, s[1], s[2]);
    need(&m, s[2], s[3]);
    need(&m, s[3], s[1]);
    need(&m, s[3], s[2]);
    need(&m, s[4], s[1]);
    need(&m, s[4], s[5]);
    need(&m, s[5], s[1]);
    need(&m, s[5], s[4]);
    need(&m, s[6], s[6]);
    for (int i = 0; i < 9; i++)
        if (i != 7)
            need(&m, s[7], s[i]);
    CHECK_STR(link_told(&m), "a cycle: b -> c -> d -> b\na cycle: e -> f -> e\na cycle: g -> g\n");
    model_free(&m);
}

TEST(long_chains_and_cycles_need_no_stack_and_little_time) {
    enum { LENGTH = 200000 };
    struct model m;
    model_init(&m);
    struct step *first = add(&m, "first"), *last = first;
    for (int i = 1; i < LENGTH; i++) {
        struct step *step = add(&m, "x");
        need(&m, step, last);
        last = step;
    }
    clock_t start = clock();
    CHECK_STR(link_told(&m), "");
    need(&m, first, last);
    const char *told = link_told(&m);
    CHECK(strncmp(told, "a cycle: first -> x -> x ->", 27) == 0);
    CHECK(strstr(told, "... -> first\n") != NULL && strlen(told) < 200);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 5); /* minutes, if it were quadratic */
    model_free(&m);
}

UNIT_MAIN
