/* Is a host the one it says it is? The user's known_hosts files, as OpenSSH writes them (hashed
 * names, [host]:port,
 * @revoked; @cert-authority lines are passed over, since libssh2 knows no certificates). */
#ifndef FORAY_RUN_KNOWN_HOSTS_H
#define FORAY_RUN_KNOWN_HOSTS_H

#include "base/strlist.h"

#include <libssh2.h>

enum known_host { HOST_KNOWN, HOST_UNKNOWN, HOST_CHANGED, HOST_REVOKED };

struct known_hosts;

/* Files that are not there are passed over. */
struct known_hosts *known_hosts_read(LIBSSH2_SESSION *session, const str_list *files);
void known_hosts_free(struct known_hosts *k);
/* The host key methods to ask for: first those of which a key is known for the host, since a server
 * that offers another kind first would look unknown. */
void known_hosts_methods(struct known_hosts *k, const char *host, uint16_t port,
                         struct buf *methods);
enum known_host known_hosts_check(struct known_hosts *k, const char *host, uint16_t port,
                                  const char *key, size_t n, int type);

#endif
