#include "base/strlist.h"

#include <stdlib.h>

void str_list_take(str_list *list, struct buf *b) {
    buf_puts(b, ""); /* there is a NUL, even of nothing */
    *vec_push(list) = buf_view(b);
    *b = (struct buf){0};
}

void str_list_add(str_list *list, struct str s) {
    struct buf copy = {0};
    buf_str(&copy, s);
    str_list_take(list, &copy);
}

void str_list_free(str_list *list) {
    for (size_t i = 0; i < list->n; i++)
        free((char *)list->v[i].s);
    vec_free(list);
}
