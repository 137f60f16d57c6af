/* A unit test is a program: TEST(what_it_promises) { CHECK(...); } ... and at the end UNIT_MAIN. It
 * prints TAP. */
#ifndef FORAY_TESTS_UNIT_H
#define FORAY_TESTS_UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};

static struct unit_test *unit_first, **unit_last = &unit_first;
static bool unit_failed;

#define TEST(id)                                                                                   \
    static void test_##id(void);                                                                   \
    static struct unit_test unit_##id = {#id, test_##id, NULL};                                    \
    __attribute__((constructor)) static void add_##id(void) {                                      \
        *unit_last = &unit_##id;                                                                   \
        unit_last = &unit_##id.next;                                                               \
    }                                                                                              \
    static void test_##id(void)

/* A failed check is printed and the test goes on; the value says whether it held, to stop early. */
#define CHECK(condition) unit_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_STR(actual, expected)                                                                \
    unit_check_str((actual), (expected), #actual, __FILE__, __LINE__)

static inline bool unit_check(bool holds, const char *what, const char *file, int line) {
    if (!holds) {
        printf("# %s:%d: does not hold: %s\n", file, line, what);
        unit_failed = true;
    }
    return holds;
}

static inline bool unit_check_str(const char *actual, const char *expected, const char *what,
                                  const char *file, int line) {
    bool same = strcmp(actual, expected) == 0;
    if (!same) {
        printf("# %s:%d: %s is\n# |%s|, not\n# |%s|\n", file, line, what, actual, expected);
        unit_failed = true;
    }
    return same;
}

static inline int unit_main(void) {
    int n = 0, failed = 0;
    for (struct unit_test *t = unit_first; t != NULL; t = t->next) {
        unit_failed = false;
        t->run();
        printf("%sok %d - %s\n", unit_failed ? "not " : "", ++n, t->name);
        fflush(stdout);
        failed += unit_failed;
    }
    printf("1..%d\n", n);
    return failed != 0;
}

#define UNIT_MAIN                                                                                  \
    int main(void) {                                                                               \
        return unit_main();                                                                        \
    }

#endif
