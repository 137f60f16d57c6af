/* What a person has typed, kept in memory for the run, to log in again without asking. */
#ifndef FORAY_WAY_SECRETS_H
#define FORAY_WAY_SECRETS_H

#include "base/str.h"

struct secrets;

struct secrets *secrets_new(void);
void secrets_free(struct secrets *s); /* wipes them */
/* what: what it is for, such as "password ana@host". Valid until the next call; NULL: not known. */
const struct buf *secrets_get(const struct secrets *s, struct str what);
void secrets_put(struct secrets *s, struct str what, struct str secret);
void secrets_forget(struct secrets *s, struct str what); /* it was wrong */

#endif
