#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex.h"

#include "base/mem.h"

#include <pcre2.h>
#include <stdlib.h>

/* With pcre2's own limits one bad pattern takes seconds; with this one, milliseconds. */
enum { MATCH_LIMIT = 100000 };

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

struct regex *regex_new(struct str pattern, char *error, size_t n, size_t *offset) {
    int number;
    PCRE2_SIZE at;
    struct regex *r = mem_zalloc(sizeof *r);
    r->code = pcre2_compile((PCRE2_SPTR)pattern.s, pattern.n, PCRE2_NEVER_BACKSLASH_C, &number, &at,
                            NULL);
    if (r->code == NULL) {
        pcre2_get_error_message(number, (PCRE2_UCHAR *)error, n);
        *offset = at;
        free(r);
        return NULL;
    }
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->context = pcre2_match_context_create(NULL);
    if (r->data == NULL || r->context == NULL)
        mem_alloc(SIZE_MAX); /* the only reason */
    pcre2_set_match_limit(r->context, MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, MATCH_LIMIT);
    return r;
}

int regex_match(const struct regex *r, struct str subject) {
    int rc = pcre2_match(r->code, (PCRE2_SPTR)subject.s, subject.n, 0, 0, r->data, r->context);
    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

void regex_free(struct regex *r) {
    if (r == NULL)
        return;
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    pcre2_code_free(r->code);
    free(r);
}
