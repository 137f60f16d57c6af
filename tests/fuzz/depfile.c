/* Any bytes as a dependency file: what comes out holds what the header promises, and comes out
 * again when it is written as compilers write it. */
#include "read/depfile.h"
#include "base/map.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

static void check_names(const str_list *names, size_t size) {
    struct map seen = {0};
    size_t bytes = 0;
    for (size_t i = 0; i < names->n; i++) {
        struct str name = names->v[i];
        require(name.n != 0 && memchr(name.s, '\0', name.n) == NULL);
        require(memchr(name.s, '\n', name.n) == NULL);
        require(map_get(&seen, name) == NULL);
        *map_put(&seen, name) = &seen;
        bytes += name.n;
    }
    require(bytes <= size);
    map_free(&seen);
}

static void check_reason(const struct buf *why) {
    require(str_starts(buf_view(why), STR("line ")));
    for (size_t i = 0; i < why->n; i++)
        require(why->s[i] >= ' ' && why->s[i] <= '~');
}

/* Backslashes are doubled before a blank and at the end of a name. */
static void write_name(struct buf *out, struct str name) {
    size_t run = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.s[i];
        bool blank = c == ' ' || c == '\t';
        for (; blank && run != 0; run--)
            buf_putc(out, '\\');
        if (blank || c == '#' || c == ':')
            buf_putc(out, '\\');
        if (c == '$')
            buf_putc(out, '$');
        buf_putc(out, c);
        run = c == '\\' ? run + 1 : 0;
    }
    for (; run != 0; run--)
        buf_putc(out, '\\');
}

static void check_again(const str_list *names, struct arena *arena) {
    struct buf text = {0}, why = {0};
    str_list again = {0};
    buf_puts(&text, "target:");
    for (size_t i = 0; i < names->n; i++) {
        buf_puts(&text, i % 3 == 1 ? " \\\n " : " ");
        write_name(&text, names->v[i]);
    }
    buf_puts(&text, " \n");
    require(depfile_parse(buf_view(&text), arena, &again, &why) && again.n == names->n);
    for (size_t i = 0; i < names->n; i++)
        require(str_eq(again.v[i], names->v[i]));
    vec_free(&again);
    buf_free(&text);
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of its own, so that a byte read behind its end is seen. */
    char *text = mem_alloc(size);
    if (size != 0)
        memcpy(text, data, size);
    struct arena arena = {0};
    struct buf why = {0};
    str_list names = {0};
    if (depfile_parse((struct str){text, size}, &arena, &names, &why)) {
        require(why.n == 0);
        check_names(&names, size);
        check_again(&names, &arena);
    } else {
        require(names.n == 0);
        check_reason(&why);
    }
    vec_free(&names);
    buf_free(&why);
    arena_free(&arena);
    free(text);
    return 0;
}
