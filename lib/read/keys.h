/* Maps with known keys, and values of the kinds that are wanted. Every mistake is told once, at its
 * place. */
#ifndef FORAY_READ_KEYS_H
#define FORAY_READ_KEYS_H

#include "base/strlist.h"
#include "read/nodes.h"

/* Kinds of value. In YAML a number is a text too: texts are taken wherever numbers are. */
enum { KEY_TEXT = 1, KEY_NUMBER = 2, KEY_BOOL = 4, KEY_LIST = 8, KEY_MAP = 16 };

struct key {
    const char *name;
    void (*read)(void *context, const struct node *value);
    unsigned kinds; /* that read takes, if what they hold is good too */
};

/* Calls read for every key of the map that is in the table, in the order of the text; others are
 * mistakes (with the key that may have been meant). what: "a step", for messages. false, told, if
 * it is no map. */
bool read_keys(const struct node *map, const char *what, const struct key *keys, size_t n,
               void *context, struct diags *diags);

/* All of these are false, told, if the value is not of the kind; what: "`run`". */

bool want_map(const struct node *node, const char *what, struct diags *diags);
/* A text of any style, which may be empty where it stands in quotes; `~`, `null` and nothing at all
 * are none. */
bool want_text(const struct node *node, const char *what, struct str *out, struct diags *diags);
/* One that is not empty. */
bool want_name(const struct node *node, const char *what, struct str *out, struct diags *diags);
bool want_number(const struct node *node, const char *what, uint32_t least, uint32_t most,
                 uint32_t *out, struct diags *diags);
/* true or false, without quotes. */
bool want_bool(const struct node *node, const char *what, bool *out, struct diags *diags);
/* Calls item for a name, or for every name of a list. */
bool want_names(const struct node *node, const char *what, struct diags *diags,
                void (*item)(void *context, const struct node *scalar), void *context);
/* The same for texts. */
bool want_texts(const struct node *node, const char *what, struct diags *diags,
                void (*item)(void *context, const struct node *scalar), void *context);

/* "help: did you mean ...?" for the last error, if a candidate is near. Only the first hundred
 * errors get one: each takes a search through all names. */
bool help_is_read(const struct diags *diags);
bool help_meant(struct diags *diags, struct str word, const struct str *candidates, size_t n);

#endif
