/* References in texts: where they stand, what they may name, and how much they stand for. */
#include "read/draft.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    struct str name;
    unsigned sees;
} reserved[] = {
    {{"item", 4}, SEES_ITEM}, {{"in", 2}, SEES_FILES},  {{"out", 3}, SEES_FILES},
    {{"host", 4}, SEES_HOST}, {{"step", 4}, SEES_STEP}, {{"env", 3}, 0},
};

enum { RESERVED = sizeof reserved / sizeof *reserved };

static size_t find_reserved(struct str name) {
    size_t i = 0;
    while (i < RESERVED && !str_eq(name, reserved[i].name))
        i++;
    return i;
}

bool is_reserved(struct str name) {
    return find_reserved(name) < RESERVED;
}

bool is_identifier(struct str name, const char *also) {
    if (name.n == 0)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(i != 0 && c != '\0' && (digit || strchr(also, c) != NULL)))
            return false;
    }
    return true;
}

/* --- where --- */

struct node_origin {
    struct text_origin base;
    struct node_finder *finder;
};

static struct place place_in_node(const struct text_origin *origin, size_t offset, size_t length) {
    return node_find(((const struct node_origin *)origin)->finder, offset, length);
}

struct template parse_text(struct reader *r, const struct node *scalar) {
    struct template t = template_parse(&r->graph->arena, scalar->text);
    if (t.references == 0)
        return t;
    struct node_finder finder;
    struct node_origin origin = {{place_in_node}, &finder};
    node_finder_init(&finder, scalar);
    template_locate(&t, scalar->text, &origin.base);
    return t;
}

struct template parse_script(struct reader *r, const struct node *scalar) {
    struct node_finder finder;
    struct node_origin origin = {{place_in_node}, &finder};
    node_finder_init(&finder, scalar);
    return template_parse_script(&r->graph->arena, scalar->text, &origin.base, r->diags);
}

/* --- what --- */

/* A text of `defaults` is looked at for every step, and a mistake in it told once. */
static struct str key_of(const struct reference *p) {
    return (struct str){(const char *)&p->text.s, sizeof p->text.s};
}

static bool told_before(const struct reader *r, const struct reference *p) {
    return r->told.n != 0 && map_get(&r->told, key_of(p)) != NULL;
}

static void tell_once(struct reader *r, const struct reference *p) {
    struct str key = key_of(p);
    key.s = arena_copy(&r->graph->arena, key.s, key.n);
    *map_put(&r->told, key) = r;
}

static void help_braces(struct reader *r) {
    diag_help(r->diags, "to have the text as it is, write the braces as `{{{{`");
}

static bool unknown_word(struct reader *r, const struct reference *p, unsigned sees) {
    const char *name = diag_name(r->diags, p->word);
    if (is_reserved(p->word)) {
        diag_error(r->diags, p->at, "`{{%s}}` has no meaning here", name);
        if (str_eq(p->word, STR("item")))
            diag_help(r->diags, "a step has items where it has `each`");
        return false;
    }
    if (map_get(&r->graph->rule_names, p->word) != NULL) {
        diag_error(r->diags, p->at, "`%s` is a step: say what of it", name);
        diag_help(r->diags, "{{%s.out}} are the files it makes, {{%s.stdout}} is what it writes",
                  name, name);
        return false;
    }
    str_list names = {0};
    for (size_t i = 0; i < r->graph->variables.n && help_is_read(r->diags); i++)
        *vec_push(&names) = r->graph->variables.v[i]->name;
    for (size_t i = 0; i < RESERVED; i++)
        if ((sees & reserved[i].sees) != 0)
            *vec_push(&names) = reserved[i].name;
    diag_error(r->diags, p->at, "there is no `%s`", name);
    if (!help_meant(r->diags, p->word, names.v, names.n))
        help_braces(r);
    vec_free(&names);
    return false;
}

static bool check_word(struct reader *r, const struct reference *p, unsigned sees) {
    size_t i = find_reserved(p->word);
    struct variable *v = i < RESERVED ? NULL : map_get(&r->graph->variable_names, p->word);
    if (v != NULL)
        v->used = true;
    bool known = v != NULL || (i < RESERVED && (sees & reserved[i].sees) != 0);
    return known || unknown_word(r, p, sees);
}

static bool check_environment(struct reader *r, const struct reference *p) {
    char *name = (char *)arena_str(&r->graph->arena, p->part).s;
    if (p->part.n == 0)
        diag_error(r->diags, p->at, "`env` wants the name of a variable: {{env.HOME}}");
    else if (getenv(name) == NULL)
        diag_error(r->diags, p->at, "`%s` is not set in the environment",
                   diag_name(r->diags, p->part));
    else
        return true;
    return false;
}

static bool check_item_part(struct reader *r, const struct draft_rule *d, const struct reference *p,
                            unsigned sees) {
    static const struct str parts[] = {{"stem", 4}, {"base", 4}, {"dir", 3}, {"ext", 3}};
    if ((sees & SEES_ITEM) == 0)
        return unknown_word(r, p, sees);
    str_list axes = {0};
    for (size_t i = 0; d != NULL && i < d->rare->n_axes; i++)
        *vec_push(&axes) = d->rare->axes[i].name;
    for (size_t i = 0; i < axes.n; i++)
        if (str_eq(p->part, axes.v[i])) {
            vec_free(&axes);
            return true;
        }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (str_eq(p->part, parts[i])) {
            vec_free(&axes);
            return true;
        }
    diag_error(r->diags, p->at, "an item has no `.%s`", diag_name(r->diags, p->part));
    if (!help_meant(r->diags, p->part, axes.v, axes.n))
        diag_help(r->diags, "its parts are .stem, .base, .dir and .ext%s",
                  axes.n != 0 ? ", and its axes" : "");
    vec_free(&axes);
    return false;
}

static bool check_step_part(struct reader *r, const struct reference *p, unsigned sees) {
    bool step = map_get(&r->graph->rule_names, p->word) != NULL;
    bool out = str_eq(p->part, STR("out")), status = str_eq(p->part, STR("status"));
    bool known = out || status || str_eq(p->part, STR("stdout"));
    if (step && known && (sees & (status ? SEES_STATUS : SEES_STEPS)) != 0)
        return true;
    const char *name = diag_name(r->diags, p->word), *part = diag_name(r->diags, p->part);
    if ((sees & SEES_STEPS) == 0 || (step && status)) {
        diag_error(r->diags, p->at, "`{{%s.%s}}` has no meaning here", name, part);
        if (status)
            diag_help(r->diags, "the exit status of a step can be named in `run` and `env`");
        else if (out)
            diag_help(r->diags, "the files of a step can be named in `in`, `out`, `each`, `run` "
                                "and `env` of other steps");
    } else if (step) {
        diag_error(r->diags, p->at, "a step has no `.%s`", part);
        diag_help(
            r->diags,
            "{{%s.out}} are the files it makes, {{%s.stdout}} is what it writes, {{%s.status}} "
            "its exit status",
            name, name, name);
    } else if (map_get(&r->graph->variable_names, p->word) != NULL || is_reserved(p->word)) {
        diag_error(r->diags, p->at, "`%s` has no `.%s`", name, part);
    } else {
        diag_error(r->diags, p->at, "there is no step `%s`", name);
        if (!help_meant(r->diags, p->word, r->rule_names.v, r->rule_names.n))
            help_braces(r);
    }
    return false;
}

bool check_references(struct reader *r, const struct draft_rule *d, const struct template *t,
                      unsigned sees) {
    bool good = true;
    for (size_t i = 0; i < t->n && t->references != 0; i++) {
        const struct reference *p = t->v[i].reference;
        if (p == NULL)
            continue;
        if (told_before(r, p)) {
            good = false;
            continue;
        }
        size_t errors = r->diags->errors;
        if (str_eq(p->word, STR("env")))
            good = check_environment(r, p) && good;
        else if (p->part.n == 0)
            good = check_word(r, p, sees) && good;
        else if (str_eq(p->word, STR("item")))
            good = check_item_part(r, d, p, sees) && good;
        else
            good = check_step_part(r, p, sees) && good;
        if (errors != r->diags->errors)
            tell_once(r, p);
    }
    return good;
}

/* --- how much --- */

/* Whether count texts of so many bytes are still allowed, in all. */
bool spend_texts(struct reader *r, size_t count, size_t bytes, struct place at) {
    if (count <= r->texts_left && bytes <= r->bytes_left) {
        r->texts_left -= count;
        r->bytes_left -= bytes;
        return true;
    }
    if (r->texts_left != 0)
        diag_error(r->diags, at, "the lists unfold to too many names");
    r->texts_left = r->bytes_left = 0;
    return false;
}

static size_t times(size_t a, size_t b) {
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

bool expand_texts(struct reader *r, const struct template *t, struct place at, struct scope *scope,
                  bool pattern, struct arena *arena, str_list *out) {
    size_t count = 1, bytes = 0;
    if (template_is_literal(t)) {
        *vec_push(out) = t->v[0].text;
        return spend_texts(r, 1, 0, at);
    }
    for (size_t i = 0; i < t->n; i++) {
        struct value value = {.v = &t->v[i].text, .n = 1};
        if (t->v[i].reference != NULL && !scope_lookup(scope, t->v[i].reference, &value))
            return false;
        size_t longest = 0;
        for (size_t k = 0; k < value.n; k++)
            longest = value.v[k].n > longest ? value.v[k].n : longest;
        count = times(count, value.n);
        bytes = bytes > SIZE_MAX - longest ? SIZE_MAX : bytes + longest;
    }
    return spend_texts(r, count, times(count, bytes), at) &&
           (pattern ? template_patterns : template_list)(t, scope_lookup, scope, arena, out);
}
