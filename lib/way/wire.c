#include "way/wire.h"

bool wire_take_u8(struct str *message, uint8_t *value) {
    if (message->n == 0)
        return false;
    *value = (uint8_t)message->s[0];
    *message = (struct str){message->s + 1, message->n - 1};
    return true;
}

bool wire_take_u32(struct str *message, uint32_t *value) {
    if (message->n < 4)
        return false;
    *value = 0;
    for (int i = 0; i < 4; i++)
        *value = *value << 8 | (uint8_t)message->s[i];
    *message = (struct str){message->s + 4, message->n - 4};
    return true;
}

bool wire_take_string(struct str *message, struct str *value) {
    struct str rest = *message;
    uint32_t n;
    if (!wire_take_u32(&rest, &n) || n > rest.n)
        return false;
    *value = (struct str){rest.s, n};
    *message = (struct str){rest.s + n, rest.n - n};
    return true;
}

void wire_put_u32(struct buf *out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(out, (char)(value >> shift & 0xff));
}

void wire_put_string(struct buf *out, struct str value) {
    wire_put_u32(out, (uint32_t)value.n);
    buf_str(out, value);
}
