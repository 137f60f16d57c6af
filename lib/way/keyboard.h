/* Keyboard-interactive log-in (RFC 4256). libssh2 calls back for the answers and wants them at
 * once, while the person takes their time: so its call is made in a thread of its own, which runs
 * only while the loop stands still for it, and sleeps while the person types. */
#ifndef FORAY_WAY_KEYBOARD_H
#define FORAY_WAY_KEYBOARD_H

#include "base/str.h"
#include "base/vec.h"

#include <libssh2.h>
#include <stdbool.h>

struct keyboard;

/* What the server wants to know. */
struct keyboard_question {
    struct buf text;
    bool echo;
    struct buf answer; /* the caller's to fill; wiped afterwards */
};
struct keyboard_questions {
    struct buf name, instruction;
    VEC(struct keyboard_question) list;
};

/* NULL: there is no thread to be had. user must outlive it. */
struct keyboard *keyboard_new(LIBSSH2_SESSION *session, const char *user);
/* Goes on as far as it can: the answer of libssh2, LIBSSH2_ERROR_EAGAIN too, with *asks set if it
 * is waiting for answers: their number is right, and the next call takes them. */
int keyboard_advance(struct keyboard *k, struct keyboard_questions **asks);
void keyboard_free(struct keyboard *k); /* while its session is still there */

#endif
