/* A way to a host by commands, such as `docker exec -i NAME`: every channel is a process of its
 * own.
 */
#ifndef FORAY_WAY_LAUNCHER_H
#define FORAY_WAY_LAUNCHER_H

#include "base/strlist.h"
#include "way/child.h"

struct launching {
    str_list shell;    /* what is a shell there */
    str_list sftp;     /* what is an SFTP server there; none: there is none */
    str_list terminal; /* what runs the command that it is given as one more word at a terminal
                          there; none: that is made by a relay (pty_relay.h) */
    /* What is to run as long as the way is there; none: nothing. The way is ready when it has
     * written something, and lost when it ends, for what it writes to its standard error. */
    str_list first;
    char *leaves;                        /* a file that this may leave behind; NULL: none */
    int64_t patience;                    /* ns until it is ready */
    bool (*is_final)(const char *words); /* whether it would end so again, by what it wrote */
};

/* Takes the words over; they end in a NUL. */
struct way *launcher_open(struct loop *loop, struct children *children, struct launching *words,
                          const struct way_events *events);
void launching_free(struct launching *words);

#endif
