/* Memory that never comes back NULL.
 *
 * When the system has no memory left, the handler is called with the size asked for, and must not
 * return. Dying there is safe by design: outputs appear whole or not at all, and a watcher process
 * ends the steps that still run. */
#ifndef FORAY_BASE_MEM_H
#define FORAY_BASE_MEM_H

#include <stddef.h>

/* Sets what happens when memory is out; without it, abort(). */
void mem_on_failure(void (*handler)(size_t size));

void *mem_alloc(size_t size);  /* owned by the caller: free() */
void *mem_zalloc(size_t size); /* the same, zeroed */
void *mem_array(void *old, size_t count,
                size_t size); /* realloc for count * size bytes; overflow is a failure */
char *mem_strdup(const char *s);

#endif
