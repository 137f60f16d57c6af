/* The pieces that messages of ssh consist of (RFC 4251, section 5). */
#ifndef FORAY_WAY_WIRE_H
#define FORAY_WAY_WIRE_H

#include "base/str.h"

#include <stdint.h>

/* Takes a piece from the front of a message; false, and nothing taken, if there is none. */
bool wire_take_u8(struct str *message, uint8_t *value);
bool wire_take_u32(struct str *message, uint32_t *value);
bool wire_take_string(struct str *message, struct str *value); /* points into the message */

void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_string(struct buf *out, struct str value); /* shorter than 4 GiB */

#endif
