#include "way/ssh_methods.h"

#include <string.h>
#if defined __aarch64__ && defined __linux__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

/* What OpenSSH offers by default, in its order. */
#define USUAL_CIPHERS                                                                              \
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,"      \
    "aes192-ctr,aes256-ctr"
#define USUAL_MACS "hmac-sha2-256,hmac-sha2-512,hmac-sha1"

/* The same, the fastest first: measured in both directions. */
#define FAST_CIPHERS                                                                               \
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"              \
    "chacha20-poly1305@openssh.com"
#define FAST_MACS "hmac-sha1,hmac-sha2-512,hmac-sha2-256"

/* Without a word of the configuration. */
#define KEY_EXCHANGES                                                                              \
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"        \
    "ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"       \
    "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
#define HOST_KEYS                                                                                  \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"        \
    "rsa-sha2-256"

static struct str take_word(struct str *list) {
    const char *comma = memchr(list->s, ',', list->n);
    struct str word = {list->s, comma != NULL ? (size_t)(comma - list->s) : list->n};
    size_t n = word.n + (comma != NULL);
    *list = (struct str){list->s + n, list->n - n};
    return word;
}

static bool list_has(struct str list, struct str word) {
    while (list.n != 0)
        if (str_eq(take_word(&list), word))
            return true;
    return false;
}

static void add_word(struct buf *list, struct str word) {
    if (list_has(buf_view(list), word))
        return;
    if (list->n != 0)
        buf_putc(list, ',');
    buf_str(list, word);
}

/* What the library has. */
static void put_supported(LIBSSH2_SESSION *session, int method, struct buf *out) {
    const char **names = NULL;
    int n = libssh2_session_supported_algs(session, method, &names);
    for (int i = 0; i < n; i++)
        add_word(out, str_of(names[i]));
    if (n > 0)
        libssh2_free(session, names);
}

/* The words of `list` that are in `of` too. */
static void put_common(struct str list, struct str of, struct buf *out) {
    while (list.n != 0) {
        struct str word = take_word(&list);
        if (list_has(of, word))
            add_word(out, word);
    }
}

static bool set(LIBSSH2_SESSION *session, int method, const struct buf *list) {
    return libssh2_session_method_pref(session, method, list->s) == 0;
}

static bool nothing_left(struct buf *reason, const char *what, const char *allowed) {
    buf_printf(reason,
               "its ssh configuration allows no %s that this libssh2 (%s) knows; it allows %s",
               what, libssh2_version(0), allowed);
    return false;
}

/* Of both directions. usual, fast: orders. */
static bool set_both(LIBSSH2_SESSION *session, int method, const char *allowed, const char *usual,
                     const char *fast, struct buf *list) {
    struct buf supported = {0}, common = {0}, all = {0};
    put_supported(session, method, &supported);
    put_common(str_of(usual), buf_view(&supported), &all);
    put_common(str_of(allowed != NULL ? allowed : usual), buf_view(&supported), &common);
    if (str_eq(buf_view(&common), buf_view(&all))) /* nobody has chosen */
        put_common(str_of(fast), buf_view(&common), list);
    else
        buf_str(list, buf_view(&common));
    buf_free(&supported);
    buf_free(&common);
    buf_free(&all);
    return list->n != 0 && set(session, method, list) && set(session, method + 1, list);
}

static bool set_key_exchange(LIBSSH2_SESSION *session, const char *allowed) {
    struct buf supported = {0}, list = {0};
    put_supported(session, LIBSSH2_METHOD_KEX, &supported);
    put_common(str_of(allowed != NULL ? allowed : KEY_EXCHANGES), buf_view(&supported), &list);
    bool good = list.n != 0 && set(session, LIBSSH2_METHOD_KEX, &list);
    buf_free(&supported);
    buf_free(&list);
    return good;
}

/* Which type of key a kind of host key has: the three of RSA differ in the signature only. */
static struct str type_of(struct str kind) {
    return str_starts(kind, STR("rsa-sha2-")) ? STR("ssh-rsa") : kind;
}

static bool is_known(const struct known_name *known, struct str type) {
    for (size_t i = 0; i < known->keys.n; i++)
        if (known->keys.v[i].marker == KEY_GOOD &&
            str_eq(known_key_type(known->keys.v[i].blob), type))
            return true;
    return false;
}

static bool any_known(const struct known_name *known) {
    for (size_t i = 0; i < known->keys.n; i++)
        if (known->keys.v[i].marker == KEY_GOOD)
            return true;
    return false;
}

/* A server that offers another kind of key than the known one first would look unknown. */
static bool set_host_keys(LIBSSH2_SESSION *session, const struct ssh_target *t,
                          const struct known_name *known, struct buf *reason) {
    struct buf supported = {0}, common = {0}, list = {0};
    put_supported(session, LIBSSH2_METHOD_HOSTKEY, &supported);
    put_common(str_of(t->host_keys != NULL ? t->host_keys : HOST_KEYS), buf_view(&supported),
               &common);
    for (int first = 1; first >= 0; first--)
        for (struct str left = buf_view(&common); left.n != 0;) {
            struct str kind = take_word(&left);
            /* Certificates are more than the library can check, though it has names for some. */
            bool certificate = memchr(kind.s, '@', kind.n) != NULL;
            if (!certificate && is_known(known, type_of(kind)) == first)
                add_word(&list, kind);
        }
    struct str best = buf_view(&list);
    bool good = list.n != 0 && set(session, LIBSSH2_METHOD_HOSTKEY, &list);
    if (!good)
        nothing_left(reason, "kind of host key", t->host_keys != NULL ? t->host_keys : HOST_KEYS);
    else if (any_known(known) && !is_known(known, type_of(take_word(&best)))) {
        good = false;
        buf_printf(reason,
                   "of its host keys only such are known as this libssh2 (%s) cannot ask for",
                   libssh2_version(0));
    }
    buf_free(&supported);
    buf_free(&common);
    buf_free(&list);
    return good;
}

bool ssh_methods_set(LIBSSH2_SESSION *session, const struct ssh_target *t,
                     const struct known_name *known, struct buf *reason) {
    struct buf ciphers = {0}, macs = {0};
    bool good = true;
    if (!set_both(session, LIBSSH2_METHOD_CRYPT_CS, t->ciphers, USUAL_CIPHERS, FAST_CIPHERS,
                  &ciphers))
        good = nothing_left(reason, "cipher", t->ciphers);
    else if (!set_both(session, LIBSSH2_METHOD_MAC_CS, t->macs, USUAL_MACS, FAST_MACS, &macs))
        good = nothing_left(reason, "MAC", t->macs);
    else if (!set_key_exchange(session, t->key_exchanges))
        good = nothing_left(reason, "key exchange", t->key_exchanges);
    else
        good = set_host_keys(session, t, known, reason);
    if (t->compress)
        libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 1);
    buf_free(&ciphers);
    buf_free(&macs);
    return good;
}

static bool has_aes(void) {
#if defined __x86_64__ || defined __i386__
    return __builtin_cpu_supports("aes");
#elif defined __aarch64__ && defined __linux__
    return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#elif defined __aarch64__ && defined __APPLE__
    return true;
#else
    return false;
#endif
}

void ssh_methods_ciphers(const struct ssh_target *t, struct buf *out) {
    struct str allowed = t->ciphers != NULL ? str_of(t->ciphers) : STR(""), left = allowed;
    struct buf common = {0};
    bool usual = str_eq(take_word(&left), STR("chacha20-poly1305@openssh.com"));
    put_common(str_of(FAST_CIPHERS), allowed, &common);
    /* Some orders have been the default; longer lists never. */
    if (usual && common.n == allowed.n && common.n == sizeof FAST_CIPHERS - 1 && has_aes())
        buf_str(out, buf_view(&common));
    buf_free(&common);
}
