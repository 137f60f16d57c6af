/* Which lines of an ssh configuration count: fixed texts, and random ones beside the ssh of this
 * machine. */
#include "way/ssh_blocks.h"
#include "base/io.h"
#include "base/mem.h"
#include "unit.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* --- fixed texts --- */

/* Files by name: NAME, TEXT, NAME, TEXT ... NULL */
static const char *const *files;

static bool read_fixed(void *context, const char *path, struct buf *text) {
    (void)context;
    for (size_t i = 0; files[i] != NULL; i += 2)
        if (strcmp(files[i], path) == 0) {
            buf_puts(text, files[i + 1]);
            return true;
        }
    return false;
}

/* The signature, or "none". */
static const char *signature(const struct ssh_blocks *b, const char *host) {
    static struct buf out;
    buf_clear(&out);
    buf_puts(&out, "");
    return ssh_blocks_signature(b, str_of(host), &out) ? out.s : "none";
}

static const char *answer(const struct ssh_blocks *b, const char *text, const char *from,
                          const char *host) {
    static struct buf out;
    buf_clear(&out);
    buf_puts(&out, "");
    return ssh_blocks_answer(b, str_of(text), str_of(from), str_of(host), &out) ? out.s : "none";
}

static struct ssh_blocks *blocks(const char *said, const char *host, struct ssh_given given) {
    return ssh_blocks_new(str_of(said), str_of(host), given, read_fixed, NULL);
}

static const struct ssh_given nothing;
#define READING(file) "debug1: Reading configuration data " file "\r\n"
#define APPLYING(file, line) "debug1: " file " line " line ": Applying options for x\r\n"

TEST(a_host_of_its_own_needs_no_question) {
    files = (const char *const[]){"c",
                                  "# comment\n"
                                  "Host n1\n  HostName 10.0.0.1\n  Port 2201\n"
                                  "Host=n2\n\thostname = 10.0.0.2\n\tport=2202\n\n"
                                  "Host n* !n9\n  User ana\n  Compression yes\n",
                                  NULL};
    struct ssh_blocks *b = blocks(
        "OpenSSH_9.2p1\r\n" READING("c") APPLYING("c", "2") APPLYING("c", "9"), "n1", nothing);
    if (!CHECK(b != NULL))
        return;
    static const char text[] =
        "host n1\nuser ana\nhostname 10.0.0.1\nport 2201\ncompression yes\nloglevel DEBUG1\n";
    CHECK_STR(signature(b, "n1"), "yyyn 3");
    CHECK_STR(signature(b, "n2"), "yyyn 3");
    CHECK_STR(signature(b, "n3"), "nnyn 3");
    CHECK_STR(signature(b, "n9"), "nnnn");
    CHECK_STR(signature(b, "N1"), "none");
    CHECK_STR(signature(b, "::1"), "none");
    CHECK_STR(answer(b, text, "n1", "n2"),
              "host n2\nuser ana\nhostname 10.0.0.2\nport 2202\ncompression yes\n");
    CHECK_STR(answer(b, "host n1\nhostname other\n", "n1", "n2"), "none");
    ssh_blocks_free(b);
    b = blocks(READING("c") APPLYING("c", "2") APPLYING("c", "9"), "n1",
               (struct ssh_given){.user = true, .port = true});
    CHECK_STR(signature(b, "n1"), "ynnn 3");
    CHECK_STR(answer(b, "user eve\nhostname 10.0.0.1\nport 7\n", "n1", "n2"),
              "user eve\nhostname 10.0.0.2\nport 7\n");
    ssh_blocks_free(b);
}

TEST(what_is_said_first_counts) {
    files = (const char *const[]){"c",
                                  "User first\nHost a\nUser second\nPort 1\nHost *\nPort 2\n"
                                  "HostName %h.net%%\n",
                                  NULL};
    struct ssh_blocks *b = blocks(READING("c") APPLYING("c", "2") APPLYING("c", "5"), "a", nothing);
    if (!CHECK(b != NULL))
        return;
    CHECK_STR(answer(b, "user first\nport 1\nhostname a.net%\n", "a", "b"),
              "user first\nport 2\nhostname b.net%\n");
    ssh_blocks_free(b);
}

TEST(files_that_are_included_stand_where_their_line_is) {
    files = (const char *const[]){"/h/.ssh/config",
                                  "Include conf.d/*.conf ~/other\nHost *\nPort 3\n",
                                  "/h/.ssh/conf.d/1.conf",
                                  "Host b\nPort 1\nHost zzz\n",
                                  "/h/.ssh/conf.d/2.conf",
                                  "Host *\nUser ana\n",
                                  "/etc/ssh/ssh_config",
                                  "Port 4\n",
                                  NULL};
    struct ssh_blocks *b =
        blocks(READING("/h/.ssh/config") READING("/h/.ssh/conf.d/1.conf")
                   READING("/h/.ssh/conf.d/2.conf") APPLYING("/h/.ssh/conf.d/2.conf", "1")
                       APPLYING("/h/.ssh/config", "2") READING("/etc/ssh/ssh_config"),
               "a", nothing);
    if (!CHECK(b != NULL))
        return;
    CHECK_STR(answer(b, "user ana\nhostname a\nport 3\n", "a", "b"),
              "user ana\nhostname b\nport 1\n");
    ssh_blocks_free(b);
}

TEST(what_is_not_understood_is_good_for_nothing) {
    static const char *const texts[] = {
        "Match all\n",           "match host a\n",      "Host \"a\"\n",
        "Host a # b\n",          "Host a\nInclude x\n", "HostName 'x'\n",
        "Port 22 # the usual\n", "Include \"x y\"\n",   "Host\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        files = (const char *const[]){"c", texts[i], NULL};
        struct ssh_blocks *b = blocks(READING("c"), "q", nothing);
        if (!CHECK(b == NULL))
            printf("# %s", texts[i]);
        ssh_blocks_free(b);
    }
    files = (const char *const[]){"c", "Host a\nUser x\n", "d", "", "e", "", NULL};
    CHECK(blocks(READING("c"), "a", nothing) == NULL); /* ssh says that it does not count */
    CHECK(blocks(READING("c") APPLYING("c", "1"), "b", nothing) == NULL);
    CHECK(blocks(READING("c") APPLYING("c", "2"), "a", nothing) == NULL);
    CHECK(blocks(READING("f"), "a", nothing) == NULL);
    CHECK(blocks(READING("c") READING("d") READING("e"), "b", nothing) == NULL); /* which one
                                                                              included the third? */
    struct ssh_blocks *b = blocks("", "a", nothing);
    CHECK_STR(signature(b, "b"), "nnnn"); /* there is no configuration at all */
    ssh_blocks_free(b);
}

/* --- the ssh of this machine --- */

static uint64_t state = 1;
static unsigned chance(unsigned n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static void random_config(struct buf *out, const char *included) {
    static const char *const patterns[] = {"a",  "b",      "a b", "c*",     "*",    "a* !ab",
                                           "?b", "!c* *b", "d",   "a?b c1", "*.net"};
    static const char *const lines[] = {"HostName 10.0.0.%u",
                                        "HostName %%h.example",
                                        "Port %u",
                                        "User u%u",
                                        "HostKeyAlias k%u",
                                        "Compression yes",
                                        "ConnectTimeout %u",
                                        "IdentityFile ~/.ssh/k%u_%%h",
                                        "ProxyJump j%u",
                                        "ServerAliveInterval %u"};
    for (unsigned blocks = 0; blocks < 6; blocks++) {
        if (blocks != 0 || chance(2) == 0)
            buf_printf(out, "%s%s\n", chance(2) == 0 ? "Host " : "host=",
                       patterns[chance(sizeof patterns / sizeof *patterns)]);
        else if (included != NULL && chance(2) == 0)
            buf_printf(out, "Include %s\n", included);
        for (unsigned n = chance(4); n != 0; n--) {
            buf_puts(out, chance(2) == 0 ? "  " : "");
            /* The format is one of those above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            buf_printf(out, lines[chance(sizeof lines / sizeof *lines)], chance(9) + 1);
#pragma GCC diagnostic pop
            buf_putc(out, '\n');
        }
    }
}

static void write_file(const char *path, const struct buf *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && io_write_all(fd, buf_view(text)) == 0);
    close(fd);
}

static bool read_real(void *context, const char *path, struct buf *text) {
    (void)context;
    int fd = open(path, O_RDONLY);
    bool good = fd >= 0 && io_read_all(fd, 1 << 20, text) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* What `ssh -G` answers, and says. */
static bool ask(const char *config, const char *host, struct buf *text, struct buf *said) {
    char command[512], path[256];
    snprintf(path, sizeof path, "%s.said", config);
    snprintf(command, sizeof command, "ssh %s -G -F %s -- %s 2>%s", said != NULL ? "-v" : "",
             config, host, path);
    FILE *f = popen(command, "r");
    char part[4096];
    buf_clear(text);
    for (size_t n; f != NULL && (n = fread(part, 1, sizeof part, f)) != 0;)
        buf_add(text, part, n);
    bool good = f != NULL && pclose(f) == 0;
    if (said != NULL) {
        buf_clear(said);
        good = good && read_real(NULL, path, said);
    }
    unlink(path);
    return good;
}

static const char *const hosts[] = {"a", "b", "ab", "c1", "d", "x.net", "aab"};
enum { HOSTS = sizeof hosts / sizeof *hosts };

static unsigned told;

/* Whatever is told of a host is what ssh says. */
static void check_config(const char *config) {
    struct buf first = {0}, said = {0}, real = {0}, out = {0}, plain = {0}, mine = {0}, other = {0};
    const char *from = hosts[chance(HOSTS)];
    if (!CHECK(ask(config, from, &first, &said)))
        return;
    struct ssh_blocks *b =
        ssh_blocks_new(buf_view(&said), str_of(from), (struct ssh_given){0}, read_real, NULL);
    if (!CHECK(b != NULL) || !CHECK(ssh_blocks_signature(b, str_of(from), &mine)))
        return;
    for (size_t i = 0; i < HOSTS; i++) {
        struct str host = str_of(hosts[i]);
        buf_clear(&other);
        buf_clear(&out);
        buf_clear(&plain);
        if (!ssh_blocks_signature(b, host, &other) || !str_eq(buf_view(&mine), buf_view(&other)))
            continue;
        if (!CHECK(ask(config, hosts[i], &real, NULL)) ||
            !CHECK(ssh_blocks_answer(b, buf_view(&first), str_of(from), host, &out)) ||
            !CHECK(ssh_blocks_answer(b, buf_view(&real), host, host, &plain)))
            break;
        if (!CHECK_STR(out.s, plain.s))
            printf("# from %s for %s\n", from, hosts[i]);
        told += i != 0;
    }
    ssh_blocks_free(b);
    buf_free(&first);
    buf_free(&said);
    buf_free(&real);
    buf_free(&out);
    buf_free(&plain);
    buf_free(&mine);
    buf_free(&other);
}

TEST(what_is_told_is_what_ssh_says) {
    if (system("command -v ssh >/dev/null 2>&1") != 0) {
        printf("# there is no ssh\n");
        return;
    }
    char directory[] = "/tmp/foray-ssh-blocks-XXXXXX", config[64], included[64];
    if (!CHECK(mkdtemp(directory) != NULL))
        return;
    snprintf(config, sizeof config, "%s/config", directory);
    snprintf(included, sizeof included, "%s/included", directory);
    for (unsigned round = 0; round < 25 && !unit_failed; round++) {
        struct buf text = {0}, inner = {0};
        random_config(&inner, NULL);
        write_file(included, &inner);
        random_config(&text, included);
        write_file(config, &text);
        check_config(config);
        if (unit_failed)
            printf("# config:\n%s# included:\n%s", text.s, inner.s);
        buf_free(&text);
        buf_free(&inner);
    }
    CHECK(told >= 20);
    unlink(config);
    unlink(included);
    rmdir(directory);
}

UNIT_MAIN
