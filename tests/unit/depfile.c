/* Dependency files: fixed texts, and what the compilers of this machine write. */
#include "read/depfile.h"
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

/* The names, each in [ ]; or the reason why there are none. */
static const char *parse(struct str text) {
    static struct buf out;
    struct arena arena = {0};
    struct buf why = {0};
    str_list names = {0};
    buf_clear(&out);
    if (!depfile_parse(text, &arena, &names, &why))
        buf_str(&out, buf_view(&why));
    for (size_t i = 0; i < names.n; i++) {
        buf_putc(&out, '[');
        buf_str(&out, names.v[i]);
        buf_putc(&out, ']');
    }
    vec_free(&names);
    buf_free(&why);
    arena_free(&arena);
    return out.s;
}

#define PARSE(literal) parse(STR(literal))

TEST(prerequisites_of_all_rules_each_once) {
    CHECK_STR(PARSE("a.o: a.c a.h b.h\n"), "[a.c][a.h][b.h]");
    CHECK_STR(PARSE("a.o: a.c b.h a.c\nc.o: b.h d.h\n"), "[a.c][b.h][d.h]");
    CHECK_STR(PARSE("a.o a.d: a.c"), "[a.c]");
    CHECK_STR(PARSE("a.o : a.c"), "[a.c]");
    CHECK_STR(PARSE("  a.o:\ta.c\t \n"), "[a.c]");
    CHECK_STR(PARSE("a.o:: a.c\n"), "[a.c]");
}

TEST(targets_that_stand_alone_add_nothing) {
    CHECK_STR(PARSE("a.o: a.c \\\n a.h\na.h:\n"), "[a.c][a.h]");
    CHECK_STR(PARSE("a.o: a.c\n\na.h:\n\nb.h: \n"), "[a.c]");
    CHECK_STR(PARSE("a.h:"), "");
}

TEST(a_text_without_rules_adds_nothing) {
    CHECK_STR(parse((struct str){NULL, 0}), "");
    CHECK_STR(PARSE("\n \r\n\\\n\t\n"), "");
    CHECK_STR(PARSE("# a: b"), "");
}

TEST(lines_go_on_behind_a_backslash) {
    CHECK_STR(PARSE("a.o: \\\n a.c \\\n a.h\\\nb.h\nc.o: c.c"), "[a.c][a.h][b.h][c.c]");
    CHECK_STR(PARSE("a.o: \\\r\n a.c \\\r\n a.h\r\nc.o: c.c\r\n"), "[a.c][a.h][c.c]");
    CHECK_STR(PARSE(" \\\n a.o\\\n b.o:\\\n a.c"), "[a.c]");
    CHECK_STR(PARSE("a.o: a.c \\\n\nb.o: b.c"), "[a.c][b.c]");
    CHECK_STR(PARSE("a.o: a.c\\\\\nb.o: b.c"), "[a.c\\\\][b.c]");
    CHECK_STR(PARSE("a.o: a.c\\\\\\\n b.c"), "[a.c\\][b.c]");
}

TEST(names_are_unescaped) {
    CHECK_STR(PARSE("a: b\\ c d\\\te f$$g h\\#i j\\:k"), "[b c][d\te][f$g][h#i][j:k]");
    CHECK_STR(PARSE("a: \\ b\\  c\\ \\ d"), "[ b ][c  d]");
    CHECK_STR(PARSE("a: b\\\\\\ c\\\\ d"), "[b\\ c\\][d]");
    CHECK_STR(PARSE("a: b\\\\#c d\\\\:e f\\:"), "[b\\#c][d\\:e][f:]");
    CHECK_STR(PARSE("a: \\$$b $c $$$ $$$$"), "[\\$b][$c][$$]");
}

TEST(other_bytes_stand_for_themselves) {
    CHECK_STR(PARSE("a: b\\c \\\\d e\\\\\\f \\%g \\*h"), "[b\\c][\\\\d][e\\\\\\f][\\%g][\\*h]");
    CHECK_STR(PARSE("a: |*?[];&'\"`(){}<>~!=%@^+,"), "[|*?[];&'\"`(){}<>~!=%@^+,]");
    CHECK_STR(PARSE("a: \x01\x7f\x80\xff\xc3\xbc\v\f"), "[\x01\x7f\x80\xff\xc3\xbc\v\f]");
    CHECK_STR(PARSE("a: b\rc \r d\r\n"), "[b\rc][\r][d]");
    CHECK_STR(PARSE("a: b\\"), "[b\\]");
    CHECK_STR(PARSE("a: b\\\rc"), "[b\\\rc]");
}

TEST(the_colon_that_ends_the_targets_ends_a_word) {
    CHECK_STR(PARSE("a:b c:d: e:f g: : h"), "[e:f][g:][:][h]");
    CHECK_STR(PARSE("a\\:b: c"), "[c]");
    /* What -MP writes for a name that ends in a backslash. */
    CHECK_STR(PARSE("a: b\\ \\\n c\nb\\:\nc\\\\:\\\n d"), "[b ][c][d]");
    CHECK_STR(PARSE("a:# b\n:c:#\n: d"), "[d]");
}

TEST(comments_are_left_out) {
    CHECK_STR(PARSE("# x: y\na: b # c\n# d \\\n e: f\ng: h"), "[b][h]");
    CHECK_STR(PARSE("a: b#c"), "[b]");
    /* What rustc writes: backslashes doubled. */
    CHECK_STR(PARSE("a: b\n\n# env-dep:X=\\\\\nc: d # e\\x\\\\\\\nf\ng: h\\\n"), "[b][d][h]");
}

TEST(what_gcc_writes_for_hard_names) {
    CHECK_STR(PARSE("o\\ ut$$1\\#.o: main.c /usr/include/stdc-predef.h a\\ b.h c$$d.h e\\#f.h \\\n"
                    " g\\h.h i\\\\\\ j.h k:l.h m\\\\#n.h tab\\\tx.h %per.h v|w.h dbl$$$$.h \\\n"
                    " \\$$q.h \\ lead.h\n"
                    "/usr/include/stdc-predef.h:\na\\ b.h:\nc$$d.h:\ne\\#f.h:\ng\\h.h:\n"
                    "i\\\\\\ j.h:\nk:l.h:\nm\\\\#n.h:\ntab\\\tx.h:\n%per.h:\nv|w.h:\n"
                    "dbl$$$$.h:\n\\$$q.h:\n\\ lead.h:\n"),
              "[main.c][/usr/include/stdc-predef.h][a b.h][c$d.h][e#f.h][g\\h.h][i\\ j.h][k:l.h]"
              "[m\\#n.h][tab\tx.h][%per.h][v|w.h][dbl$$.h][\\$q.h][ lead.h]");
}

TEST(what_clang_writes_for_hard_names) {
    CHECK_STR(PARSE("o\\ ut$$1\\#.o: main.c a\\ b.h c$$d.h e\\#f.h \\\n  k:l.h x\\ \\\n"
                    "  \\ lead.h sem;i.h\n\na\\ b.h:\n\nc$$d.h:\n\ne\\#f.h:\n\nk:l.h:\n"),
              "[main.c][a b.h][c$d.h][e#f.h][k:l.h][x ][ lead.h][sem;i.h]");
}

TEST(mistakes_have_their_line) {
    CHECK_STR(PARSE("a.o a.c"), "line 1: no `:` ends the targets");
    CHECK_STR(PARSE("a: b \\\n c\n\nd \\\n e\nf: g\n"), "line 4: no `:` ends the targets");
    CHECK_STR(PARSE("a: b \\\r\n c\r\nd # :\r\ne: f"), "line 3: no `:` ends the targets");
    CHECK_STR(PARSE("# a \\\n b\na:b\n"), "line 3: no `:` ends the targets");
    CHECK_STR(PARSE("\0"), "line 1: a NUL byte");
    CHECK_STR(PARSE("a: b\nc: d \\\n e\0f\nx\n"), "line 3: a NUL byte");
}

TEST(a_mistake_leaves_the_list_as_it_was) {
    struct arena arena = {0};
    struct buf why = {0};
    str_list names = {0};
    *vec_push(&names) = STR("x");
    CHECK(!depfile_parse(STR("a: b\nc\n"), &arena, &names, &why) && names.n == 1);
    CHECK(depfile_parse(STR("a: b\n"), &arena, &names, &why) && names.n == 2);
    CHECK(str_eq(names.v[0], STR("x")) && str_eq(names.v[1], STR("b")));
    vec_free(&names);
    buf_free(&why);
    arena_free(&arena);
}

/* The same over and over, behind a colon and before one: nothing nests, nothing is looked at anew.
 */
TEST(long_texts_are_read) {
    static const char *const parts[] = {"\\", "\\\n", "a ", "::", "a:", "#", "\\ ", "$", " \\\r\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct buf text = {0};
        buf_puts(&text, "t: ");
        while (text.n < 1 << 20)
            buf_puts(&text, parts[i]);
        struct str all = buf_view(&text);
        CHECK(!str_starts(str_of(parse(all)), STR("line")));
        parse((struct str){all.s + 3, all.n - 3});
        buf_free(&text);
    }
}

/* --- compilers --- */

static const char *const headers[] = {"plain.h", "a b.h", "c$d.h",   "e#f.h",          "$$.h",
                                      " g  h.h", "i:j.h", "(k)&'.h", "l\xc3\xbc#$ m.h"};
enum { HEADERS = sizeof headers / sizeof *headers };

static bool write_file(const char *directory, const char *name, const char *text) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", directory, name);
    FILE *f = fopen(path.s, "w");
    bool good = f != NULL && fputs(text, f) >= 0;
    if (f != NULL && fclose(f) != 0)
        good = false;
    buf_free(&path);
    return good;
}

/* A source that includes all headers, some of which include others. */
static bool write_sources(const char *directory) {
    struct buf text = {0};
    bool good = true;
    for (size_t i = 0; i < HEADERS; i++) {
        buf_printf(&text, "#include \"%s\"\n", headers[i]);
        good = good && write_file(directory, headers[i], i == 3 ? "#include \"a b.h\"\n" : "");
    }
    buf_puts(&text, "int x;\n");
    good = good && write_file(directory, "so urce$#.c", text.s);
    buf_free(&text);
    return good;
}

static bool compile(const char *compiler, const char *directory, struct buf *depfile) {
    struct buf command = {0};
    buf_printf(&command,
               "cd %s && %s -MD -MP -MF d -c 'so urce$#.c' -o 'ob ject$#.o' 2>&1 && cat d",
               directory, compiler);
    FILE *f = popen(command.s, "r");
    char bytes[4096];
    for (size_t n; f != NULL && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(depfile, bytes, n);
    buf_free(&command);
    return f != NULL && pclose(f) == 0;
}

/* Neither argument needs quoting. */
static bool succeeds(const char *command_name, const char *argument) {
    struct buf command = {0};
    buf_printf(&command, "%s %s", command_name, argument);
    bool good = system(command.s) == 0;
    buf_free(&command);
    return good;
}

static size_t count(const char *in, const char *name) {
    struct buf word = {0};
    size_t n = 0;
    buf_printf(&word, "[%s]", name);
    while ((in = strstr(in, word.s)) != NULL) {
        n++;
        in++;
    }
    buf_free(&word);
    return n;
}

static void try_compiler(const char *compiler) {
    char directory[] = "/tmp/foray-depfile-XXXXXX";
    struct buf depfile = {0};
    if (!succeeds("command -v >/dev/null", compiler) || !CHECK(mkdtemp(directory) != NULL))
        return;
    if (CHECK(write_sources(directory)) && CHECK(compile(compiler, directory, &depfile))) {
        const char *names = parse(buf_view(&depfile));
        CHECK(strncmp(names, "[so urce$#.c]", 13) == 0);
        for (size_t i = 0; i < HEADERS; i++)
            if (!CHECK(count(names, headers[i]) == 1))
                printf("# %s: |%s| in %s\n", compiler, headers[i], names);
    }
    CHECK(succeeds("rm -rf", directory));
    buf_free(&depfile);
}

TEST(what_gcc_writes_here) {
    try_compiler("gcc");
}

TEST(what_clang_writes_here) {
    try_compiler("clang");
}

UNIT_MAIN
