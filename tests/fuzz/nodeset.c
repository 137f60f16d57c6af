/* Any bytes as a host list: its set is that of a simpler program, and folds to a list that stands
 * for the same names, in any order to the same text. */
#include "base/nodeset.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GROUP = 5, MODEL_MAX = 300 };

/* Things that groups bring; some have names in common, with words too. */
static struct str things[2 * GROUP] = {{"n1", 2}, {"n2", 2}, {"n3", 2}, {"n2", 2}, {"x", 1},
                                       {"n1", 2}, {"y", 1},  {"n9", 2}, {"n1", 2}, {"n2", 2}};

static void require(bool promise) {
    if (!promise)
        abort();
}

/* What is in the set, gone through again and again. */
struct model {
    struct nodeset_item v[MODEL_MAX];
    size_t n;
    bool full; /* no longer kept */
};

static bool has(const struct nodeset_item *v, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].name, name))
            return true;
    return false;
}

static void model_put(struct model *m, struct nodeset_item item) {
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->v[i].name, item.name) && m->v[i].thing == item.thing)
            return;
    m->full = m->full || m->n == MODEL_MAX;
    if (!m->full)
        m->v[m->n++] = item;
}

static void model_word(struct model *m, enum nodeset_op op, const struct nodeset_item *v,
                       size_t n) {
    struct model before = *m;
    if (op == NODESET_INTERSECTION || op == NODESET_DIFFERENCE || op == NODESET_XOR) {
        m->n = 0;
        for (size_t i = 0; i < before.n; i++)
            if (has(v, n, before.v[i].name) == (op == NODESET_INTERSECTION))
                m->v[m->n++] = before.v[i];
    }
    for (size_t i = 0; i < n; i++)
        if (op == NODESET_UNION || (op == NODESET_XOR && !has(before.v, before.n, v[i].name)))
            model_put(m, v[i]);
}

static void check_model(const struct model *m, const struct nodeset *set) {
    const struct nodeset_item *item;
    size_t n = 0;
    for (size_t i = 0; (item = nodeset_next(set, &i)) != NULL; n++) {
        bool found = false;
        for (size_t k = 0; k < m->n; k++)
            found = found || (str_eq(m->v[k].name, item->name) && m->v[k].thing == item->thing);
        require(found);
    }
    require(n == m->n);
}

/* What a word's names are: those of things where it is a group. */
static void word_items(const str_list *names, struct nodeset *set, struct model *m,
                       enum nodeset_op op) {
    VEC(struct nodeset_item) items = {0};
    nodeset_begin(set, op);
    for (size_t i = 0; i < names->n; i++) {
        struct str name = names->v[i];
        size_t first = name.n > 1 && name.s[1] == 'g' ? GROUP : 0;
        if (name.s[0] != '@')
            *vec_push(&items) = (struct nodeset_item){.name = name};
        for (size_t k = 0; k < GROUP && name.s[0] == '@'; k++)
            *vec_push(&items) =
                (struct nodeset_item){.name = things[first + k], .thing = &things[first + k]};
    }
    for (size_t i = 0; i < items.n; i++)
        nodeset_add(set, items.v[i].name, items.v[i].thing);
    m->full = m->full || items.n > MODEL_MAX;
    if (!m->full)
        model_word(m, op, items.v, items.n);
    vec_free(&items);
}

static bool evaluate(struct str text, size_t limit, struct arena *arena, struct nodeset *set) {
    struct nodeset_words words = {.text = text};
    struct nodeset_word word;
    struct model model = {.n = 0};
    bool good = true;
    while (nodeset_next_word(&words, &word)) {
        size_t mistake = 0;
        const char *wrong = word.wrong;
        str_list names = {0};
        require(word.text.s >= text.s && word.text.n != 0 &&
                word.text.s + word.text.n <= text.s + text.n);
        if (wrong == NULL && nodeset_expand(word.text, limit, arena, &names, &mistake, &wrong)) {
            require(names.n != 0 && names.n <= limit);
            word_items(&names, set, &model, word.op);
        } else {
            require(wrong != NULL && mistake < word.text.n);
            good = false;
        }
        vec_free(&names);
    }
    if (!model.full)
        check_model(&model, set);
    return good;
}

static int compare(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void names_of(const struct nodeset *set, str_list *names) {
    const struct nodeset_item *item;
    for (size_t i = 0; (item = nodeset_next(set, &i)) != NULL;)
        if (names->n == 0 || !str_eq(names->v[names->n - 1], item->name))
            *vec_push(names) = item->name;
}

/* Sorted, each once. */
static void sort(str_list *names) {
    size_t n = 0;
    if (names->n != 0)
        qsort(names->v, names->n, sizeof *names->v, compare);
    for (size_t i = 0; i < names->n; i++)
        if (i == 0 || !str_eq(names->v[i], names->v[i - 1]))
            names->v[n++] = names->v[i];
    names->n = n;
}

static void check_fold(const struct nodeset *set, struct arena *arena) {
    str_list names = {0}, again = {0};
    struct nodeset folded = {0};
    struct buf text = {0}, sorted = {0};
    names_of(set, &names);
    nodeset_fold(names.v, names.n, &text);
    require(evaluate(buf_view(&text), 1 << 20, arena, &folded));
    sort(&names);
    names_of(&folded, &again);
    sort(&again);
    require(names.n == again.n);
    for (size_t i = 0; i < names.n; i++)
        require(str_eq(names.v[i], again.v[i]));
    nodeset_fold(names.v, names.n, &sorted);
    require(str_eq(buf_view(&text), buf_view(&sorted)));
    vec_free(&names);
    vec_free(&again);
    buf_free(&text);
    buf_free(&sorted);
    nodeset_free(&folded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of its own, so that a byte read behind its end is seen. */
    char *text = mem_alloc(size);
    struct arena arena = {0};
    struct nodeset set = {0};
    if (size != 0)
        memcpy(text, data, size);
    if (evaluate((struct str){text, size}, 1000, &arena, &set))
        check_fold(&set, &arena);
    nodeset_free(&set);
    arena_free(&arena);
    free(text);
    return 0;
}
