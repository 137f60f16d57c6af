/* The keys of the language with the kinds of value that they take: what the reader goes by, and
 * what the JSON Schema for editors is held to by a test. */
#ifndef FORAY_READ_SCHEMA_H
#define FORAY_READ_SCHEMA_H

#include "read/keys.h"

struct key_table {
    const struct key *keys;
    size_t n;
};

extern const struct key_table schema_top, schema_pool, schema_ssh, schema_step, schema_defaults,
    schema_on, schema_out, schema_retry;

#endif
