/* What stands in a file of a private key, as far as it is not secret. */
#ifndef FORAY_WAY_KEY_FILE_H
#define FORAY_WAY_KEY_FILE_H

#include "base/str.h"

enum key_file_kind {
    KEY_FILE_NONE,   /* it is not there, or none that is known */
    KEY_FILE_PUBLIC, /* the public half alone: the private one may be an agent's */
    KEY_FILE_PLAIN,
    KEY_FILE_LOCKED, /* it wants a passphrase */
};

struct key_file {
    enum key_file_kind kind;
    struct buf blob; /* the public half, as it goes over the wire; empty: not known */
    bool rsa;        /* as far as it is known */
};

/* Reads it, and the file of the same name with ".pub" where it does not tell its public half. */
void key_file_read(const char *name, struct key_file *key);
void key_file_free(struct key_file *key);

/* From the text of a file of any kind. */
void key_file_parse(struct str text, struct key_file *key);

#endif
