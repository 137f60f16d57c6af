#include "way/ssh_program.h"

#include "base/mem.h"
#include "way/ssh_config.h"
#include "way/ssh_methods.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ssh binds under the name with a dot and 16 random letters behind it, and renames that. */
enum { SOCKET_NAME_MAX = sizeof((struct sockaddr_un *)NULL)->sun_path - 18 };

/* The name of a socket in a directory that nobody else can write to; ssh says what is wrong if
 * there is no such. */
static void name_socket(struct buf *name) {
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned long long number;
    struct stat st;
    if (runtime != NULL && *runtime == '/' && strlen(runtime) < SOCKET_NAME_MAX / 2)
        buf_printf(name, "%s/foray", runtime);
    else
        buf_printf(name, "/tmp/foray-%ju", (uintmax_t)geteuid());
    mkdir(name->s, 0700);
    if (getentropy(&number, sizeof number) != 0)
        abort(); /* never fails for so few bytes on a system that has it */
    bool ours = lstat(name->s, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
                (st.st_mode & 077) == 0;
    buf_printf(name, "%s/%llx", ours ? "" : "/that-is-not-ours", number);
}

static void add(str_list *words, const char *word) {
    str_list_add(words, str_of(word));
}

/* What foray holds to whatever the user's configuration says: nobody is asked, host keys are
 * checked, and nothing is forwarded. */
static void add_options(const struct ssh_target *t, const char *socket, str_list *words) {
    static const char *const options[] = {"-T",
                                          "-a",
                                          "-x",
                                          "-oBatchMode=yes",
                                          "-oStrictHostKeyChecking=yes",
                                          "-oClearAllForwardings=yes",
                                          "-oRemoteCommand=none",
                                          "-oEscapeChar=none",
                                          "-oControlPersist=no"};
    struct buf b = {0};
    add(words, "ssh");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        add(words, options[i]);
    int64_t interval = t->alive_interval / SECOND,
            count = interval > 0 ? t->silence / t->alive_interval : 0;
    buf_printf(&b, "-oServerAliveInterval=%lld", (long long)interval);
    str_list_take(words, &b);
    buf_printf(&b, "-oServerAliveCountMax=%lld", (long long)(count > 0 ? count : 1));
    str_list_take(words, &b);
    buf_printf(&b, "-oConnectTimeout=%lld", (long long)(t->connect_timeout / SECOND));
    str_list_take(words, &b);
    buf_puts(&b, "-oControlPath=");
    for (const char *s = socket; *s != '\0'; s++) /* tokens are looked for in it */
        buf_puts(&b, *s == '%' ? "%%" : (char[]){*s, '\0'});
    str_list_take(words, &b);
}

static void add_ciphers(const struct ssh_target *t, str_list *words) {
    struct buf option = {0}, list = {0};
    ssh_methods_ciphers(t, &list);
    if (list.n != 0) {
        buf_printf(&option, "-oCiphers=%s", list.s);
        str_list_take(words, &option);
    }
    buf_free(&list);
}

static void add_host(const struct host *host, const struct ssh_target *t, const char *command,
                     str_list *words) {
    ssh_config_words(host, t->config, words);
    if (command != NULL)
        add(words, command);
}

static bool is_final(const char *words) {
    static const char *const endings[] = {"Permission denied", "verification failed",
                                          "onfiguration option", "no such identity",
                                          "Unable to negotiate"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strstr(words, endings[i]) != NULL)
            return true;
    return false;
}

struct way *ssh_program_open(struct loop *loop, struct children *children, const struct host *host,
                             const struct ssh_target *t, bool compress,
                             const struct way_events *events) {
    struct buf socket = {0};
    struct launching words = {.patience = t->connect_timeout, .is_final = is_final};
    name_socket(&socket);
    add_options(t, socket.s, &words.first);
    add(&words.first, "-oLogLevel=INFO"); /* below that it does not say why it ends */
    add(&words.first, "-N");
    add(&words.first, "-oControlMaster=yes");
    add(&words.first, "-oPermitLocalCommand=yes");
    add(&words.first, "-oLocalCommand=echo ready"); /* when it is logged in */
    if (compress)
        add(&words.first, "-oCompression=yes");
    add_ciphers(t, &words.first);
    add_host(host, t, NULL, &words.first);
    add_options(t, socket.s, &words.shell);
    add(&words.shell, "-oLogLevel=ERROR");
    add(&words.shell, "-oControlMaster=no");
    add_host(host, t, "exec /bin/sh", &words.shell);
    add_options(t, socket.s, &words.sftp);
    add(&words.sftp, "-oLogLevel=ERROR");
    add(&words.sftp, "-oControlMaster=no");
    add(&words.sftp, "-s");
    add_host(host, t, "sftp", &words.sftp);
    add_options(t, socket.s, &words.terminal);
    add(&words.terminal, "-oLogLevel=ERROR");
    add(&words.terminal, "-oControlMaster=no");
    add(&words.terminal, "-tt");
    add_host(host, t, NULL, &words.terminal);
    words.leaves = socket.s; /* it is, by an ssh that is ended while it runs the LocalCommand */
    return launcher_open(loop, children, &words, events);
}
