/* What `foray copy` makes of its words, and of the lines of a file. */
#include "base/cksum.h"
#include "base/hostpath.h"
#include "base/lines.h"
#include "carry/stage_state.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TEST(words_are_split_as_scp_does) {
    static const struct {
        const char *word, *hosts, *path; /* hosts NULL: it is here */
    } rows[] = {
        {"file", NULL, NULL},
        {"", NULL, NULL},
        {"/a:b", NULL, NULL},
        {"./a:b", NULL, NULL},
        {"dir[1]/x:y", NULL, NULL},
        {"[open:x", NULL, NULL},
        {"node1:", "node1", ""},
        {"node1:x", "node1", "x"},
        {":x", "", "x"},
        {"a:b:c", "a", "b:c"},
        {"node1:/a:b/c", "node1", "/a:b/c"},
        {"node[1-3]:x", "node[1-3]", "x"},
        {"node[0-20/5]:x", "node[0-20/5]", "x"},
        {"n[1-2],@rack,ana@big:x y", "n[1-2],@rack,ana@big", "x y"},
        {"ana@big:2222:x", "ana@big:2222", "x"},
        {"ana@big:2222:", "ana@big:2222", ""},
        {"big:2222", "big", "2222"},
        {"big:./2222:x", "big", "./2222:x"},
        {"big:22a:x", "big", "22a:x"},
        {"a:22,b:23:x", "a:22,b:23", "x"},
        {"a:22,b:x", "a:22,b", "x"},
        {"a:22!b:22&c:x", "a:22!b:22&c", "x"},
        {"a:22,b", "a", "22,b"},
        {"a:22,b/c:d", "a", "22,b/c:d"},
        {"a:1:2:x", "a:1", "2:x"},
        {"[::1]:x", "[::1]", "x"},
        {"[::1]:22:x", "[::1]:22", "x"},
        {"ana@[fe80::1]:x", "ana@[fe80::1]", "x"},
        {"::1:x", "", ":1:x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str hosts = {0}, path = {0};
        bool there = hostpath_split(str_of(rows[i].word), &hosts, &path);
        bool good = there == (rows[i].hosts != NULL) &&
                    (!there ||
                     (str_eq(hosts, str_of(rows[i].hosts)) && str_eq(path, str_of(rows[i].path))));
        if (!CHECK(good))
            printf("# %s -> |%.*s|%.*s|\n", rows[i].word, STR_FMT(hosts), STR_FMT(path));
    }
}

static FILE *file_of(const char *text) {
    FILE *f = tmpfile();
    if (f == NULL)
        abort();
    fputs(text, f);
    fflush(f);
    return f;
}

static const char *starts_of(const char *text, size_t n) {
    static char out[256];
    uint64_t starts[16];
    FILE *f = file_of(text);
    size_t at = 0;
    if (lines_split(fileno(f), strlen(text), n, starts) != 0)
        abort();
    out[0] = '\0';
    for (size_t i = 0; i <= n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, i != 0 ? " %d" : "%d", (int)starts[i]);
    fclose(f);
    return out;
}

TEST(files_are_cut_between_lines) {
    CHECK_STR(starts_of("", 3), "0 0 0 0");
    CHECK_STR(starts_of("a\n", 1), "0 2");
    CHECK_STR(starts_of("a\nb\nc\n", 3), "0 2 4 6");
    CHECK_STR(starts_of("a\nb\nc\nd\n", 3), "0 2 6 8");
    CHECK_STR(starts_of("no end", 2), "0 6 6");
    CHECK_STR(starts_of("a\nno end", 2), "0 8 8");
    CHECK_STR(starts_of("a long line and\nb\nc", 4), "0 16 16 16 19");
    CHECK_STR(starts_of("\n\n\n\n", 2), "0 2 4");
    CHECK_STR(starts_of("a\nb", 8), "0 0 0 2 2 2 2 2 3");
}

/* Parts join to the whole, begin behind the end of a line, and differ from the ideal by less than
 * the longest line. */
TEST(parts_of_a_large_file_are_nearly_equal) {
    FILE *f = tmpfile();
    uint64_t size = 0, longest = 0, starts[24];
    srand(7);
    for (size_t i = 0; i < 30000; i++) {
        int n = rand() % 40 == 0 ? rand() % 5000 : rand() % 80;
        fprintf(f, "%*s\n", n, "");
        uint64_t length = (uint64_t)n + 1;
        longest = length > longest ? length : longest;
        size += length;
    }
    fflush(f);
    CHECK(lines_split(fileno(f), size, 23, starts) == 0);
    CHECK(starts[0] == 0 && starts[23] == size);
    for (size_t i = 1; i < 23; i++) {
        char before;
        CHECK(starts[i] >= size * i / 23 && starts[i] - size * i / 23 < longest);
        CHECK(pread(fileno(f), &before, 1, (off_t)starts[i] - 1) == 1 && before == '\n');
    }
    fclose(f);
}

static uint32_t sum_of(const char *text, size_t step) {
    struct cksum *c = cksum_new();
    for (size_t i = 0, n = strlen(text); i < n; i += step)
        cksum_add(c, (struct str){text + i, n - i < step ? n - i : step});
    uint32_t sum = cksum_end(c);
    free(c);
    return sum;
}

/* As cksum(1) says it. */
TEST(sums_are_those_of_cksum) {
    const char *pangram = "The quick brown fox jumps over the lazy dog";
    CHECK(sum_of("", 1) == 4294967295);
    for (size_t step = 1; step < 20; step++) {
        CHECK(sum_of("123456789", step) == 930766865);
        CHECK(sum_of(pangram, step) == 2074844392);
    }
}

/* What is added at once, and what byte by byte, is the same. */
TEST(sums_of_much_are_those_of_its_bytes) {
    static char bytes[5000];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof bytes - 1; i++)
        bytes[i] = (char)((random = random * 1664525 + 1013904223) >> 24 | 1); /* none is 0 */
    for (size_t start = 0; start < 5; start++) {
        uint32_t all = sum_of(bytes + start, 1);
        for (size_t step = 2; step < sizeof bytes; step += 1 + step / 7)
            CHECK(sum_of(bytes + start, step) == all);
    }
    CHECK(sum_of(bytes, 1) == 2774842337); /* as cksum(1) says it */
}

TEST(a_sum_is_joined_from_those_of_parts) {
    const char *text = "The quick brown fox jumps over the lazy dog";
    for (size_t first = 0; first <= strlen(text); first++) {
        struct cksum *a = cksum_new(), *b = cksum_new();
        cksum_add(a, (struct str){text, first});
        cksum_add(b, str_of(text + first));
        cksum_join(a, b);
        CHECK(cksum_end(a) == 2074844392 && a->size == strlen(text));
        free(a);
        free(b);
    }
}

/* The files are those of these names again and again, and each has its name in it. grown: of what
 * came the last byte of some was missing. */
static bool sum_of_many_is_right(size_t n, bool grown) {
    static const char *const names[] = {"a", "b b", "new\nline", "$c"};
    struct stage_sum *sum = stage_sum_new();
    struct asking asking;
    VEC(struct summed) files = {0};
    struct buf script = {0}, expected = {0};
    stage_sum_begin_script(&asking, n, &script);
    for (size_t i = 0; i < n; i++) {
        struct str name = str_of(names[i % 1000 == 501 ? 2 : i % 4 == 2 ? 0 : i % 4]);
        struct str bytes = {name.s, grown && i % 3 == 0 ? name.n - 1 : name.n};
        stage_sum_ask(&asking, name);
        stage_sum_add(sum, bytes);
        stage_sum_file(sum, name);
        *vec_push(&files) = (struct summed){name, bytes.n};
    }
    stage_sum_end_script(&asking);
    if (grown) {
        buf_clear(&script);
        stage_sum_ask_by_length(files.v, files.n, &script);
    }
    stage_sum_say(sum, grown, &expected);
    FILE *f = popen(script.s, "r");
    char said[64] = "";
    bool right = f != NULL && fgets(said, sizeof said, f) != NULL && pclose(f) == 0 &&
                 str_eq((struct str){said, strcspn(said, "\n")}, buf_view(&expected));
    stage_sum_free(sum);
    vec_free(&files);
    buf_free(&script);
    buf_free(&expected);
    return right;
}

TEST(sums_of_many_are_in_their_order_however_many_read) {
    char directory[] = "/tmp/foray-unit-XXXXXX", before[4096];
    CHECK(getcwd(before, sizeof before) != NULL && mkdtemp(directory) != NULL &&
          chdir(directory) == 0);
    CHECK(system("for f in a 'b b' 'new\nline' '$c'; do printf %s \"$f\" >\"$f\"; done") == 0);
    static const size_t numbers[] = {1, 999, 1999, 2000, 3001, 4000, 9999};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        CHECK(sum_of_many_is_right(numbers[i], false));
    CHECK(sum_of_many_is_right(1, true) && sum_of_many_is_right(1999, true));
    CHECK(system("rm -f a 'b b' 'new\nline' '$c'") == 0);
    CHECK(chdir(before) == 0 && rmdir(directory) == 0);
}

UNIT_MAIN
