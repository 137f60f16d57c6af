#include "base/nodeset.h"

#include <stdint.h>
#include <string.h>

/* Of names, where there are as many as may be. */
enum { LENGTH_MAX = 256 };

/* One "01-10/3" of a bracket. */
struct range {
    uint64_t first, last, step;
    size_t width;  /* digits, with padding */
    size_t digits; /* of the last */
};

/* A piece of a word: text, or a bracket of ranges. */
struct part {
    struct str text;
    VEC(struct range) ranges;
    size_t n;       /* names it stands for */
    size_t longest; /* of its texts */
    /* That which is written now. */
    size_t range;
    uint64_t number;
};

struct expansion {
    struct str word;
    VEC(struct part) parts;
    size_t limit, total;
    size_t longest; /* of the names */
    size_t at;      /* where the mistake is */
    const char *reason;
};

static bool is_one_of(char c, const char *characters) {
    return c != '\0' && strchr(characters, c) != NULL;
}

static bool is_separator(char c) {
    return is_one_of(c, ", \t\n");
}

static bool is_operator(char c) {
    return is_one_of(c, "!&^");
}

/* --- words --- */

static enum nodeset_op op_of(char c) {
    return c == '!' ? NODESET_DIFFERENCE : c == '&' ? NODESET_INTERSECTION : NODESET_XOR;
}

/* Behind commas and blanks; whether a comma was among them. */
static bool skip_separators(struct nodeset_words *words) {
    bool comma = false;
    for (; words->at < words->text.n && is_separator(words->text.s[words->at]); words->at++)
        comma = comma || words->text.s[words->at] == ',';
    return comma;
}

/* Up to the next separator or operator that is in no bracket. */
static struct str take_word(struct nodeset_words *words) {
    struct str text = words->text;
    size_t start = words->at, i = start;
    bool bracket = false;
    for (; i < text.n && (bracket || (!is_separator(text.s[i]) && !is_operator(text.s[i]))); i++)
        if (text.s[i] == '[' || text.s[i] == ']')
            bracket = text.s[i] == '[';
    words->at = i;
    return (struct str){text.s + start, i - start};
}

bool nodeset_next_word(struct nodeset_words *words, struct nodeset_word *word) {
    struct str text = words->text;
    *word = (struct nodeset_word){.op = NODESET_UNION};
    bool comma = skip_separators(words);
    if (words->at < text.n && is_operator(text.s[words->at])) {
        word->text = (struct str){text.s + words->at, 1};
        word->op = op_of(text.s[words->at++]);
        if (!words->any || comma)
            word->wrong = "nothing stands before this operator";
        else if (skip_separators(words) || words->at == text.n || is_operator(text.s[words->at]))
            word->wrong = "nothing stands behind this operator";
        if (word->wrong != NULL)
            return true;
    }
    word->text = take_word(words);
    words->any = words->any || word->text.n != 0;
    return word->text.n != 0;
}

/* --- a word's parts --- */

static bool wrong(struct expansion *x, size_t at, const char *reason) {
    x->at = at;
    x->reason = reason;
    return false;
}

static bool is_padded(struct str digits) {
    return digits.n > 1 && digits.s[0] == '0';
}

static bool read_number(struct expansion *x, size_t *i, uint64_t *value, struct str *digits) {
    size_t start = *i;
    *value = 0;
    while (*i < x->word.n && x->word.s[*i] >= '0' && x->word.s[*i] <= '9') {
        if (*i - start >= 18)
            return wrong(x, start, "a number in a range has too many digits");
        *value = *value * 10 + (uint64_t)(x->word.s[(*i)++] - '0');
    }
    *digits = (struct str){x->word.s + start, *i - start};
    return digits->n != 0 || wrong(x, *i, "a range is made of numbers, as in [01-23,40]");
}

static bool read_range(struct expansion *x, size_t *i, struct range *r) {
    size_t start = *i;
    struct str first, last, step;
    if (!read_number(x, i, &r->first, &first))
        return false;
    *r = (struct range){r->first, r->first, 1, first.n, first.n};
    if (*i < x->word.n && x->word.s[*i] == '-') {
        ++*i;
        if (!read_number(x, i, &r->last, &last))
            return false;
        if (first.n != last.n && (is_padded(first) || is_padded(last)))
            return wrong(x, start, "both ends of a padded range have the same number of digits");
        r->digits = last.n;
    }
    if (*i < x->word.n && x->word.s[*i] == '/') {
        ++*i;
        if (!read_number(x, i, &r->step, &step))
            return false;
        if (r->step == 0)
            return wrong(x, *i - step.n, "a step of 0 goes nowhere");
    }
    return r->last >= r->first ||
           wrong(x, start, "a range goes from the lower to the higher number");
}

static bool read_bracket(struct expansion *x, size_t *i, struct part *part) {
    for (;;) {
        size_t start = *i;
        struct range r;
        if (!read_range(x, i, &r))
            return false;
        uint64_t n = (r.last - r.first) / r.step + 1;
        if (n > x->limit - part->n)
            return wrong(x, start, "too many hosts");
        part->n += (size_t)n;
        part->longest = r.digits > part->longest ? r.digits : part->longest;
        *vec_push(&part->ranges) = r;
        if (*i >= x->word.n || (x->word.s[*i] != ',' && x->word.s[*i] != ']'))
            return wrong(x, *i, "a `]` is missing");
        if (x->word.s[(*i)++] == ']')
            return true;
    }
}

/* The length of an IPv6 address in brackets, which are no range; 0: there is none. It begins the
 * word, or what is behind the user's name. */
static size_t address_length(struct str word, size_t i) {
    const char *close = memchr(word.s + i, ']', word.n - i);
    if (close == NULL || (i != 0 && word.s[i - 1] != '@'))
        return 0;
    size_t n = (size_t)(close - word.s) - i + 1;
    return memchr(word.s + i, ':', n) != NULL ? n : 0;
}

static bool read_part(struct expansion *x, size_t *i, struct part *part) {
    size_t start = *i, address;
    if (x->word.s[*i] == ']')
        return wrong(x, *i, "a `[` is missing");
    if (x->word.s[*i] != '[') {
        while (*i < x->word.n && x->word.s[*i] != '[' && x->word.s[*i] != ']')
            ++*i;
    } else if ((address = address_length(x->word, *i)) != 0) {
        *i += address;
    } else {
        ++*i;
        if (!read_bracket(x, i, part))
            return false;
        if (part->n > x->limit / x->total)
            return wrong(x, 0, "too many hosts");
        x->total *= part->n;
    }
    part->text = (struct str){x->word.s + start, *i - start};
    x->longest += part->ranges.n != 0 ? part->longest : part->text.n;
    return true;
}

/* --- parts to names --- */

/* The next one of a bracket; false, and the first one: there was none. */
static bool advance(struct part *part) {
    const struct range *r = &part->ranges.v[part->range];
    if (r->last - part->number >= r->step) {
        part->number += r->step;
        return true;
    }
    bool more = part->range + 1 < part->ranges.n;
    part->range = more ? part->range + 1 : 0;
    part->number = part->ranges.v[part->range].first;
    return more;
}

static void make_names(struct expansion *x, struct arena *arena, str_list *out) {
    struct buf name = {0};
    size_t p;
    for (p = 0; p < x->parts.n; p++)
        if (x->parts.v[p].ranges.n != 0)
            x->parts.v[p].number = x->parts.v[p].ranges.v[0].first;
    do {
        buf_clear(&name);
        for (p = 0; p < x->parts.n; p++) {
            const struct part *part = &x->parts.v[p];
            if (part->ranges.n == 0)
                buf_str(&name, part->text);
            else
                buf_printf(&name, "%0*llu", (int)part->ranges.v[part->range].width,
                           (unsigned long long)part->number);
        }
        *vec_push(out) = arena_str(arena, buf_view(&name));
        for (p = x->parts.n; p > 0; p--)
            if (x->parts.v[p - 1].ranges.n != 0 && advance(&x->parts.v[p - 1]))
                break;
    } while (p > 0);
    buf_free(&name);
}

bool nodeset_expand(struct str word, size_t limit, struct arena *arena, str_list *out,
                    size_t *offset, const char **reason) {
    struct expansion x = {.word = word, .limit = limit, .total = 1};
    bool good = word.n != 0 || wrong(&x, 0, "no host is named");
    for (size_t i = 0; good && i < word.n;)
        good = read_part(&x, &i, vec_push(&x.parts));
    if (good && x.total > 1 && x.longest > limit * LENGTH_MAX / x.total)
        good = wrong(&x, 0, "too many hosts of so long names");
    if (good) {
        make_names(&x, arena, out);
    } else {
        *offset = x.at < word.n ? x.at : word.n != 0 ? word.n - 1 : 0;
        *reason = x.reason;
    }
    for (size_t p = 0; p < x.parts.n; p++)
        vec_free(&x.parts.v[p].ranges);
    vec_free(&x.parts);
    return good;
}
