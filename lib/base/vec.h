/* A vector of any type: VEC(int) numbers = {0}; *vec_push(&numbers) = 7; */
#ifndef FORAY_BASE_VEC_H
#define FORAY_BASE_VEC_H

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *v;                                                                                   \
        size_t n, cap;                                                                             \
    }

/* A pointer to a new zeroed element at the end; it moves with the next push. */
#define vec_push(vec)                                                                              \
    ((vec)->n == (vec)->cap ? ((vec)->v = vec_grow((vec)->v, &(vec)->cap, sizeof *(vec)->v)) : 0,  \
     memset(&(vec)->v[(vec)->n], 0, sizeof *(vec)->v), &(vec)->v[(vec)->n++])

#define vec_free(vec) (free((vec)->v), (vec)->v = NULL, (vec)->n = (vec)->cap = 0)

static inline void *vec_grow(void *v, size_t *cap, size_t size) {
    *cap = *cap == 0 ? 8 : *cap <= SIZE_MAX / 2 ? *cap * 2 : SIZE_MAX;
    return mem_array(v, *cap, size);
}

#endif
