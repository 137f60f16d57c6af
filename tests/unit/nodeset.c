/* Host lists: text to names, sets of them, and names to text. */
#include "base/nodeset.h"
#include "unit.h"

#include <stdlib.h>

/* Things of a name, as hosts of pools are. */
struct thing {
    const char *name;
    int id;
};

static struct thing things[] = {{"n1", 1}, {"n2", 2}, {"n3", 3}, {"n2", 4}, {"n9", 5}};
static const struct {
    const char *name;
    size_t from, to;
} groups[] = {{"@low", 0, 3}, {"@other", 3, 5}, {"@none", 0, 0}};

static void add(struct nodeset *set, struct str name) {
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        if (str_eq(name, str_of(groups[g].name))) {
            for (size_t i = groups[g].from; i < groups[g].to; i++)
                nodeset_add(set, str_of(things[i].name), &things[i]);
            return;
        }
    nodeset_add(set, name, NULL);
}

/* What a list stands for: names, those of things with their ids; or the mistakes with their
 * places. */
static const char *evaluate(const char *text) {
    static struct buf out;
    struct arena arena = {0};
    struct nodeset set = {0};
    struct nodeset_words words = {.text = str_of(text)};
    struct nodeset_word word;
    const struct nodeset_item *item;
    bool good = true;
    buf_clear(&out);
    while (nodeset_next_word(&words, &word)) {
        size_t mistake = 0, at = (size_t)(word.text.s - text);
        const char *wrong = word.wrong;
        str_list names = {0};
        if (wrong == NULL && nodeset_expand(word.text, 1000, &arena, &names, &mistake, &wrong)) {
            nodeset_begin(&set, word.op);
            for (size_t i = 0; i < names.n; i++)
                add(&set, names.v[i]);
        } else {
            buf_printf(&out, "%s%zu: %s", out.n != 0 ? "; " : "", at + mistake, wrong);
            good = false;
        }
        vec_free(&names);
    }
    for (size_t i = 0; good && (item = nodeset_next(&set, &i)) != NULL;) {
        const struct thing *thing = item->thing;
        buf_printf(&out, "%s%.*s", out.n != 0 ? " " : "", STR_FMT(item->name));
        if (thing != NULL)
            buf_printf(&out, "=%d", thing->id);
    }
    nodeset_free(&set);
    arena_free(&arena);
    return out.s;
}

TEST(ranges_stand_for_names_in_the_order_written) {
    CHECK_STR(evaluate(""), "");
    CHECK_STR(evaluate("node1"), "node1");
    CHECK_STR(evaluate("n[8-11]"), "n8 n9 n10 n11");
    CHECK_STR(evaluate("a[1,3-4]b, c ana@big:2222"), "a1b a3b a4b c ana@big:2222");
    CHECK_STR(evaluate("n[0-20/5]"), "n0 n5 n10 n15 n20");
    CHECK_STR(evaluate("n[1-10/4,3]"), "n1 n5 n9 n3");
    CHECK_STR(evaluate("a,b,a,n[1-2],n1"), "a b n1 n2");
    CHECK_STR(evaluate("n[0-2]"), "n0 n1 n2");
    CHECK_STR(evaluate("h[1-2]:[2201-2202]"), "h1:2201 h1:2202 h2:2201 h2:2202");
}

TEST(padding_is_kept) {
    CHECK_STR(evaluate("node[08-11]"), "node08 node09 node10 node11");
    CHECK_STR(evaluate("n[001-003]"), "n001 n002 n003");
    CHECK_STR(evaluate("n[00,0,000]"), "n00 n0 n000");
    CHECK_STR(evaluate("n[098-102/2]"), "n098 n100 n102");
}

TEST(brackets_are_a_product) {
    CHECK_STR(evaluate("n[1-2]-ib[0-1]"), "n1-ib0 n1-ib1 n2-ib0 n2-ib1");
    CHECK_STR(evaluate("r[1-2]n[1,5]x[01-02]"),
              "r1n1x01 r1n1x02 r1n5x01 r1n5x02 r2n1x01 r2n1x02 r2n5x01 r2n5x02");
    CHECK_STR(evaluate("n[1-2][3-4]"), "n13 n14 n23 n24");
}

TEST(addresses_in_brackets_are_no_ranges) {
    CHECK_STR(evaluate("[::1]:22 ana@[fe80::1%eth0]"), "[::1]:22 ana@[fe80::1%eth0]");
    CHECK_STR(evaluate("u[1-2]@[::1]"), "u1@[::1] u2@[::1]");
    CHECK_STR(evaluate("[1-2]:22"), "1:22 2:22");
}

TEST(operators_are_followed_from_the_left) {
    CHECK_STR(evaluate("n[1-5]!n2"), "n1 n3 n4 n5");
    CHECK_STR(evaluate("n[1-5]!n2,n2"), "n1 n2 n3 n4 n5");
    CHECK_STR(evaluate("n[1-5]&n[4-9]"), "n4 n5");
    CHECK_STR(evaluate("n[1-3]^n[2-4]"), "n1 n4");
    CHECK_STR(evaluate("n[1-5],n7!n2^n9&n[1-9]"), "n1 n3 n4 n5 n7 n9");
    CHECK_STR(evaluate("n[1-5]!n2&n[2-3]"), "n3");
    CHECK_STR(evaluate("a,b&b,c&c,a"), "a c");
    CHECK_STR(evaluate("a&b,a"), "a");
    CHECK_STR(evaluate("a!a"), "");
    CHECK_STR(evaluate("a^a^a"), "a");
    CHECK_STR(evaluate("a^b[1,1]"), "a b1");
    CHECK_STR(evaluate("b1^b[1,1]"), "");
    CHECK_STR(evaluate("n[1-4] ! n2 , n9 &\n n[3-9]"), "n3 n4 n9");
}

TEST(groups_bring_things_and_names_take_them_away) {
    CHECK_STR(evaluate("@low"), "n1=1 n2=2 n3=3");
    CHECK_STR(evaluate("@low,@other"), "n1=1 n2=2 n3=3 n2=4 n9=5");
    CHECK_STR(evaluate("@low,n2"), "n1=1 n2=2 n3=3 n2");
    CHECK_STR(evaluate("@low,@other!n2"), "n1=1 n3=3 n9=5");
    CHECK_STR(evaluate("@low!n2,@other"), "n1=1 n3=3 n2=4 n9=5");
    CHECK_STR(evaluate("@low&n[2-9]"), "n2=2 n3=3");
    CHECK_STR(evaluate("@low&@other,@other"), "n2=2 n2=4 n9=5");
    CHECK_STR(evaluate("@low^@other"), "n1=1 n3=3 n9=5");
    CHECK_STR(evaluate("@low&@none,@other"), "n2=4 n9=5");
    CHECK_STR(evaluate("n1&@low"), "n1");
    CHECK_STR(evaluate("n[2-3],@other&n[2-9]!n3,@low"), "n2 n2=4 n9=5 n1=1 n2=2 n3=3");
}

TEST(mistakes_have_their_place) {
    CHECK_STR(evaluate("ab[1-3"), "5: a `]` is missing");
    CHECK_STR(evaluate("ab]"), "2: a `[` is missing");
    CHECK_STR(evaluate("n[3-1]"), "2: a range goes from the lower to the higher number");
    CHECK_STR(evaluate("n[]"), "2: a range is made of numbers, as in [01-23,40]");
    CHECK_STR(evaluate("n[1,]"), "4: a range is made of numbers, as in [01-23,40]");
    CHECK_STR(evaluate("n[::1]"), "2: a range is made of numbers, as in [01-23,40]");
    CHECK_STR(evaluate("n[1-2/0]"), "6: a step of 0 goes nowhere");
    CHECK_STR(evaluate("n[1-1000000000]"), "2: too many hosts");
    CHECK_STR(evaluate("n[1-100]x[1-100]"), "0: too many hosts");
    for (const char **s = (const char *[]){"n[01-100]", "n[1-010]", "n[001-10]", NULL}; *s; s++)
        CHECK_STR(evaluate(*s), "2: both ends of a padded range have the same number of digits");
    CHECK_STR(evaluate("n[1-99999999999999999999]"), "4: a number in a range has too many digits");
    CHECK_STR(evaluate("!a"), "0: nothing stands before this operator");
    CHECK_STR(evaluate("a,!b"), "2: nothing stands before this operator");
    CHECK_STR(evaluate("a!"), "1: nothing stands behind this operator");
    CHECK_STR(evaluate("a!,b"), "1: nothing stands behind this operator");
    CHECK_STR(evaluate("a!&b"), "1: nothing stands behind this operator");
    CHECK_STR(evaluate("!a,n[,b]^"), "0: nothing stands before this operator; "
                                     "5: a range is made of numbers, as in [01-23,40]; "
                                     "8: nothing stands behind this operator");
}

TEST(names_of_a_word_do_not_take_more_memory_than_their_number_is_worth) {
    struct buf text = {0};
    for (int i = 0; i < 1000; i++)
        buf_puts(&text, "long-");
    CHECK_STR(evaluate(text.s), text.s);
    buf_puts(&text, "[1-1000]");
    CHECK_STR(evaluate(text.s), "0: too many hosts of so long names");
    buf_free(&text);
}

/* Of names between blanks. */
static const char *fold(const char *text) {
    static struct buf out;
    str_list names = {0};
    for (const char *s = text; *s != '\0';) {
        size_t n = strcspn(s, " ");
        *vec_push(&names) = (struct str){s, n};
        s += n + (s[n] == ' ');
    }
    buf_clear(&out);
    nodeset_fold(names.v, names.n, &out);
    vec_free(&names);
    return out.s;
}

TEST(numbers_fold_to_ranges) {
    CHECK_STR(fold(""), "");
    CHECK_STR(fold("node"), "node");
    CHECK_STR(fold("node7"), "node7");
    CHECK_STR(fold("node3 node1 node2 node9"), "node[1-3,9]");
    CHECK_STR(fold("n9 n10 n11 n99 n100"), "n[9-11,99-100]");
    CHECK_STR(fold("b a b node1 node1"), "a,b,node1");
    CHECK_STR(fold("1 2 3"), "[1-3]");
    CHECK_STR(fold("n1.example.org n2.example.org"), "n[1-2].example.org");
    CHECK_STR(fold("ana@big1:22 ana@big2:22"), "ana@big[1-2]:22");
}

TEST(padding_is_kept_where_names_are_folded) {
    CHECK_STR(fold("node01 node02 node03 node1"), "node[1,01-03]");
    CHECK_STR(fold("n08 n09 n10 n11"), "n[08-11]");
    CHECK_STR(fold("n08 n09 n9 n10 n11"), "n[9,08-11]");
    CHECK_STR(fold("n0 n00 n000"), "n[0,00,000]");
    CHECK_STR(fold("n098 n099 n100"), "n[098-100]");
    CHECK_STR(fold("n98 n99 n100 n098"), "n[98-100,098]");
    CHECK_STR(fold("n49 n050"), "n[49,050]");
    char names[500];
    size_t n = 0;
    for (int i = 8; i <= 101; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "n%02d ", i);
    CHECK_STR(fold(names), "n[08-99,100-101]");
}

TEST(several_numbers_fold_to_products) {
    CHECK_STR(fold("n1-ib0 n1-ib1 n2-ib0 n2-ib1"), "n[1-2]-ib[0-1]");
    CHECK_STR(fold("a1b2 a1b3 a2b2"), "a1b[2-3],a2b2");
    CHECK_STR(fold("10.0.0.1 10.0.0.2 10.0.1.1"), "10.0.0.[1-2],10.0.1.1");
}

TEST(what_is_merged_first_is_what_gives_the_shortest_text) {
    CHECK_STR(fold("r1n1 r2n1 r3n1 r3n2"), "r[1-3]n1,r3n2");
    CHECK_STR(fold("r1n1 r1n2 r1n3 r2n3"), "r1n[1-3],r2n3");
    CHECK_STR(fold("r1n1 r1n2 r2n1 r2n2 r3n1 r3n2 r3n9 r4n1 r4n2"), "r[1-4]n[1-2],r3n9");
}

TEST(many_numbers_in_equal_steps_fold_to_a_step) {
    CHECK_STR(fold("n1 n3 n5 n7"), "n[1-7/2]");
    CHECK_STR(fold("n1 n3 n5"), "n[1,3,5]");
    CHECK_STR(fold("n5 n7 n9 n11 n13"), "n[5-13/2]");
    CHECK_STR(fold("n01 n04 n07 n10 n11"), "n[01,04,07,10-11]");
    CHECK_STR(fold("n01 n05 n09 n13"), "n[01-13/4]");
    CHECK_STR(fold("n7 n09 n11 n13"), "n[7,09,11,13]");
    CHECK_STR(fold("n1 n2 n4 n6 n8 n10 n20"), "n[1-2,4-10/2,20]");
}

TEST(any_order_folds_to_the_same_text) {
    enum { N = 60 };
    struct buf text[N] = {0}, first = {0}, out = {0};
    struct str names[2 * N];
    unsigned random = 1;
    for (unsigned i = 0; i < N; i++)
        buf_printf(&text[i], "r%un%02u", i % 7, i * i % 31);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            names[i] = buf_view(&text[i % N]);
        for (size_t i = N - 1; i > 0; i--) {
            random = random * 1103515245 + 12345;
            size_t k = (random >> 16) % (i + 1);
            struct str swap = names[i];
            names[i] = names[k];
            names[k] = swap;
        }
        buf_clear(&out);
        nodeset_fold(names, round % 2 == 0 ? N : 2 * N, &out);
        if (round == 0)
            buf_str(&first, buf_view(&out));
        CHECK_STR(out.s, first.s);
    }
    for (size_t i = 0; i < N; i++)
        buf_free(&text[i]);
    buf_free(&first);
    buf_free(&out);
}

TEST(addresses_in_brackets_stay_as_they_are) {
    CHECK_STR(fold("[::1]:22 [::2]:22"), "[::1]:22,[::2]:22");
    CHECK_STR(fold("ana@[fe80::1]"), "ana@[fe80::1]");
}

UNIT_MAIN
