/* Amounts of bytes as people write them: "512M", "1.5G", "64KiB", "4096". */
#ifndef FORAY_BASE_SIZE_H
#define FORAY_BASE_SIZE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes; K, M, G and T are powers of 1024, with or without `B` or `iB` behind them. false if text
 * is no such amount, or is more than 2^62. */
bool size_parse(struct str text, uint64_t *bytes);
void size_print(struct buf *out, uint64_t bytes); /* "17 B", "1.2 KiB", "340 MiB" */

#endif
