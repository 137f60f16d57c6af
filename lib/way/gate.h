/* Where log-ins wait for their turn: sshd refuses connections while too many others are logging in
 * (MaxStartups), and our own processor has work with each. */
#ifndef FORAY_WAY_GATE_H
#define FORAY_WAY_GATE_H

#include "loop/loop.h"

struct gate;

/* Who wants to log in. The owner sets may_enter and arg, and keeps it alive until gate_leave. */
struct entrant {
    void (*may_enter)(void *arg); /* it is its turn; called from the loop */
    void *arg;
    struct door *door; /* the gate's, like the rest; NULL: it is not there */
    struct entrant *next, **link;
};

struct gate *gate_new(struct loop *loop);
void gate_free(struct gate *g); /* after everybody has left */

void gate_enter(struct gate *g, struct entrant *e, const char *address, uint16_t port);
/* well: it has logged in; else it failed, or gave up waiting. Does nothing if it is not there. */
void gate_leave(struct gate *g, struct entrant *e, bool well);
/* It has been refused for being one too many: fewer at once from now on. It has its turn again
 * before all others, after a while. */
void gate_refused(struct gate *g, struct entrant *e);

#endif
