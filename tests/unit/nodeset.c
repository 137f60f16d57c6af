/* Host lists: names to text. */
#include "base/nodeset.h"
#include "unit.h"

#include <stdlib.h>

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
