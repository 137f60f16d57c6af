#include "way/ssh_target.h"

#include "base/mem.h"
#include "loop/loop.h"
#include "way/ssh_tokens.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT (15 * SECOND)
#define ALIVE_INTERVAL (5 * SECOND)
#define SILENCE (15 * SECOND)

enum { MANY = 1000000 }; /* seconds and counts above are cut to it */

/* What is read, and what has been said of signs of life so far. */
struct reading {
    struct ssh_target *t;
    const struct host *host;
    struct buf *error;
    int64_t alive_interval;
    unsigned alive_count;
};

static char *text_of(struct str s) {
    char *copy = mem_alloc(s.n + 1);
    memcpy(copy, s.n != 0 ? s.s : "", s.n);
    copy[s.n] = '\0';
    return copy;
}

static void replace(char **field, struct str value) {
    free(*field);
    *field = text_of(value);
}

static bool is_none(struct str value) {
    return value.n == 0 || str_eq(value, STR("none"));
}

static bool is_yes(struct str value) {
    return !str_eq(value, STR("no")) && !str_eq(value, STR("false"));
}

/* Not more than MANY; 0 for what is no number. */
static unsigned number(struct str value) {
    unsigned n = 0;
    for (size_t i = 0; i < value.n && value.s[i] >= '0' && value.s[i] <= '9' && n < MANY; i++)
        n = n * 10 + (unsigned)(value.s[i] - '0');
    return n < MANY ? n : MANY;
}

/* --- names of files --- */

static void add_path(struct ssh_target *t, str_list *list, struct str path) {
    struct buf b = {0};
    if (is_none(path))
        return;
    ssh_tokens_expand(t, SSH_TOKENS_FILE, path, &b);
    *vec_push(list) = (struct str){b.s, b.n};
}

/* As the graph has it: only a leading "~/" is special. */
static void add_written(str_list *list, struct str path) {
    struct buf b = {0};
    bool home = str_starts(path, STR("~/"));
    if (home)
        buf_puts(&b, ssh_tokens_home());
    buf_str(&b, (struct str){path.s + home, path.n - home});
    *vec_push(list) = (struct str){b.s, b.n};
}

/* ssh prints several files in one line, without quotes: a name with blanks in it is told apart from
 * two names by asking which file exists. */
static void add_paths(struct ssh_target *t, str_list *list, struct str line) {
    while (line.n != 0) {
        size_t n = line.n;
        for (;;) {
            struct buf whole = {0};
            ssh_tokens_expand(t, SSH_TOKENS_FILE, (struct str){line.s, n}, &whole);
            bool there = access(whole.s, F_OK) == 0;
            buf_free(&whole);
            const char *blank = bytes_last(line.s, ' ', n);
            if (there || blank == NULL)
                break;
            n = (size_t)(blank - line.s);
        }
        add_path(t, list, (struct str){line.s, n});
        while (n < line.n && line.s[n] == ' ')
            n++;
        line = (struct str){line.s + n, line.n - n};
    }
}

/* --- the keys --- */

static void host_name(struct reading *r, struct str value) {
    replace(&r->t->address, value);
}

static void user(struct reading *r, struct str value) {
    replace(&r->t->user, value);
}

static void port(struct reading *r, struct str value) {
    unsigned n = number(value);
    if (n != 0 && n <= UINT16_MAX)
        r->t->port = (uint16_t)n;
}

static void host_key_alias(struct reading *r, struct str value) {
    replace(&r->t->known_as, value);
}

static void identity_file(struct reading *r, struct str value) {
    if (r->host->ssh.identity.n == 0) /* else that one, and no other */
        add_path(r->t, &r->t->identities, value);
}

static void identities_only(struct reading *r, struct str value) {
    r->t->identities_only = is_yes(value);
}

/* "SSH_AUTH_SOCK" and "$NAME" are variables. */
static void identity_agent(struct reading *r, struct str value) {
    struct buf b = {0};
    free(r->t->agent);
    r->t->agent = NULL;
    bool usual = str_eq(value, STR("SSH_AUTH_SOCK"));
    if (is_none(value))
        return;
    if (usual || (value.n > 1 && value.s[0] == '$' && value.s[1] != '{')) {
        buf_str(&b, (struct str){value.s + !usual, value.n - !usual});
        const char *path = getenv(b.s);
        r->t->agent = path != NULL ? mem_strdup(path) : NULL;
        buf_free(&b);
        return;
    }
    ssh_tokens_expand(r->t, SSH_TOKENS_FILE, value, &b);
    r->t->agent = b.s;
}

static void certificate_file(struct reading *r, struct str value) {
    if (!is_none(value))
        r->t->only_ssh_logs_in = "a certificate";
}

static void pkcs11_provider(struct reading *r, struct str value) {
    if (!is_none(value))
        r->t->only_ssh_logs_in = "PKCS11Provider";
}

static void gssapi(struct reading *r, struct str value) {
    if (is_yes(value))
        r->t->only_ssh_logs_in = "GSSAPI";
}

static void host_based(struct reading *r, struct str value) {
    if (is_yes(value))
        r->t->only_ssh_logs_in = "host-based authentication";
}

static void known_hosts_file(struct reading *r, struct str value) {
    add_paths(r->t, &r->t->known_hosts, value);
}

static void own_known_hosts_file(struct reading *r, struct str value) {
    r->t->own_known_hosts = r->t->known_hosts.n;
    known_hosts_file(r, value);
}

static void known_hosts_command(struct reading *r, struct str value) {
    r->t->other_known_hosts = !is_none(value);
}

static void revoked_host_keys(struct reading *r, struct str value) {
    add_path(r->t, &r->t->revoked, value);
}

static void connect_timeout(struct reading *r, struct str value) {
    unsigned n = number(value);
    if (n != 0)
        r->t->connect_timeout = n * SECOND;
}

static void alive_interval(struct reading *r, struct str value) {
    r->alive_interval = number(value) * SECOND;
}

static void alive_count(struct reading *r, struct str value) {
    r->alive_count = number(value);
}

static void address_family(struct reading *r, struct str value) {
    r->t->family = str_eq(value, STR("inet"))    ? AF_INET
                   : str_eq(value, STR("inet6")) ? AF_INET6
                                                 : AF_UNSPEC;
}

static void bind_address(struct reading *r, struct str value) {
    replace(&r->t->bind_address, value);
}

static void bind_interface(struct reading *r, struct str value) {
    if (!is_none(value))
        r->t->needs_ssh = "BindInterface";
}

static void compression(struct reading *r, struct str value) {
    r->t->compress = is_yes(value);
}

static void ciphers(struct reading *r, struct str value) {
    replace(&r->t->ciphers, value);
}

static void macs(struct reading *r, struct str value) {
    replace(&r->t->macs, value);
}

static void key_exchanges(struct reading *r, struct str value) {
    replace(&r->t->key_exchanges, value);
}

static void host_keys(struct reading *r, struct str value) {
    replace(&r->t->host_keys, value);
}

static void public_key(struct reading *r, struct str value) {
    r->t->keys = is_yes(value);
}

static void password(struct reading *r, struct str value) {
    r->t->password = is_yes(value);
}

static void keyboard(struct reading *r, struct str value) {
    r->t->keyboard = is_yes(value);
}

static void preferred(struct reading *r, struct str value) {
    replace(&r->t->preferred, value);
}

static void prompts(struct reading *r, struct str value) {
    r->t->prompts = number(value);
}

static void batch_mode(struct reading *r, struct str value) {
    r->t->batch = is_yes(value);
}

static void check_tokens(struct reading *r, const char *what, struct str value) {
    struct buf unused = {0};
    if (!ssh_tokens_expand(r->t, SSH_TOKENS_PROXY, value, &unused) && r->error->n == 0)
        buf_printf(r->error, "its ssh configuration has a %% in %s that ssh does not know: %.*s",
                   what, STR_FMT(value));
    buf_free(&unused);
}

static void proxy_command(struct reading *r, struct str value) {
    if (is_none(value))
        return;
    replace(&r->t->proxy_command, value);
    check_tokens(r, "ProxyCommand", value);
}

static void proxy_jump(struct reading *r, struct str value) {
    if (is_none(value))
        return;
    replace(&r->t->proxy_jump, value);
    check_tokens(r, "ProxyJump", value);
}

static void proxy_use_fdpass(struct reading *r, struct str value) {
    if (is_yes(value))
        r->t->needs_ssh = "ProxyUseFdpass";
}

static const struct {
    const char *name;
    void (*take)(struct reading *r, struct str value);
} keys[] = {
    {"addressfamily", address_family},
    {"batchmode", batch_mode},
    {"bindaddress", bind_address},
    {"bindinterface", bind_interface},
    {"certificatefile", certificate_file},
    {"ciphers", ciphers},
    {"compression", compression},
    {"connecttimeout", connect_timeout},
    {"globalknownhostsfile", known_hosts_file},
    {"gssapiauthentication", gssapi},
    {"hostbasedauthentication", host_based},
    {"hostkeyalgorithms", host_keys},
    {"hostkeyalias", host_key_alias},
    {"hostname", host_name},
    {"identitiesonly", identities_only},
    {"identityagent", identity_agent},
    {"identityfile", identity_file},
    {"kbdinteractiveauthentication", keyboard},
    {"kexalgorithms", key_exchanges},
    {"knownhostscommand", known_hosts_command},
    {"macs", macs},
    {"numberofpasswordprompts", prompts},
    {"passwordauthentication", password},
    {"pkcs11provider", pkcs11_provider},
    {"port", port},
    {"preferredauthentications", preferred},
    {"proxycommand", proxy_command},
    {"proxyjump", proxy_jump},
    {"proxyusefdpass", proxy_use_fdpass},
    {"pubkeyauthentication", public_key},
    {"revokedhostkeys", revoked_host_keys},
    {"serveralivecountmax", alive_count},
    {"serveraliveinterval", alive_interval},
    {"user", user},
    {"userknownhostsfile", own_known_hosts_file},
};
enum { KEYS = sizeof keys / sizeof *keys };

/* --- all of it --- */

/* One line: "hostname 127.0.0.2". */
static void take_line(struct reading *r, struct str line, bool names) {
    const char *blank = memchr(line.s, ' ', line.n);
    if (blank == NULL)
        return;
    struct str name = {line.s, (size_t)(blank - line.s)};
    struct str value = {blank + 1, line.n - name.n - 1};
    /* What tokens stand for must be known before those who use them. */
    bool is_name = str_eq(name, STR("hostname")) || str_eq(name, STR("user")) ||
                   str_eq(name, STR("port")) || str_eq(name, STR("hostkeyalias"));
    if (is_name != names || memchr(value.s, '\0', value.n) != NULL)
        return;
    for (size_t i = 0; i < KEYS; i++)
        if (str_eq(name, str_of(keys[i].name)))
            keys[i].take(r, value);
}

static void take_lines(struct reading *r, struct str answer, bool names) {
    while (answer.n != 0) {
        const char *end = memchr(answer.s, '\n', answer.n);
        size_t n = end != NULL ? (size_t)(end - answer.s) : answer.n;
        take_line(r, (struct str){answer.s, n}, names);
        n += end != NULL;
        answer = (struct str){answer.s + n, answer.n - n};
    }
}

/* 0 is "not at all", which would leave nobody but the reader of a frozen screen to notice a host
 * that has gone. Debian's ssh answers 300 s with BatchMode, whether anybody has asked for it or
 * not. */
static void set_signs_of_life(struct reading *r) {
    if (r->alive_interval == 0 || (r->t->batch && r->alive_interval == 300 * SECOND))
        return;
    r->t->alive_interval = r->alive_interval;
    r->t->silence = r->alive_interval * (r->alive_count != 0 ? r->alive_count : 1);
}

bool ssh_target_read(struct ssh_target *t, const struct host *host, struct str answer,
                     struct buf *error) {
    struct reading r = {.t = t, .host = host, .error = error, .alive_count = 3};
    take_lines(&r, answer, true);
    if (host->ssh.identity.n != 0)
        add_written(&t->identities, host->ssh.identity);
    take_lines(&r, answer, false);
    set_signs_of_life(&r);
    return error->n == 0;
}

void ssh_target_begin(struct ssh_target *t, const struct host *host, const char *config) {
    const struct passwd *pw = getpwuid(getuid());
    *t = (struct ssh_target){
        .port = host->port != 0 ? host->port : 22,
        .awaited = host->awaited,
        .name = text_of(host->target),
        .address = text_of(host->target),
        .user = text_of(host->user.n != 0 ? host->user : str_of(pw != NULL ? pw->pw_name : "root")),
        .config = config != NULL ? mem_strdup(config) : NULL,
        .connect_timeout = CONNECT_TIMEOUT,
        .alive_interval = ALIVE_INTERVAL,
        .silence = SILENCE,
        .keys = true,
        .password = true,
        .keyboard = true,
        .prompts = 3,
    };
    const char *agent = getenv("SSH_AUTH_SOCK");
    t->agent = agent != NULL ? mem_strdup(agent) : NULL;
}

void ssh_target_fall_back(struct ssh_target *t, const struct host *host) {
    const struct ssh_settings *s = &host->ssh;
    if (host->user.n == 0 && s->user.n != 0)
        replace(&t->user, s->user);
    if (host->port == 0 && s->port != 0)
        t->port = s->port;
    t->identities_only = s->identity.n != 0;
    if (s->identity.n != 0) {
        add_written(&t->identities, s->identity);
    } else {
        add_path(t, &t->identities, STR("~/.ssh/id_rsa"));
        add_path(t, &t->identities, STR("~/.ssh/id_ecdsa"));
        add_path(t, &t->identities, STR("~/.ssh/id_ed25519"));
    }
    add_written(&t->known_hosts,
                s->known_hosts.n != 0 ? s->known_hosts : STR("~/.ssh/known_hosts"));
    add_path(t, &t->known_hosts, STR("/etc/ssh/ssh_known_hosts"));
}

void ssh_target_free(struct ssh_target *t) {
    char *texts[] = {t->name,       t->address,       t->user,          t->known_as, t->config,
                     t->proxy_jump, t->bind_address,  t->proxy_command, t->ciphers,  t->macs,
                     t->host_keys,  t->key_exchanges, t->preferred,     t->agent};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    str_list_free(&t->known_hosts);
    str_list_free(&t->revoked);
    str_list_free(&t->identities);
    *t = (struct ssh_target){0};
}
