/* Base64 (RFC 4648, section 4), as it stands in files of keys and hosts. */
#ifndef FORAY_WAY_BASE64_H
#define FORAY_WAY_BASE64_H

#include "base/str.h"

/* Appends the bytes that the text stands for; false if it is not base64, or is not padded. */
bool base64_decode(struct str text, struct buf *out);
void base64_encode(struct str bytes, bool padded, struct buf *out);

#endif
