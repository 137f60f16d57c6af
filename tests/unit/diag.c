#include "base/diag.h"

#include "unit.h"

#include <stdlib.h>
#include <time.h>

static struct place at(const struct source *source, uint32_t line, uint32_t col, uint32_t length) {
    return (struct place){source, line, col, length};
}

/* What is printed of the diagnostics, which are freed. */
static const char *printed(struct diags *d, size_t limit, bool colour) {
    static struct buf out;
    buf_clear(&out);
    diags_print(d, &out, limit, colour);
    diags_free(d);
    return out.s;
}

TEST(a_message_shows_its_line_and_what_is_wrong_in_it) {
    struct source source = {"foray.yaml", STR("steps:\n  a:\n    runn: make\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 3, 5, 4), "unknown key `%s`", "runn");
    diag_help(&d, "did you mean `%s`?", "run");
    diag_note(&d, at(&source, 2, 3, 1), "in this step");
    CHECK(d.errors == 1);
    CHECK(d.n == 1);
    CHECK_STR(printed(&d, 0, false), "foray.yaml:3:5: error: unknown key `runn`\n"
                                     "    3 |     runn: make\n"
                                     "      |     ^~~~\n"
                                     "      = help: did you mean `run`?\n"
                                     "      = note: foray.yaml:2:3: in this step\n");
}

TEST(messages_stand_in_the_order_of_their_places_stable_and_by_source) {
    struct source a = {"a", STR("1\n2\n3\n")}, b = {"b", STR("1\n2\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&a, 3, 1, 0), "last");
    diag_error(&d, at(&b, 2, 1, 0), "second of b");
    diag_warning(&d, at(&a, 1, 1, 0), "first");
    diag_error(&d, at(&b, 1, 1, 0), "first of b");
    diag_error(&d, at(&a, 3, 1, 0), "very last");
    diag_error(&d, (struct place){0}, "no place");
    CHECK(d.errors == 5);
    CHECK_STR(printed(&d, 0, false), "a:1:1: warning: first\n    1 | 1\n      | ^\n"
                                     "a:3:1: error: last\n    3 | 3\n      | ^\n"
                                     "a:3:1: error: very last\n    3 | 3\n      | ^\n"
                                     "b:1:1: error: first of b\n    1 | 1\n      | ^\n"
                                     "b:2:1: error: second of b\n    2 | 2\n      | ^\n"
                                     "foray: error: no place\n");
}

TEST(a_limit_counts_what_it_hides) {
    struct source source = {"f", STR("x\n")};
    struct diags d;
    diags_init(&d);
    for (int i = 0; i < 5; i++)
        diag_error(&d, at(&source, 0, 0, 0), "%d", i);
    CHECK_STR(printed(&d, 2, false), "f: error: 0\nf: error: 1\n... and 3 more\n");
}

TEST(tabs_and_wide_characters_keep_the_caret_in_place) {
    struct source source = {"f", STR("\t\xc3\xa4\xe2\x82\xac x\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 8, 1), "x");
    CHECK_STR(printed(&d, 0, false), "f:1:8: error: x\n"
                                     "    1 |  \xc3\xa4\xe2\x82\xac x\n"
                                     "      |     ^\n");
}

TEST(control_characters_never_reach_the_terminal) {
    struct source source = {"f\033[2J", STR("\033[2Jab\x07\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 5, 3), "`%s`", diag_name(&d, STR("a\033\nb")));
    CHECK_STR(printed(&d, 0, false), "f\\x1b[2J:1:5: error: `a\\x1b\\nb`\n"
                                     "    1 | \\x1b[2Jab\\x07\n"
                                     "      |        ^~~~~~\n");
}

TEST(carriage_returns_and_the_byte_order_mark_are_no_part_of_a_line) {
    struct source source = {"f", STR("\xef\xbb\xbfkey: x\r\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 6, 1), "x");
    CHECK_STR(printed(&d, 0, false), "f:1:6: error: x\n    1 | key: x\n      |      ^\n");
}

TEST(places_beyond_a_line_or_a_text_point_behind_its_end) {
    struct source source = {"f", STR("ab")}, empty = {"e", {NULL, 0}};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 9, 5), "col");
    diag_error(&d, at(&source, 7, 2, 1), "line");
    diag_error(&d, at(&empty, 1, 1, 1), "nothing");
    CHECK_STR(printed(&d, 0, false), "f:1:9: error: col\n    1 | ab\n      |   ^\n"
                                     "f:7:2: error: line\n    7 | \n      | ^\n"
                                     "e:1:1: error: nothing\n    1 | \n      | ^\n");
}

TEST(long_lines_are_cut_around_the_caret_between_characters) {
    struct buf text = {0};
    for (int i = 0; i < 300; i++)
        buf_puts(&text, "\xc3\xa4");
    struct source source = {"f", buf_view(&text)};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 301, 2), "in the middle");
    const char *out = printed(&d, 0, false);
    CHECK(strstr(out, "    1 | ...\xc3\xa4") != NULL);
    CHECK(strstr(out, "\xc3\xa4...\n") != NULL);
    CHECK(strstr(out, "\\x") == NULL);
    const char *caret = strrchr(out, '|');
    CHECK(caret != NULL && strspn(caret + 2, " ") == 3 + 40);
    buf_free(&text);
}

TEST(long_lines_that_are_no_text_are_cut_too) {
    struct buf text = {0};
    for (int i = 0; i < 2000; i++)
        buf_putc(&text, '\xae');
    struct source source = {"f", buf_view(&text)};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 1001, 1), "not UTF-8");
    const char *out = printed(&d, 0, false);
    CHECK(strstr(out, "| ...\\xae") != NULL && strstr(out, "\\xae...\n") != NULL);
    CHECK(strlen(out) < 1200);
    buf_free(&text);
}

TEST(names_are_cut_between_characters) {
    struct diags d;
    diags_init(&d);
    struct buf name = {0};
    buf_putc(&name, 'x');
    for (int i = 0; i < 50; i++)
        buf_puts(&name, "\xc3\xa4");
    const char *shown = diag_name(&d, buf_view(&name));
    CHECK(strlen(shown) == 79 + 3);
    CHECK_STR(shown + 77, "\xc3\xa4...");
    buf_free(&name);
    diags_free(&d);
}

TEST(line_numbers_of_any_length_keep_the_margin_straight) {
    struct buf text = {0};
    for (int i = 1; i < 1234567; i++)
        buf_putc(&text, '\n');
    buf_puts(&text, "here");
    struct source source = {"f", buf_view(&text)};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1234567, 1, 4), "far down");
    CHECK_STR(printed(&d, 0, false), "f:1234567:1: error: far down\n"
                                     "1234567 | here\n"
                                     "        | ^~~~\n");
    buf_free(&text);
}

TEST(colours_are_there_when_asked_for) {
    struct source source = {"f", STR("x\n")};
    struct diags d;
    diags_init(&d);
    diag_error(&d, at(&source, 1, 1, 1), "no");
    CHECK_STR(printed(&d, 0, true), "\033[1mf:1:1: \033[1;31merror: \033[0;1mno\033[0m\n"
                                    "    1 | x\n      | \033[1;32m^\033[0m\n");
}

TEST(many_messages_in_a_long_text_take_no_time) {
    struct buf text = {0};
    for (int i = 0; i < 100000; i++)
        buf_puts(&text, "a line of some length, as lines are\n");
    struct source source = {"f", buf_view(&text)};
    struct diags d;
    diags_init(&d);
    for (uint32_t i = 0; i < 50000; i++)
        diag_error(&d, at(&source, 100000 - i, 3, 4), "wrong");
    clock_t start = clock();
    const char *out = printed(&d, 0, false);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 5); /* minutes, if it were quadratic */
    CHECK(strncmp(out, "f:50001:3: error", 16) == 0);
    buf_free(&text);
}

UNIT_MAIN
