/* The key `each`: what a step is repeated for. */
#include "read/draft.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 64 * 1024 * 1024 };

/* --- as written --- */

struct each_texts {
    struct draft_rule *rule;
    struct draft_text *v;
    size_t n;
};

static void one_text(void *context, const struct node *scalar) {
    struct each_texts *k = context;
    k->v[k->n++] =
        (struct draft_text){.t = parse_text(k->rule->reader, scalar), .at = node_at(scalar)};
}

static struct draft_texts read_values(struct draft_rule *d, const struct node *value,
                                      const char *what, enum each_kind *kind) {
    size_t most = value->kind == NODE_LIST ? value->n : 1;
    struct each_texts k = {d, arena_alloc(&d->reader->graph->arena, most * sizeof *k.v), 0};
    *kind = value->kind == NODE_LIST ? EACH_LIST : EACH_TEXT;
    if (!want_names(value, what, d->reader->diags, one_text, &k))
        d->broken = true;
    return (struct draft_texts){k.v, k.n};
}

static struct draft_axis *find_axis(const struct draft_rule *d, struct str name) {
    for (size_t i = 0; i < d->rare->n_axes; i++)
        if (str_eq(d->rare->axes[i].name, name))
            return &d->rare->axes[i];
    return NULL;
}

static void read_exclusion(struct draft_rule *d, const struct node *value,
                           struct draft_exclusion *exclusion) {
    struct diags *diags = d->reader->diags;
    if (!want_map(value, "an exclusion", diags)) {
        diag_help(diags, "from axes to values: `exclude: [{os: a, py: 3.11}]`");
        d->broken = true;
        return;
    }
    exclusion->v = arena_alloc(&d->reader->graph->arena, (value->n / 2 + 1) * sizeof *exclusion->v);
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = &value->items[i];
        if (find_axis(d, key->text) == NULL) {
            str_list names = {0};
            for (size_t k = 0; k < d->rare->n_axes; k++)
                *vec_push(&names) = d->rare->axes[k].name;
            diag_error(diags, node_at(key), "there is no axis `%s`", diag_name(diags, key->text));
            help_meant(diags, key->text, names.v, names.n);
            vec_free(&names);
            d->broken = true;
            continue;
        }
        struct draft_axis *axis = &exclusion->v[exclusion->n++];
        *axis = (struct draft_axis){.name = key->text, .at = node_at(key)};
        axis->values = read_values(d, &value->items[i + 1], "an exclusion", &axis->kind);
    }
}

static void read_matrix(struct draft_rule *d, const struct node *value) {
    struct reader *r = d->reader;
    const struct node *exclude = node_get(value, "exclude");
    d->each = EACH_MATRIX;
    struct draft_rare *rare = own_rare(d);
    rare->axes = arena_alloc(&r->graph->arena, (value->n / 2 + 1) * sizeof *rare->axes);
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = &value->items[i];
        if (&value->items[i + 1] == exclude)
            continue;
        if (!is_identifier(key->text, "-")) {
            diag_error(r->diags, node_at(key),
                       "an axis is called by letters, digits, `_` and `-`, not `%s`",
                       diag_name(r->diags, key->text));
            d->broken = true;
            continue;
        }
        struct draft_axis *axis = &rare->axes[rare->n_axes++];
        *axis = (struct draft_axis){.name = key->text, .at = node_at(&value->items[i + 1])};
        axis->values = read_values(d, &value->items[i + 1], "an axis", &axis->kind);
    }
    if (d->rare->n_axes == 0 && !d->broken && !value->refused) {
        diag_error(r->diags, node_at(value),
                   "a matrix needs an axis: `each: {os: [a, b], py: [3, 4]}`");
        d->broken = true;
    }
    if (exclude == NULL)
        return;
    if (exclude->kind == NODE_SCALAR) {
        diag_error(r->diags, node_at(exclude),
                   "`exclude` must be a map or a list of maps, this is %s",
                   node_kind_name(exclude));
        d->broken = true;
        return;
    }
    bool list = exclude->kind == NODE_LIST;
    rare->n_exclusions = list ? exclude->n : 1;
    rare->exclusions =
        arena_alloc(&r->graph->arena, (rare->n_exclusions + 1) * sizeof *rare->exclusions);
    for (size_t i = 0; i < d->rare->n_exclusions; i++)
        read_exclusion(d, list ? &exclude->items[i] : exclude, &d->rare->exclusions[i]);
}

void read_each(struct draft_rule *d, const struct node *value) {
    struct draft_rare *rare = own_rare(d);
    rare->each_at = node_at(value);
    const struct node *lines = value->kind == NODE_MAP ? node_get(value, "lines") : NULL;
    if (lines != NULL && lines->kind == NODE_SCALAR) {
        rare->items = read_values(d, lines, "`lines`", &d->each);
        d->each = EACH_LINES;
        if (value->n != 2) {
            diag_error(d->reader->diags, node_at(value), "`lines` stands alone in `each`");
            diag_help(d->reader->diags, "an axis of that name has a list: `lines: [...]`");
        }
    } else if (value->kind == NODE_MAP) {
        read_matrix(d, value);
    } else {
        rare->items = read_values(d, value, "`each`", &d->each);
    }
    struct str source = value->source->text;
    size_t n = value->end > value->start ? value->end - value->start : 0;
    if (value->kind == NODE_SCALAR)
        d->rule->items = value->text;
    else if (value->start + n <= source.n)
        d->rule->items = (struct str){source.s + value->start, n};
}

/* --- as it unfolds --- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A text alone, where it is not a list by what it refers to. */
struct word_list {
    str_list words;
    bool files; /* names of files */
};

static bool match_files(struct reader *r, struct str pattern, struct place at,
                        struct word_list *out) {
    glob_t found = {0};
    int rc = glob(arena_str(&r->graph->arena, pattern).s, GLOB_NOSORT, NULL, &found);
    if (rc == GLOB_NOSPACE)
        mem_alloc(SIZE_MAX);
    uses_glob(r->graph->uses, pattern);
    if (rc != 0 || found.gl_pathc == 0) {
        diag_error(r->diags, at, "no file matches `%s`", diag_name(r->diags, pattern));
    } else {
        /* By bytes, whatever the user's locale. */
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_bytes);
        for (size_t i = 0; i < found.gl_pathc; i++)
            *vec_push(&out->words) = arena_str(&r->graph->arena, str_of(found.gl_pathv[i]));
        out->files = true;
    }
    bool any = found.gl_pathc != 0;
    globfree(&found);
    return any;
}

/* "1..100", "01..23", "0..100..5": as in the braces of shells. */
struct numbers {
    int64_t first, last, step;
    int width; /* with zeros in front; 0: without */
};

static bool take_number(struct str *text, int64_t *out, int *digits) {
    size_t i = 0;
    bool minus = text->n != 0 && text->s[0] == '-';
    int64_t n = 0;
    for (i = minus; i < text->n && text->s[i] >= '0' && text->s[i] <= '9'; i++) {
        if (i - minus >= 15)
            return false;
        n = n * 10 + (text->s[i] - '0');
    }
    if (i == minus)
        return false;
    *digits = i - minus > 1 && text->s[minus] == '0' ? (int)(i - minus) : 0;
    *out = minus ? -n : n;
    *text = (struct str){text->s + i, text->n - i};
    return true;
}

static bool take_dots(struct str *text) {
    if (!str_starts(*text, STR("..")))
        return false;
    *text = (struct str){text->s + 2, text->n - 2};
    return true;
}

static bool parse_numbers(struct str text, struct numbers *out) {
    int first, last = 0, step = 0;
    *out = (struct numbers){.step = 1};
    if (!take_number(&text, &out->first, &first) || !take_dots(&text) ||
        !take_number(&text, &out->last, &last))
        return false;
    if (text.n != 0 &&
        (!take_dots(&text) || !take_number(&text, &out->step, &step) || out->step <= 0))
        return false;
    out->width = first > last ? first : last;
    return text.n == 0;
}

static void count_up(struct reader *r, const struct numbers *numbers, struct place at,
                     str_list *out) {
    bool down = numbers->first > numbers->last;
    int64_t distance = down ? numbers->first - numbers->last : numbers->last - numbers->first;
    size_t n = (size_t)(distance / numbers->step) + 1;
    if (!spend_texts(r, n, n, at))
        return;
    for (size_t i = 0; i < n; i++) {
        int64_t step = (int64_t)i * numbers->step;
        int64_t number = down ? numbers->first - step : numbers->first + step;
        *vec_push(out) = arena_printf(&r->graph->arena, "%s%0*lld", number < 0 ? "-" : "",
                                      numbers->width, (long long)(number < 0 ? -number : number));
    }
}

/* Whether a text is one reference alone to what is a list by its nature. */
static bool is_list(const struct graph *g, const struct template *t) {
    const struct reference *p = t->n == 1 ? t->v[0].reference : NULL;
    if (p == NULL || is_reserved(p->word))
        return false;
    const struct variable *v = p->part.n == 0 ? map_get(&g->variable_names, p->word) : NULL;
    return p->part.n != 0 || (v != NULL && v->list);
}

/* What a text or a list of texts stands for. */
static void find_words(struct reader *r, enum each_kind kind, const struct draft_texts *texts,
                       bool axis, struct word_list *out) {
    struct graph *g = r->graph;
    struct scope scope = {.graph = g, .arena = &g->arena, .lines = true};
    struct numbers numbers;
    for (size_t i = 0; i < texts->n; i++) {
        const struct draft_text *text = &texts->v[i];
        str_list found = {0};
        bool list = is_list(g, &text->t);
        if (!text->bad)
            expand_texts(r, &text->t, text->at, &scope, false, &g->arena, &found);
        out->files = out->files || (list && str_eq(text->t.v[0].reference->part, STR("out")));
        for (size_t k = 0; k < found.n; k++) {
            if (kind == EACH_LIST || list)
                *vec_push(&out->words) = found.v[k];
            else if (parse_numbers(found.v[k], &numbers))
                count_up(r, &numbers, text->at, &out->words);
            else if (axis && strcspn(arena_str(&g->arena, found.v[k]).s, "*?[") == found.v[k].n)
                *vec_push(&out->words) = found.v[k]; /* an axis of one value */
            else if (!match_files(r, found.v[k], text->at, out))
                break;
        }
        vec_free(&found);
    }
}

static void find_lines(struct draft_rule *d, struct word_list *out) {
    struct reader *r = d->reader;
    struct graph *g = r->graph;
    struct scope scope = {.graph = g, .arena = &g->arena};
    const struct draft_text *text = &d->rare->items.v[0];
    str_list names = {0};
    if (!text->bad && expand_texts(r, &text->t, text->at, &scope, false, &g->arena, &names) &&
        names.n != 1)
        diag_error(r->diags, text->at, "`lines` wants one file, these are %zu", names.n);
    struct buf all = {0};
    FILE *file = NULL;
    if (names.n == 1) {
        const char *name = arena_str(&g->arena, names.v[0]).s;
        file = fopen(name, "re");
        if (file != NULL)
            uses_file(g->uses, names.v[0], fileno(file));
        size_t n = 1;
        while (file != NULL && n != 0 && all.n <= LINES_MAX) {
            buf_reserve(&all, 64 * 1024);
            n = fread(all.s + all.n, 1, 64 * 1024, file);
            all.n += n;
        }
        if (file == NULL || ferror(file))
            diag_error(r->diags, text->at, "cannot read `%s`: %s", diag_name(r->diags, names.v[0]),
                       strerror(errno));
        else if (all.n > LINES_MAX)
            diag_error(r->diags, text->at, "`%s` is longer than %d MiB",
                       diag_name(r->diags, names.v[0]), LINES_MAX / 1024 / 1024);
    }
    struct str rest = arena_str(&g->arena, buf_view(&all));
    while (rest.n != 0) {
        const char *end = memchr(rest.s, '\n', rest.n);
        size_t n = end != NULL ? (size_t)(end - rest.s) : rest.n;
        *vec_push(&out->words) = (struct str){rest.s, n};
        n += end != NULL;
        rest = (struct str){rest.s + n, rest.n - n};
    }
    if (file != NULL)
        fclose(file);
    buf_free(&all);
    vec_free(&names);
}

/* --- matrices --- */

struct combination {
    struct draft_rule *rule;
    struct word_list *values;    /* of each axis */
    struct word_list **excluded; /* of each exclusion, of each of its axes */
};

static bool has_word(const struct word_list *list, struct str word) {
    for (size_t i = 0; i < list->words.n; i++)
        if (str_eq(list->words.v[i], word))
            return true;
    return false;
}

static bool is_excluded(const struct combination *c, const struct axis *axes) {
    const struct draft_rule *d = c->rule;
    for (size_t e = 0; e < d->rare->n_exclusions; e++) {
        bool all = d->rare->exclusions[e].n != 0;
        for (size_t k = 0; k < d->rare->exclusions[e].n && all; k++)
            for (size_t a = 0; a < d->rare->n_axes; a++)
                if (str_eq(d->rare->axes[a].name, d->rare->exclusions[e].v[k].name))
                    all = all && has_word(&c->excluded[e][k], axes[a].value);
        if (all)
            return true;
    }
    return false;
}

/* The first axis turns slowest. */
static void combine(const struct combination *c, item_list *items) {
    struct draft_rule *d = c->rule;
    struct reader *r = d->reader;
    size_t total = 1;
    for (size_t a = 0; a < d->rare->n_axes; a++) {
        size_t n = c->values[a].words.n;
        total = n != 0 && total > SIZE_MAX / n ? SIZE_MAX : total * n;
    }
    if (!spend_texts(r, total, total, d->rare->each_at))
        return;
    for (size_t i = 0; i < total; i++) {
        struct axis *axes = arena_alloc(&r->graph->arena, d->rare->n_axes * sizeof *axes);
        struct buf text = {0};
        size_t block = total, rest = i;
        for (size_t a = 0; a < d->rare->n_axes; a++) {
            block /= c->values[a].words.n;
            axes[a] = (struct axis){d->rare->axes[a].name, c->values[a].words.v[rest / block]};
            rest %= block;
            if (a != 0)
                buf_putc(&text, ',');
            buf_str(&text, axes[a].value);
        }
        if (!is_excluded(c, axes))
            *vec_push(items) = (struct item){.text = arena_str(&r->graph->arena, buf_view(&text)),
                                             .at = d->rare->each_at,
                                             .axes = axes,
                                             .n_axes = d->rare->n_axes};
        buf_free(&text);
    }
}

static void find_combinations(struct draft_rule *d, item_list *items) {
    struct combination c = {.rule = d};
    c.values = mem_zalloc((d->rare->n_axes + 1) * sizeof *c.values);
    c.excluded = mem_zalloc((d->rare->n_exclusions + 1) * sizeof *c.excluded);
    for (size_t a = 0; a < d->rare->n_axes; a++)
        find_words(d->reader, d->rare->axes[a].kind, &d->rare->axes[a].values, true, &c.values[a]);
    for (size_t e = 0; e < d->rare->n_exclusions; e++) {
        const struct draft_exclusion *exclusion = &d->rare->exclusions[e];
        c.excluded[e] = mem_zalloc((exclusion->n + 1) * sizeof **c.excluded);
        for (size_t k = 0; k < exclusion->n; k++)
            find_words(d->reader, EACH_LIST, &exclusion->v[k].values, true, &c.excluded[e][k]);
    }
    combine(&c, items);
    for (size_t a = 0; a < d->rare->n_axes; a++)
        vec_free(&c.values[a].words);
    for (size_t e = 0; e < d->rare->n_exclusions; e++) {
        for (size_t k = 0; k < d->rare->exclusions[e].n; k++)
            vec_free(&c.excluded[e][k].words);
        free(c.excluded[e]);
    }
    free(c.values);
    free(c.excluded);
}

void find_items(struct draft_rule *d, item_list *items) {
    if (d->each == EACH_MATRIX) {
        find_combinations(d, items);
        return;
    }
    struct word_list found = {0};
    bool lines = d->each == EACH_LINES;
    if (lines)
        find_lines(d, &found);
    else
        find_words(d->reader, d->each, &d->rare->items, false, &found);
    for (size_t i = 0; i < found.words.n; i++) {
        struct str word = found.words.v[i];
        if (word.n == 0) /* an empty line */
            continue;
        *vec_push(items) = (struct item){
            .text = word,
            .at = d->rare->items.n == found.words.n && d->each == EACH_LIST ? d->rare->items.v[i].at
                                                                            : d->rare->each_at,
            .file = found.files};
    }
    vec_free(&found.words);
}
