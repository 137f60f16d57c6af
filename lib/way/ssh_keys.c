#include "way/ssh_keys.h"

#include "base/mem.h"
#include "way/agent.h"
#include "way/key_file.h"
#include "way/keyring.h"
#include "way/wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_PATIENCE (5 * SECOND)   /* for an agent to say what it has */
#define SIGN_PATIENCE (120 * SECOND) /* to sign, for which it may ask a person */

/* A key to try. */
struct candidate {
    enum { OF_AGENT, OF_FILE, OF_KEYRING } from;
    struct buf blob;  /* the public half; empty: not known so far */
    const char *file; /* not of an agent alone */
    bool locked;
};

struct ssh_keys {
    struct auth_context context;
    struct ssh_keys *self; /* for libssh2, which wants the address of a pointer */
    enum { BEGIN, LISTING, PREPARE, UNLOCK_FIRST, TRY, NO_MORE } state;
    struct agent *agent, *ring; /* the user's, the keyring's; NULL: not asked */
    VEC(struct candidate) list;
    size_t at;
    /* The signature of the key that is being tried. */
    enum { NO_SIGNATURE, UNLOCKING, UNLOCKED, SIGNING, SIGNED, NOT_SIGNED } signing;
    struct keyring_wait *unlocking;
    struct buf signature, wire_blob;
    bool accepted; /* the server would take the key */
    size_t agent_tried, files_tried;
    bool agent_silent;
    const char *only_ssh;
    struct buf complaint; /* of the first key that could not be used */
};

static struct str type_of(struct str blob) {
    struct str type = STR("");
    wire_take_string(&blob, &type);
    return type;
}

static bool is_rsa(struct str blob) {
    return str_eq(type_of(blob), STR("ssh-rsa"));
}

/* Since 1.11 libssh2 knows other signatures of RSA keys than with SHA-1, which no server of today
 * takes. */
static bool library_knows_rsa(void) {
    return libssh2_version(0x010b00) != NULL;
}

/* OpenSSH reads a key that calls itself by the name of a signature ("rsa-sha2-512") as the RSA key
 * that it is. So an older libssh2, which takes the name for the signature from the key, can use RSA
 * keys there. */
static bool server_knows_rsa(const struct ssh_keys *k) {
    const char *banner = libssh2_session_banner_get(k->context.session);
    return banner != NULL && strstr(banner, "OpenSSH") != NULL;
}

/* --- which keys --- */

struct ssh_keys *ssh_keys_new(const struct auth_context *context) {
    struct ssh_keys *k = mem_zalloc(sizeof *k);
    k->context = *context;
    k->self = k;
    return k;
}

void ssh_keys_free(struct ssh_keys *k) {
    if (k == NULL)
        return;
    agent_free(k->agent);
    agent_free(k->ring);
    if (k->unlocking != NULL)
        keyring_leave(k->unlocking);
    for (size_t i = 0; i < k->list.n; i++)
        buf_free(&k->list.v[i].blob);
    vec_free(&k->list);
    buf_free(&k->signature);
    buf_free(&k->wire_blob);
    buf_free(&k->complaint);
    free(k);
}

/* A key that libssh2 cannot use is left to ssh. */
static bool is_usable(struct ssh_keys *k, struct str blob) {
    struct str type = type_of(blob);
    const char *what = NULL;
    if (str_ends(type, STR("-cert-v01@openssh.com")))
        what = "a certificate";
    else if (str_starts(type, STR("sk-")))
        what = "a FIDO key";
    else if (is_rsa(blob) && !library_knows_rsa() && !server_knows_rsa(k))
        what = "an RSA key";
    else if (!is_rsa(blob) && !str_eq(type, STR("ssh-ed25519")) &&
             !str_starts(type, STR("ecdsa-sha2-nistp")))
        what = "a key of another kind";
    if (what != NULL && k->only_ssh == NULL)
        k->only_ssh = what;
    return what == NULL;
}

static bool has_key(const agent_keys *keys, struct str blob) {
    for (size_t i = 0; i < keys->n; i++)
        if (str_eq(keys->v[i].blob, blob))
            return true;
    return false;
}

static bool has_candidate(const struct ssh_keys *k, struct str blob) {
    for (size_t i = 0; i < k->list.n; i++)
        if (blob.n != 0 && str_eq(buf_view(&k->list.v[i].blob), blob))
            return true;
    return false;
}

static struct candidate *add(struct ssh_keys *k, struct str blob) {
    struct candidate *c = vec_push(&k->list);
    buf_str(&c->blob, blob);
    return c;
}

static void add_of_agent(struct ssh_keys *k, struct str blob) {
    if (!has_candidate(k, blob) && is_usable(k, blob))
        add(k, blob)->from = OF_AGENT;
}

static void note_certificate(struct ssh_keys *k, const char *file) {
    struct buf name = {0};
    buf_printf(&name, "%s-cert.pub", file);
    if (k->only_ssh == NULL && access(name.s, R_OK) == 0)
        k->only_ssh = "a certificate";
    buf_free(&name);
}

static void add_of_file(struct ssh_keys *k, const char *file, const struct key_file *key) {
    struct str blob = buf_view(&key->blob);
    if (key->kind != KEY_FILE_PLAIN && key->kind != KEY_FILE_LOCKED)
        return;
    if (has_candidate(k, blob) || (blob.n != 0 && !is_usable(k, blob)))
        return;
    struct candidate *c = add(k, blob);
    bool ring = key->kind == KEY_FILE_LOCKED || key->rsa;
    *c = (struct candidate){.from = ring ? OF_KEYRING : OF_FILE,
                            .blob = c->blob,
                            .file = file,
                            .locked = key->kind == KEY_FILE_LOCKED};
}

/* keys: the agent's. */
static void choose_keys(struct ssh_keys *k, const agent_keys *keys) {
    const struct ssh_target *t = k->context.target;
    struct key_file *files = mem_zalloc((t->identities.n + 1) * sizeof *files);
    for (size_t i = 0; i < t->identities.n; i++) {
        key_file_read(t->identities.v[i].s, &files[i]);
        if (files[i].kind != KEY_FILE_NONE)
            note_certificate(k, t->identities.v[i].s);
        if (files[i].blob.n != 0 && has_key(keys, buf_view(&files[i].blob)))
            add_of_agent(k, buf_view(&files[i].blob));
    }
    for (size_t i = 0; i < keys->n && !t->identities_only; i++)
        add_of_agent(k, keys->v[i].blob);
    for (size_t i = 0; i < t->identities.n; i++) {
        add_of_file(k, t->identities.v[i].s, &files[i]);
        key_file_free(&files[i]);
    }
    free(files);
    k->state = PREPARE;
}

static void listed(void *arg, const struct str *message) {
    struct ssh_keys *k = arg;
    agent_keys keys = {0};
    k->agent_silent = message == NULL;
    if (message != NULL && !agent_read_keys(*message, &keys))
        keys.n = 0;
    choose_keys(k, &keys);
    vec_free(&keys);
    k->context.wake(k->context.arg);
}

static void begin(struct ssh_keys *k) {
    agent_keys none = {0};
    if (k->context.target->agent == NULL) {
        choose_keys(k, &none);
        return;
    }
    k->agent = agent_open(k->context.shared->loop, k->context.target->agent);
    k->state = LISTING;
    agent_ask_keys(k->agent, LIST_PATIENCE, listed, k);
}

/* --- signing --- */

static void complain(struct ssh_keys *k, const char *file, const char *why) {
    if (k->complaint.n == 0)
        buf_printf(&k->complaint, "; %s %s", file, why);
}

static void unlocked(void *arg, bool good, const char *why_not) {
    struct ssh_keys *k = arg;
    k->unlocking = NULL;
    k->signing = good ? UNLOCKED : NOT_SIGNED;
    if (!good)
        complain(k, k->list.v[k->at].file, why_not);
    k->context.wake(k->context.arg);
}

static void unlock(struct ssh_keys *k) {
    const struct candidate *c = &k->list.v[k->at];
    k->signing = UNLOCKING;
    k->unlocking = keyring_add(k->context.shared->keyring, c->file, c->locked,
                               k->context.target->batch, unlocked, k);
}

static void open_ring(struct ssh_keys *k) {
    const char *socket = keyring_socket(k->context.shared->keyring);
    if (k->ring == NULL)
        k->ring = agent_open(k->context.shared->loop, socket != NULL ? socket : "");
}

static void signature_came(void *arg, const struct str *message) {
    struct ssh_keys *k = arg;
    const struct candidate *c = &k->list.v[k->at];
    struct str algorithm, signature;
    struct str own = type_of(buf_view(&k->wire_blob));
    bool rsa = is_rsa(buf_view(&c->blob));
    k->signing = NOT_SIGNED;
    if (message != NULL && agent_read_signature(*message, &algorithm, &signature) &&
        (rsa ? str_starts(algorithm, STR("rsa-sha2-")) : str_eq(algorithm, own))) {
        buf_clear(&k->signature);
        buf_str(&k->signature, signature);
        k->signing = SIGNED;
    } else if (c->from == OF_AGENT) {
        complain(k, "the agent", message != NULL ? "refused to sign" : "did not sign in time");
    }
    k->context.wake(k->context.arg);
}

/* How an RSA key has to sign stands in what is to be signed (RFC 4252, section 7). */
static uint32_t flags_for(struct str data) {
    struct str session, skipped, algorithm = STR("");
    uint8_t byte;
    bool good = wire_take_string(&data, &session) && wire_take_u8(&data, &byte);
    for (int i = 0; i < 3 && good; i++) /* user, service, "publickey" */
        good = wire_take_string(&data, &skipped);
    good = good && wire_take_u8(&data, &byte) && wire_take_string(&data, &algorithm);
    if (!good)
        return 0;
    return str_eq(algorithm, STR("rsa-sha2-512"))   ? AGENT_RSA_SHA2_512
           : str_eq(algorithm, STR("rsa-sha2-256")) ? AGENT_RSA_SHA2_256
                                                    : 0;
}

static void ask_for_signature(struct ssh_keys *k, struct str data) {
    const struct candidate *c = &k->list.v[k->at];
    if (c->from == OF_KEYRING)
        open_ring(k);
    k->signing = SIGNING;
    agent_ask_signature(c->from == OF_KEYRING ? k->ring : k->agent, buf_view(&c->blob), data,
                        flags_for(data), SIGN_PATIENCE, signature_came, k);
}

/* libssh2 asks for it once the server has said that it would take the key, and again after each
 * EAGAIN. */
static int sign(LIBSSH2_SESSION *session, unsigned char **signature, size_t *n,
                const unsigned char *data, size_t data_n, void **abstract) {
    struct ssh_keys *k = *abstract;
    (void)session;
    k->accepted = true;
    if (k->signing == NO_SIGNATURE && k->list.v[k->at].from == OF_KEYRING)
        unlock(k);
    else if (k->signing == NO_SIGNATURE || k->signing == UNLOCKED)
        ask_for_signature(k, (struct str){(const char *)data, data_n});
    if (k->signing == NOT_SIGNED)
        return -1;
    if (k->signing != SIGNED)
        return LIBSSH2_ERROR_EAGAIN;
    *n = k->signature.n;
    *signature = mem_alloc(*n); /* libssh2 frees it */
    memcpy(*signature, k->signature.s, *n);
    return 0;
}

/* --- trying --- */

static void next(struct ssh_keys *k) {
    k->at++;
    k->state = PREPARE;
}

static void found_blob(void *arg, const struct str *message) {
    struct ssh_keys *k = arg;
    struct candidate *c = &k->list.v[k->at];
    agent_keys keys = {0};
    if (message != NULL && !agent_read_keys(*message, &keys))
        keys.n = 0;
    for (size_t i = 0; i < keys.n && c->blob.n == 0; i++)
        if (str_eq(keys.v[i].comment, str_of(c->file)))
            buf_str(&c->blob, keys.v[i].blob);
    if (c->blob.n == 0 || !is_usable(k, buf_view(&c->blob)))
        next(k);
    else
        k->state = PREPARE;
    vec_free(&keys);
    k->context.wake(k->context.arg);
}

/* Without its public half a key must be unlocked before it can be offered. Then it is known by its
 * comment, which is the name of its file in formats that have no place for one. */
static void unlock_first(struct ssh_keys *k) {
    if (k->signing == NO_SIGNATURE) {
        unlock(k);
    } else if (k->signing == NOT_SIGNED) {
        next(k);
    } else if (k->signing == UNLOCKED) {
        k->signing = SIGNING;
        open_ring(k);
        agent_ask_keys(k->ring, LIST_PATIENCE, found_blob, k);
    }
}

static void prepare(struct ssh_keys *k) {
    k->accepted = false;
    k->signing = NO_SIGNATURE;
    if (k->at == k->list.n) {
        k->state = NO_MORE;
        return;
    }
    const struct candidate *c = &k->list.v[k->at];
    struct str blob = buf_view(&c->blob), type = type_of(blob);
    k->state = c->from == OF_KEYRING && blob.n == 0 ? UNLOCK_FIRST : TRY;
    buf_clear(&k->wire_blob);
    if (is_rsa(blob) && !library_knows_rsa()) {
        size_t head = 4 + type.n;
        wire_put_string(&k->wire_blob, STR("rsa-sha2-512"));
        blob = (struct str){blob.s + head, blob.n - head};
    }
    buf_str(&k->wire_blob, blob);
}

static int try_key(struct ssh_keys *k) {
    const struct candidate *c = &k->list.v[k->at];
    const char *user = k->context.target->user;
    if (c->from == OF_FILE)
        return libssh2_userauth_publickey_fromfile_ex(k->context.session, user,
                                                      (unsigned)strlen(user), NULL, c->file, NULL);
    return libssh2_userauth_publickey(k->context.session, user,
                                      (const unsigned char *)k->wire_blob.s, k->wire_blob.n, sign,
                                      (void **)&k->self);
}

static enum auth try(struct ssh_keys *k) {
    const struct candidate *c = &k->list.v[k->at];
    int rc = try_key(k);
    if (rc == 0)
        return AUTH_GRANTED;
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return AUTH_WAIT;
    if (auth_is_broken(rc))
        return AUTH_BROKEN;
    if (c->from == OF_FILE && (rc == LIBSSH2_ERROR_FILE || rc == LIBSSH2_ERROR_METHOD_NONE))
        complain(k, c->file, "cannot be read as a key");
    /* A signature that was right, and yet not enough: it may be one of several things wanted. */
    bool signed_well =
        k->signing == SIGNED || (c->from == OF_FILE && rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED);
    *(c->from == OF_AGENT ? &k->agent_tried : &k->files_tried) += 1;
    next(k);
    return signed_well ? AUTH_MORE : AUTH_WAIT;
}

enum auth ssh_keys_advance(struct ssh_keys *k) {
    for (;;) {
        size_t at = k->at;
        enum auth answer;
        switch (k->state) {
        case BEGIN:
            begin(k);
            break;
        case LISTING:
            return AUTH_WAIT;
        case PREPARE:
            prepare(k);
            break;
        case UNLOCK_FIRST:
            unlock_first(k);
            if (k->at == at)
                return AUTH_WAIT;
            break;
        case TRY:
            answer = try(k);
            if (answer != AUTH_WAIT || k->at == at)
                return answer;
            break;
        case NO_MORE:
            return AUTH_REFUSED;
        }
    }
}

bool ssh_keys_wait(const struct ssh_keys *k) {
    return k->signing == UNLOCKING || k->signing == SIGNING;
}

const char *ssh_keys_only_ssh(const struct ssh_keys *k) {
    return k->only_ssh;
}

void ssh_keys_explain(const struct ssh_keys *k, struct buf *reason) {
    if (k->agent_tried + k->files_tried == 0)
        buf_puts(reason, "there is no key to try");
    else
        buf_printf(reason, "none of the keys was accepted (%zu of the agent, %zu from files)",
                   k->agent_tried, k->files_tried);
    if (k->agent_silent)
        buf_printf(reason, "; the agent at %s does not answer", k->context.target->agent);
    if (k->complaint.n != 0)
        buf_str(reason, buf_view(&k->complaint));
}
