/* What a good foray.yaml becomes. Mistakes are in yaml_mistakes.c. */
#include "read/yaml.h"

#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
    struct source source;
    struct diags diags;
    struct graph graph;
};

static bool read_text(struct reading *r, const char *text, const struct assignment *given,
                      size_t n_given) {
    r->source = (struct source){"f", str_of(text)};
    diags_init(&r->diags);
    graph_init(&r->graph);
    bool good = yaml_read(&r->source, given, n_given, &r->graph, &r->diags);
    struct buf out = {0};
    diags_print(&r->diags, &out, 0, false);
    if (!CHECK(good))
        printf("# %s", out.s);
    buf_free(&out);
    return good;
}

static void done(struct reading *r) {
    graph_free(&r->graph);
    diags_free(&r->diags);
}

/* All steps with their files, what they need and their scripts, a line each. */
static const char *steps_of(const struct graph *g) {
    static struct buf out;
    buf_clear(&out);
    for (size_t i = 0; i < g->steps.n; i++) {
        const struct step *step = g->steps.v[i];
        buf_printf(&out, "%.*s:", STR_FMT(step->name));
        for (size_t k = 0; k < step->n_in; k++)
            buf_printf(&out, " <%.*s", STR_FMT(step->in[k]->name));
        for (size_t k = 0; k < step->n_out; k++)
            buf_printf(&out, " >%.*s", STR_FMT(step->out[k]->name));
        for (size_t k = 0; k < step->n_needs; k++)
            buf_printf(&out, " +%.*s", STR_FMT(step->needs[k]->name));
        if (step->rule->script_at.line != 0) {
            buf_puts(&out, " $ ");
            graph_script(g, step, STR("far"), STR(""), &out);
        }
        buf_putc(&out, '\n');
    }
    return out.s;
}

static void check_steps(const char *text, const char *expected) {
    struct reading r;
    if (read_text(&r, text, NULL, 0))
        CHECK_STR(steps_of(&r.graph), expected);
    done(&r);
}

/* All pools with their hosts: "name(slots)user target port". */
static const char *pools_of(const struct graph *g) {
    static struct buf out;
    buf_clear(&out);
    for (size_t i = 0; i < g->pools.n; i++) {
        const struct pool *pool = g->pools.v[i];
        CHECK(pool->id == i);
        buf_printf(&out, "%.*s:", STR_FMT(pool->name));
        for (size_t k = 0; k < pool->n_hosts; k++) {
            const struct host *h = pool->hosts[k];
            CHECK(g->hosts.v[h->id] == h);
            buf_printf(&out, " %.*s(%u)", STR_FMT(h->name), h->slots);
            if (!str_eq(h->name, h->target))
                buf_printf(&out, "=%.*s %.*s %u", STR_FMT(h->user), STR_FMT(h->target), h->port);
        }
        buf_putc(&out, '\n');
    }
    return out.s;
}

static void check_pools(const char *hosts, const char *expected) {
    struct reading r;
    struct buf text = {0};
    buf_printf(&text, "hosts:\n%s\nsteps: {a: {run: x}}\n", hosts);
    if (read_text(&r, text.s, NULL, 0))
        CHECK_STR(pools_of(&r.graph), expected);
    done(&r);
    buf_free(&text);
}

static void add_variable(void *context, struct str name, struct str value) {
    buf_printf(context, "%.*s=%.*s\n", STR_FMT(name), STR_FMT(value));
}

/* Runs a check in a directory of its own that has these empty files. */
static void with_files(const char *const *files, size_t n, void (*check)(void)) {
    char directory[] = "/tmp/foray-yaml-XXXXXX";
    if (!CHECK(mkdtemp(directory) != NULL) || !CHECK(chdir(directory) == 0))
        return;
    for (size_t i = 0; i < n; i++) {
        FILE *f = fopen(files[i], "w");
        if (CHECK(f != NULL))
            fclose(f);
    }
    check();
    for (size_t i = 0; i < n; i++)
        unlink(files[i]);
    CHECK(chdir("/") == 0 && rmdir(directory) == 0);
}

TEST(a_step_has_what_its_keys_say) {
    struct reading r;
    if (read_text(&r,
                  "hosts: {farm: h}\n"
                  "steps:\n"
                  "  a: {run: one, in: i, out: o, needs: b, on: farm, env: {E: 1, F: ''}, dir: d,\n"
                  "      timeout: 1m30s, retry: 7, describe: what it is}\n"
                  "  b: {run: two}\n",
                  NULL, 0)) {
        const struct rule *a = r.graph.rules.v[0], *b = r.graph.rules.v[1];
        CHECK_STR(steps_of(&r.graph), "a: <i >o +b $ one\nb: $ two\n");
        CHECK(a->steps[0]->pool == r.graph.pools.v[0] && b->steps[0]->pool == NULL);
        CHECK(a->timeout == INT64_C(90000000000) && b->timeout == 0);
        CHECK(a->retries == 7 && b->retries == 0);
        CHECK(str_eq(a->describe, STR("what it is")));
        CHECK(a->n_env == 2 && str_eq(a->env[0].name, STR("E")));
        CHECK(a->at.line == 3 && a->at.col == 3 && a->script_at.col == 12);
        struct buf dir = {0};
        graph_dir(&r.graph, a->steps[0], STR(""), &dir);
        CHECK_STR(dir.s, "d");
        buf_clear(&dir);
        graph_dir(&r.graph, b->steps[0], STR(""), &dir);
        CHECK(dir.n == 0);
        buf_free(&dir);
    }
    done(&r);
}

TEST(words_that_yaml_takes_for_something_else_are_words) {
    check_steps("hosts: {on: yes, no: off}\n"
                "vars: {y: 012, n: 1e3, t: 2001-01-01, o: on, f: 1_000}\n"
                "steps:\n"
                "  yes: {run: \"{{y}} {{n}} {{t}} {{o}} {{f}}\", on: on, needs: no}\n"
                "  no: {run: true, on: no}\n",
                "yes: +no $ '012' '1e3' '2001-01-01' 'on' '1_000'\nno: $ true\n");
}

TEST(host_lists_have_many_forms) {
    check_pools("  a: node[01-03],gpu1", "a: node01(0) node02(0) node03(0) gpu1(0)\n");
    check_pools("  a: [x, 'y z', \"w,v\"]", "a: x(0) y(0) z(0) w(0) v(0)\n");
    check_pools("  a: {hosts: [x, y], slots: 3}", "a: x(3) y(3)\n");
    check_pools("  a: x y x", "a: x(0) y(0)\n");
}

TEST(a_host_has_a_user_and_a_port_where_they_are_written) {
    check_pools("  a: ana@big:2222", "a: ana@big:2222(0)=ana big 2222\n");
    check_pools("  a: '[fe80::1%eth0]:22 bob@[::1]'",
                "a: [fe80::1%eth0]:22(0)= fe80::1%eth0 22 bob@[::1](0)=bob ::1 0\n");
}

TEST(pools_take_over_hosts_of_pools_in_any_order) {
    check_pools("  all: '@b x @a'\n  a: [x, y]\n  b: '@a z'",
                "all: x(0) y(0) z(0)\na: x(0) y(0)\nb: x(0) y(0) z(0)\n");
}

TEST(a_host_list_takes_hosts_away_and_leaves_what_is_in_both) {
    check_pools(
        "  rack: node[01-06/2]!node03,x\n  gpu: x y\n  both: '@rack&@gpu'\n  one: '@rack^@gpu'",
        "rack: node01(0) node05(0) x(0)\n"
        "gpu: x(0) y(0)\nboth: x(0)\none: node01(0) node05(0) y(0)\n");
    check_pools("  a: [n1, 'n[1-3]!n1']", "a: n1(0) n2(0) n3(0)\n");
    check_pools("  r1: a\n  r2: [b, c]\n  r3: d\n  all: '@r[1-3]!c'",
                "r1: a(0)\nr2: b(0) c(0)\nr3: d(0)\nall: a(0) b(0) d(0)\n");
    check_pools("  all: >-\n    n[1-4]\n    ! n2,\n    m\n", "all: n1(0) n3(0) n4(0) m(0)\n");
}

TEST(what_a_list_takes_away_is_known_by_its_name) {
    struct reading r;
    if (read_text(&r,
                  "hosts:\n"
                  "  a: {hosts: 'x y', ssh: {port: 22}}\n"
                  "  b: {hosts: x, ssh: {port: 23}}\n"
                  "  both: '@a,@b'\n"
                  "  none: {hosts: '@a,@b,z!x,gone', slots: 7}\n"
                  "steps: {s: {run: t}}\n",
                  NULL, 0)) {
        struct pool **p = r.graph.pools.v;
        CHECK_STR(pools_of(&r.graph),
                  "a: x(0) y(0)\nb: x(0)\nboth: x(0) y(0) x(0)\nnone: y(0) z(7) gone(7)\n");
        CHECK(r.graph.hosts.n == 5);
        CHECK(p[2]->hosts[0] == p[0]->hosts[0] && p[2]->hosts[2] == p[1]->hosts[0]);
    }
    done(&r);
}

TEST(all_is_the_hosts_of_all_pools_that_do_not_say_all_themselves) {
    check_pools("  all: '@*'\n  a: x y\n  b: '@a z'\n  rest: '@all!@a,q'\n  but: '@*!z'",
                "all: x(0) y(0) z(0)\na: x(0) y(0)\nb: x(0) y(0) z(0)\n"
                "rest: z(0) q(0)\nbut: x(0) y(0)\n");
}

TEST(a_host_in_two_pools_is_one_host_with_the_fewest_slots) {
    struct reading r;
    if (read_text(&r,
                  "hosts:\n"
                  "  a: {hosts: x, slots: 4}\n"
                  "  b: {hosts: x, slots: 2}\n"
                  "  c: x\n"
                  "  d: {hosts: x, ssh: {user: u, port: 22}}\n"
                  "  e: {hosts: x, ssh: {port: 22, user: u}, pick: round-robin}\n"
                  "steps: {s: {run: x}}\n",
                  NULL, 0)) {
        struct pool **p = r.graph.pools.v;
        CHECK_STR(pools_of(&r.graph), "a: x(2)\nb: x(2)\nc: x(2)\nd: x(0)\ne: x(0)\n");
        CHECK(r.graph.hosts.n == 2);
        CHECK(p[0]->hosts[0] == p[2]->hosts[0] && p[3]->hosts[0] == p[4]->hosts[0]);
        CHECK(p[3]->pick == PICK_LEAST_LOADED && p[4]->pick == PICK_ROUND_ROBIN);
        CHECK(str_eq(p[3]->hosts[0]->ssh.user, STR("u")) && p[3]->hosts[0]->ssh.port == 22);
    }
    done(&r);
}

TEST(ssh_settings_are_kept_as_written) {
    struct reading r;
    if (read_text(&r,
                  "hosts: {p: {hosts: h, pick: random,\n"
                  "            ssh: {config: ~/c, identity: 'a b', known_hosts: k}}}\n"
                  "steps: {s: {run: x}}\n",
                  NULL, 0)) {
        const struct ssh_settings *ssh = &r.graph.hosts.v[0]->ssh;
        CHECK(str_eq(ssh->config, STR("~/c")) && str_eq(ssh->identity, STR("a b")));
        CHECK(str_eq(ssh->known_hosts, STR("k")) && ssh->user.n == 0 && ssh->port == 0);
        CHECK(r.graph.pools.v[0]->pick == PICK_RANDOM);
    }
    done(&r);
}

TEST(a_host_of_a_pool_is_a_place_to_run_too) {
    struct reading r;
    if (read_text(&r,
                  "hosts: {p: 'h[1-3]'}\n"
                  "steps: {a: {run: x, on: h2}, b: {run: x, on: p}, c: {run: x, on: h2}}\n",
                  NULL, 0)) {
        CHECK_STR(pools_of(&r.graph), "p: h1(0) h2(0) h3(0)\nh2: h2(0)\n");
        CHECK(r.graph.rules.v[0]->steps[0]->pool == r.graph.rules.v[2]->steps[0]->pool);
    }
    done(&r);
}

TEST(variables_use_one_another_in_any_order) {
    check_steps("vars:\n"
                "  c: '{{b}}.c'\n"
                "  b: 'a {{a}}'\n"
                "  a: x\n"
                "  list: ['{{a}}', '{{c}}', '']\n"
                "  more: '{{list}}!'\n"
                "steps: {s: {run: \"echo {{c}} {{list}} {{more}}\", in: 'f{{more}}'}}\n",
                "s: <fx! <fa x.c! <f! $ echo 'a x.c' 'x' 'a x.c' '' 'x!' 'a x.c!' '!'\n");
}

TEST(what_the_command_line_says_of_a_variable_wins) {
    const struct assignment given[] = {
        {STR("a"), STR("given")}, {STR("extra"), STR("too")}, {STR("list"), STR("one word")}};
    struct reading r;
    if (read_text(&r,
                  "vars: {a: x, b: 'b {{a}}', list: [1, 2]}\n"
                  "steps:\n"
                  "  s: {run: 'echo {{b}} {{extra}}'}\n"
                  "  t: {run: 'echo {{item}}', each: '{{list}}'}\n",
                  given, 3))
        CHECK_STR(steps_of(&r.graph),
                  "s: $ echo 'b given' 'too'\nt[one word]: $ echo 'one word'\n");
    done(&r);
}

TEST(the_environment_is_there_to_be_named) {
    setenv("FORAY_TEST_WORD", "a 'b'", 1);
    check_steps("steps: {s: {run: \"echo {{env.FORAY_TEST_WORD}} '{{env.FORAY_TEST_WORD}}'\"}}\n",
                "s: $ echo 'a '\\''b'\\''' 'a '\\''b'\\'''\n");
}

TEST(each_makes_one_step_of_every_item) {
    check_steps(
        "vars: {l: [p, q]}\n"
        "steps:\n"
        "  a: {each: [x, y z, '{{l}}1'], in: '{{item}}', out: '{{item}}.o', run: 'c {{item}}'}\n"
        "  b: {each: '{{l}}', run: 'd {{item}}'}\n"
        "  c: {each: '{{a.out}}', run: 'e {{item.stem}}'}\n",
        "a[x]: <x >x.o $ c 'x'\n"
        "a[y z]: <y z >y z.o $ c 'y z'\n"
        "a[p1]: <p1 >p1.o $ c 'p1'\n"
        "a[q1]: <q1 >q1.o $ c 'q1'\n"
        "b[p]: $ d 'p'\n"
        "b[q]: $ d 'q'\n"
        "c[x.o]: $ e 'x'\n"
        "c[y z.o]: $ e 'y z'\n"
        "c[p1.o]: $ e 'p1'\n"
        "c[q1.o]: $ e 'q1'\n");
}

TEST(items_have_parts) {
    check_steps("steps:\n"
                "  a: {each: [d/b.tar.gz, .rc, /x, a/],\n"
                "      run: '{{item.stem}},{{item.base}},{{item.dir}},{{item.ext}}'}\n",
                "a[d/b.tar.gz]: $ 'b.tar','b.tar.gz','d','.gz'\n"
                "a[.rc]: $ '.rc','.rc','.',''\n"
                "a[/x]: $ 'x','x','/',''\n"
                "a[a/]: $ '','','a',''\n");
}

static void check_patterns(void) {
    check_steps("vars: {d: '*.txt', w: [y, b]}\n"
                "steps:\n"
                "  a: {each: '*.txt', run: 'c {{item}}'}\n"
                "  b: {each: '{{d}}', run: x}\n"
                "  c: {each: '{{w}}.txt', run: x}\n"
                "  d: {each: ['*.txt'], run: 'c {{item}}'}\n",
                "a[-n.txt]: $ c './-n.txt'\n"
                "a[B.txt]: $ c 'B.txt'\n"
                "a[a b.txt]: $ c 'a b.txt'\n"
                "a[b.txt]: $ c 'b.txt'\n"
                "a[y.txt]: $ c 'y.txt'\n"
                "b[-n.txt]: $ x\nb[B.txt]: $ x\nb[a b.txt]: $ x\nb[b.txt]: $ x\nb[y.txt]: $ x\n"
                "c[y.txt]: $ x\nc[b.txt]: $ x\n"
                "d[*.txt]: $ c '*.txt'\n");
}

TEST(a_pattern_stands_for_files_sorted_by_bytes) {
    static const char *const files[] = {"b.txt", "a b.txt", "B.txt", "-n.txt", "y.txt", "z.c"};
    with_files(files, sizeof files / sizeof *files, check_patterns);
}

TEST(files_order_the_steps_whatever_way_they_are_written) {
    check_steps("steps:\n"
                "  c: {in: [./b.o, d//x], run: 'cat {{in}}'}\n"
                "  b: {in: a, out: x/../b.o, run: x}\n"
                "  a: {out: [./a, d/./x, e], run: 'touch {{out}}'}\n",
                "c: <b.o <d/x +b +a $ cat 'b.o' 'd/x'\n"
                "b: <a >b.o +a $ x\n"
                "a: >a >d/x >e $ touch 'a' 'd/x' 'e'\n");
}

TEST(outputs_of_a_step_are_inputs_of_others) {
    check_steps("steps:\n"
                "  all: {in: '{{one.out}}', run: 'cat {{in}}'}\n"
                "  used: {run: 'cat {{one.out}}'}\n"
                "  set: {run: x, env: {X: '{{two.out}}'}}\n"
                "  one: {each: [a, b], out: '{{item}}.o', run: x}\n"
                "  two: {out: '{{one.out}}.z', run: x}\n",
                "all: <a.o <b.o +one[a] +one[b] $ cat 'a.o' 'b.o'\n"
                "used: +one $ cat 'a.o' 'b.o'\n"
                "set: +two $ x\n"
                "one[a]: >a.o $ x\n"
                "one[b]: >b.o $ x\n"
                "two: >a.o.z >b.o.z $ x\n"
                "one: +one[a] +one[b]\n"); /* the last one stands for all of its items */
}

TEST(a_step_without_a_script_is_a_name_for_what_it_needs) {
    check_steps("steps:\n"
                "  all: {needs: [a, 'b[x]']}\n"
                "  file: {in: f}\n"
                "  a: {run: x, out: f}\n"
                "  b: {each: [x, y], run: x}\n",
                "all: +a +b[x]\nfile: <f +a\na: >f $ x\nb[x]: $ x\nb[y]: $ x\n");
}

TEST(a_step_may_name_itself_in_its_files) {
    check_steps("steps: {a: {each: [x], in: '{{step}}.i', out: '{{step}}.o', run: x}}\n",
                "a[x]: <a[x].i >a[x].o $ x\n");
}

TEST(scripts_of_a_list_run_in_turn_and_each_stands_alone) {
    check_steps(
        "steps: {a: {run: [\"echo '{{step}}'\", '# {{step}}', 'b \"{{step}}\"'], in: []}}\n",
        "a: $ echo 'a'\n# {{step}}\nb \"a\"\n");
}

TEST(braces_that_are_no_reference_stay) {
    check_steps("steps: {a: {run: \"docker ps --format '{{.ID}} {{json .}}' {{{{step}}\"}}\n",
                "a: $ docker ps --format '{{.ID}} {{json .}}' {{step}}\n");
}

TEST(scripts_and_variables_name_files_from_where_they_start) {
    struct reading r;
    if (read_text(
            &r,
            "vars: {v: f}\n"
            "steps:\n"
            "  a: {each: [i], in: [f, /g, '-h'], out: o, run: '{{in}} {{out}} {{v}} {{host}}',\n"
            "      env: {E: '{{in}}:{{item}}'}}\n"
            "  b: {run: '{{a.out}}', in: '-i'}\n",
            NULL, 0)) {
        struct buf out = {0};
        const struct step *a = r.graph.steps.v[0], *b = r.graph.steps.v[1];
        graph_script(&r.graph, a, STR("far"), STR("../../"), &out);
        CHECK_STR(out.s, "'../../f' '/g' '../../-h' '../../o' 'f' 'far'");
        buf_clear(&out);
        graph_script(&r.graph, b, STR(""), STR("p/"), &out);
        CHECK_STR(out.s, "'p/o'");
        buf_clear(&out);
        graph_environment(&r.graph, a, STR("far"), STR("p/"), add_variable, &out);
        CHECK_STR(out.s, "E=p/f /g p/-h:i\nFORAY_STEP=a[i]\nFORAY_HOST=far\nFORAY_ITEM=i\n"
                         "FORAY_IN=p/f\n/g\np/-h\nFORAY_OUT=p/o\n");
        buf_clear(&out);
        graph_environment(&r.graph, b, STR(""), STR(""), add_variable, &out);
        CHECK_STR(out.s, "FORAY_STEP=b\nFORAY_HOST=\nFORAY_IN=./-i\n");
        buf_free(&out);
    }
    done(&r);
}

TEST(a_list_of_files_too_long_for_a_variable_is_left_out) {
    struct reading r;
    struct buf text = {0}, out = {0};
    buf_puts(&text, "steps: {a: {run: x, in: [");
    for (int i = 0; i < 7000; i++)
        buf_printf(&text, "name%06d,", i);
    buf_puts(&text, "], out: o}}");
    if (read_text(&r, text.s, NULL, 0)) {
        graph_environment(&r.graph, r.graph.steps.v[0], STR(""), STR(""), add_variable, &out);
        CHECK_STR(out.s, "FORAY_STEP=a\nFORAY_HOST=\nFORAY_OUT=o\n");
    }
    done(&r);
    buf_free(&text);
    buf_free(&out);
}

TEST(aliases_share_what_they_name) {
    check_steps("vars: {l: &l [p, q]}\n"
                "steps:\n"
                "  a: {run: &r 'x {{item}}', each: *l}\n"
                "  b: {run: *r, each: *l}\n",
                "a[p]: $ x 'p'\na[q]: $ x 'q'\nb[p]: $ x 'p'\nb[q]: $ x 'q'\n");
}

TEST(marks_and_line_ends_of_other_systems_are_read) {
    check_steps("\xef\xbb\xbfsteps:\r\n  a:\r\n    run: |\r\n      x\r\n      y\r\n",
                "a: $ x\ny\n\n");
}

TEST(values_of_any_depth_are_found_without_recursion) {
    struct buf text = {0};
    buf_puts(&text, "vars:\n  v0: end\n");
    for (int i = 1; i < 20000; i++)
        buf_printf(&text, "  v%d: '{{v%d}}'\n", i, i - 1);
    buf_puts(&text, "hosts:\n  p19999: '@p19998'\n  p0: h\n");
    for (int i = 1; i < 19999; i++)
        buf_printf(&text, "  p%d: '@p%d'\n", i, i - 1);
    buf_puts(&text, "steps:\n  s: {run: 'echo {{v19999}}', on: p19999}\n");
    struct reading r;
    if (read_text(&r, text.s, NULL, 0)) {
        CHECK_STR(steps_of(&r.graph), "s: $ echo 'end'\n");
        CHECK(r.graph.rules.v[0]->steps[0]->pool->n_hosts == 1);
    }
    done(&r);
    buf_free(&text);
}

UNIT_MAIN
