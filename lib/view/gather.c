#include "view/gather.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES = 4 };

static bool is_word(char c, const char *also) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c != '\0' && strchr(also, c) != NULL);
}

static bool is_number(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((s.s[i] < '0' || s.s[i] > '9') && s.s[i] != '.' && s.s[i] != ':')
            return false;
    return true;
}

/* What a host may call itself, longest first: as it is written, what ssh is asked for, that without
 * its domain, and what is connected to. Names so short that they may be anything are left out. */
static size_t names_of(const struct host *host, struct str names[NAMES]) {
    const char *dot = memchr(host->target.s, '.', host->target.n);
    struct str all[NAMES] = {host->name, host->target, host->address};
    size_t n = 0;
    if (dot != NULL && !is_number(host->target))
        all[3] = (struct str){host->target.s, (size_t)(dot - host->target.s)};
    for (size_t i = 0; i < NAMES; i++) {
        size_t at = n;
        if (all[i].n < 2)
            continue;
        for (; at != 0 && names[at - 1].n < all[i].n; at--)
            names[at] = names[at - 1];
        names[at] = all[i];
        n++;
    }
    return n;
}

/* `node1` is in "node1:" and "node1-ib0", but not in "node10" and "my-node1". */
static bool stands_at(struct str text, size_t at, struct str name) {
    return name.n <= text.n - at && memcmp(text.s + at, name.s, name.n) == 0 &&
           (at == 0 || !is_word(text.s[at - 1], "-.")) &&
           (at + name.n == text.n || !is_word(text.s[at + name.n], ""));
}

/* Whether it is there at all. */
static bool replace_name(struct str text, const struct host *host, struct buf *out) {
    struct str names[NAMES];
    size_t n = names_of(host, names), from = 0;
    bool first[256] = {false};
    for (size_t i = 0; i < n; i++)
        first[(unsigned char)names[i].s[0]] = true;
    for (size_t at = 0; at < text.n; at++) {
        if (!first[(unsigned char)text.s[at]])
            continue;
        for (size_t i = 0; i < n; i++)
            if (stands_at(text, at, names[i])) {
                buf_add(out, text.s + from, at - from);
                buf_puts(out, "{{host}}");
                from = at + names[i].n;
                at = from - 1;
                break;
            }
    }
    if (from != 0)
        buf_add(out, text.s + from, text.n - from);
    return from != 0;
}

void gather_add(struct gather *g, const struct host *host, struct buf *text) {
    struct gathered *group = map_get(&g->texts, buf_view(text));
    struct buf common = {0};
    if (group == NULL && replace_name(buf_view(text), host, &common)) {
        group = map_get(&g->commons, buf_view(&common));
        if (group != NULL)
            group->differ = true;
    }
    if (group == NULL) {
        group = mem_zalloc(sizeof *group);
        group->text = *text;
        group->common = common;
        group->first = host->id;
        *text = common = (struct buf){0};
        *vec_push(&g->groups) = group;
        *map_put(&g->texts, buf_view(&group->text)) = group;
        if (group->common.n != 0)
            *map_put(&g->commons, buf_view(&group->common)) = group;
    }
    *vec_push(&group->hosts) = host->name;
    group->first = host->id < group->first ? host->id : group->first;
    buf_free(&common);
    buf_free(text);
}

static int by_size(const void *a, const void *b) {
    const struct gathered *x = *(struct gathered *const *)a, *y = *(struct gathered *const *)b;
    if (x->hosts.n != y->hosts.n)
        return x->hosts.n > y->hosts.n ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

void gather_sort(struct gather *g) {
    if (g->groups.n != 0)
        qsort(g->groups.v, g->groups.n, sizeof *g->groups.v, by_size);
}

void gather_free(struct gather *g) {
    for (size_t i = 0; i < g->groups.n; i++) {
        buf_free(&g->groups.v[i]->text);
        buf_free(&g->groups.v[i]->common);
        vec_free(&g->groups.v[i]->hosts);
        free(g->groups.v[i]);
    }
    vec_free(&g->groups);
    map_free(&g->texts);
    map_free(&g->commons);
}

struct str gathered_text(const struct gathered *group) {
    return buf_view(group->differ ? &group->common : &group->text);
}
