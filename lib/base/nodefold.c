#include "base/nodeset.h"

#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Names are alike if only their numbers differ: then they are points of a space with as many
 * dimensions as they have numbers, and what is written in one word is a box of it. A box begins as
 * one point; along one dimension after the other those that are the same in all others become one.
 * The smallest number of boxes is not looked for (that is NP-hard), but every step takes the
 * dimension that leaves the fewest. */

/* A number is a key: how many digits it is written with, then its value. So 10 follows 09, and 9
 * comes before both. */
enum { VALUE_BITS = 57, DIGITS_MAX = 17 /* 10^17 < 2^57 */ };

/* Numbers in ascending order. Equal ones are the same object. */
struct numbers {
    const uint64_t *v;
    size_t n;
};

struct box {
    const struct numbers **in; /* by dimension */
    size_t dims;
    struct box *next; /* of those that become one */
};

/* Names that are alike. */
struct kind {
    struct str key; /* with a NUL for each number; "\0\0" and the name, if none is looked at */
    size_t dims;
    VEC(struct box) boxes;
};

struct folding {
    struct arena arena;
    struct map names, kinds, numbers;
};

static uint64_t value_of(uint64_t number) {
    return number & ((UINT64_C(1) << VALUE_BITS) - 1);
}

static unsigned digits_of(uint64_t number) {
    return (unsigned)(number >> VALUE_BITS);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_padded(uint64_t number) {
    uint64_t least = 1;
    for (unsigned d = digits_of(number); d > 1; d--)
        least *= 10;
    return digits_of(number) > 1 && value_of(number) < least;
}

static const struct numbers *intern(struct folding *f, const uint64_t *v, size_t n) {
    struct map_entry *known = map_at(&f->numbers, (struct str){(const char *)v, n * sizeof *v});
    if (known->value == NULL) {
        struct numbers new = {arena_copy(&f->arena, v, n * sizeof *v), n};
        known->key.s = (const char *)new.v;
        known->value = arena_copy(&f->arena, &new, sizeof new);
    }
    return known->value;
}

/* --- names to points --- */

/* The numbers of a name, and what is left of it. */
static void take_apart(struct str name, struct buf *key, uint64_t *numbers, size_t *n) {
    buf_clear(key);
    *n = 0;
    for (size_t i = 0; i < name.n;) {
        size_t start = i;
        uint64_t value = 0;
        for (; i < name.n && is_digit(name.s[i]); i++)
            if (i - start < DIGITS_MAX)
                value = value * 10 + (uint64_t)(name.s[i] - '0');
        if (i > start && i - start <= DIGITS_MAX) {
            numbers[(*n)++] = (uint64_t)(i - start) << VALUE_BITS | value;
            buf_putc(key, '\0');
        } else if (i > start) {
            buf_add(key, name.s + start, i - start);
        } else {
            buf_putc(key, name.s[i++]);
        }
    }
}

static void add_name(struct folding *f, struct str name, struct buf *key, uint64_t *numbers) {
    size_t n = 0;
    void **seen = map_put(&f->names, name);
    if (*seen != NULL)
        return;
    *seen = f;
    if (memchr(name.s, '[', name.n) == NULL) {
        take_apart(name, key, numbers, &n);
    } else {
        buf_clear(key);
        buf_add(key, "\0\0", 2);
        buf_str(key, name);
    }
    struct map_entry *e = map_at(&f->kinds, buf_view(key));
    struct kind *kind = e->value;
    if (kind == NULL) {
        kind = e->value = arena_alloc(&f->arena, sizeof *kind);
        kind->key = e->key = arena_str(&f->arena, buf_view(key));
        kind->dims = n;
    }
    struct box *box = vec_push(&kind->boxes);
    box->dims = n;
    box->in = arena_alloc(&f->arena, n * sizeof(struct numbers *));
    for (size_t d = 0; d < n; d++)
        box->in[d] = intern(f, &numbers[d], 1);
}

/* --- points to boxes --- */

static int compare_numbers(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Chains the boxes that differ in dimension d only, behind the first of each; returns how many
 * chains there are, the first boxes of which are in heads. */
static size_t chain(const struct kind *kind, size_t d, struct box **heads) {
    struct map same = {0};
    struct arena arena = {0};
    size_t n = 0, width = kind->dims * sizeof *kind->boxes.v->in;
    const struct numbers **key = mem_alloc(width);
    for (size_t i = 0; i < kind->boxes.n; i++) {
        struct box *box = &kind->boxes.v[i];
        memcpy(key, box->in, width);
        key[d] = NULL;
        struct map_entry *e = map_at(&same, (struct str){(const char *)key, width});
        if (e->value == NULL) {
            e->key.s = arena_copy(&arena, key, width);
            heads[n++] = box;
        }
        box->next = e->value;
        e->value = box;
    }
    /* A chain begins with the box that came last. */
    for (size_t i = 0; i < n; i++)
        heads[i] = same.entries[i].value;
    free(key);
    arena_free(&arena);
    map_free(&same);
    return n;
}

static const struct numbers *join(struct folding *f, const struct box *chain, size_t d) {
    VEC(uint64_t) all = {0};
    if (chain->next == NULL)
        return chain->in[d];
    for (; chain != NULL; chain = chain->next)
        for (size_t i = 0; i < chain->in[d]->n; i++)
            *vec_push(&all) = chain->in[d]->v[i];
    qsort(all.v, all.n, sizeof *all.v, compare_numbers);
    const struct numbers *joined = intern(f, all.v, all.n);
    vec_free(&all);
    return joined;
}

static void merge(struct folding *f, struct kind *kind) {
    struct box **heads = mem_array(NULL, kind->boxes.n, sizeof(struct box *));
    for (;;) {
        size_t best = 0, least = kind->boxes.n;
        for (size_t d = kind->dims; d-- > 0 && kind->boxes.n > 1;) {
            size_t n = chain(kind, d, heads);
            if (n < least) {
                least = n;
                best = d;
            }
        }
        if (least == kind->boxes.n)
            break;
        chain(kind, best, heads);
        struct box *merged = mem_array(NULL, least, sizeof *merged);
        for (size_t i = 0; i < least; i++) {
            merged[i] = *heads[i];
            merged[i].in[best] = join(f, heads[i], best);
        }
        memcpy(kind->boxes.v, merged, least * sizeof *merged);
        kind->boxes.n = least;
        free(merged);
    }
    free(heads);
}

/* --- boxes to text --- */

static void write_number(uint64_t number, struct buf *out) {
    buf_printf(out, "%0*llu", (int)digits_of(number), (unsigned long long)value_of(number));
}

/* "8-11", with a step of 1. */
struct range {
    uint64_t first, last, step;
};

typedef VEC(struct range) range_list;

/* Whether a range goes on from 99 to 100, which it does not where it is padded. */
static bool goes_on(const struct range *r, uint64_t number) {
    return !is_padded(r->first) && digits_of(r->last) + 1 == digits_of(number) &&
           value_of(r->last) + 1 == value_of(number);
}

static void make_ranges(const struct numbers *set, range_list *out) {
    /* One more than the index of the last range of numbers with fewer digits, and with as many. */
    size_t shorter = 0, same = 0;
    for (size_t i = 0; i < set->n; i++) {
        uint64_t number = set->v[i];
        if (i != 0 && digits_of(number) != digits_of(set->v[i - 1])) {
            shorter = same;
            same = 0;
        }
        if (same != 0 && out->v[same - 1].last + 1 == number) {
            out->v[same - 1].last = number;
        } else if (shorter != 0 && goes_on(&out->v[shorter - 1], number)) {
            out->v[shorter - 1].last = number;
            same = shorter;
        } else {
            *vec_push(out) = (struct range){number, number, 1};
            same = out->n;
        }
    }
}

static void write_numbers(const struct numbers *set, struct buf *out) {
    if (set->n == 1) {
        write_number(set->v[0], out);
        return;
    }
    range_list ranges = {0};
    make_ranges(set, &ranges);
    for (size_t i = 0; i < ranges.n; i++) {
        const struct range *r = &ranges.v[i];
        buf_putc(out, i == 0 ? '[' : ',');
        write_number(r->first, out);
        if (r->last != r->first) {
            buf_putc(out, '-');
            write_number(r->last, out);
        }
    }
    buf_putc(out, ']');
    vec_free(&ranges);
}

static void write_box(const struct kind *kind, const struct box *box, struct buf *out) {
    struct str key = kind->key;
    if (kind->dims == 0 && key.n > 2 && key.s[0] == '\0')
        key = (struct str){key.s + 2, key.n - 2};
    for (size_t i = 0, d = 0; i < key.n; i++)
        if (kind->dims != 0 && key.s[i] == '\0')
            write_numbers(box->in[d++], out);
        else
            buf_putc(out, key.s[i]);
}

/* By the first of their numbers, from the left. Two boxes have no name in common, but may begin
 * with the same numbers. */
static int compare_boxes(const void *a, const void *b) {
    const struct box *x = a, *y = b;
    for (size_t d = 0; d < x->dims; d++)
        if (x->in[d]->v[0] != y->in[d]->v[0])
            return x->in[d]->v[0] < y->in[d]->v[0] ? -1 : 1;
    return 0;
}

static int compare_kinds(const void *a, const void *b) {
    const struct map_entry *x = a, *y = b;
    return str_cmp(x->key, y->key);
}

void nodeset_fold(const struct str *names, size_t n, struct buf *out) {
    struct folding f = {0};
    struct buf key = {0};
    size_t longest = 0;
    for (size_t i = 0; i < n; i++)
        longest = names[i].n > longest ? names[i].n : longest;
    uint64_t *numbers = mem_array(NULL, longest / 2 + 1, sizeof *numbers);
    for (size_t i = 0; i < n; i++)
        add_name(&f, names[i], &key, numbers);
    struct map_entry *kinds = f.kinds.entries;
    if (f.kinds.n != 0)
        qsort(kinds, f.kinds.n, sizeof *kinds, compare_kinds);
    for (size_t k = 0; k < f.kinds.n; k++) {
        struct kind *kind = kinds[k].value;
        merge(&f, kind);
        qsort(kind->boxes.v, kind->boxes.n, sizeof *kind->boxes.v, compare_boxes);
        for (size_t i = 0; i < kind->boxes.n; i++) {
            if (k != 0 || i != 0)
                buf_putc(out, ',');
            write_box(kind, &kind->boxes.v[i], out);
        }
        vec_free(&kind->boxes);
    }
    free(numbers);
    buf_free(&key);
    map_free(&f.names);
    map_free(&f.kinds);
    map_free(&f.numbers);
    arena_free(&f.arena);
}
