#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void (*failure_handler)(size_t size);

void mem_on_failure(void (*handler)(size_t size)) {
    failure_handler = handler;
}

static void *checked(void *p, size_t size) {
    if (p != NULL)
        return p;
    if (failure_handler != NULL)
        failure_handler(size);
    abort();
}

void *mem_alloc(size_t size) {
    return checked(malloc(size != 0 ? size : 1), size);
}

void *mem_zalloc(size_t size) {
    return checked(calloc(1, size != 0 ? size : 1), size);
}

void *mem_array(void *old, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size)
        return checked(NULL, SIZE_MAX);
    size_t bytes = count * size;
    return checked(realloc(old, bytes != 0 ? bytes : 1), bytes);
}

char *mem_strdup(const char *s) {
    size_t n = strlen(s) + 1;
    return memcpy(mem_alloc(n), s, n);
}
