/* Host lists as they are written in files and on the command line. */
#include "read/reader.h"

#include <string.h>

const char *split_host(struct str name, struct str *user, struct str *target, uint16_t *port) {
    const char *at = bytes_last(name.s, '@', name.n);
    struct str rest = name, digits = {0};
    if (at != NULL) {
        *user = (struct str){name.s, (size_t)(at - name.s)};
        rest = (struct str){at + 1, (size_t)(name.s + name.n - at) - 1};
        if (user->n == 0)
            return "a user's name is missing before the `@`";
    }
    const char *end = rest.s;
    if (rest.n != 0 && rest.s[0] == '[') {
        end = memchr(rest.s, ']', rest.n);
        if (end == NULL || ++end == rest.s + 2)
            return "an address in brackets is missing";
        *target = (struct str){rest.s + 1, (size_t)(end - rest.s) - 2};
    } else {
        end = memchr(rest.s, ':', rest.n);
        if (end == NULL)
            end = rest.s + rest.n;
        else if (bytes_last(rest.s, ':', rest.n) != end)
            return "an IPv6 address stands in brackets, as in [::1]:22";
        *target = (struct str){rest.s, (size_t)(end - rest.s)};
    }
    if (end != rest.s + rest.n) {
        digits = (struct str){end + 1, (size_t)(rest.s + rest.n - end) - 1};
        unsigned long n = 0;
        for (size_t i = 0; i < digits.n && n <= UINT16_MAX; i++)
            n = digits.s[i] >= '0' && digits.s[i] <= '9'
                    ? n * 10 + (unsigned long)(digits.s[i] - '0')
                    : UINT16_MAX + 1ul;
        if (*end != ':' || n == 0 || n > UINT16_MAX)
            return "a port is a number from 1 to 65535";
        *port = (uint16_t)n;
    }
    if (target->n == 0)
        return "a host's name is missing";
    /* Names that are options or code for a program that they are given to. */
    if (target->s[0] == '-' || name.s[0] == '-')
        return "a host's name cannot start with `-`";
    bool brackets = rest.s[0] == '[';
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.s[i] <= ' ' || strchr("'\"\\$`|;&<>(){}/*?!#", name.s[i]) != NULL ||
            (!brackets && strchr("[]%", name.s[i]) != NULL))
            return "a host's name cannot contain such a character";
    return NULL;
}

static void tell(const struct host_list_reader *r, struct place at, const char *reason) {
    diag_error(r->diags, at, "%s", reason);
    diag_help(r->diags,
              "a host list is written like node[01-23],gpu1,ana@big:2222 or @rack!node05");
}

/* The names of a word; false: no more are wanted. */
static bool read_word(const struct host_list_reader *r, struct str word, size_t offset,
                      struct node_finder *finder) {
    struct place at = node_find(finder, offset, word.n);
    struct str user, target;
    uint16_t port;
    size_t mistake;
    const char *wrong;
    str_list names = {0};
    bool more = true;
    if (!nodeset_expand(word, HOSTS_MAX, r->arena, &names, &mistake, &wrong))
        tell(r, node_find(finder, offset + mistake, 1), wrong);
    for (size_t i = 0; i < names.n && more; i++) {
        struct str name = names.v[i];
        wrong = name.s[0] != '@' ? split_host(name, &user, &target, &port) : NULL;
        if (wrong != NULL) {
            diag_error(r->diags, at, "`%s`: %s", diag_name(r->diags, name), wrong);
            break;
        }
        more = r->name(r->context, name, at);
    }
    vec_free(&names);
    return more;
}

bool read_host_list(const struct host_list_reader *r, const struct node *list) {
    struct nodeset_words words = {.text = list->text};
    struct nodeset_word word;
    size_t errors = r->diags->errors;
    bool more = true;
    struct node_finder finder;
    node_finder_init(&finder, list);
    while (more && nodeset_next_word(&words, &word)) {
        size_t offset = (size_t)(word.text.s - list->text.s);
        if (word.wrong != NULL) {
            tell(r, node_find(&finder, offset, 1), word.wrong);
        } else {
            r->word(r->context, word.op);
            more = read_word(r, word.text, offset, &finder);
        }
    }
    if (!words.any && errors == r->diags->errors)
        diag_error(r->diags, node_at(list), "no host is named");
    return errors == r->diags->errors;
}
