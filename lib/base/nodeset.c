#include "base/nodeset.h"

#include "base/map.h"

#include <stdint.h>
#include <string.h>

/* One "01-10/3" of a bracket. */
struct range {
    uint64_t first, last, step;
    size_t width; /* digits, with padding */
};

/* A piece of a word: text, or a bracket of ranges. */
struct part {
    struct str text;
    VEC(struct range) ranges;
    size_t n; /* names it stands for */
};

struct expansion {
    struct str text;
    size_t at; /* where the mistake is */
    const char *reason;
    size_t limit;
    struct arena *arena;
    str_list *out;
    struct map seen;
};

static bool wrong(struct expansion *x, size_t at, const char *reason) {
    x->at = at;
    x->reason = reason;
    return false;
}

static bool number(struct expansion *x, size_t *i, uint64_t *value, size_t *width) {
    size_t start = *i;
    *value = 0;
    while (*i < x->text.n && x->text.s[*i] >= '0' && x->text.s[*i] <= '9') {
        if (*i - start >= 18)
            return wrong(x, start, "a number in a range has too many digits");
        *value = *value * 10 + (uint64_t)(x->text.s[(*i)++] - '0');
    }
    *width = *i - start;
    return *width != 0 || wrong(x, *i, "a range is made of numbers, as in [01-23,40]");
}

static bool bracket(struct expansion *x, size_t *i, struct part *part) {
    for (;;) {
        struct range r = {.step = 1};
        size_t width, start = *i;
        if (!number(x, i, &r.first, &r.width))
            return false;
        r.last = r.first;
        if (*i < x->text.n && x->text.s[*i] == '-') {
            ++*i;
            if (!number(x, i, &r.last, &width))
                return false;
            if (width > r.width && (x->text.s[start] != '0' || r.width == 1))
                width = r.width;
            if (width != r.width)
                return wrong(x, start,
                             "both ends of a padded range have the same number of digits");
        }
        if (*i < x->text.n && x->text.s[*i] == '/') {
            ++*i;
            if (!number(x, i, &r.step, &width))
                return false;
            if (r.step == 0)
                return wrong(x, *i - width, "a step of 0 goes nowhere");
        }
        if (r.last < r.first)
            return wrong(x, start, "a range goes from the lower to the higher number");
        uint64_t n = (r.last - r.first) / r.step + 1;
        if (n > x->limit - (part->n < x->limit ? part->n : x->limit))
            return wrong(x, start, "too many hosts");
        part->n += (size_t)n;
        *vec_push(&part->ranges) = r;
        if (*i >= x->text.n || (x->text.s[*i] != ',' && x->text.s[*i] != ']'))
            return wrong(x, *i, "a `]` is missing");
        if (x->text.s[(*i)++] == ']')
            return true;
    }
}

static void add_number(const struct part *part, size_t index, struct buf *name) {
    for (size_t i = 0; i < part->ranges.n; i++) {
        const struct range *r = &part->ranges.v[i];
        uint64_t n = (r->last - r->first) / r->step + 1;
        if (index < n) {
            buf_printf(name, "%0*llu", (int)r->width,
                       (unsigned long long)(r->first + index * r->step));
            return;
        }
        index -= (size_t)n;
    }
}

static void make_names(struct expansion *x, const struct part *parts, size_t n, size_t total) {
    struct buf name = {0};
    for (size_t k = 0; k < total; k++) {
        size_t block = total, rest = k;
        buf_clear(&name);
        for (size_t p = 0; p < n; p++) {
            if (parts[p].ranges.n == 0) {
                buf_str(&name, parts[p].text);
                continue;
            }
            block /= parts[p].n;
            add_number(&parts[p], rest / block, &name);
            rest %= block;
        }
        if (map_get(&x->seen, buf_view(&name)) != NULL)
            continue;
        struct str copy = arena_str(x->arena, buf_view(&name));
        *map_put(&x->seen, copy) = x;
        *vec_push(x->out) = copy;
    }
    buf_free(&name);
}

static bool is_separator(char c) {
    return c == ',' || c == ' ' || c == '\t' || c == '\n';
}

static bool word(struct expansion *x, size_t *i) {
    VEC(struct part) parts = {0};
    size_t total = 1, start = *i;
    bool good = true;
    while (good && *i < x->text.n && !is_separator(x->text.s[*i])) {
        struct part *part = vec_push(&parts);
        if (x->text.s[*i] == ']') {
            good = wrong(x, *i, "a `[` is missing");
        } else if (x->text.s[*i] == '[') {
            ++*i;
            good = bracket(x, i, part);
            if (good && part->n > x->limit / total)
                good = wrong(x, start, "too many hosts");
            total *= good ? part->n : 1;
        } else {
            size_t from = *i;
            while (*i < x->text.n && !is_separator(x->text.s[*i]) &&
                   strchr("[]", x->text.s[*i]) == NULL)
                ++*i;
            part->text = (struct str){x->text.s + from, *i - from};
        }
    }
    if (good && total > x->limit - (x->out->n < x->limit ? x->out->n : x->limit))
        good = wrong(x, start, "too many hosts");
    if (good)
        make_names(x, parts.v, parts.n, total);
    for (size_t p = 0; p < parts.n; p++)
        vec_free(&parts.v[p].ranges);
    vec_free(&parts);
    return good;
}

bool nodeset_expand(struct str text, size_t limit, struct arena *arena, str_list *out,
                    size_t *offset, const char **reason) {
    struct expansion x = {.text = text, .limit = limit, .arena = arena, .out = out};
    bool good = true;
    size_t i = 0;
    while (good && i < text.n) {
        if (is_separator(text.s[i]))
            i++;
        else
            good = word(&x, &i);
    }
    map_free(&x.seen);
    if (good && out->n == 0)
        good = wrong(&x, 0, "no host is named");
    if (!good) {
        *offset = x.at < text.n ? x.at : text.n != 0 ? text.n - 1 : 0;
        *reason = x.reason;
    }
    return good;
}
