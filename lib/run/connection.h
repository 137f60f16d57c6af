/* One ssh connection: from a name to a session on which channels can be opened, and then the turns
 * of those who have a channel on it.
 *
 * libssh2 reads the packets of all channels whoever asks it to read, and keeps them inside: the
 * socket may be empty while a channel has data. So everybody gets a turn, again and again, until a
 * whole round has received nothing. What is sent is taken into a buffer here and goes out as the
 * socket takes it, so that no call of libssh2 ever stops half-way through a packet: it could then
 * only be continued by the very same call. */
#ifndef FORAY_RUN_CONNECTION_H
#define FORAY_RUN_CONNECTION_H

#include "run/loop.h"
#include "run/ssh_config.h"

#include <libssh2.h>
#include <stdbool.h>

struct connection;

struct connection_events {
    void *context;
    void (*ready)(void *context, struct connection *c); /* logged in */
    /* It could not be made, or is gone. for_good: another try would end alike. The connection is
     * only good for connection_close now, which may be called from within. */
    void (*lost)(void *context, struct connection *c, bool for_good, const char *reason);
};

/* Begins to connect. target and the text of name must outlive it. */
struct connection *connection_open(struct loop *loop, const struct ssh_target *target,
                                   const char *name, const struct connection_events *events);
/* Ends it at once. Parties' channels go with it: they must not touch them afterwards. */
void connection_close(struct connection *c);
LIBSSH2_SESSION *connection_session(struct connection *c);
bool connection_is_ready(const struct connection *c);

/* Somebody with a channel. advance goes on as far as it can without waiting, and says whether
 * anything moved; it is called from the loop until nothing moves. */
struct party {
    bool (*advance)(void *arg);
    void *arg;
    size_t index; /* the connection's: its place + 1; 0: not there */
};

void connection_join(struct connection *c, struct party *p);
void connection_leave(struct connection *c, struct party *p); /* allowed from within advance */
void connection_kick(struct connection *c);                   /* some party has something to do */

/* A session can open only one channel at a time: true if it is p's turn, until it calls
 * connection_opened. */
bool connection_may_open(struct connection *c, const struct party *p);
void connection_opened(struct connection *c, const struct party *p);

bool connection_is_full(
    const struct connection *c); /* much is waiting to be sent: write no more for now */
/* Gives the connection up: `lost` follows, not from within. The first: because a libssh2 call has
 * just failed. */
void connection_fail(struct connection *c, const char *what);
void connection_drop(struct connection *c, const char *reason);

#endif
