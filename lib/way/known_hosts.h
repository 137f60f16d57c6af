/* Is a host the one it says it is? The user's known_hosts files, as OpenSSH reads them: several
 * files, hashed names, [host]:port, patterns, @revoked, @cert-authority; and RevokedHostKeys. */
#ifndef FORAY_WAY_KNOWN_HOSTS_H
#define FORAY_WAY_KNOWN_HOSTS_H

#include "way/ssh_target.h"

enum known_host {
    HOST_KNOWN,
    HOST_UNKNOWN,
    HOST_CHANGED, /* other keys are known for it */
    HOST_REVOKED,
    HOST_ASK_SSH,    /* an authority vouches for it, or revoked keys stand in a KRL */
    HOST_UNREADABLE, /* its RevokedHostKeys cannot be read, and so no key be trusted */
};

struct known_hosts; /* what a run has read of such files: each once */

struct known_hosts *known_hosts_new(void);
void known_hosts_free(struct known_hosts *k);

/* A key that is known for a name. */
struct known_key {
    enum { KEY_GOOD, KEY_REVOKED, KEY_AUTHORITY } marker;
    struct str blob; /* as it goes over the wire: its type is its first string */
    const char *file;
    unsigned line;
};

/* What is known for one host. */
struct known_name {
    VEC(struct known_key) keys;
    bool by_port; /* they are known for this very port; else for the host at its usual one */
    const char *malformed; /* a file with a line that is none of the kinds; NULL: none */
    unsigned malformed_line;
    bool unreadable, binary_revoked; /* a RevokedHostKeys file cannot be read; is a KRL */
    const char *revoked_file;
};

/* The name that a host's key is known under: "host", "[host]:port" or its HostKeyAlias. */
void known_hosts_name(const struct ssh_target *t, struct buf *out);
/* Files that are not there are passed over. Owned by k, and found again without another search. */
const struct known_name *known_hosts_find(struct known_hosts *k, const struct ssh_target *t);
/* place: of the key that speaks for the answer; NULL where there is none. */
enum known_host known_name_check(const struct known_name *name, struct str blob,
                                 const struct known_key **place);

/* The type of a key, its first string; empty if it is none. */
struct str known_key_type(struct str blob);

/* For files and for tests: takes the text of a file. The name must outlive k. */
void known_hosts_take(struct known_hosts *k, const char *file, struct str text);

#endif
