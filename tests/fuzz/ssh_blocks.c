/* Any bytes as what ssh says, its configuration, and its answer: one text each, ended by NUL. For
 * the host that was asked for its own answer comes out again. */
#include "way/ssh_blocks.h"
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

/* A copy of its own, so that a byte read behind its end is seen. */
static struct str take(const uint8_t **data, size_t *size) {
    const uint8_t *end = *size != 0 ? memchr(*data, '\0', *size) : NULL;
    size_t n = end != NULL ? (size_t)(end - *data) : *size;
    char *copy = mem_alloc(n + 1);
    if (n != 0)
        memcpy(copy, *data, n);
    n += end != NULL;
    *data += n;
    *size -= n;
    return (struct str){copy, n - (end != NULL)};
}

/* Every file has the same text. */
static bool read_text(void *context, const char *path, struct buf *text) {
    require(path != NULL);
    buf_str(text, *(struct str *)context);
    return true;
}

static void check_answer(const struct ssh_blocks *b, struct str answer, struct str host) {
    struct buf once = {0}, twice = {0}, other = {0};
    if (ssh_blocks_answer(b, answer, host, host, &once)) {
        require(ssh_blocks_answer(b, buf_view(&once), host, host, &twice));
        require(str_eq(buf_view(&once), buf_view(&twice)));
        if (ssh_blocks_answer(b, answer, host, STR("other"), &other))
            buf_clear(&twice);
    }
    buf_free(&once);
    buf_free(&twice);
    buf_free(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str said = take(&data, &size), config = take(&data, &size), host = take(&data, &size),
               answer = take(&data, &size);
    struct ssh_blocks *b =
        ssh_blocks_new(said, host, (struct ssh_given){.user = said.n % 2 != 0}, read_text, &config);
    if (b != NULL) {
        struct buf signature = {0};
        ssh_blocks_signature(b, host, &signature);
        buf_clear(&signature);
        ssh_blocks_signature(b, STR("other"), &signature);
        buf_free(&signature);
        check_answer(b, answer, host);
    }
    ssh_blocks_free(b);
    free((char *)said.s);
    free((char *)config.s);
    free((char *)host.s);
    free((char *)answer.s);
    return 0;
}
