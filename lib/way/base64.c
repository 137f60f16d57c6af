#include "way/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

bool base64_decode(struct str text, struct buf *out) {
    size_t padding = 0;
    if (text.n == 0 || text.n % 4 != 0 || text.n > INT_MAX / 2)
        return false;
    while (padding < 2 && text.s[text.n - 1 - padding] == '=')
        padding++;
    /* The library passes over what is no digit at either end. */
    for (size_t i = 0; i < text.n - padding; i++) {
        char c = text.s[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '/')
            return false;
    }
    buf_reserve(out, text.n / 4 * 3);
    int n = EVP_DecodeBlock((unsigned char *)out->s + out->n, (const unsigned char *)text.s,
                            (int)text.n);
    if (n < 0 || (size_t)n < padding)
        return false;
    out->n += (size_t)n - padding;
    out->s[out->n] = '\0';
    return true;
}

void base64_encode(struct str bytes, bool padded, struct buf *out) {
    if (bytes.n > INT_MAX / 2)
        return;
    buf_reserve(out, (bytes.n + 2) / 3 * 4);
    int n = EVP_EncodeBlock((unsigned char *)out->s + out->n, (const unsigned char *)bytes.s,
                            (int)bytes.n);
    out->n += (size_t)n;
    while (!padded && n > 0 && out->s[out->n - 1] == '=')
        out->n--;
    out->s[out->n] = '\0';
}
