#include "way/secrets.h"

#include "base/vec.h"
#include "way/prompt.h"

struct secret {
    struct buf what, value;
};

struct secrets {
    VEC(struct secret) list;
};

struct secrets *secrets_new(void) {
    return mem_zalloc(sizeof(struct secrets));
}

void secrets_free(struct secrets *s) {
    for (size_t i = 0; i < s->list.n; i++) {
        buf_free(&s->list.v[i].what);
        secret_free(&s->list.v[i].value);
    }
    vec_free(&s->list);
    free(s);
}

static size_t find(const struct secrets *s, struct str what) {
    size_t i = 0;
    while (i < s->list.n && !str_eq(buf_view(&s->list.v[i].what), what))
        i++;
    return i;
}

const struct buf *secrets_get(const struct secrets *s, struct str what) {
    size_t i = find(s, what);
    return i < s->list.n ? &s->list.v[i].value : NULL;
}

void secrets_put(struct secrets *s, struct str what, struct str secret) {
    secrets_forget(s, what);
    struct secret *new = vec_push(&s->list);
    buf_str(&new->what, what);
    buf_reserve(&new->value, secret.n);
    buf_str(&new->value, secret);
}

void secrets_forget(struct secrets *s, struct str what) {
    size_t i = find(s, what);
    if (i == s->list.n)
        return;
    buf_free(&s->list.v[i].what);
    secret_free(&s->list.v[i].value);
    s->list.v[i] = s->list.v[--s->list.n];
}
