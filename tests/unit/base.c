/* The small parts at the bottom: strings, maps, durations, suggestions, patterns, node sets. */
#include "base/arena.h"
#include "base/duration.h"
#include "base/map.h"
#include "base/regex.h"
#include "base/suggest.h"
#include "unit.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *visible(const char *text, size_t n) {
    static struct buf b;
    buf_clear(&b);
    buf_visible(&b, (struct str){text, n});
    return b.s;
}

TEST(names_are_shown_without_control_characters) {
    CHECK_STR(visible("plain \xc3\xbc", 8), "plain \xc3\xbc");
    CHECK_STR(visible("\033[31m\n\t\r\x7f", 9), "\\x1b[31m\\n\\t\\r\\x7f");
    CHECK_STR(visible("\xff\xfe", 2), "\\xff\\xfe");
    CHECK_STR(visible("\xc2\x9b", 2), "\\xc2\\x9b");          /* CSI as one character */
    CHECK_STR(visible("\xed\xa0\x80", 3), "\\xed\\xa0\\x80"); /* a surrogate */
    CHECK_STR(visible("\xe2\x82", 2), "\\xe2\\x82");          /* cut off */
    CHECK_STR(visible("\0", 1), "\\x00");
}

TEST(a_map_finds_what_was_put) {
    struct map m = {0};
    static char keys[1000][8];
    CHECK(map_get(&m, STR("nothing")) == NULL);
    for (size_t i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        *map_put(&m, str_of(keys[i])) = keys[i];
    }
    for (size_t i = 0; i < 1000; i++)
        CHECK(map_get(&m, str_of(keys[i])) == keys[i]);
    CHECK(map_get(&m, STR("k1000")) == NULL && m.n == 1000);
    map_free(&m);
}

TEST(an_arena_joins_texts_and_aligns_what_follows) {
    struct arena a = {0};
    const struct str parts[] = {STR("a"), STR(""), {NULL, 0}, STR("bc")};
    struct str joined = arena_join(&a, parts, 4);
    CHECK(joined.n == 3 && strcmp(joined.s, "abc") == 0);
    CHECK((uintptr_t)arena_alloc(&a, 1) % alignof(double) == 0);
    CHECK((uintptr_t)arena_alloc(&a, sizeof(void *)) % alignof(void *) == 0);
    CHECK(arena_join(&a, parts, 0).n == 0);
    arena_free(&a);
}

TEST(an_arena_keeps_large_and_small_pieces_apart) {
    struct arena a = {0};
    char *first = arena_alloc(&a, 10), *large = arena_alloc(&a, 1 << 20),
         *second = arena_alloc(&a, 10);
    memset(first, 1, 10);
    memset(large, 2, 1 << 20);
    memset(second, 3, 10);
    CHECK(first[9] == 1 && large[0] == 2 && large[(1 << 20) - 1] == 2 && second[0] == 3);
    arena_free(&a);
}

TEST(durations) {
    static const struct {
        const char *text;
        int64_t ms; /* -1: none */
    } rows[] = {{"90", 90000},     {"1.5s", 1500},     {"250ms", 250},       {"10m", 600000},
                {"10min", 600000}, {"1h30m", 5400000}, {"2d", 172800000},    {"0", 0},
                {"", -1},          {"-1", -1},         {"1x", -1},           {"h", -1},
                {"1m5", -1},       {"1e3", -1},        {"99999999999h", -1}, {"200000d", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ns = -1;
        bool good = duration_parse(str_of(rows[i].text), &ns);
        if (rows[i].ms < 0 ? good : !good || ns != rows[i].ms * 1000000) {
            printf("# \"%s\"\n", rows[i].text);
            CHECK(false);
        }
    }
}

TEST(suggestions_are_near_or_none) {
    static const struct str names[] = {{"compile", 7}, {"test", 4}, {"in", 2}, {"timeout", 7}};
    const struct str *s = suggest(STR("complie"), names, 4);
    CHECK(s != NULL && str_eq(*s, STR("compile")));
    s = suggest(STR("tset"), names, 4);
    CHECK(s != NULL && str_eq(*s, STR("test")));
    s = suggest(STR("time_out"), names, 4);
    CHECK(s != NULL && str_eq(*s, STR("timeout")));
    CHECK(suggest(STR("deploy"), names, 4) == NULL);
    CHECK(suggest(STR("xy"), names, 4) == NULL);
    CHECK(suggest(STR(""), names, 4) == NULL);
}

TEST(patterns_match_or_give_up) {
    char error[100];
    size_t offset;
    struct regex *r = regex_new(STR("^a.c$"), error, sizeof error, &offset);
    CHECK(regex_match(r, STR("abc")) == 1 && regex_match(r, STR("abcd")) == 0 &&
          regex_match(r, STR("a\xff"
                             "c")) == 1);
    regex_free(r);
    CHECK(regex_new(STR("(a"), error, sizeof error, &offset) == NULL && offset == 2);
    r = regex_new(STR("^(a|aa)+$"), error, sizeof error, &offset);
    CHECK(regex_match(r, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")) == -1);
    regex_free(r);
}

UNIT_MAIN
