/* One ssh connection: from a name to a session on which channels can be opened, and then the turns
 * of those who have a channel on it.
 *
 * libssh2 reads the packets of all channels whoever asks it to read, and keeps them inside: the
 * socket may be empty while a channel has data. So everybody gets a turn, again and again, until a
 * whole round has received nothing. What is sent is taken into a buffer here and goes out as the
 * socket takes it, so that no call of libssh2 ever stops half-way through a packet: it could then
 * only be continued by the very same call. */
#ifndef FORAY_WAY_CONNECTION_H
#define FORAY_WAY_CONNECTION_H

#include "loop/loop.h"
#include "way/ssh_shared.h"
#include "way/ssh_target.h"
#include "way/way.h"

#include <libssh2.h>
#include <stdbool.h>

struct connection;

/* For `lost`: the ssh program could reach the host, though libssh2 cannot; the reason says why. */
bool connection_needs_ssh(const struct way *w);

/* Begins to connect. Both must outlive it. */
struct way *connection_open(const struct ssh_shared *shared, const struct ssh_target *target,
                            const struct way_events *events);

/* For ssh_channel.c, and who else speaks libssh2 on it. */
LIBSSH2_SESSION *connection_session(struct connection *c);
bool connection_is_ready(const struct connection *c);

/* A channel, which has its turns as a party has (way.h). When the connection is closed it has one
 * more, to give its memory back. */
struct member {
    bool (*advance)(void *arg);
    void *arg;
    size_t index;     /* the connection's: its place + 1; 0: not there */
    uint64_t sent_in; /* likewise: the last round in which it sent something */
};

void connection_join(struct connection *c, struct member *m);
void connection_leave(struct connection *c, struct member *m); /* allowed from within advance */
void connection_kick(struct connection *c);                    /* some member has something to do */

/* A session can open only one channel at a time: true if it is m's turn, until it calls
 * connection_opened. */
bool connection_may_open(struct connection *c, const struct member *m);
void connection_opened(struct connection *c, const struct member *m);
void connection_serves(struct connection *c); /* something runs in it */
/* An answer came after so many ns; and the soonest that one did; 0: none has. */
void connection_answered(struct connection *c, int64_t took);
int64_t connection_delay(const struct connection *c);

/* Much is waiting to be sent: write no more for now. Of those who are told so, and have sent
 * nothing in this round, the first one has the first turn in the next. */
bool connection_is_full(struct connection *c, const struct member *m);
void connection_sent(const struct connection *c, struct member *m); /* some of what it has */
/* Gives the connection up, because a libssh2 call has just failed: `lost` follows, not from within.
 */
void connection_fail(struct connection *c, const char *what);

#endif
