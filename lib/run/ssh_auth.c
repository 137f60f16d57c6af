#include "run/ssh_auth.h"

#include "base/mem.h"
#include "run/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Before 1.11 libssh2 signs with RSA keys by SHA-1 only, which OpenSSH refuses since 8.8. */
#define RSA_USABLE (LIBSSH2_VERSION_NUM >= 0x010b00)

struct ssh_auth {
    LIBSSH2_SESSION *session;
    const struct ssh_target *target;
    enum { ASK_METHODS, ASK_AGENT, TRY_AGENT, TRY_FILES, NO_MORE } state;
    LIBSSH2_AGENT *agent;
    struct libssh2_agent_publickey *key; /* of the agent, being tried; NULL: before the first */
    size_t file;
    size_t agent_tried, files_tried;
    bool rsa_left_out;
    struct buf encrypted; /* the first key file that wants a passphrase */
};

struct ssh_auth *ssh_auth_new(LIBSSH2_SESSION *session, const struct ssh_target *target) {
    struct ssh_auth *a = mem_zalloc(sizeof *a);
    a->session = session;
    a->target = target;
    return a;
}

void ssh_auth_free(struct ssh_auth *a) {
    if (a == NULL)
        return;
    if (a->agent != NULL) {
        libssh2_agent_disconnect(a->agent);
        libssh2_agent_free(a->agent);
    }
    buf_free(&a->encrypted);
    free(a);
}

void ssh_auth_fingerprint(LIBSSH2_SESSION *session, struct buf *out) {
    const char *hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256);
    buf_puts(out, "SHA256:");
    if (hash != NULL)
        base64_encode((struct str){hash, 32}, false, out);
}

/* Is the agent's key one of the identities? Their public halves stand in files beside them. */
static bool is_identity(const struct ssh_auth *a, const struct libssh2_agent_publickey *key) {
    struct buf wanted = {0};
    base64_encode((struct str){(const char *)key->blob, key->blob_len}, true, &wanted);
    bool found = false;
    for (size_t i = 0; i < a->target->identities.n && !found; i++) {
        struct buf name = {0};
        buf_printf(&name, "%s.pub", a->target->identities.v[i].s);
        FILE *f = fopen(name.s, "re");
        char text[16 * 1024];
        size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;
        text[n] = '\0';
        found = strstr(text, wanted.s) != NULL;
        if (f != NULL)
            fclose(f);
        buf_free(&name);
    }
    buf_free(&wanted);
    return found;
}

static bool is_rsa(const struct libssh2_agent_publickey *key) {
    static const char name[] = "\0\0\0\7ssh-rsa";
    return key->blob_len >= sizeof name - 1 && memcmp(key->blob, name, sizeof name - 1) == 0;
}

/* The agent's next key that may be tried, in a->key; false: no more. */
static bool next_agent_key(struct ssh_auth *a) {
    struct libssh2_agent_publickey *previous = a->key;
    while (libssh2_agent_get_identity(a->agent, &a->key, previous) == 0) {
        previous = a->key;
        if (is_rsa(a->key) && !RSA_USABLE)
            a->rsa_left_out = true;
        else if (!a->target->identities_only || is_identity(a, a->key))
            return true;
    }
    return false;
}

static void open_agent(struct ssh_auth *a) {
    a->state = TRY_FILES;
    if (a->target->agent == NULL || (a->agent = libssh2_agent_init(a->session)) == NULL)
        return;
    libssh2_agent_set_identity_path(a->agent, a->target->agent);
    if (libssh2_agent_connect(a->agent) == 0 && libssh2_agent_list_identities(a->agent) == 0 &&
        next_agent_key(a))
        a->state = TRY_AGENT;
}

static bool is_broken(int rc) {
    return rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_RECV ||
           rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_BAD_SOCKET;
}

static bool starts_with(const char *file, const char *text) {
    char start[256] = "";
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return false;
    size_t n = fread(start, 1, sizeof start - 1, f);
    start[n] = '\0';
    fclose(f);
    return strstr(start, text) != NULL;
}

static enum auth refuse(struct ssh_auth *a, struct buf *reason) {
    buf_printf(reason, "permission denied for user %s: ", a->target->user);
    if (a->agent_tried + a->files_tried == 0)
        buf_puts(reason, "there is no key to try");
    else
        buf_printf(reason, "none of the keys was accepted (%zu of the agent, %zu from files)",
                   a->agent_tried, a->files_tried);
    if (a->encrypted.n != 0)
        buf_printf(reason, "; %s wants a passphrase: add it to the agent with ssh-add",
                   a->encrypted.s);
    if (a->rsa_left_out)
        buf_puts(reason, "; RSA keys were left out, since this libssh2 (" LIBSSH2_VERSION
                         ") cannot use them with present servers: use an ed25519 key");
    return AUTH_REFUSED;
}

static enum auth try_file(struct ssh_auth *a) {
    const char *file = a->target->identities.v[a->file].s;
    if (access(file, R_OK) != 0) {
        a->file++;
        return AUTH_WAIT;
    }
    if (starts_with(file, "BEGIN RSA") && !RSA_USABLE) {
        a->rsa_left_out = true;
        a->file++;
        return AUTH_WAIT;
    }
    int rc = libssh2_userauth_publickey_fromfile_ex(
        a->session, a->target->user, (unsigned)strlen(a->target->user), NULL, file, NULL);
    if (rc == 0)
        return AUTH_GRANTED;
    if (rc == LIBSSH2_ERROR_EAGAIN || is_broken(rc))
        return rc == LIBSSH2_ERROR_EAGAIN ? AUTH_WAIT : AUTH_BROKEN;
    if ((rc == LIBSSH2_ERROR_FILE || rc == LIBSSH2_ERROR_KEYFILE_AUTH_FAILED) &&
        a->encrypted.n == 0)
        buf_puts(&a->encrypted, file);
    a->files_tried++;
    a->file++;
    return AUTH_WAIT;
}

enum auth ssh_auth_advance(struct ssh_auth *a, struct buf *reason) {
    unsigned n = (unsigned)strlen(a->target->user);
    for (;;) {
        int rc;
        switch (a->state) {
        case ASK_METHODS:
            if (libssh2_userauth_list(a->session, a->target->user, n) == NULL) {
                if (libssh2_userauth_authenticated(a->session))
                    return AUTH_GRANTED;
                rc = libssh2_session_last_errno(a->session);
                return rc == LIBSSH2_ERROR_EAGAIN ? AUTH_WAIT : AUTH_BROKEN;
            }
            a->state = ASK_AGENT;
            break;
        case ASK_AGENT:
            open_agent(a);
            break;
        case TRY_AGENT:
            rc = libssh2_agent_userauth(a->agent, a->target->user, a->key);
            if (rc == 0)
                return AUTH_GRANTED;
            if (rc == LIBSSH2_ERROR_EAGAIN)
                return AUTH_WAIT;
            if (is_broken(rc))
                return AUTH_BROKEN;
            a->agent_tried++;
            if (!next_agent_key(a))
                a->state = TRY_FILES;
            break;
        case TRY_FILES: {
            if (a->file == a->target->identities.n) {
                a->state = NO_MORE;
                break;
            }
            size_t file = a->file;
            enum auth answer = try_file(a);
            if (answer != AUTH_WAIT || a->file == file)
                return answer;
            break;
        }
        case NO_MORE:
            return refuse(a, reason);
        }
    }
}
