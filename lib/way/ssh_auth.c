#include "way/ssh_auth.h"

#include "base/mem.h"
#include "way/base64.h"
#include "way/ssh_keys.h"
#include "way/ssh_typed.h"

#include <stdlib.h>
#include <string.h>

enum method { METHOD_KEYS, METHOD_KEYBOARD, METHOD_PASSWORD, METHODS };

/* In the order of ssh. */
static const char *const names[] = {"publickey", "keyboard-interactive", "password"};

struct ssh_auth {
    struct auth_context context;
    enum { ASK_METHODS, CHOOSE, TRY, OVER } state;
    enum method method;
    bool done[METHODS];
    struct buf offered; /* what the server lets go on with */
    struct ssh_keys *keys;
    struct ssh_typed *keyboard, *password;
};

struct ssh_auth *ssh_auth_new(const struct auth_context *context) {
    struct ssh_auth *a = mem_zalloc(sizeof *a);
    const struct ssh_target *t = context->target;
    a->context = *context;
    a->done[METHOD_KEYS] = !t->keys;
    a->done[METHOD_KEYBOARD] = !t->keyboard || t->prompts == 0 || t->batch;
    a->done[METHOD_PASSWORD] = !t->password || t->prompts == 0 || t->batch;
    return a;
}

void ssh_auth_free(struct ssh_auth *a) {
    if (a == NULL)
        return;
    ssh_keys_free(a->keys);
    ssh_typed_free(a->keyboard);
    ssh_typed_free(a->password);
    buf_free(&a->offered);
    free(a);
}

void ssh_auth_fingerprint(LIBSSH2_SESSION *session, struct buf *out) {
    const char *hash = libssh2_hostkey_hash(session, LIBSSH2_HOSTKEY_HASH_SHA256);
    buf_puts(out, "SHA256:");
    if (hash != NULL)
        base64_encode((struct str){hash, 32}, false, out);
}

bool auth_is_broken(int rc) {
    return rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_SOCKET_RECV ||
           rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_BAD_SOCKET;
}

static bool list_has(const char *list, const char *word) {
    size_t n = strlen(word);
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        if (len == n && memcmp(list, word, n) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

/* --- which method --- */

static enum auth ask_methods(struct ssh_auth *a) {
    LIBSSH2_SESSION *session = a->context.session;
    const char *user = a->context.target->user;
    const char *list = libssh2_userauth_list(session, user, (unsigned)strlen(user));
    if (list != NULL) {
        buf_clear(&a->offered);
        buf_puts(&a->offered, list);
        a->state = CHOOSE;
        return AUTH_WAIT;
    }
    if (libssh2_userauth_authenticated(session))
        return AUTH_GRANTED;
    int rc = libssh2_session_last_errno(session);
    return rc == LIBSSH2_ERROR_EAGAIN ? AUTH_WAIT : AUTH_BROKEN;
}

/* METHODS: none is left. */
static enum method next_method(const struct ssh_auth *a) {
    const char *order = a->context.target->preferred;
    static const char usual[] = "publickey,keyboard-interactive,password";
    for (const char *word = order != NULL ? order : usual; *word != '\0';) {
        size_t n = strcspn(word, ",");
        for (int m = 0; m < METHODS; m++)
            if (!a->done[m] && strlen(names[m]) == n && memcmp(names[m], word, n) == 0 &&
                list_has(a->offered.s, names[m]))
                return (enum method)m;
        word += n + (word[n] == ',');
    }
    return METHODS;
}

/* Another way in that is set up, and that the server would take. */
static const char *only_ssh(const struct ssh_auth *a) {
    const char *set_up = a->context.target->only_ssh_logs_in;
    const char *offered = a->offered.s;
    if (a->keys != NULL && ssh_keys_only_ssh(a->keys) != NULL)
        return ssh_keys_only_ssh(a->keys);
    if (set_up == NULL)
        return NULL;
    bool gssapi = strcmp(set_up, "GSSAPI") == 0;
    bool host_based = strcmp(set_up, "host-based authentication") == 0;
    return list_has(offered, gssapi       ? "gssapi-with-mic"
                             : host_based ? "hostbased"
                                          : names[METHOD_KEYS])
               ? set_up
               : NULL;
}

static bool is_typed(enum method m) {
    return m == METHOD_KEYBOARD || m == METHOD_PASSWORD;
}

static void choose(struct ssh_auth *a) {
    a->method = next_method(a);
    /* ssh has more ways to go before it asks anybody. */
    if (a->method == METHODS || (is_typed(a->method) && only_ssh(a) != NULL)) {
        a->state = OVER;
        return;
    }
    a->state = TRY;
    if (a->method == METHOD_KEYS && a->keys == NULL)
        a->keys = ssh_keys_new(&a->context);
    if (a->method == METHOD_KEYBOARD && a->keyboard == NULL)
        a->keyboard = ssh_typed_new(&a->context, true);
    if (a->method == METHOD_PASSWORD && a->password == NULL)
        a->password = ssh_typed_new(&a->context, false);
}

static struct ssh_typed *typed_of(const struct ssh_auth *a) {
    return a->method == METHOD_KEYBOARD ? a->keyboard : a->password;
}

static enum auth refuse(const struct ssh_auth *a, struct buf *reason) {
    const struct ssh_target *t = a->context.target;
    const char *only = only_ssh(a);
    const char *whys[] = {ssh_typed_why(a->keyboard), ssh_typed_why(a->password)};
    buf_printf(reason, "permission denied for user %s: ", t->user);
    if (a->keys != NULL)
        ssh_keys_explain(a->keys, reason);
    else
        buf_puts(reason, t->keys ? "it takes no keys" : "PubkeyAuthentication is off");
    for (size_t i = 0; i < 2; i++)
        if (*whys[i] != '\0' && (i == 0 || strcmp(whys[0], whys[1]) != 0))
            buf_printf(reason, "; %s", whys[i]);
    buf_printf(reason, " (it offers: %s%s)", a->offered.s, t->batch ? "; BatchMode is set" : "");
    if (only != NULL)
        buf_printf(reason, "; there is also %s, which only the ssh program can use", only);
    return only != NULL ? AUTH_NEEDS_SSH : AUTH_REFUSED;
}

enum auth ssh_auth_advance(struct ssh_auth *a, struct buf *reason) {
    for (;;) {
        enum auth answer;
        switch (a->state) {
        case ASK_METHODS:
            answer = ask_methods(a);
            if (a->state == ASK_METHODS)
                return answer;
            break;
        case CHOOSE:
            choose(a);
            break;
        case TRY:
            answer =
                is_typed(a->method) ? ssh_typed_advance(typed_of(a)) : ssh_keys_advance(a->keys);
            if (answer == AUTH_REFUSED)
                a->done[a->method] = true;
            else if (answer != AUTH_MORE)
                return answer;
            a->state = answer == AUTH_MORE ? ASK_METHODS : CHOOSE;
            break;
        case OVER:
            return refuse(a, reason);
        }
    }
}

bool ssh_auth_waits_for_person(const struct ssh_auth *a) {
    if (a->state != TRY)
        return false;
    return is_typed(a->method) ? ssh_typed_waits(typed_of(a)) : ssh_keys_wait(a->keys);
}
