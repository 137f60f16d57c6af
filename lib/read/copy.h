/* The words of `foray copy` become steps: one for each host, with all that it gets or gives. */
#ifndef FORAY_READ_COPY_H
#define FORAY_READ_COPY_H

#include "base/signature.h"
#include "base/strlist.h"
#include "read/words.h"

/* What the rule is called of steps that copy nothing themselves, and whose failure is none. */
#define COPY_RELAY "relay"

/* As it was asked for. All texts are followed by a NUL and outlive the graph. */
struct copy_order {
    const struct str *words; /* sources, then the destination */
    size_t n;
    const option_list *on, *except; /* hosts for words that name none; those that are left out */
    bool scatter, gather;
    bool preserve; /* modes and times */
    bool relay;    /* hosts that have it pass it on to others */
    bool agent;    /* ... with the agent of the user, who says so, forwarded to them */
    const char *ssh_config;
};

/* What that comes to. */
struct copy_steps {
    bool fetch;
    size_t hosts;
    bool missing; /* there is nothing wrong but sources that are not here, or cannot be read */
    struct str scattered;
    struct signature was; /* of that file, when it was cut into parts */
    struct str whole;     /* gather: the file that is to be made here */
    struct str parts;     /* of what stands in this directory then, which is made on the way: of */
    str_list part_names;  /* these names in it, in order; one with a slash at its end is a
                             directory: all files in it, by name */
};

/* false: there were mistakes, which were told. */
bool copy_read(struct graph *g, const struct copy_order *order, struct copy_steps *steps,
               struct diags *diags);

#endif
