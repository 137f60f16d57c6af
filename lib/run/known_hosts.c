#include "run/known_hosts.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_hosts {
    LIBSSH2_KNOWNHOSTS *good, *revoked;
};

static const struct {
    const char *method;
    int mask;
} kinds[] = {
    {"ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519},
    {"ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256},
    {"ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384},
    {"ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521},
#if LIBSSH2_VERSION_NUM >= 0x010b00
    {"rsa-sha2-512,rsa-sha2-256,ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA},
#else
    {"ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA},
#endif
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* libssh2 would take a marker for a host's name: they are read here. */
static void add_line(struct known_hosts *k, const char *line, size_t n) {
    LIBSSH2_KNOWNHOSTS *list = k->good;
    if (n != 0 && line[0] == '@') {
        static const char revoked[] = "@revoked";
        size_t skip = sizeof revoked - 1;
        if (n <= skip || memcmp(line, revoked, skip) != 0)
            return;
        while (skip < n && (line[skip] == ' ' || line[skip] == '\t'))
            skip++;
        line += skip;
        n -= skip;
        list = k->revoked;
    }
    libssh2_knownhost_readline(list, line, n, LIBSSH2_KNOWNHOST_FILE_OPENSSH);
}

struct known_hosts *known_hosts_read(LIBSSH2_SESSION *session, const str_list *files) {
    struct known_hosts *k = mem_zalloc(sizeof *k);
    k->good = libssh2_knownhost_init(session);
    k->revoked = libssh2_knownhost_init(session);
    if (k->good == NULL || k->revoked == NULL) {
        known_hosts_free(k);
        return NULL;
    }
    for (size_t i = 0; i < files->n; i++) {
        FILE *f = fopen(files->v[i].s, "re");
        if (f == NULL)
            continue;
        char *line = NULL;
        size_t size = 0;
        ssize_t n;
        while ((n = getline(&line, &size, f)) > 0)
            add_line(k, line, (size_t)n);
        free(line);
        fclose(f);
    }
    return k;
}

void known_hosts_free(struct known_hosts *k) {
    if (k == NULL)
        return;
    if (k->good != NULL)
        libssh2_knownhost_free(k->good);
    if (k->revoked != NULL)
        libssh2_knownhost_free(k->revoked);
    free(k);
}

static int look(LIBSSH2_KNOWNHOSTS *list, const char *host, uint16_t port, const char *key,
                size_t n, int mask) {
    return libssh2_knownhost_checkp(
        list, host, port, key, n,
        LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | mask, NULL);
}

void known_hosts_methods(struct known_hosts *k, const char *host, uint16_t port,
                         struct buf *methods) {
    for (int known = 1; known >= 0; known--)
        for (size_t i = 0; i < KINDS; i++) {
            /* No key is a single zero byte: the answer is "another one" exactly if one of this kind
             * is known. */
            int answer = look(k->good, host, port, "", 1, kinds[i].mask);
            if ((answer == LIBSSH2_KNOWNHOST_CHECK_MISMATCH) == known)
                buf_printf(methods, "%s%s", methods->n != 0 ? "," : "", kinds[i].method);
        }
}

enum known_host known_hosts_check(struct known_hosts *k, const char *host, uint16_t port,
                                  const char *key, size_t n, int type) {
    static const int masks[] = {
        [LIBSSH2_HOSTKEY_TYPE_RSA] = LIBSSH2_KNOWNHOST_KEY_SSHRSA,
        [LIBSSH2_HOSTKEY_TYPE_ECDSA_256] = LIBSSH2_KNOWNHOST_KEY_ECDSA_256,
        [LIBSSH2_HOSTKEY_TYPE_ECDSA_384] = LIBSSH2_KNOWNHOST_KEY_ECDSA_384,
        [LIBSSH2_HOSTKEY_TYPE_ECDSA_521] = LIBSSH2_KNOWNHOST_KEY_ECDSA_521,
        [LIBSSH2_HOSTKEY_TYPE_ED25519] = LIBSSH2_KNOWNHOST_KEY_ED25519,
    };
    if (type < 0 || (size_t)type >= sizeof masks / sizeof *masks || masks[type] == 0)
        return HOST_UNKNOWN;
    if (look(k->revoked, host, port, key, n, masks[type]) == LIBSSH2_KNOWNHOST_CHECK_MATCH)
        return HOST_REVOKED;
    switch (look(k->good, host, port, key, n, masks[type])) {
    case LIBSSH2_KNOWNHOST_CHECK_MATCH:
        return HOST_KNOWN;
    case LIBSSH2_KNOWNHOST_CHECK_MISMATCH:
        return HOST_CHANGED;
    default:
        break;
    }
    /* A key of another kind is known: a new kind of key is as suspicious as another key of the same
     * kind. */
    for (size_t i = 0; i < KINDS; i++)
        if (look(k->good, host, port, "", 1, kinds[i].mask) == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
            return HOST_CHANGED;
    return HOST_UNKNOWN;
}
