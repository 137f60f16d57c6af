/* Which steps are chosen for which targets, and in which order. */
#include "plan/plan.h"
#include "read/yaml.h"

#include "unit.h"

#include <stdlib.h>

static const char example[] =
    "steps:\n"
    "  all: {needs: [link, test]}\n"
    "  link: {in: [a.o, b.o], out: bin/prog, run: x}\n"
    "  test: {needs: link, run: x}\n"
    "  compile: {each: [a, b], out: '{{item}}.o', in: /dev/null, run: x}\n"
    "  tidy: {needs: compile, run: x}\n"
    "  lonely: {in: no-such-file, run: x}\n";

/* The names of the chosen steps in order, or what was told. */
static const char *plan(const char *text, const char *const *targets, size_t n) {
    static struct buf out;
    buf_clear(&out);
    struct source source = {"f", str_of(text)};
    struct diags diags;
    struct graph graph;
    struct plan chosen;
    struct str words[8];
    for (size_t i = 0; i < n; i++)
        words[i] = str_of(targets[i]);
    struct plan_options options = {.targets = words, .n_targets = n};
    diags_init(&diags);
    graph_init(&graph);
    CHECK(yaml_read(&source, NULL, 0, &graph, &diags));
    if (plan_make(&chosen, &graph, &options, &diags)) {
        CHECK(diags.errors == 0);
        for (size_t i = 0; i < chosen.steps.n; i++)
            buf_printf(&out, "%s%.*s", i != 0 ? " " : "", STR_FMT(chosen.steps.v[i]->name));
        buf_puts(&out, "");
    } else {
        CHECK(diags.errors != 0);
        diags_print(&diags, &out, 0, false);
    }
    plan_free(&chosen);
    graph_free(&graph);
    diags_free(&diags);
    return out.s;
}

#define PLAN(text, ...)                                                                            \
    plan((text), (const char *const[]){__VA_ARGS__},                                               \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

TEST(a_target_brings_what_it_needs_and_nothing_else) {
    CHECK_STR(PLAN(example, "all"), "compile[a] compile[b] link test all");
    CHECK_STR(PLAN(example, "link"), "compile[a] compile[b] link");
    CHECK_STR(PLAN(example, "tidy"), "compile[a] compile[b] compile tidy");
}

TEST(targets_are_steps_items_files_and_patterns) {
    CHECK_STR(PLAN(example, "compile"), "compile[a] compile[b]");
    CHECK_STR(PLAN(example, "compile[b]"), "compile[b]");
    CHECK_STR(PLAN(example, "bin/../bin//prog"), "compile[a] compile[b] link");
    CHECK_STR(PLAN(example, "b.o", "a.o"), "compile[a] compile[b]");
    CHECK_STR(PLAN(example, "/^comp.*b/"), "compile[b]");
    CHECK_STR(PLAN(example, "test", "/^li/", "test"), "compile[a] compile[b] link test");
    CHECK_STR(PLAN(example, "/dev/null"), "");
}

TEST(what_is_no_target_is_told_with_what_may_have_been_meant) {
    CHECK_STR(PLAN(example, "tets"),
              "foray: error: there is no step `tets`, and nobody makes such a file\n"
              "      = help: did you mean `test`?\n");
    CHECK_STR(PLAN(example, "bin/prgo"),
              "foray: error: there is no step `bin/prgo`, and nobody makes such a file\n"
              "      = help: did you mean `bin/prog`?\n");
    CHECK_STR(PLAN(example, "/nothing/"), "foray: error: no step's name matches `/nothing/`\n");
    CHECK(strstr(PLAN(example, "/(/"), "target `/(/`: ") != NULL);
    CHECK(strstr(PLAN(example, "zzz", "/(/"), "zzz") != NULL);
}

TEST(what_nobody_makes_must_be_there_if_it_is_needed) {
    CHECK_STR(PLAN(example, "lonely"), "f:7:16: error: `no-such-file` is not there, and no step "
                                       "makes it\n"
                                       "    7 |   lonely: {in: no-such-file, run: x}\n"
                                       "      |                ^~~~~~~~~~~~\n");
    const char *twice = "steps:\n  a: {in: [no-such, no-such, x*], run: x}\n"
                        "  b: {in: no-such, run: x}\n";
    CHECK_STR(PLAN(twice, "a", "b"), "f:2:11: error: `no-such` is not there, and no step makes it\n"
                                     "    2 |   a: {in: [no-such, no-such, x*], run: x}\n"
                                     "      |           ^\n"
                                     "f:2:11: error: `x*` is not there, and no step makes it\n"
                                     "    2 |   a: {in: [no-such, no-such, x*], run: x}\n"
                                     "      |           ^\n");
}

TEST(without_targets_all_steps_are_chosen) {
    CHECK_STR(plan("steps: {b: {run: x}, a: {run: x, needs: b}, 'c': {needs: a}}", NULL, 0),
              "b a c");
}

TEST(the_order_is_that_of_the_text_where_needs_allow) {
    CHECK_STR(plan("steps:\n"
                   "  a: {run: x, needs: f}\n"
                   "  b: {run: x}\n"
                   "  c: {run: x, needs: b}\n"
                   "  d: {run: x, needs: a}\n"
                   "  e: {run: x}\n"
                   "  f: {run: x}\n"
                   "  g: {run: x, needs: [b, c]}\n",
                   NULL, 0),
              "b c e f a d g");
}

TEST(long_chains_need_no_stack) {
    struct buf text = {0};
    buf_puts(&text, "steps:\n  s0: {run: x, needs: s1}\n");
    for (int i = 1; i < 50000; i++)
        buf_printf(&text, "  s%d: {run: x, needs: s%d}\n", i, i + 1);
    buf_puts(&text, "  s50000: {run: x}\n");
    const char *order = PLAN(text.s, "s0");
    CHECK(strncmp(order, "s50000 s49999 s49998 ", 21) == 0);
    CHECK(strcmp(order + strlen(order) - 9, " s2 s1 s0") == 0);
    buf_free(&text);
}

UNIT_MAIN
