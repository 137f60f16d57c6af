/* Any bytes as a file of a key: a public half that is found is one, and is that of the bytes. */
#include "way/key_file.h"
#include "base/mem.h"
#include "way/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = mem_alloc(size);
    if (size != 0)
        memcpy(bytes, data, size);
    struct key_file key;
    key_file_parse((struct str){bytes, size}, &key);
    struct str blob = buf_view(&key.blob), type;
    require(blob.n == 0 || (wire_take_string(&blob, &type) && type.n != 0));
    require(key.blob.n <= size);
    require(key.kind != KEY_FILE_NONE || key.blob.n == 0);
    require(key.kind != KEY_FILE_PUBLIC || key.blob.n != 0);
    key_file_free(&key);
    free(bytes);
    return 0;
}
