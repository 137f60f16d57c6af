#include "read/keys.h"

#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

void help_meant(struct diags *diags, struct str word, const struct str *candidates, size_t n) {
    const struct str *meant = suggest(word, candidates, n);
    if (meant != NULL)
        diag_help(diags, "did you mean `%s`?", diag_name(diags, *meant));
}

static void wrong_kind(const struct node *node, const char *what, const char *wanted, struct diags *diags) {
    if (node->refused) /* told already */
        return;
    diag_error(diags, node->at, "%s must be %s, this is %s", what, wanted, node_kind_name(node));
    if (node->kind != NODE_SCALAR && node->flow) {
        struct str source = node->at.source->text;
        size_t end = node->start;
        while (end < source.n && end < node->start + 40 && source.s[end] != '\n')
            end++;
        diag_help(diags, "a text that starts with `%c` must be quoted: '%s'", node->kind == NODE_MAP ? '{' : '[',
                  diag_name(diags, (struct str){source.s + node->start, end - node->start}));
    }
}

static void unknown_key(const struct node *key, const char *what, const struct key *keys, size_t n,
                        struct diags *diags) {
    struct str *names = arena_alloc(&diags->arena, (n + 1) * sizeof *names);
    struct buf all = {0};
    for (size_t i = 0; i < n; i++) {
        names[i] = str_of(keys[i].name);
        buf_printf(&all, "%s%s", i != 0 ? ", " : "", keys[i].name);
    }
    diag_error(diags, key->at, "unknown key `%s` in %s", diag_name(diags, key->text), what);
    if (suggest(key->text, names, n) != NULL)
        help_meant(diags, key->text, names, n);
    else
        diag_help(diags, "its keys are: %s", all.s);
    buf_free(&all);
}

bool read_keys(const struct node *map, const char *what, const struct key *keys, size_t n, void *context,
               struct diags *diags) {
    if (map->kind != NODE_MAP) {
        wrong_kind(map, what, "a map", diags);
        return false;
    }
    for (size_t i = 0; i + 1 < map->n; i += 2) {
        const struct key *found = NULL;
        for (size_t k = 0; k < n && found == NULL; k++)
            if (str_eq(map->items[i]->text, str_of(keys[k].name)))
                found = &keys[k];
        if (found != NULL)
            found->read(context, map->items[i + 1]);
        else
            unknown_key(map->items[i], what, keys, n, diags);
    }
    return true;
}

bool want_text(const struct node *node, const char *what, struct str *out, struct diags *diags) {
    if (node->kind != NODE_SCALAR) {
        wrong_kind(node, what, "a text", diags);
        return false;
    }
    struct str text = node->text;
    if (node->plain && (text.n == 0 || str_eq(text, STR("~")) || str_eq(text, STR("null")))) {
        diag_error(diags, node->at, "%s has no value", what);
        return false;
    }
    *out = text;
    return true;
}

bool want_number(const struct node *node, const char *what, uint32_t least, uint32_t most, uint32_t *out,
                 struct diags *diags) {
    struct str text;
    if (!want_text(node, what, &text, diags))
        return false;
    uint64_t n = 0;
    bool digits = text.n != 0 && text.n <= 10;
    for (size_t i = 0; i < text.n && digits; i++) {
        digits = text.s[i] >= '0' && text.s[i] <= '9';
        n = n * 10 + (uint64_t)(text.s[i] - '0');
    }
    if (!digits || n < least || n > most) {
        diag_error(diags, node->at, "%s must be a number from %u to %u, not `%s`", what, least, most,
                   diag_name(diags, text));
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

bool want_texts(const struct node *node, const char *what, struct diags *diags,
                void (*item)(void *context, const struct node *scalar), void *context) {
    struct str text;
    if (node->kind == NODE_MAP) {
        wrong_kind(node, what, "a text or a list of texts", diags);
        return false;
    }
    if (node->kind == NODE_SCALAR) {
        if (!want_text(node, what, &text, diags))
            return false;
        item(context, node);
        return true;
    }
    bool good = true;
    for (size_t i = 0; i < node->n; i++) {
        if (want_text(node->items[i], what, &text, diags))
            item(context, node->items[i]);
        else
            good = false;
    }
    return good;
}
