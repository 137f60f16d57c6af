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
}

TEST(several_numbers_fold_to_products) {
    CHECK_STR(fold("n1-ib0 n1-ib1 n2-ib0 n2-ib1"), "n[1-2]-ib[0-1]");
    CHECK_STR(fold("a1b2 a1b3 a2b2"), "a1b[2-3],a2b2");
    CHECK_STR(fold("10.0.0.1 10.0.0.2 10.0.1.1"), "10.0.0.[1-2],10.0.1.1");
}

TEST(addresses_in_brackets_stay_as_they_are) {
    CHECK_STR(fold("[::1]:22 [::2]:22"), "[::1]:22,[::2]:22");
    CHECK_STR(fold("ana@[fe80::1]"), "ana@[fe80::1]");
}

UNIT_MAIN
