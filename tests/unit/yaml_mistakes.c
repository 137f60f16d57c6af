/* What is told of every mistake in a foray.yaml, and where. */
#include "read/yaml.h"

#include "unit.h"

#include <stdlib.h>

struct mistake {
    struct str text;
    /* For each diagnostic a line: "LINE:COLUMN: message", then each help and note in brackets. */
    const char *told;
};

/* The printed diagnostics without the lines of the source. */
static void shorten(struct buf *printed, struct buf *out) {
    for (char *line = strtok(printed->s, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *help = strstr(line, "      = help: "), *note = strstr(line, "      = note: f:");
        const char *error = strstr(line, " error: ");
        if (help == line)
            buf_printf(out, " (%s)", help + strlen("      = help: "));
        else if (note == line)
            buf_printf(out, " (note %s)", note + strlen("      = note: f:"));
        else if (line[0] == 'f' && error != NULL)
            buf_printf(out, "%s%.*s%s", out->n != 0 ? "\n" : "", (int)(error - line - 2), line + 2,
                       error + strlen(" error:"));
    }
}

static void check_mistakes(const struct mistake *table, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct source source = {"f", table[i].text};
        struct diags diags;
        struct graph graph;
        struct buf printed = {0}, told = {0};
        diags_init(&diags);
        graph_init(&graph);
        if (!CHECK(!yaml_read(&source, NULL, 0, &graph, &diags)))
            printf("# %.*s\n", STR_FMT(table[i].text));
        diags_print(&diags, &printed, 0, false);
        shorten(&printed, &told);
        CHECK_STR(told.n != 0 ? told.s : "", table[i].told);
        buf_free(&printed);
        buf_free(&told);
        graph_free(&graph);
        diags_free(&diags);
    }
}

TEST(unknown_and_repeated_keys) {
    static const struct mistake table[] = {
        {STR("stesp: {}"), "1:1: unknown key `stesp` in the file (did you mean `steps`?)"},
        {STR("steps: {a: {runn: x}}"), "1:13: unknown key `runn` in a step (did you mean `run`?)"},
        {STR("steps: {a: {run: x, colour: red}}"),
         "1:21: unknown key `colour` in a step (its keys are: run, in, out, needs, when, each, on, "
         "env, dir, shell, send, fetch, timeout, retry, allow, wait, cpus, mem, limit, speculate, "
         "check, verify, deps, keep, console, detach, yields, describe)"},
        {STR("hosts: {p: {hosts: h, slot: 1}}\n"
             "steps: {a: {run: x}}"),
         "1:23: unknown key `slot` in a pool (did you mean `slots`?)"},
        {STR("hosts: {p: {hosts: h, ssh: {key: x}}}\n"
             "steps: {a: {run: x}}"),
         "1:29: unknown key `key` in `ssh` (its keys are: config, identity, known_hosts, user, "
         "port)"},
        {STR("steps:\n"
             "  a: {run: x}\n"
             "  b: {run: x}\n"
             "  a: {run: y}"),
         "4:3: `a` is here twice (note 2:3: first here)"},
        {STR("steps: {a: {run: x, in: f, in: g}}"),
         "1:28: `in` is here twice (note 1:21: first here)"},
        {STR("steps: {a: {run: x}}\n"
             "steps: {b: {run: y}}"),
         "2:1: `steps` is here twice (note 1:1: first here)"},
        {STR("vars: {x: 1}"), "1:1: there are no `steps`"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(wrong_kinds) {
    static const struct mistake table[] = {
        {STR("steps: [a, b]"), "1:8: `steps` must be a map, this is a list (from names to steps: "
                               "`steps: {hello: {run: echo hello}}`)"},
        {STR("steps:"), "1:7: `steps` must be a map, this is nothing (from names to steps: `steps: "
                        "{hello: {run: echo hello}}`)"},
        {STR("hello"), "1:1: the file must be a map, this is a text"},
        {STR("- a\n"
             "- b"),
         "1:1: the file must be a map, this is a list"},
        {STR("hosts: [a]\n"
             "steps: {a: {run: x}}"),
         "1:8: `hosts` must be a map, this is a list (from names of pools to hosts: `hosts: {rack: "
         "\"node[01-23]\"}`)"},
        {STR("hosts: {p: }\n"
             "steps: {a: {run: x}}"),
         "1:12: a host list has no value"},
        {STR("vars: x\n"
             "steps: {a: {run: x}}"),
         "1:7: `vars` must be a map, this is a text"},
        {STR("vars: {v: {a: b}, w: [[x]]}\n"
             "steps: {a: {run: x}}"),
         "1:11: a variable must be a text or a list of texts, this is a map\n"
         "1:23: a variable must be a text, this is a list"},
        {STR("steps: {a: run}"), "1:12: a step must be a map, this is a text"},
        {STR("steps: {a: {run: {b: c}}}"),
         "1:18: `run` must be a text or a list of texts, this is a map"},
        {STR("steps: {a: {run: [x, [y]]}}"), "1:22: `run` must be a text, this is a list"},
        {STR("steps: {a: {run: x, in: {b: c}}}"),
         "1:25: `in` must be a text or a list of texts, this is a map"},
        {STR("steps: {a: {run: x, out: [[b]]}}"), "1:27: `out` must be a text, this is a list"},
        {STR("steps: {a: {run: x, needs: {b: c}}}"),
         "1:32: `when` must be success, failure or always, not `c`"},
        {STR("steps: {a: {run: x, each: {b: {c: d}}}}"),
         "1:31: an axis must be a text or a list of texts, this is a map"},
        {STR("steps: {a: {run: x, on: [b]}}"), "1:25: `on` must be a text, this is a list"},
        {STR("steps: {a: {run: x, env: [B]}}"), "1:26: `env` must be a map, this is a list"},
        {STR("steps: {a: {run: x, env: {B: [c]}}}"),
         "1:30: an environment variable must be a text, this is a list"},
        {STR("steps: {a: {run: x, dir: [b]}}"), "1:26: `dir` must be a text, this is a list"},
        {STR("steps: {a: {run: x, timeout: [b]}}"),
         "1:30: `timeout` must be a text, this is a list"},
        {STR("steps: {a: {run: x, retry: [b]}}"), "1:28: `retry` must be a number, this is a list"},
        {STR("steps: {a: {run: x, describe: [b]}}"),
         "1:31: `describe` must be a text, this is a list"},
        {STR("hosts: {p: {hosts: {a: b}}}\n"
             "steps: {a: {run: x}}"),
         "1:20: a host list must be a text or a list of texts, this is a map"},
        {STR("hosts: {p: {hosts: h, slots: [1]}}\n"
             "steps: {a: {run: x}}"),
         "1:30: `slots` must be a number, this is a list"},
        {STR("hosts: {p: {hosts: h, pick: [1]}}\n"
             "steps: {a: {run: x}}"),
         "1:29: `pick` must be a text, this is a list"},
        {STR("hosts: {p: {hosts: h, ssh: x}}\n"
             "steps: {a: {run: x}}"),
         "1:28: `ssh` must be a map, this is a text"},
        {STR("hosts: {p: {hosts: h, ssh: {config: [x], identity: {a: b}, known_hosts: [x], user: "
             "[x], port: [x]}}}\n"
             "steps: {a: {run: x}}"),
         "1:37: `config` must be a text, this is a list\n"
         "1:52: `identity` must be a text, this is a map\n"
         "1:73: `known_hosts` must be a text, this is a list\n"
         "1:84: `user` must be a text, this is a list\n"
         "1:95: `port` must be a number, this is a list"},
        {STR("steps: {a: {[x]: y}}"), "1:13: a key must be a text, this is a list"},
        {STR("steps:\n"
             "  a:\n"
             "    run:make\n"),
         "3:5: a step must be a map, this is a text (behind a key's `:` comes a blank: `run: "
         "...`)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(values_that_are_missing) {
    static const struct mistake table[] = {
        {STR("steps: {a: {run: }}"), "1:18: `run` has no value"},
        {STR("steps: {a: {run: ~}}"), "1:18: `run` has no value (in quotes it is a text: '~')"},
        {STR("steps: {a: {run: null}}"),
         "1:18: `run` has no value (in quotes it is a text: 'null')"},
        {STR("steps: {a: {run: \"\"}}"), "1:18: `run` is empty"},
        {STR("steps: {a: {run: x, in: \"\"}}"), "1:25: `in` is empty"},
        {STR("steps: {a: {run: x, out: [y, ~]}}"),
         "1:30: `out` has no value (in quotes it is a text: '~')"},
        {STR("steps: {a: {run: x, on: \"\"}}"), "1:25: `on` is empty"},
        {STR("steps: {a: {run: x, dir: }}"), "1:26: `dir` has no value"},
        {STR("steps: {a: {run: x, env: {B: }}}"), "1:30: an environment variable has no value"},
        {STR("steps: {a: }"), "1:12: a step must be a map, this is nothing"},
        {STR("steps: {a: {}}"), "1:9: step `a` has nothing to `run`, and needs nothing"},
        {STR("steps: {a: {describe: x}}"), "1:9: step `a` has nothing to `run`, and needs nothing"},
        {STR("steps: {a: {out: x}}"), "1:9: step `a` has nothing to `run`, and needs nothing"},
        {STR("hosts: {p: h}\n"
             "steps: {a: {on: p, needs: b}, b: {run: x}}"),
         "2:17: step `a` has nothing to `run` there"},
        {STR("hosts: {p: {slots: 1}}\n"
             "steps: {a: {run: x}}"),
         "1:9: pool `p` has no hosts"},
        {STR("hosts: {p: []}\n"
             "steps: {a: {run: x}}"),
         "1:9: pool `p` has no hosts"},
        {STR("hosts: {p: \",\"}\n"
             "steps: {a: {run: x}}"),
         "1:12: no host is named"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(values_out_of_range) {
    static const struct mistake table[] = {
        {STR("steps: {a: {run: x, retry: 1001}}"),
         "1:28: `retry` must be a number from 0 to 1000, not `1001`"},
        {STR("steps: {a: {run: x, retry: -1}}"),
         "1:28: `retry` must be a number from 0 to 1000, not `-1`"},
        {STR("steps: {a: {run: x, retry: 99999999999999999999}}"),
         "1:28: `retry` must be a number from 0 to 1000, not `99999999999999999999`"},
        {STR("steps: {a: {run: x, timeout: soon}}"),
         "1:30: `timeout` must be a time, not `soon` (for example 90 (seconds), 1.5s, 10m or "
         "1h30m)"},
        {STR("steps: {a: {run: x, timeout: 0}}"),
         "1:30: `timeout` must be a time, not `0` (for example 90 (seconds), 1.5s, 10m or 1h30m)"},
        {STR("hosts: {p: {hosts: h, slots: 0}}\n"
             "steps: {a: {run: x}}"),
         "1:30: `slots` must be a number from 1 to 100000, not `0`"},
        {STR("hosts: {p: {hosts: h, ssh: {port: 65536}}}\n"
             "steps: {a: {run: x}}"),
         "1:35: `port` must be a number from 1 to 65535, not `65536`"},
        {STR("hosts: {p: {hosts: h, pick: least-loadd}}\n"
             "steps: {a: {run: x}}"),
         "1:29: `pick` must be least-loaded, random or round-robin, not `least-loadd` (did you "
         "mean `least-loaded`?)"},
        {STR("steps: {a: {run: x, env: {1A: x, FORAY_STEP: x}}}"),
         "1:27: `1A` cannot be the name of an environment variable\n"
         "1:34: variables that begin with FORAY_ are set by foray"},
        {STR("steps: {-a: {run: x}, \"b c\": {run: x}, \"\": {run: x}}"),
         "1:9: a step's name is made of letters, digits, `_` and `-`, not `-a` (it starts "
         "with a letter or `_`)\n"
         "1:23: a step's name is made of letters, digits, `_` and `-`, not `b c`\n"
         "1:40: a step's name is made of letters, digits, `_` and `-`, not ``"},
        {STR("vars: {item: x, in: x, 1a: x}\n"
             "steps: {a: {run: x}}"),
         "1:8: `item` has a meaning of its own, no variable is called so\n"
         "1:17: `in` has a meaning of its own, no variable is called so\n"
         "1:24: a variable's name is made of letters, digits, `_` and `-`, not `1a`"},
        {STR("hosts: {\"p q\": h}\n"
             "steps: {a: {run: x}}"),
         "1:9: a pool's name is made of letters, digits, `_`, `-` and `.`, not `p q`"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(hosts_that_cannot_be) {
    static const struct mistake table[] = {
        {STR("hosts: {p: \"h,@q\"}\n"
             "steps: {a: {run: x}}"),
         "1:15: there is no pool `q`"},
        {STR("hosts: {pool: \"h,@pol\"}\n"
             "steps: {a: {run: x}}"),
         "1:18: there is no pool `pol` (did you mean `pool`?)"},
        {STR("hosts: {p: \"a @q\", q: \"b @p\"}\n"
             "steps: {a: {run: x}}"),
         "1:26: pool `p` contains itself: p -> q -> p"},
        {STR("hosts: {p: \"@p\"}\n"
             "steps: {a: {run: x}}"),
         "1:13: pool `p` contains itself: p -> p"},
        {STR("hosts: {a: \"x @b\", b: \"y!@c\", c: \"@d\", d: \"@b,z\", e: \"@a\"}\n"
             "steps: {a: {run: x}}"),
         "1:44: pool `b` contains itself: b -> c -> d -> b"},
        {STR("hosts: {all: \"@*\", a: \"@all,x\"}\n"
             "steps: {a: {run: x}}"),
         "1:14: no host is left in pool `all` (`@*` is the hosts of all pools that do not name "
         "it)"},
        {STR("hosts: {a: \"x!x\", b: \"@a\", c: [y, \"x & z\"]}\n"
             "steps: {a: {run: x}}"),
         "1:12: no host is left in pool `a` (`a!b` is a without b, `a&b` what is in both)"},
        {STR("hosts: {p: \"x,!y z ^ @q\"}\n"
             "steps: {a: {run: x}}"),
         "1:15: nothing stands before this operator (a host list is written like "
         "node[01-23],gpu1,ana@big:2222 or @rack!node05)\n"
         "1:22: there is no pool `q`"},
        {STR("hosts:\n"
             "  p: \"good n[1-\"\n"
             "steps: {a: {run: x}}"),
         "2:15: a range is made of numbers, as in [01-23,40] (a host list is written like "
         "node[01-23],gpu1,ana@big:2222 or @rack!node05)"},
        {STR("hosts: {p: \"n[3-1]\"}\n"
             "steps: {a: {run: x}}"),
         "1:15: a range goes from the lower to the higher number (a host list is written like "
         "node[01-23],gpu1,ana@big:2222 or @rack!node05)"},
        {STR("hosts: {p: \"h:0 h:x h:70000 @ u@ @h :1\"}\n"
             "steps: {a: {run: x}}"),
         "1:13: `h:0`: a port is a number from 1 to 65535\n"
         "1:17: `h:x`: a port is a number from 1 to 65535\n"
         "1:21: `h:70000`: a port is a number from 1 to 65535\n"
         "1:29: there is no pool ``\n"
         "1:31: `u@`: a host's name is missing\n"
         "1:34: there is no pool `h`\n"
         "1:37: `:1`: a host's name is missing"},
        {STR("hosts: {p: \"::1 h:1:2 -oProxyCommand=x u;x@h\"}\n"
             "steps: {a: {run: x}}"),
         "1:13: `::1`: an IPv6 address stands in brackets, as in [::1]:22\n"
         "1:17: `h:1:2`: an IPv6 address stands in brackets, as in [::1]:22\n"
         "1:23: `-oProxyCommand=x`: a host's name cannot start with `-`\n"
         "1:40: `u;x@h`: a host's name cannot contain such a character"},
        {STR("hosts: {p: \"n[1-100001]\"}\n"
             "steps: {a: {run: x}}"),
         "1:15: too many hosts (a host list is written like node[01-23],gpu1,ana@big:2222 or "
         "@rack!node05)"},
        {STR("hosts: {p: \"n[1-60000] m[1-60000]\"}\n"
             "steps: {a: {run: x}}"),
         "1:12: more than 100000 hosts"},
        {STR("hosts: {p: h}\n"
             "steps: {a: {run: x, on: q}}"),
         "2:25: there is no pool or host `q`"},
        {STR("hosts: {pool: host1}\n"
             "steps: {a: {run: x, on: host2}}"),
         "2:25: there is no pool or host `host2` (did you mean `host1`?)"},
        {STR("steps: {a: {run: x, on: q}}"), "1:25: there is no pool or host `q` (pools are named "
                                             "under `hosts`, at the top of the file)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(references_to_nothing) {
    static const struct mistake table[] = {
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{itm}}\n"
             "vars: {item2: x}"),
         "3:15: there is no `itm` (did you mean `item2`?)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{lnag}}\n"
             "vars: {lang: x}"),
         "3:15: there is no `lnag` (did you mean `lang`?)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{nothing_like_it}}\n"),
         "3:15: there is no `nothing_like_it` (to have the text as it is, write the braces as "
         "`{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{item}} {{item.stem}}\n"),
         "3:15: `{{item}}` has no meaning here (a step has items where it has `each`)\n"
         "3:24: `{{item}}` has no meaning here (a step has items where it has `each`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{a.outt}} {{a.outpu}} {{b.out}} {{a}}\n"),
         "3:15: a step has no `.outt` ({{a.out}} are the files it makes, {{a.stdout}} is what it "
         "writes, {{a.status}} its exit status)\n"
         "3:26: a step has no `.outpu` ({{a.out}} are the files it makes, {{a.stdout}} is what it "
         "writes, {{a.status}} its exit status)\n"
         "3:38: there is no step `b` (to have the text as it is, write the braces as `{{{{`)\n"
         "3:48: `a` is a step: say what of it ({{a.out}} are the files it makes, {{a.stdout}} is "
         "what it "
         "writes)"},
        {STR("steps:\n"
             "  a:\n"
             "    in: \"{{in}}\"\n"
             "    run: x\n"),
         "3:10: `{{in}}` has no meaning here"},
        {STR("steps:\n"
             "  a:\n"
             "    in: \"{{host}}\"\n"
             "    run: x\n"),
         "3:10: `{{host}}` has no meaning here"},
        {STR("steps:\n"
             "  a:\n"
             "    dir: \"{{out}}/{{b.out}}\"\n"
             "    run: x\n"),
         "3:11: `{{out}}` has no meaning here\n"
         "3:19: `{{b.out}}` has no meaning here (the files of a step can be named in `in`, `out`, "
         "`each`, `run` and `env` of other steps)"},
        {STR("steps:\n"
             "  a:\n"
             "    each: [\"{{item}}\"]\n"
             "    run: x\n"),
         "3:13: `{{item}}` has no meaning here (a step has items where it has `each`)"},
        {STR("steps:\n"
             "  a:\n"
             "    each: [x]\n"
             "    run: echo {{item.stm}} {{step}} {{in}} {{out}} {{host}} {{item.stem}}\n"),
         "4:15: an item has no `.stm` (its parts are .stem, .base, .dir and .ext)"},
        {STR("vars: {v: \"{{w}}\", x: \"{{item}}\", y: \"{{a.out}}\"}\n"
             "steps:\n"
             "  a:\n"
             "    run: x\n"),
         "1:12: there is no `w` (to have the text as it is, write the braces as `{{{{`)\n"
         "1:24: `{{item}}` has no meaning here (a step has items where it has `each`)\n"
         "1:39: `{{a.out}}` has no meaning here (the files of a step can be named in `in`, `out`, "
         "`each`, `run` and `env` of other steps)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: echo {{v.x}} {{in.x}} {{env.FORAY_TEST_NOT_SET}} {{env}}\n"
             "vars: {v: x}"),
         "3:15: `v` has no `.x`\n"
         "3:23: `in` has no `.x`\n"
         "3:32: `FORAY_TEST_NOT_SET` is not set in the environment\n"
         "3:59: `env` wants the name of a variable: {{env.HOME}}"},
        {STR("steps:\n"
             "  a:\n"
             "    env: {X: \"{{y}}\"}\n"
             "    run: x\n"),
         "3:15: there is no `y` (to have the text as it is, write the braces as `{{{{`)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(places_inside_texts) {
    static const struct mistake table[] = {
        {STR("steps:\n"
             "  a:\n"
             "    run: |\n"
             "      echo {{item2}}\n"
             "        x {{item3}}\n"),
         "4:12: there is no `item2` (to have the text as it is, write the braces as `{{{{`)\n"
         "5:11: there is no `item3` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: >-\n"
             "      echo\n"
             "      {{x}} {{{{ {{{y}}\n"),
         "5:7: there is no `x` (to have the text as it is, write the braces as `{{{{`)\n"
         "5:19: there is no `y` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: \"a\\n"
             "\\t{{x}}\n"
             "      b {{y}}\"\n"),
         "3:16: there is no `x` (to have the text as it is, write the braces as `{{{{`)\n"
         "4:9: there is no `y` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: 'it''s {{x}}'\n"),
         "3:17: there is no `x` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: a {{x}}\n"
             "      b {{y}}\n"),
         "3:12: there is no `x` (to have the text as it is, write the braces as `{{{{`)\n"
         "4:9: there is no `y` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps: {a: {run: [\"{{x}}\", b {{y}}]}}"),
         "1:30: inside `[` and `{` a text with `{` in it must be quoted (note 1:18: the `[` is "
         "here)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: | # {{x}} not this\n"
             "      {{y}}\n"),
         "4:7: there is no `y` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("\357\273\277steps: {a: {run: \"{{x}}\"}}"),
         "1:19: there is no `x` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\r\n"
             "  a:\r\n"
             "    run: |\r\n"
             "      one\r\n"
             "      {{x}}\r\n"),
         "5:7: there is no `x` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: \303\244\303\266 {{x}}\n"),
         "3:15: there is no `x` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("x: &s \"{{x}}\"\n"
             "steps: {a: {run: *s}}"),
         "1:1: unknown key `x` in the file (its keys are: include, hosts, vars, limits, defaults, "
         "steps)\n"
         "1:8: there is no `x` (to have the text as it is, write the braces as `{{{{`)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(quoting_that_cannot_be_had) {
    static const struct mistake table[] = {
        {STR("steps:\n"
             "  a:\n"
             "    run: echo `echo {{step}}`\n"),
         "3:21: `{{step}}` cannot be quoted inside `...` (write $(...) instead of `...`) (the same "
         "value is in the environment: \"$FORAY_STEP\")"},
        {STR("steps:\n"
             "  a:\n"
             "    run: |\n"
             "      cat <<E\n"
             "      {{in}}\n"
             "      E\n"),
         "5:7: `{{in}}` cannot be quoted in a here-document (the same value is in the environment: "
         "\"$FORAY_IN\")"},
        {STR("steps:\n"
             "  a:\n"
             "    run: [\"echo \\\"\", \"{{in}}\"]\n"),
         "3:11: this script ends inside quotes (each one of a list must be complete in itself)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(loops) {
    static const struct mistake table[] = {
        {STR("vars: {a: \"{{b}}\", b: \"{{c}}\", c: \"x {{a}}\", d: \"{{a}}\"}\n"
             "steps:\n"
             "  a:\n"
             "    run: \"{{d}}\"\n"),
         "1:38: the value of `a` depends on itself: a -> b -> c -> a"},
        {STR("vars: {a: \"{{a}}\"}\n"
             "steps:\n"
             "  a:\n"
             "    run: x\n"),
         "1:12: the value of `a` depends on itself: a -> a"},
        {STR("steps: {a: {run: x, needs: b}, b: {run: x, needs: c}, c: {run: x, needs: a}, d: "
             "{run: x, needs: a}}"),
         "1:9: a cycle: a -> b -> c -> a (`a -> b` means that a needs b)"},
        {STR("steps: {a: {run: x, needs: a}}"),
         "1:9: a cycle: a -> a (`a -> b` means that a needs b)"},
        {STR("steps: {a: {run: x, in: f, out: g}, b: {run: x, in: g, out: f}}"),
         "1:9: a cycle: a -> b -> a (`a -> b` means that a needs b)"},
        {STR("steps: {a: {run: x, each: \"{{b.out}}\", out: \"{{item}}\"}, b: {run: x, each: "
             "\"{{a.out}}\", out: \"{{item}}\"}, c: {run: x, each: \"{{a.out}}\"}}"),
         "1:9: the names of its files depend on themselves: a -> b -> a"},
        {STR("steps: {a: {run: \"{{a.out}}\", out: x}}"),
         "1:9: a cycle: a -> a (`a -> b` means that a needs b)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(needs_and_files) {
    static const struct mistake table[] = {
        {STR("steps: {split: {run: x}, b: {run: x, needs: splt}}"),
         "1:45: there is no step `splt` (did you mean `split`?)"},
        {STR("steps: {a: {run: x, needs: [b, c]}}"), "1:29: there is no step `b`\n"
                                                     "1:32: there is no step `c`"},
        {STR("steps:\n"
             "  a: {run: x, out: f}\n"
             "  b: {run: x, out: ./f}"),
         "3:20: `f` is made by `a` and by `b` (note 2:20: the other one)"},
        {STR("steps: {a: {run: x, out: [f, f]}}"), "1:26: `f` is made twice by `a`"},
        {STR("steps: {a: {each: [x, y, z], run: x, out: f}}"),
         "1:43: `f` is made by `a[x]` and by `a[y]` (each item needs files of its own: name them "
         "after {{item}})"},
        {STR("steps: {a: {run: x, out: \"d/\"}}"), "1:26: `out` names files, `d/` is a directory"},
        {STR("hosts: {p: h}\n"
             "steps: {a: {run: x, on: p, in: [ok, /etc/passwd], out: ../x}}"),
         "2:37: `/etc/passwd` is not below this directory, and the step runs elsewhere\n"
         "2:56: `../x` is not below this directory, and the step runs elsewhere"},
        {STR("hosts: {p: h}\n"
             "steps: {a: {run: x, on: p, in: [ok, a/../../b], out: [x]}}"),
         "2:37: `a/../../b` is not below this directory, and the step runs elsewhere"},
        {STR("steps: {a: {run: x, each: [x, y, x]}}"), "1:34: the item `x` is there twice"},
        {STR("steps: {a: {run: x, each: \"nothing-like-this-*\"}}"),
         "1:27: no file matches `nothing-like-this-*`"},
        {STR("steps: {a: {run: x, each: \"nothing-like-this\"}}"),
         "1:27: no file matches `nothing-like-this`"},
        {STR("vars: {e: \"\"}\n"
             "steps: {a: {run: x, in: \"{{e}}\"}}"),
         "2:25: an empty name in `in`"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(yaml_traps) {
    static const struct mistake table[] = {
        {STR("steps:\n"
             "  a:\n"
             "    run: make # all\n"),
         "3:15: for YAML the rest of this line is a comment, not in `run` (quote it, or use `run: "
         "|`)"},
        {STR("steps: {a: {run: [x, y # z\n"
             " ]}}"),
         "1:24: for YAML the rest of this line is a comment, not in `run` (quote it, or use `run: "
         "|`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: {{item}} x\n"),
         "3:10: a value that starts with `{` must be quoted (in quotes it is a text: '{{item}} "
         "x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: {{item}}\n"),
         "3:10: a value that starts with `{` must be quoted (in quotes it is a text: '{{item}}')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: {item} x\n"),
         "3:10: a value that starts with `{` must be quoted (in quotes it is a text: '{item} x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: [ -f x ] && y\n"),
         "3:10: a value that starts with `[` must be quoted (in quotes it is a text: '[ -f x ] && "
         "y')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: *.c\n"),
         "3:10: a value that starts with `*` must be quoted (in quotes it is a text: '*.c')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: *c\n"),
         "3:10: `*c` is an alias of a value that is nowhere named `&c` (in quotes it is a text: "
         "'*c')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: &x\n"),
         "3:10: a value that starts with `&` must be quoted"},
        {STR("steps:\n"
             "  a:\n"
             "    run: @x\n"),
         "3:10: a value that starts with `@` must be quoted (in quotes it is a text: '@x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: %x\n"),
         "3:10: a value that starts with `%` must be quoted (in quotes it is a text: '%x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: `x`\n"),
         "3:10: a value that starts with ` must be quoted (in quotes it is a text: '`x`')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: ! grep x\n"),
         "3:10: a value that starts with `!` must be quoted (in quotes it is a text: '! grep x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: !x y\n"),
         "3:10: a value that starts with `!` must be quoted (in quotes it is a text: '!x y')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: > x\n"),
         "3:10: a value that starts with `>` must be quoted (in quotes it is a text: '> x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: | x\n"),
         "3:10: a value that starts with `|` must be quoted (in quotes it is a text: '| x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: a: b\n"),
         "3:11: a second `: ` on one line (a value with `: ` in it must be quoted, or written as a "
         "block (`|`))"},
        {STR("steps:\n"
             "  a:\n"
             "    run: 'a' && b\n"),
         "3:15: the value goes on behind its closing quote: it must be quoted as a whole (in "
         "quotes it is a text: '''a'' && b')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: \"a\" b\n"),
         "3:14: the value goes on behind its closing quote: it must be quoted as a whole (in "
         "quotes it is a text: '\"a\" b')"},
        {STR("steps:\n"
             "  a:\n"
             "    run:x\n"
             "    in: y\n"),
         "3:5: behind a key's `:` comes a blank"},
        {STR("steps:\n"
             "\ta: x"),
         "2:1: a tab: YAML is indented with blanks"},
        {STR("steps:\n"
             "  a:\n"
             "    run: |\n"
             "\tx\n"),
         "4:1: a tab: YAML is indented with blanks"},
        {STR("steps:\n"
             "  a:\n"
             "    run: ] x\n"),
         "3:10: a value that starts with `]` must be quoted (in quotes it is a text: '] x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: - x\n"),
         "3:10: a value that starts with `-` must be quoted (in quotes it is a text: '- x')"},
        {STR("steps:\n"
             "  a:\n"
             "    run: \"x\n"),
         "3:10: the closing quote is missing"},
        {STR("steps:\n"
             "  a:\n"
             "    run: \"\\q\"\n"),
         "3:11: `\\q` has no meaning inside \"...\" (a backslash is written as `\\\\`, or in '...' "
         "as it is)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: x\n"
             "   in: y\n"),
         "4:4: this does not go on with what stands above it (is the line indented like its "
         "neighbours?)"},
        {STR("steps: {a: {run: x}"), "1:20: a `,` or `}` is missing (note 1:8: the `{` is here)"},
        {STR("steps: {a: {run: [x}}"),
         "1:20: a `,` or `]` is missing (note 1:18: the `[` is here)"},
        {STR("steps: {a: {in: [a, @b]}}"), "1:21: a value that starts with `@` must be quoted"},
        {STR("steps: {a: {in: [*.c]}}"),
         "1:19: a value that starts with `*` or `&` must be quoted"},
        {STR("steps:\n"
             "  a:\n"
             "    <<: x\n"
             "    run: y\n"),
         "3:5: merge keys (`<<`) are not read"},
        {STR("steps: {a: {run: x}}\n"
             "---\n"
             "steps: {}"),
         "2:1: a second document; only one is read"},
        {STR(""),
         "1:1: there is nothing in it (a first step: `steps: {hello: {run: echo hello}}`)"},
        {STR("# nothing\n"),
         "1:1: there is nothing in it (a first step: `steps: {hello: {run: echo hello}}`)"},
        {STR("steps:\n"
             "  a:\n"
             "    run: x\n"
             "  b\n"
             "  c: {run: y}\n"),
         "4:3: a key without its `: ` (or a line of the text above, not indented far enough)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(texts_that_are_none) {
    static const struct mistake table[] = {
        {STR("\377\376a"), " this is UTF-16, only UTF-8 is read"},
        {STR("steps:\n"
             "  a\377: x"),
         "2:4: byte 0xff is not UTF-8"},
        {STR("steps: \000"), "1:8: a control character (U+0000)"},
        {STR("steps: \"\033\""),
         "1:9: a control character (U+001B) (inside \"...\" it can be written as \"\\u001b\")"},
        {STR("steps: \302\205"),
         "1:8: a control character (U+0085) (inside \"...\" it can be written as \"\\u0085\")"},
        {STR("a\355\240\200"), "1:2: byte 0xed is not UTF-8"},
        {STR("a\300\200"), "1:2: byte 0xc0 is not UTF-8"},
        {STR("a\364\220\200\200"), "1:2: byte 0xf4 is not UTF-8"},
        {STR("a: \342\202"), "1:4: byte 0xe2 is not UTF-8"},
        {STR("a: \"\\0\""), "1:4: a NUL character"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(all_mistakes_of_one_text_are_told_together) {
    static const struct mistake table[] = {
        {STR("hosts:\n"
             "  farm: {hosts: \"node[1-\", slotz: 2}\n"
             "  lab: \"@frm\"\n"
             "vars: {in: x, a: \"{{b}}\"}\n"
             "steps:\n"
             "  split: {runn: x, out: part}\n"
             "  count:\n"
             "    each: [x, y]\n"
             "    run: echo {{itm}} {{item.stm}}\n"
             "    in: part\n"
             "    needs: [split, spilt]\n"
             "    on: fram\n"
             "    timeout: soon\n"
             "    retry: many\n"
             "  total: {run: x, in: \"{{count.out}}\", out: part}\n"
             "  again: {needs: again}\n"),
         "2:24: a range is made of numbers, as in [01-23,40] (a host list is written like "
         "node[01-23],gpu1,ana@big:2222 or @rack!node05)\n"
         "2:28: unknown key `slotz` in a pool (did you mean `slots`?)\n"
         "3:9: there is no pool `frm` (did you mean `farm`?)\n"
         "4:8: `in` has a meaning of its own, no variable is called so\n"
         "4:19: there is no `b` (to have the text as it is, write the braces as `{{{{`)\n"
         "6:11: unknown key `runn` in a step (did you mean `run`?)\n"
         "9:15: there is no `itm` (did you mean `item`?)\n"
         "9:23: an item has no `.stm` (its parts are .stem, .base, .dir and .ext)\n"
         "11:20: there is no step `spilt` (did you mean `split`?)\n"
         "12:9: there is no pool or host `fram` (did you mean `farm`?)\n"
         "13:14: `timeout` must be a time, not `soon` (for example 90 (seconds), 1.5s, 10m or "
         "1h30m)\n"
         "14:12: `retry` must be a number from 0 to 1000, not `many`\n"
         "15:45: `part` is made by `split` and by `total` (note 6:25: the other one)\n"
         "16:3: a cycle: again -> again (`a -> b` means that a needs b)"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(one_mistake_is_told_once) {
    static const struct mistake table[] = {
        {STR("steps: {a: {runn: x, out: f}, b: {in: f, run: x, needs: a}}"),
         "1:13: unknown key `runn` in a step (did you mean `run`?)"},
        {STR("steps: {a: {run: [x, [y]], out: f}, b: {each: \"{{a.out}}\", run: \"echo "
             "{{item}}\"}}"),
         "1:22: `run` must be a text, this is a list"},
        {STR("steps: {a: {run: x, each: \"none-of-these-*\", out: \"{{item}}\"}, b: {run: x, "
             "needs: a, in: \"{{a.out}}\"}}"),
         "1:27: no file matches `none-of-these-*`"},
        {STR("steps: {a: {run: {{x}} }, b: {run: x, needs: a}}"),
         "1:18: a value that starts with `{` must be quoted"},
        {STR("hosts: {p: {hosts: {{x}} } }\n"
             "steps: {a: {run: x, on: p}}"),
         "1:20: a value that starts with `{` must be quoted"},
        {STR("vars: {v: \"{{w}}\", x: \"{{v}}\", y: \"{{x}}\"}\n"
             "steps: {a: {run: \"{{y}} {{v}}\", each: \"{{x}}\", out: \"{{item}}{{y}}\"}}"),
         "1:12: there is no `w` (to have the text as it is, write the braces as `{{{{`)"},
        {STR("steps: {a: {run: x, each: [1, 2], out: \"{{itm}}\"}}"),
         "1:41: there is no `itm` (did you mean `item`?)"},
        {STR("steps: {a: {run: x, run: y, out: f}}"),
         "1:21: `run` is here twice (note 1:13: first here)"},
        {STR("hosts: {p: h}\n"
             "steps: {a: {run: x, on: p, each: [x, y, z], in: /etc/passwd}}"),
         "2:49: `/etc/passwd` is not below this directory, and the step runs elsewhere"},
        {STR("hosts: {p: \"@q\", q: \"@p\", r: \"@p @q\"}\n"
             "steps: {a: {run: x, on: p}}"),
         "1:22: pool `p` contains itself: p -> q -> p"},
        {STR("steps:\n"
             "  a: {run: x, env: {{x}} }"),
         "2:20: a value that starts with `{` must be quoted"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

TEST(a_few_lines_cannot_stand_for_too_much) {
    static const struct mistake table[] = {
        {STR("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
             "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
             "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
             "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
             "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
             "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
             "h: [*f,*f]"),
         "5:4: the aliases stand for too many values"},
        {STR("vars:\n"
             "  a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
             "  b: [\"{{a}}{{a}}{{a}}\"]\n"
             "  c: [\"{{b}}{{b}}{{b}}\"]\n"
             "steps: {s: {run: x}}"),
         "4:7: the lists unfold to too many names"},
        {STR("x: "
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"
             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
         "1:67: nested too deeply"},
    };
    check_mistakes(table, sizeof table / sizeof *table);
}

UNIT_MAIN
