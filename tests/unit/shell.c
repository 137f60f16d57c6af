/* In which quoting context does a point of a script stand? @ marks the point. */
#include "base/shell.h"
#include "unit.h"

#include <stdlib.h>

static const struct {
    const char *script;
    enum shell_context context;
} rows[] = {
    {"@", SHELL_BARE},
    {"echo @", SHELL_BARE},
    {"echo a@b", SHELL_BARE},
    {"echo 'a @", SHELL_SINGLE},
    {"echo 'a' @", SHELL_BARE},
    {"echo \"a @", SHELL_DOUBLE},
    {"echo \"a\" @", SHELL_BARE},
    {"echo \"a \\\" @", SHELL_DOUBLE},
    {"echo \"it's @", SHELL_DOUBLE},
    {"echo 'say \"@", SHELL_SINGLE},
    {"echo \\' @", SHELL_BARE},
    {"echo \\\" @", SHELL_BARE},
    {"echo \\@", SHELL_AFTER_BACKSLASH},
    {"echo \"\\@", SHELL_AFTER_BACKSLASH},
    {"echo '\\@", SHELL_SINGLE},
    {"echo \\\\@", SHELL_BARE},
    {"echo $@", SHELL_AFTER_DOLLAR},
    {"echo \"$@", SHELL_AFTER_DOLLAR},
    {"echo '$@", SHELL_SINGLE},
    {"echo \\$@", SHELL_BARE},
    {"echo $$@", SHELL_BARE},
    {"echo $x@", SHELL_BARE},
    {"echo \"$x @", SHELL_DOUBLE},
    {"# it's @", SHELL_COMMENT},
    {"echo # it's @", SHELL_COMMENT},
    {"echo a#'@", SHELL_SINGLE},
    {"echo $# '@", SHELL_SINGLE},
    {"echo ${#x} '@", SHELL_SINGLE},
    {"# it's\necho @", SHELL_BARE},
    {"echo;# it's @", SHELL_COMMENT},
    {"(# it's @", SHELL_COMMENT},
    {"echo $(cat @", SHELL_BARE},
    {"echo $(@", SHELL_BARE},
    {"echo \"$(cat @", SHELL_BARE},
    {"echo \"$(cat '@", SHELL_SINGLE},
    {"echo \"$(cat \"@", SHELL_DOUBLE},
    {"echo \"$(cat x)@", SHELL_DOUBLE},
    {"echo \"$(cat \"$(ls '@", SHELL_SINGLE},
    {"echo \"$(cat \"$(ls)\")@", SHELL_DOUBLE},
    {"echo '$(cat @", SHELL_SINGLE},
    {"echo $(echo ')' @", SHELL_BARE},
    {"x=$(case a in a) echo @", SHELL_BARE},
    {"x=\"$(case a in a) echo b;; esac)@", SHELL_DOUBLE},
    {"x=\"$(case a in (a) echo b;; esac)@", SHELL_DOUBLE},
    {"x=\"$(case a in a|b) echo b;; *) c;; esac; echo '@", SHELL_SINGLE},
    {"x=\"$(case a in esac)@", SHELL_DOUBLE},
    {"x=\"$(case in in in) echo;; esac)@", SHELL_DOUBLE},
    {"x=\"$(echo case a in)@", SHELL_DOUBLE},
    {"x=\"$(if case a in a) true;; esac; then b; fi)@", SHELL_DOUBLE},
    {"x=\"$(case a in a) case b in b) c;; esac;; esac)@", SHELL_DOUBLE},
    {"case x in '@", SHELL_SINGLE},
    {"case @", SHELL_BARE},
    {"case x in @", SHELL_BARE},
    {"f() { echo '@", SHELL_SINGLE},
    {"f() { echo @", SHELL_BARE},
    {"(cd x && echo \"@", SHELL_DOUBLE},
    {"echo `cat @", SHELL_BACKQUOTE},
    {"echo \"`cat @", SHELL_BACKQUOTE},
    {"echo `cat` @", SHELL_BARE},
    {"echo `cat \\` @", SHELL_BACKQUOTE},
    {"echo '`' @", SHELL_BARE},
    {"echo ${x:-@", SHELL_PARAMETER},
    {"echo \"${x:-@", SHELL_PARAMETER},
    {"echo ${x:-a} @", SHELL_BARE},
    {"echo \"${x:-a}@", SHELL_DOUBLE},
    {"echo ${x:-'}'} @", SHELL_BARE},
    {"echo \"${x:-'}'} @", SHELL_PARAMETER}, /* shells disagree: never again */
    {"echo \"${x%'y'}@", SHELL_DOUBLE},
    {"echo ${x:-$(cat @", SHELL_PARAMETER},
    {"echo ${x:-\"}\"} @", SHELL_BARE},
    {"echo $((1 + @", SHELL_ARITHMETIC},
    {"echo $((1 + 1)) @", SHELL_BARE},
    {"echo \"$((1 + (2)))@", SHELL_DOUBLE},
    {"((x = @", SHELL_ARITHMETIC},
    {"for ((i = 0; i < @", SHELL_ARITHMETIC},
    {"( (echo @", SHELL_BARE},
    {"$( (echo @", SHELL_BARE},
    {"echo $'a@", SHELL_ANSI_C},
    {"echo $'a' @", SHELL_BARE},
    {"echo $'a\\'@", SHELL_ANSI_C}, /* ended for a shell that does not know it */
    {"echo $'a\\n' @", SHELL_BARE},
    {"echo \"$'@", SHELL_DOUBLE},
    {"echo $\"a @", SHELL_DOUBLE},
    {"cat <<E\n@", SHELL_HEREDOC},
    {"cat <<E\nit's\nE\necho @", SHELL_BARE},
    {"cat <<'E'\nit's\nE\necho @", SHELL_BARE},
    {"cat <<'E F'\nE\nE F\necho @", SHELL_BARE},
    {"cat <<\\E\n@", SHELL_HEREDOC},
    {"cat <<-E\n\tit's\n\tE\necho @", SHELL_BARE},
    {"cat <<E\n\tE\n@", SHELL_HEREDOC},
    {"cat <<A <<B\nit's\nA\n@", SHELL_HEREDOC},
    {"cat <<A <<B\nit's\nA\nit's\nB\n@", SHELL_BARE},
    {"cat <<@", SHELL_HEREDOC},
    {"cat << @", SHELL_HEREDOC},
    {"cat <<E@", SHELL_HEREDOC},
    {"cat <<E | grep @", SHELL_BARE},
    {"cat <<< @", SHELL_BARE},
    {"x=$(cat <<E\nit's )\nE\n) '@", SHELL_SINGLE},
    {"cat <<E\na\\\nE\nit's\nE\n@", SHELL_BARE},
    {"cat < @", SHELL_BARE},
    {"cat 2>&1 @", SHELL_BARE},
    {"x=@", SHELL_BARE},
    {"if true; then echo @", SHELL_BARE},
    {"for x in a @", SHELL_BARE},
    {"awk '{print $1}' @", SHELL_BARE},
    {"awk '{print \"@", SHELL_SINGLE},
    {"sed \"s/'/@", SHELL_DOUBLE},
    {"echo a\\\nb @", SHELL_BARE},
    {"echo \"a\\\n@", SHELL_DOUBLE},
    {"esac '@", SHELL_SINGLE},
    {"a=( x '@", SHELL_SINGLE},
};

TEST(the_context_of_every_point) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* As a whole, and byte by byte: where the text is cut must not matter. */
        for (int cut = 0; cut < 2; cut++) {
            struct shell_scan *scan = shell_scan_new();
            size_t n = strcspn(rows[i].script, "@");
            for (size_t k = 0; cut && k < n; k++)
                shell_scan_text(scan, (struct str){rows[i].script + k, 1});
            if (!cut)
                shell_scan_text(scan, (struct str){rows[i].script, n});
            if (shell_scan_context(scan) != rows[i].context) {
                printf("# %s is %d, not %d\n", rows[i].script, (int)shell_scan_context(scan),
                       (int)rows[i].context);
                CHECK(false);
            }
            shell_scan_free(scan);
        }
    }
}

TEST(behind_a_word_the_script_goes_on) {
    static const struct {
        const char *before, *after;
        enum shell_context context;
    } cuts[] = {{"echo ", "#'", SHELL_SINGLE},
                {"echo ", " #'", SHELL_COMMENT},
                {"$(", ") '", SHELL_SINGLE},
                {"(", ") '", SHELL_SINGLE},
                {"\"$(", ")", SHELL_DOUBLE},
                {"cat <", " '", SHELL_SINGLE},
                {"x=\"$(case ", " in a) b;; esac)", SHELL_DOUBLE},
                {"x=\"$(case a in ", ") b;; esac)", SHELL_DOUBLE}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct shell_scan *scan = shell_scan_new();
        shell_scan_text(scan, str_of(cuts[i].before));
        shell_scan_word(scan);
        shell_scan_text(scan, str_of(cuts[i].after));
        if (!CHECK(shell_scan_context(scan) == cuts[i].context))
            printf("# %s@%s\n", cuts[i].before, cuts[i].after);
        shell_scan_free(scan);
    }
}

TEST(words_for_people_are_quoted_only_where_they_must) {
    struct buf b = {0};
    shell_quote(&b, STR("a/b-c.d"));
    buf_putc(&b, ' ');
    shell_quote(&b, STR("a b"));
    buf_putc(&b, ' ');
    shell_quote(&b, STR("it's"));
    buf_putc(&b, ' ');
    shell_quote(&b, STR(""));
    CHECK_STR(b.s, "a/b-c.d 'a b' 'it'\\''s' ''");
    buf_free(&b);
}

UNIT_MAIN
