/* Before anything is fetched: what there is of what was asked for. */
#include "base/shell.h"
#include "carry/stage_wanted.h"

#include <fnmatch.h>
#include <string.h>

enum {
    OPEN_FILES = 8,              /* with more, none stays open until it is synced */
    ANSWER = WANTED_NAME + 32,   /* bytes of one */
    ANSWERS = 128 * 1024 * 1024, /* bytes of all, also of those that do not match */
};

/* --- asking --- */

/* The part of a pattern before the first component that has to be looked for, unescaped; false:
 * there is none. */
static bool find_literal(struct str pattern, struct buf *literal) {
    bool wild = false;
    while (pattern.n != 0) {
        if (pattern.s[0] == '/') {
            buf_putc(literal, '/');
            pattern = (struct str){pattern.s + 1, pattern.n - 1};
            continue;
        }
        size_t n = cargo_component(pattern, &wild);
        if (wild)
            return true;
        cargo_unescape((struct str){pattern.s, n}, literal);
        pattern = (struct str){pattern.s + n, pattern.n - n};
    }
    return false;
}

void stage_look_ask(struct stage *s, struct buf *script) {
    const struct errand *e = s->errand;
    /* One answer: NUMBER, a blank, f, d or o (something else), the name, and a NUL. */
    buf_puts(script, "l() {\n"
                     "    if [ -f \"$2\" ]; then t=f\n"
                     "    elif [ -d \"$2\" ]; then t=d\n"
                     "    elif [ -e \"$2\" ]; then t=o\n"
                     "    else return 0; fi\n"
                     "    printf '%s %s%s\\0' \"$1\" \"$t\" \"$2\"\n"
                     "}\n");
    for (size_t i = 0; i < e->n_cargo; i++) {
        struct buf literal = {0};
        bool wild = e->cargo[i].pattern && find_literal(e->cargo[i].from, &literal);
        if (wild) {
            buf_puts(script, "for f in ");
            shell_pattern(script, e->cargo[i].from);
            buf_printf(script, "; do l %zu \"$f\"; done\n", i);
        } else {
            buf_printf(script, "l %zu", i);
            stage_word(script, STR(""),
                       e->cargo[i].pattern ? buf_view(&literal) : e->cargo[i].from);
            buf_putc(script, '\n');
        }
        buf_free(&literal);
    }
}

static bool is_excepted(const struct errand *e, struct str name) {
    for (size_t i = 0; i < e->n_except; i++)
        if (str_eq(e->except[i], name))
            return true;
    return false;
}

/* A host may give any name. */
static bool is_match(const struct cargo *c, struct str name) {
    struct buf literal = {0};
    bool wild = find_literal(c->from, &literal), good = str_starts(name, buf_view(&literal));
    size_t n = literal.n;
    buf_free(&literal);
    if (!wild || !good)
        return good && n == name.n;
    struct str part;
    while (good && str_component(name, &n, &part))
        good = cargo_is_plain(part);
    return good && n == name.n + 1 && fnmatch(c->from.s, name.s, FNM_PATHNAME | FNM_PERIOD) == 0;
}

void stage_not_regular(struct stage *s, struct str name) {
    outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot fetch", name,
                         "it is not a regular file, and only those can be carried");
}

static void take_answer(struct stage *s, size_t cargo, char kind, struct str name) {
    const struct cargo *c = &s->errand->cargo[cargo];
    struct fetching *f = s->fetch;
    bool wild = false;
    struct buf literal = {0}, to = {0};
    if (c->pattern)
        wild = find_literal(c->from, &literal);
    buf_free(&literal);
    if (c->pattern ? !is_match(c, name) : !str_eq(name, c->from))
        return;
    if (wild && (kind == 'f' ? is_excepted(s->errand, name) : kind != 'd' || !c->tree))
        return;
    if (!wild && f->counts.v[cargo] != 0)
        return;
    if (kind != 'f' && !(kind == 'd' && c->tree)) {
        stage_not_regular(s, name);
        return;
    }
    f->name_bytes += name.n;
    if (f->wanted.n == CARGO_MOST || f->name_bytes > WANTED_NAMES) {
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot fetch", c->from,
                             "there are too many files");
        return;
    }
    f->counts.v[cargo]++;
    cargo_place(c, name, &to);
    *vec_push(&f->wanted) = (struct wanted){.from = arena_str(&s->arena, name),
                                            .to = arena_str(&s->arena, buf_view(&to)),
                                            .cargo = cargo,
                                            .tree = kind == 'd',
                                            .found = c->pattern || c->tree};
    buf_free(&to);
}

/* false: it is none. */
static bool take_whole(struct stage *s, struct str answer) {
    char *end;
    unsigned long cargo = strtoul(answer.s, &end, 10);
    if (end == answer.s || *end != ' ' || end[1] == '\0' || end[2] == '\0' ||
        cargo >= s->errand->n_cargo)
        return false;
    size_t before = (size_t)(end - answer.s) + 2;
    take_answer(s, cargo, end[1], (struct str){end + 2, answer.n - before});
    return true;
}

void stage_look_take(struct stage *s, struct str bytes) {
    struct fetching *f = s->fetch;
    struct buf *held = &f->answers;
    size_t at = 0;
    bool good = true;
    buf_add(held, bytes.s, bytes.n);
    f->answered += bytes.n;
    while (good && !s->outcome.stopping) {
        const char *nul = memchr(held->s + at, '\0', held->n - at);
        if (nul == NULL)
            break;
        struct str answer = {held->s + at, (size_t)(nul - held->s) - at};
        good = answer.n <= ANSWER && take_whole(s, answer);
        at += answer.n + 1;
    }
    buf_drop(held, at);
    if (!good || held->n > ANSWER)
        outcome_trouble(&s->outcome, CARRY_LOST, "its shell gives an answer that is none");
    else if (f->answered > ANSWERS)
        outcome_trouble(&s->outcome, CARRY_FAILED,
                        "cannot fetch what it made: there are too many files");
}

static void tell_missing(struct stage *s) {
    const struct errand *e = s->errand;
    for (size_t i = 0; i < e->n_cargo; i++) {
        const struct cargo *c = &e->cargo[i];
        struct buf name = {0}, literal = {0};
        bool wild = c->pattern && find_literal(c->from, &literal);
        const char *said = wild && c->to.n == 0  ? "it made nothing that matches "
                           : wild                ? "nothing there matches "
                           : c->from.s[0] != '/' ? "it did not make "
                                                 : "";
        buf_visible(&name, c->from);
        if (s->fetch->counts.v[i] == 0 && !c->optional)
            outcome_trouble(&s->outcome, CARRY_FAILED, "%s%s%s", said, name.s,
                            *said == '\0' ? " is not there" : "");
        buf_free(&name);
        buf_free(&literal);
    }
}

/* --- what comes of it --- */

static struct part *part_of(struct stage *s, const struct leg *leg) {
    while (s->fetch->parts.n <= leg->number)
        (void)vec_push(&s->fetch->parts);
    return &s->fetch->parts.v[leg->number];
}

/* Where the part of a name begins that a stream can hold: behind the first slash, or the last `..`.
 */
static size_t find_base(struct str name) {
    size_t base = 0;
    while (base < name.n && name.s[base] == '/')
        base++;
    struct str part;
    for (size_t at = base; str_component(name, &at, &part);)
        if (str_eq(part, STR("..")))
            base = at < name.n ? at : name.n;
    return base;
}

void stage_look_plan(struct stage *s) {
    struct fetching *f = s->fetch;
    tell_missing(s);
    f->many = f->wanted.n > OPEN_FILES;
    for (size_t i = 0; i < f->wanted.n && !s->outcome.stopping; i++) {
        struct str name = f->wanted.v[i].from;
        size_t base = find_base(name), place;
        struct leg *leg =
            stage_leg(s, (struct str){name.s, base}, (struct str){name.s + base, name.n - base},
                      f->wanted.v[i].tree, s->errand->cargo[f->wanted.v[i].cargo].preserve, &place);
        if (leg != NULL)
            *vec_push(&part_of(s, leg)->wanted) = i;
        f->many = f->many || f->wanted.v[i].tree;
    }
}
