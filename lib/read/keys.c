#include "read/keys.h"

#include "base/suggest.h"
#include "read/syntax.h"

#include <stdlib.h>
#include <string.h>

enum { HELPED_MAX = 100 };

bool help_is_read(const struct diags *diags) {
    return diags->errors <= HELPED_MAX;
}

bool help_meant(struct diags *diags, struct str word, const struct str *candidates, size_t n) {
    const struct str *meant = help_is_read(diags) ? suggest(word, candidates, n) : NULL;
    if (meant != NULL)
        diag_help(diags, "did you mean `%s`?", diag_name(diags, *meant));
    return meant != NULL;
}

static void wrong_kind(const struct node *node, const char *what, const char *wanted,
                       struct diags *diags) {
    if (node->refused) /* told already */
        return;
    diag_error(diags, node_at(node), "%s must be %s, this is %s", what, wanted,
               node_kind_name(node));
    size_t key;
    if (node->kind != NODE_SCALAR && node->flow && strstr(wanted, "text") != NULL) {
        syntax_help_quote(node->source, node->start, diags);
    } else if (node->kind == NODE_SCALAR && node->plain &&
               (key = syntax_joined_key(node->text)) != 0) {
        diag_help(diags, "behind a key's `:` comes a blank: `%s ...`",
                  diag_name(diags, (struct str){node->text.s, key}));
    }
}

static void unknown_key(const struct node *key, const char *what, const struct key *keys, size_t n,
                        struct diags *diags) {
    struct str *names = mem_array(NULL, n, sizeof *names);
    struct buf all = {0};
    for (size_t i = 0; i < n; i++) {
        names[i] = str_of(keys[i].name);
        buf_printf(&all, "%s%s", i != 0 ? ", " : "", keys[i].name);
    }
    diag_error(diags, node_at(key), "unknown key `%s` in %s", diag_name(diags, key->text), what);
    if (!help_meant(diags, key->text, names, n))
        diag_help(diags, "its keys are: %s", all.s);
    buf_free(&all);
    free(names);
}

bool want_map(const struct node *node, const char *what, struct diags *diags) {
    if (node->kind != NODE_MAP)
        wrong_kind(node, what, "a map", diags);
    return node->kind == NODE_MAP;
}

bool read_keys(const struct node *map, const char *what, const struct key *keys, size_t n,
               void *context, struct diags *diags) {
    if (!want_map(map, what, diags))
        return false;
    for (size_t i = 0; i + 1 < map->n; i += 2) {
        const struct key *found = NULL;
        for (size_t k = 0; k < n && found == NULL; k++)
            if (str_eq(map->items[i].text, str_of(keys[k].name)))
                found = &keys[k];
        if (found != NULL)
            found->read(context, &map->items[i + 1]);
        else
            unknown_key(&map->items[i], what, keys, n, diags);
    }
    return true;
}

bool want_text(const struct node *node, const char *what, struct str *out, struct diags *diags) {
    if (node->kind != NODE_SCALAR) {
        wrong_kind(node, what, "a text", diags);
        return false;
    }
    if (node_is_nothing(node)) {
        struct str source = node->source->text;
        if (node->start < source.n && source.s[node->start] == '&')
            diag_error(diags, node_at(node), "a value that starts with `&` must be quoted");
        else
            diag_error(diags, node_at(node), "%s has no value", what);
        if (node->text.n != 0)
            diag_help(diags, "in quotes it is a text: '%s'", diag_name(diags, node->text));
        return false;
    }
    *out = node->text;
    return true;
}

bool want_name(const struct node *node, const char *what, struct str *out, struct diags *diags) {
    if (!want_text(node, what, out, diags))
        return false;
    if (out->n == 0)
        diag_error(diags, node_at(node), "%s is empty", what);
    return out->n != 0;
}

bool want_number(const struct node *node, const char *what, uint32_t least, uint32_t most,
                 uint32_t *out, struct diags *diags) {
    struct str text;
    if (node->kind != NODE_SCALAR) {
        wrong_kind(node, what, "a number", diags);
        return false;
    }
    if (!want_text(node, what, &text, diags))
        return false;
    uint64_t n = 0;
    bool digits = text.n != 0 && text.n <= 10;
    for (size_t i = 0; i < text.n && digits; i++) {
        digits = text.s[i] >= '0' && text.s[i] <= '9';
        n = n * 10 + (uint64_t)(text.s[i] - '0');
    }
    if (!digits || n < least || n > most) {
        diag_error(diags, node_at(node), "%s must be a number from %u to %u, not `%s`", what, least,
                   most, diag_name(diags, text));
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

bool want_bool(const struct node *node, const char *what, bool *out, struct diags *diags) {
    struct str text;
    if (node->kind != NODE_SCALAR) {
        wrong_kind(node, what, "true or false", diags);
        return false;
    }
    if (!want_text(node, what, &text, diags))
        return false;
    bool yes = str_eq(text, STR("true")), no = str_eq(text, STR("false"));
    if ((!yes && !no) || !node->plain) {
        diag_error(diags, node_at(node), "%s must be true or false, not `%s`", what,
                   diag_name(diags, text));
        return false;
    }
    *out = yes;
    return true;
}

typedef bool want_one(const struct node *node, const char *what, struct str *out,
                      struct diags *diags);

static bool want_all(const struct node *node, const char *what, want_one *want, struct diags *diags,
                     void (*item)(void *context, const struct node *scalar), void *context) {
    if (node->kind == NODE_MAP) {
        wrong_kind(node, what, "a text or a list of texts", diags);
        return false;
    }
    const struct node *items = node->kind == NODE_LIST ? node->items : node;
    size_t n = node->kind == NODE_LIST ? node->n : 1;
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        struct str text;
        if (want(&items[i], what, &text, diags))
            item(context, &items[i]);
        else
            good = false;
    }
    return good;
}

bool want_names(const struct node *node, const char *what, struct diags *diags,
                void (*item)(void *context, const struct node *scalar), void *context) {
    return want_all(node, what, want_name, diags, item, context);
}

bool want_texts(const struct node *node, const char *what, struct diags *diags,
                void (*item)(void *context, const struct node *scalar), void *context) {
    return want_all(node, what, want_text, diags, item, context);
}
