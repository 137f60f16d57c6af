/* An ssh agent, spoken to in the loop (draft-miller-ssh-agent): one that asks its user, or hangs,
 * keeps nobody waiting but who needs it. */
#ifndef FORAY_WAY_AGENT_H
#define FORAY_WAY_AGENT_H

#include "base/strlist.h"
#include "loop/loop.h"

struct agent;

enum {
    AGENT_RSA_SHA2_256 = 2, /* how an RSA key is to sign; other keys know one way only */
    AGENT_RSA_SHA2_512 = 4,
};

/* The answer to a question, from the loop: a message without its length; NULL: the agent is gone,
 * or gave none in time. It may free the agent. */
typedef void agent_answer(void *arg, const struct str *message);

/* Of the agent whose socket this is. */
struct agent *agent_open(struct loop *loop, const char *path);
void agent_free(struct agent *a); /* NULL: does nothing */

/* One question at a time; patience in ns. */
void agent_ask_keys(struct agent *a, int64_t patience, agent_answer *answer, void *arg);
void agent_ask_signature(struct agent *a, struct str key, struct str data, uint32_t flags,
                         int64_t patience, agent_answer *answer, void *arg);

/* What answers say; false: it is no such answer. All points into the message. A key is the public
 * one, as it goes over the wire; a signature comes with the name of its algorithm. */
struct agent_key {
    struct str blob, comment;
};
typedef VEC(struct agent_key) agent_keys;
bool agent_read_keys(struct str message, agent_keys *keys);
bool agent_read_signature(struct str message, struct str *algorithm, struct str *signature);

#endif
