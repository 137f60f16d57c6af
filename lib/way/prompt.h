/* Questions to the person at the terminal: passphrases, passwords. One at a time for the whole run,
 * in the loop. */
#ifndef FORAY_WAY_PROMPT_H
#define FORAY_WAY_PROMPT_H

#include "base/str.h"
#include "loop/loop.h"

struct prompter;
struct prompt;

/* showing, which may be NULL: a question begins or ceases to stand on the terminal, where nothing
 * else should appear meanwhile. */
struct prompter *prompter_new(struct loop *loop, void (*showing)(void *context, bool on),
                              void *context);
void prompter_free(struct prompter *p); /* no answer comes any more */

/* The answer without its line end, valid during the call; NULL: there is none, and why not. It
 * comes from the loop. */
typedef void prompt_answer(void *arg, const struct str *answer, const char *why_not);

/* Asks when its turn comes. before: lines that stand above it, or ""; echo: what is typed can be
 * seen. The texts are copied, and shown without control characters. */
struct prompt *prompt_ask(struct prompter *p, struct str before, struct str question, bool echo,
                          prompt_answer *answer, void *arg);
/* Waits for its turn to have the terminal for something else: no question is asked until
 * prompt_cancel. granted, from the loop: terminal is open, does not block, and is the prompter's.
 * refused has no answer. */
struct prompt *prompt_claim(struct prompter *p, void (*granted)(void *arg, int terminal),
                            prompt_answer *refused, void *arg);
void prompt_cancel(struct prompt *q);

/* Overwrites a secret and gives its memory back. */
void secret_free(struct buf *secret);

#endif
