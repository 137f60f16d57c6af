/* Scripts with references: the context must not depend on how the text is cut, and nothing may
 * crash. */
#include "base/shell.h"
#include "graph/template.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct place nowhere(const struct text_origin *origin, size_t offset, size_t length) {
    (void)origin;
    (void)offset;
    (void)length;
    return (struct place){0};
}

static bool look_up(void *context, const struct reference *reference, struct value *out) {
    (void)reference;
    *out = (struct value){.v = context, .n = 1};
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    struct shell_scan *whole = shell_scan_new(), *bytes = shell_scan_new();
    shell_scan_text(whole, text);
    for (size_t i = 0; i < size; i++)
        shell_scan_text(bytes, (struct str){text.s + i, 1});
    if (shell_scan_context(whole) != shell_scan_context(bytes))
        abort();
    shell_scan_word(whole);
    shell_scan_text(whole, text);
    shell_scan_free(whole);
    shell_scan_free(bytes);

    struct arena arena = {0};
    struct diags diags;
    struct text_origin origin = {nowhere};
    struct buf out = {0};
    struct str value = STR("a'b");
    diags_init(&diags);
    struct template t = template_parse_script(&arena, text, &origin, &diags);
    template_script(&t, look_up, &value, &out);
    buf_free(&out);
    diags_free(&diags);
    arena_free(&arena);
    return 0;
}
