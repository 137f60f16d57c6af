/* Names are never code: hostile values in every context, run by every shell that this machine has,
 * come out as they went in, and nothing in them is ever run. */
#include "graph/template.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct str values[] = {
    STR(""),
    STR("a b"),
    STR("it's"),
    STR("'"),
    STR("''"),
    STR("\""),
    STR("a\"b"),
    STR("$HOME"),
    STR("${HOME}"),
    STR("$(touch P)"),
    STR("`touch P`"),
    STR("'$(touch P)'"),
    STR("\"$(touch P)\""),
    STR("';touch P;'"),
    STR("\";touch P;\""),
    STR("a\nb"),
    STR("\n"),
    STR("a\n"),
    STR("-n"),
    STR("--"),
    STR("*"),
    STR("?"),
    STR("[a]"),
    STR("~"),
    STR("!x"),
    STR("#x"),
    STR("; touch P"),
    STR("& touch P"),
    STR("| touch P"),
    STR("> P"),
    STR("\\"),
    STR("a\\"),
    STR("\\\\"),
    STR("\\n"),
    STR("\\'"),
    STR("\\\""),
    STR("$"),
    STR("$$"),
    STR("a$"),
    STR("\t"),
    STR("\r"),
    STR("a\rb"),
    STR("\x81\x82\x88"),
    STR("\xff\xfe"),
    STR("\xc3\xbc"),
    STR("$'\\x41'"),
    STR("{a,b}"),
    STR("{{item}}"),
    STR("(("),
    STR(")"),
    STR("esac"),
    STR("<<E"),
    STR("%s%n"),
    STR("=x"),
};
enum { VALUES = sizeof values / sizeof *values };

/* @ is where the value goes; what the script prints for it, with @ again. p prints its words, one a
 * line. */
static const struct {
    const char *script, *expected;
    bool no_newline_at_end; /* $(...) takes them away: values that end in one are left out */
} contexts[] = {
    {"p @", "[@]\n", false},
    {"p x@y", "[x@y]\n", false},
    {"p @@", "[@@]\n", false},
    {"p \"@\"", "[@]\n", false},
    {"p \"x @ y\"", "[x @ y]\n", false},
    {"p '@'", "[@]\n", false},
    {"p 'x '@\" y\"", "[x @ y]\n", false},
    {"p \"$(p @)\"", "[[@]]\n", false},
    {"p \"$(p \"@\")\"", "[[@]]\n", false},
    {"p \"$(p '@' \"$(p @)\")\"", "[[@]\n[[@]]]\n", false},
    {"x=@; p \"$x\"", "[@]\n", false},
    {"x=\"@\" && p \"$x\"", "[@]\n", false},
    {"(p @); { p \"@\"; }", "[@]\n[@]\n", false},
    {"f() { p '@'; }; f", "[@]\n", false},
    {"for i in a @ b; do p \"$i\"; done", "[a]\n[@]\n[b]\n", false},
    {"case @ in @) p yes;; *) p no;; esac", "[yes]\n", false},
    {"case x@ in y) p no;; x'@') p \"@\";; esac", "[@]\n", false},
    {"if true; then p @; fi # @ it's\np \"@\"", "[@]\n[@]\n", false},
    {"# @\np @", "[@]\n", false},
    {"p \\\n@", "[@]\n", false},
    {"p a\\ @", "[a @]\n", false},
    {"cat <<E | tr -d x\nx\nE\np @", "\n[@]\n", false},
    {"x=\"$(case @ in *) p @;; esac)\"; p \"$x\"", "[[@]]\n", false},
    {"eval 'p \"$1\"' 2>/dev/null; p @", "[]\n[@]\n", false},
    {"p ${x:-a}\"@\"", "[a@]\n", false},
    {"p $((1 + 1))@", "[2@]\n", false},
    {"p \"`p a`@\"", "[[a]@]\n", false},
};
enum { CONTEXTS = sizeof contexts / sizeof *contexts };

static struct place nowhere(const struct text_origin *origin, size_t offset, size_t length) {
    (void)origin;
    (void)offset;
    (void)length;
    return (struct place){0};
}

static bool look_up(void *context, const struct reference *reference, struct value *out) {
    (void)reference;
    *out = (struct value){.v = context, .n = 1};
    return true;
}

static void replace(struct buf *out, const char *text, struct str by) {
    for (; *text != '\0'; text++) {
        if (*text == '@')
            buf_str(out, by);
        else
            buf_putc(out, *text);
    }
}

/* Runs a script and compares what it prints. */
static bool prints(const char *shell, struct str script, struct str expected) {
    char name[] = "/tmp/foray-quoting-XXXXXX", directory[] = "/tmp/foray-quoting-XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0 || mkdtemp(directory) == NULL ||
        write(fd, script.s, script.n) != (ssize_t)script.n || close(fd) != 0)
        return false;
    struct buf command = {0}, output = {0};
    buf_printf(&command, "cd %s && %s %s 2>&1; ls -A", directory, shell, name);
    FILE *f = popen(command.s, "r");
    char bytes[4096];
    for (size_t n; f != NULL && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(&output, bytes, n);
    bool same = f != NULL && pclose(f) == 0 && str_eq(buf_view(&output), expected);
    unlink(name);
    buf_clear(&command);
    buf_printf(&command, "rm -rf %s", directory);
    if (system(command.s) != 0)
        same = false;
    buf_free(&command);
    buf_free(&output);
    return same;
}

/* All values in one context, or one value: the script of many is run first, and taken apart where
 * it differs. */
static void add_case(size_t context, size_t value, struct buf *script, struct buf *expected) {
    struct arena arena = {0};
    struct diags diags;
    struct text_origin origin = {nowhere};
    struct buf text = {0};
    diags_init(&diags);
    replace(&text, contexts[context].script, STR("{{item}}"));
    struct template t = template_parse_script(&arena, buf_view(&text), &origin, &diags);
    CHECK(diags.errors == 0);
    buf_puts(script, "(\n");
    template_script(&t, look_up, (void *)&values[value], script);
    buf_puts(script, "\n)\n");
    replace(expected, contexts[context].expected, values[value]);
    buf_free(&text);
    diags_free(&diags);
    arena_free(&arena);
}

static const char start[] = "p() { for w; do printf '[%s]\\n' \"$w\"; done; }\n";

static bool holds(const char *shell, size_t context, size_t first, size_t end) {
    struct buf script = {0}, expected = {0};
    buf_puts(&script, start);
    for (size_t v = first; v < end; v++)
        add_case(context, v, &script, &expected);
    bool good = prints(shell, buf_view(&script), buf_view(&expected));
    buf_free(&script);
    buf_free(&expected);
    return good;
}

static void try_shell(const char *shell) {
    struct buf probe = {0};
    buf_printf(&probe, "%s -c : 2>/dev/null", shell);
    bool there = system(probe.s) == 0;
    buf_free(&probe);
    if (!there)
        return;
    for (size_t c = 0; c < CONTEXTS; c++) {
        if (holds(shell, c, 0, VALUES))
            continue;
        for (size_t v = 0; v < VALUES; v++)
            if (!holds(shell, c, v, v + 1)) {
                struct buf shown = {0};
                buf_visible(&shown, values[v]);
                printf("# %s: %s with |%s|\n", shell, contexts[c].script, shown.s);
                buf_free(&shown);
                CHECK(false);
            }
    }
}

TEST(hostile_values_are_data_for_sh) {
    try_shell("sh");
}

TEST(hostile_values_are_data_for_dash) {
    try_shell("dash");
}

TEST(hostile_values_are_data_for_bash) {
    try_shell("bash");
}

TEST(hostile_values_are_data_for_busybox) {
    try_shell("busybox sh");
}

static const char *error_of(const char *text) {
    static struct buf out;
    struct arena arena = {0};
    struct diags diags;
    struct text_origin origin = {nowhere};
    diags_init(&diags);
    template_parse_script(&arena, str_of(text), &origin, &diags);
    buf_clear(&out);
    diags_print(&diags, &out, 1, false);
    diags_free(&diags);
    arena_free(&arena);
    return out.s;
}

TEST(where_nothing_can_be_quoted_the_way_out_is_named) {
    CHECK(strstr(error_of("echo `cat {{in}}`"), "$(...)") != NULL);
    CHECK(strstr(error_of("cat <<E\n{{item}}\nE"), "$FORAY_ITEM") != NULL);
    CHECK(strstr(error_of("echo $((1 + {{n}}))"), "env:") != NULL);
    CHECK(strstr(error_of("echo ${{item}}"), "right behind `$`") != NULL);
    CHECK(strstr(error_of("echo \\{{item}}"), "backslash") != NULL);
    CHECK(*error_of("echo `cat {{in:raw}}`") == '\0');
    CHECK(*error_of("docker ps --format '{{.ID}} {{json .}}' {{{{end}}") == '\0');
}

static bool look_up_list(void *context, const struct reference *reference, struct value *out) {
    static const struct str files[] = {STR("-a"), STR("b c")};
    (void)context;
    *out = (struct value){.v = files, .n = 2, .file = str_eq(reference->word, STR("in"))};
    return true;
}

static const char *expand(const char *text) {
    static struct buf out;
    struct arena arena = {0};
    struct diags diags;
    struct text_origin origin = {nowhere};
    diags_init(&diags);
    struct template t = template_parse_script(&arena, str_of(text), &origin, &diags);
    buf_clear(&out);
    template_script(&t, look_up_list, NULL, &out);
    diags_free(&diags);
    arena_free(&arena);
    return out.s;
}

TEST(lists_and_files) {
    CHECK_STR(expand("x {{in}}"), "x './-a' 'b c'");
    CHECK_STR(expand("x {{ words }}"), "x '-a' 'b c'");
    CHECK_STR(expand("x \"{{in}}\""), "x \"./-a b c\"");
    CHECK_STR(expand("x {{words:raw}}"), "x -a b c");
    CHECK_STR(expand("x {{{{words}}"), "x {{words}}");
    CHECK_STR(expand("x {{1}} {{a b}} {{}} {{a.}} {{"), "x {{1}} {{a b}} {{}} {{a.}} {{");
    struct arena arena = {0};
    str_list list = {0};
    struct template t = template_parse(&arena, STR("{{a}}.{{b}}"));
    CHECK(template_list(&t, look_up_list, NULL, &arena, &list) && list.n == 4);
    CHECK_STR(list.v[1].s, "-a.b c");
    vec_free(&list);
    arena_free(&arena);
}

UNIT_MAIN
