/* Feeds files to a fuzz target, as plain regression tests: TAP, one line a file. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        size_t n = 0, cap = 1 << 20;
        uint8_t *data = malloc(cap);
        if (f == NULL || data == NULL) {
            printf("not ok %d - %s cannot be read\n", i, argv[i]);
            return 1;
        }
        for (size_t got; (got = fread(data + n, 1, cap - n, f)) > 0;) {
            n += got;
            if (n == cap && (data = realloc(data, cap *= 2)) == NULL)
                abort();
        }
        fclose(f);
        LLVMFuzzerTestOneInput(data, n);
        free(data);
        printf("ok %d - %s\n", i, argv[i]);
        fflush(stdout);
    }
    printf("1..%d\n", argc - 1);
    return 0;
}
