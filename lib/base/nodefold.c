#include "base/nodeset.h"

#include "base/hash.h"
#include "base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Names are alike if only their numbers differ: then they are points of a space with as many
 * dimensions as they have numbers, and what is written in one word is a box of it. A box begins as
 * one point; along one dimension after the other those that are the same in all others become one.
 * The fewest boxes are not looked for (that is NP-hard): every step takes the dimension that
 * leaves the fewest, and of the ways to begin the one that gives the shortest text is taken. */

/* A number is a key: how many digits it is written with, then its value. So 10 follows 09, and 9
 * comes before both. */
enum { VALUE_BITS = 57, DIGITS_MAX = 17 /* 10^17 < 2^57 */ };

/* So many dimensions of a word are folded; so many boxes are few enough to try every order; so
 * many numbers are worth a step. */
enum { DIMS_MAX = 8, TRIED_MAX = 10000, STEPPED_MIN = 4 };

/* Numbers in ascending order. Equal ones are the same object. */
struct numbers {
    const uint64_t *v;
    size_t n;
    uint64_t hash;
};

struct box {
    const struct numbers **in; /* by dimension */
    size_t dims;
    struct box *next; /* of those that become one */
};

struct boxes {
    struct box *v;
    size_t n, cap;
    struct box **table; /* for what is looked for among them */
    size_t table_size;  /* a power of two, more than n */
};

struct dimensions {
    size_t v[DIMS_MAX], n;
};

/* Names that are alike. */
struct kind {
    struct str key; /* with a NUL for each number; "\0\0" and the name, if it stays as it is */
    size_t dims;
    struct boxes boxes;
};

struct folding {
    struct arena arena;
    struct map kinds, numbers;
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
        struct numbers new = {arena_copy(&f->arena, v, n * sizeof *v), n,
                              hash_bytes(known->key, 0)};
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
    if (name.n != 0 && memchr(name.s, '[', name.n) == NULL &&
        memchr(name.s, '\0', name.n) == NULL) {
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

/* Of a box's numbers, but for those in dimension d. */
static uint64_t hash_of(const struct box *box, size_t d) {
    uint64_t hash = 0;
    for (size_t i = 0; i < box->dims; i++)
        if (i != d)
            hash = (hash ^ box->in[i]->hash) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static bool alike(const struct box *a, const struct box *b, size_t d) {
    for (size_t i = 0; i < a->dims; i++)
        if (i != d && a->in[i] != b->in[i])
            return false;
    return true;
}

/* Chains the boxes that are the same but for dimension d, and returns how many chains there are,
 * which are in the table. */
static size_t chain(struct boxes *boxes, size_t d) {
    size_t n = 0, size = boxes->table_size;
    struct box **table = boxes->table;
    memset(table, 0, size * sizeof *table);
    for (size_t i = 0; i < boxes->n; i++) {
        struct box *box = &boxes->v[i];
        size_t slot = hash_of(box, d) & (size - 1);
        while (table[slot] != NULL && !alike(table[slot], box, d))
            slot = (slot + 1) & (size - 1);
        n += table[slot] == NULL;
        box->next = table[slot];
        table[slot] = box;
    }
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

/* Every chain becomes one box, with the numbers of all of them in dimension d. */
static void merge_along(struct folding *f, struct boxes *boxes, size_t d) {
    size_t n = chain(boxes, d);
    struct box *merged = mem_array(NULL, n, sizeof *merged);
    n = 0;
    for (size_t i = 0; i < boxes->table_size; i++)
        if (boxes->table[i] != NULL) {
            merged[n] = *boxes->table[i];
            if (d < merged[n].dims)
                merged[n].in[d] = join(f, boxes->table[i], d);
            n++;
        }
    free(boxes->v);
    boxes->v = merged;
    boxes->n = boxes->cap = n;
}

/* Takes out of the list the dimensions along which no boxes can become one: they never will, as
 * what they are made of could have been. Puts the one along which most can in front. */
static void order_dimensions(struct boxes *boxes, struct dimensions *open) {
    size_t least = boxes->n, still = 0;
    for (size_t i = 0; i < open->n; i++) {
        size_t d = open->v[i], n = chain(boxes, d);
        if (n == boxes->n)
            continue;
        open->v[still++] = d;
        if (n < least) {
            memmove(open->v + 1, open->v, (still - 1) * sizeof *open->v);
            open->v[0] = d;
            least = n;
        }
    }
    open->n = still;
}

static void merge(struct folding *f, struct boxes *boxes, struct dimensions open) {
    while (open.n != 0) {
        merge_along(f, boxes, open.v[0]);
        order_dimensions(boxes, &open);
    }
}

/* --- boxes to text --- */

static void write_number(uint64_t number, struct buf *out) {
    buf_printf(out, "%0*llu", (int)digits_of(number), (unsigned long long)value_of(number));
}

struct range {
    uint64_t first, last;
};

typedef VEC(struct range) range_list;

/* Whether a range goes on from 99 to 100, which it does not where it is padded. */
static bool goes_on(const struct range *r, uint64_t number) {
    return !is_padded(r->first) && !is_padded(number) &&
           digits_of(r->last) + 1 == digits_of(number) && value_of(r->last) + 1 == value_of(number);
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
            *vec_push(out) = (struct range){number, number};
            same = out->n;
        }
    }
}

/* How many numbers, from the first of these ranges on, are written with a step: "[1-9/2]". */
static size_t stepped(const struct range *r, size_t n) {
    size_t count = 1;
    for (; count < n; count++) {
        uint64_t before = r[count - 1].first, number = r[count].first;
        bool alike = digits_of(number) == digits_of(before) ||
                     (!is_padded(r[0].first) && !is_padded(number));
        if (r[count - 1].last != before || r[count].last != number || !alike ||
            value_of(number) - value_of(before) != value_of(r[1].first) - value_of(r[0].first))
            break;
    }
    return count >= STEPPED_MIN ? count : 1;
}

static void write_numbers(const struct numbers *set, struct buf *out) {
    if (set->n == 1) {
        write_number(set->v[0], out);
        return;
    }
    range_list ranges = {0};
    make_ranges(set, &ranges);
    for (size_t i = 0, n; i < ranges.n; i += n) {
        const struct range *r = &ranges.v[i];
        n = stepped(r, ranges.n - i);
        buf_putc(out, i == 0 ? '[' : ',');
        write_number(r->first, out);
        if (r[n - 1].last != r->first) {
            buf_putc(out, '-');
            write_number(r[n - 1].last, out);
        }
        if (n > 1)
            buf_printf(out, "/%llu",
                       (unsigned long long)(value_of(r[1].first) - value_of(r->first)));
    }
    buf_putc(out, ']');
    vec_free(&ranges);
}

static void write_box(const struct kind *kind, const struct box *box, struct buf *out) {
    struct str key = kind->key;
    if (kind->dims == 0 && key.n >= 2 && key.s[0] == '\0')
        key = (struct str){key.s + 2, key.n - 2};
    for (size_t i = 0, d = 0; i < key.n; i++)
        if (kind->dims != 0 && key.s[i] == '\0')
            write_numbers(box->in[d++], out);
        else
            buf_putc(out, key.s[i]);
}

/* By the first name of each: no two boxes have one in common. */
static int compare_boxes(const void *a, const void *b) {
    const struct box *x = a, *y = b;
    for (size_t d = 0; d < x->dims; d++)
        if (x->in[d]->v[0] != y->in[d]->v[0])
            return x->in[d]->v[0] < y->in[d]->v[0] ? -1 : 1;
    return 0;
}

static void write_boxes(const struct kind *kind, struct boxes *boxes, struct buf *out) {
    qsort(boxes->v, boxes->n, sizeof *boxes->v, compare_boxes);
    for (size_t i = 0; i < boxes->n; i++) {
        if (i != 0)
            buf_putc(out, ',');
        write_box(kind, &boxes->v[i], out);
    }
}

static struct boxes copy_boxes(struct folding *f, const struct boxes *from) {
    struct boxes copy = *from;
    copy.v = mem_array(NULL, from->n, sizeof *copy.v);
    for (size_t i = 0; i < from->n; i++) {
        copy.v[i] = from->v[i];
        copy.v[i].in = arena_copy(&f->arena, copy.v[i].in, copy.v[i].dims * sizeof *copy.v[i].in);
    }
    return copy;
}

/* What is merged first decides what can be merged later: each way to begin is tried. */
static void fold_kind(struct folding *f, struct kind *kind, struct buf *out) {
    struct boxes *boxes = &kind->boxes;
    struct dimensions open = {{0}, 0};
    struct buf best = {0}, text = {0};
    boxes->table_size = 2;
    while (boxes->table_size <= 2 * boxes->n)
        boxes->table_size *= 2;
    boxes->table = mem_array(NULL, boxes->table_size, sizeof(struct box *));
    merge_along(f, boxes, kind->dims); /* names that came twice */
    for (size_t d = kind->dims; d-- > 0 && open.n < DIMS_MAX;)
        if (chain(boxes, d) < boxes->n)
            open.v[open.n++] = d;
    order_dimensions(boxes, &open);
    for (size_t i = 0; i < open.n && (i == 0 || boxes->n <= TRIED_MAX); i++) {
        struct dimensions order = open;
        struct boxes copy = copy_boxes(f, boxes);
        order.v[0] = open.v[i];
        order.v[i] = open.v[0];
        merge(f, &copy, order);
        buf_clear(&text);
        write_boxes(kind, &copy, &text);
        free(copy.v);
        if (i == 0 || text.n < best.n) {
            struct buf swap = best;
            best = text;
            text = swap;
        }
    }
    if (open.n == 0)
        write_boxes(kind, boxes, &best);
    buf_str(out, buf_view(&best));
    buf_free(&best);
    buf_free(&text);
    free(boxes->table);
    free(boxes->v);
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
        if (k != 0)
            buf_putc(out, ',');
        fold_kind(&f, kind, out);
    }
    free(numbers);
    buf_free(&key);
    map_free(&f.kinds);
    map_free(&f.numbers);
    arena_free(&f.arena);
}
