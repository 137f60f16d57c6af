/* Feeds files to a fuzz target, for machines without a fuzzer: the corpus as a test. Prints TAP. */
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (f == NULL) {
            printf("not ok %d - %s cannot be opened\n", i, argv[i]);
            return 1;
        }
        struct buf input = {0};
        char part[4096];
        for (size_t n; (n = fread(part, 1, sizeof part, f)) != 0;)
            buf_add(&input, part, n);
        bool failed = ferror(f) != 0;
        fclose(f);
        if (failed) {
            printf("not ok %d - %s cannot be read\n", i, argv[i]);
            buf_free(&input);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)(input.n != 0 ? input.s : ""), input.n);
        buf_free(&input);
        printf("ok %d - %s\n", i, argv[i]);
        fflush(stdout);
    }
    printf("1..%d\n", argc - 1);
    return 0;
}
