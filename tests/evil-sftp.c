/* A hostile SFTP server, for tests/hostile.bats. sshd starts it in the place of the real one, which
 * it starts itself: what is asked goes to that, and its answers come back, but for one lie.
 *   evil-sftp FILE
 * The first line of FILE says which lie, with a word for it; the others are entries of directories,
 * each a letter (f, d, l) and a name, where \xNN is a byte. Of the files only those lie whose names
 * begin with "evil-file" or "forged": each is 100 zeros, as the real one has to be. */
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind {
    FXP_INIT = 1,
    FXP_VERSION = 2,
    FXP_OPEN = 3,
    FXP_CLOSE = 4,
    FXP_READ = 5,
    FXP_WRITE = 6,
    FXP_LSTAT = 7,
    FXP_FSTAT = 8,
    FXP_OPENDIR = 11,
    FXP_READDIR = 12,
    FXP_MKDIR = 14,
    FXP_STAT = 17,
    FXP_READLINK = 19,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED = 200,
    FXP_EXTENDED_REPLY = 201
};
enum { FX_OK, FX_END, FX_FAILURE = 4 };
enum { SIZE = 1, PERMISSIONS = 4, MORE_ATTRIBUTES = (int)0x80000000 };
enum { FILE_SIZE = 100, ROOM = 256 * 1024 };

struct request {
    enum kind kind;
    uint32_t id;
    struct str rest, whole;
};

struct entry {
    char type;
    struct str name;
};

/* A handle that is not the real server's is one of these, by its number. */
struct handle {
    struct str path;
    uint64_t reads;
};

static const char *mode, *word;
static VEC(struct entry) entries;
static VEC(struct handle) handles;
static struct buf to_client, to_server;
static bool silent;         /* nothing is answered any more */
static bool forged_version; /* the real server's is not passed on */
static bool ending;         /* when all is sent */
static const char *flood;   /* after that, this for ever: n bytes */
static size_t flood_bytes;  /* ... of it */

/* --- packets --- */

static void add_u32(struct buf *b, uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(b, (char)(n >> shift));
}

static void add_u64(struct buf *b, uint64_t n) {
    add_u32(b, (uint32_t)(n >> 32));
    add_u32(b, (uint32_t)n);
}

static void add_str(struct buf *b, struct str s) {
    add_u32(b, (uint32_t)s.n);
    buf_str(b, s);
}

static uint32_t u32(const char *s) {
    const unsigned char *u = (const unsigned char *)s;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static struct str take_str(struct str *rest) {
    uint32_t n = rest->n >= 4 ? u32(rest->s) : 0;
    if (rest->n < 4 || n > rest->n - 4)
        exit(3); /* the client is wrong: its session ends, and it says so */
    struct str s = {rest->s + 4, n};
    *rest = (struct str){s.s + n, rest->n - 4 - n};
    return s;
}

static uint64_t take_u64(struct str *rest) {
    if (rest->n < 8)
        exit(3);
    uint64_t n = (uint64_t)u32(rest->s) << 32 | u32(rest->s + 4);
    *rest = (struct str){rest->s + 8, rest->n - 8};
    return n;
}

static void send_packet(enum kind kind, uint32_t id, const struct buf *body) {
    add_u32(&to_client, (uint32_t)(1 + 4 + body->n));
    buf_putc(&to_client, (char)kind);
    add_u32(&to_client, id);
    buf_add(&to_client, body->s, body->n);
}

static void send_free(enum kind kind, uint32_t id, struct buf *body) {
    send_packet(kind, id, body);
    buf_free(body);
}

static void send_status(uint32_t id, uint32_t code, struct str text) {
    struct buf b = {0};
    add_u32(&b, code);
    add_str(&b, text);
    add_str(&b, STR("en"));
    send_free(FXP_STATUS, id, &b);
}

static void add_attributes(struct buf *b, uint64_t size, uint32_t permissions) {
    add_u32(b, SIZE | PERMISSIONS);
    add_u64(b, size);
    add_u32(b, permissions);
}

static void send_data(uint32_t id, size_t n) {
    struct buf b = {0};
    add_u32(&b, (uint32_t)n);
    buf_reserve(&b, n);
    memset(b.s + b.n, '0', n);
    b.n += n;
    send_free(FXP_DATA, id, &b);
}

static void add_sized_entry(struct buf *b, struct str name, uint64_t size, uint32_t permissions) {
    add_str(b, name);
    add_str(b, STR("as ls -l has it"));
    add_attributes(b, size, permissions);
}

static void add_entry(struct buf *b, struct str name, uint32_t permissions) {
    add_sized_entry(b, name, FILE_SIZE, permissions);
}

/* --- what files are forged, and what an honest server would say of them --- */

static bool is(const char *name) {
    return strcmp(mode, name) == 0;
}

static uint32_t permissions_of(char type) {
    return type == 'd' ? S_IFDIR | 0755 : type == 'l' ? S_IFLNK | 0777 : S_IFREG | 0644;
}

static struct str base_of(struct str path) {
    const char *slash = bytes_last(path.s, '/', path.n);
    if (slash == NULL)
        return path;
    return (struct str){slash + 1, (size_t)(path.s + path.n - slash) - 1};
}

static char type_of(struct str path) {
    struct str base = base_of(path);
    for (size_t i = 0; i < entries.n; i++)
        if (str_eq(entries.v[i].name, base))
            return entries.v[i].type;
    return str_starts(base, STR("forged-d")) ? 'd' : str_starts(base, STR("forged-l")) ? 'l' : 'f';
}

static bool is_forged(struct str path) {
    struct str base = base_of(path);
    return !is("honest") && (str_starts(base, STR("evil-file")) || str_starts(base, STR("forged")));
}

static struct handle *handle_of(struct str text) {
    if (!str_starts(text, STR("forged:")))
        return NULL;
    size_t i = (size_t)strtoul(text.s + 7, NULL, 10);
    return i < handles.n ? &handles.v[i] : NULL;
}

static void send_handle(uint32_t id, struct str path) {
    struct buf copy = {0}, text = {0}, b = {0};
    buf_str(&copy, path);
    buf_printf(&text, "forged:%zu:", handles.n);
    *vec_push(&handles) = (struct handle){.path = buf_view(&copy)};
    if (is("handle-long"))
        for (int i = 0; i < 10000; i++)
            buf_putc(&text, 'h');
    if (is("handle-empty"))
        buf_clear(&text);
    add_str(&b, buf_view(&text));
    buf_free(&text);
    send_free(FXP_HANDLE, id, &b);
}

static void send_read(uint32_t id, uint64_t offset, uint32_t n) {
    if (offset >= FILE_SIZE)
        send_status(id, FX_END, STR("end of file"));
    else
        send_data(id, n < FILE_SIZE - offset ? n : (size_t)(FILE_SIZE - offset));
    if (is("data-damaged"))
        to_client.s[to_client.n - 1] ^= 1;
}

/* --- lies, each for one kind of request about a forged file --- */

static void lie_about_read(uint32_t id, struct handle *h, uint64_t offset, uint32_t n) {
    struct buf b = {0};
    static const char zeros[64 * 1024];
    static char unasked[64 * 13];
    h->reads++;
    if (is("data-short")) {
        if (offset < 5)
            send_data(id, 5 - (size_t)offset);
        else
            send_status(id, FX_END, STR("end of file"));
    } else if (is("endless")) {
        send_data(id, n);
    } else if (is("data-zero")) {
        send_data(id, 0);
    } else if (is("data-more")) {
        send_data(id, (size_t)n + FILE_SIZE);
    } else if (is("data-too-long")) {
        add_u32(&b, 0x7fffffff);
        buf_puts(&b, "short");
        send_free(FXP_DATA, id, &b);
    } else if (is("read-ok")) {
        send_status(id, FX_OK, STR(""));
    } else if (is("read-unknown")) {
        send_status(id, 4711, STR("never heard of"));
    } else if (is("read-escape")) {
        send_status(id, FX_FAILURE, STR("\033]0;owned\007\033[31m\r\nfailed"));
    } else if (is("read-long")) {
        buf_reserve(&b, 200000);
        memset(b.s, 'm', b.n = 200000);
        send_status(id, FX_FAILURE, buf_view(&b));
        buf_free(&b);
    } else if (is("read-bare")) { /* older servers give no text: this is no lie */
        add_u32(&b, FX_FAILURE);
        send_free(FXP_STATUS, id, &b);
    } else if (is("read-handle")) {
        add_str(&b, STR("handle"));
        send_free(FXP_HANDLE, id, &b);
    } else if (is("read-kind")) {
        add_str(&b, STR("what is that"));
        send_free(250, id, &b);
    } else if (is("read-silent")) {
        return;
    } else if (is("read-close")) {
        buf_add(&to_client, "\0\0\1\0\x67", 5);
        ending = true;
    } else if (is("packet-zero")) {
        add_u32(&to_client, 0);
    } else if (is("packet-one")) {
        buf_add(&to_client, "\0\0\0\1\x67", 5);
    } else if (is("packet-huge") || is("packet-long")) {
        add_u32(&to_client, is("packet-huge") ? 0xffffffff : 16 * 1024 * 1024);
        buf_putc(&to_client, FXP_DATA);
        flood = zeros;
        flood_bytes = sizeof zeros;
    } else if (is("flood")) {
        for (size_t i = 0; i < sizeof unasked; i += 13) /* closed, with numbers of their own */
            memcpy(unasked + i, "\0\0\0\x09\x65\xee\xee\xee\xee\0\0\0\4", 13);
        flood = unasked;
        flood_bytes = sizeof unasked;
    } else if (is("id-wrong")) {
        send_read(id + 1000, offset, n);
    } else if (is("id-twice")) {
        send_read(id, offset, n);
        send_read(id, offset, n);
    } else if (is("id-unasked")) {
        send_read(id + 1000, offset, n);
        send_read(id, offset, n);
    } else if (is("data-before-end") && offset == 0 && h->reads == 1) {
        send_data(id, n < 50 ? n : 50); /* less than asked for: no lie */
    } else {
        send_read(id, offset, n);
    }
}

static void lie_about_attributes(enum kind kind, uint32_t id, struct str path) {
    struct buf b = {0};
    static uint64_t grown;
    if (is("size") || is("endless")) {
        add_attributes(&b, strtoull(word, NULL, 0), permissions_of(type_of(path)));
    } else if (is("grows")) {
        add_attributes(&b, grown += 1 << 20, S_IFREG | 0644);
    } else if (is("size-none")) {
        add_u32(&b, PERMISSIONS);
        add_u32(&b, S_IFREG | 0644);
    } else if (is("attributes-none")) {
        add_u32(&b, 0);
    } else if (is("attributes-short")) {
        add_u32(&b, SIZE | PERMISSIONS);
        add_u32(&b, 1);
    } else if (is("attributes-more")) {
        add_u32(&b, SIZE | (uint32_t)MORE_ATTRIBUTES);
        add_u64(&b, FILE_SIZE);
        add_u32(&b, 0xffffffff);
        add_str(&b, STR("x"));
    } else if (is("type")) {
        add_attributes(&b, FILE_SIZE, (uint32_t)strtoul(word, NULL, 8) | 0644);
    } else if (is("type-changes")) {
        add_attributes(&b, FILE_SIZE, kind == FXP_FSTAT ? S_IFDIR | 0755 : S_IFREG | 0644);
    } else if (is("attributes-kind")) {
        send_data(id, 10);
        return;
    } else {
        add_attributes(&b, FILE_SIZE, permissions_of(type_of(path)));
    }
    send_free(FXP_ATTRS, id, &b);
}

static void send_entries(uint32_t id) {
    struct buf b = {0};
    add_u32(&b, (uint32_t)entries.n);
    for (size_t i = 0; i < entries.n; i++)
        add_entry(&b, entries.v[i].name, permissions_of(entries.v[i].type));
    send_free(FXP_NAME, id, &b);
}

static void lie_about_directory(uint32_t id, struct handle *h) {
    struct buf b = {0}, name = {0};
    static uint64_t names;
    bool first = h->reads++ == 0;
    if (is("dir-endless") || is("dir-same")) {
        add_u32(&b, 100);
        for (int i = 0; i < 100; i++) {
            buf_clear(&name);
            buf_printf(&name, "forged-%llu", (unsigned long long)(is("dir-same") ? 0 : names++));
            add_sized_entry(&b, buf_view(&name),
                            is("dir-same") ? FILE_SIZE : strtoull(word, NULL, 0), S_IFREG | 0644);
        }
        send_free(FXP_NAME, id, &b);
    } else if (is("dir-none")) {
        add_u32(&b, 0);
        send_free(FXP_NAME, id, &b);
    } else if (is("dir-silent")) {
        return;
    } else if (is("dir-kind")) {
        send_data(id, 100);
    } else if (is("dir-ok")) {
        send_status(id, FX_OK, STR(""));
    } else if (!first) {
        send_status(id, FX_END, STR("that was all"));
    } else if (is("dir-count")) {
        add_u32(&b, 0xffffffff);
        add_entry(&b, STR("evil-file"), S_IFREG | 0644);
        send_free(FXP_NAME, id, &b);
    } else if (is("dir-short")) {
        add_u32(&b, 1);
        add_u32(&b, 1000);
        buf_puts(&b, "evil-file");
        send_free(FXP_NAME, id, &b);
    } else if (is("dir-deep")) {
        add_u32(&b, 1);
        add_entry(&b, STR("forged-d"), S_IFDIR | 0755);
        send_free(FXP_NAME, id, &b);
    } else if (is("type")) {
        add_u32(&b, 1);
        add_entry(&b, STR("evil-file"), (uint32_t)strtoul(word, NULL, 8) | 0644);
        send_free(FXP_NAME, id, &b);
    } else if (is_forged(h->path)) {
        add_u32(&b, 1);
        add_entry(&b, STR("forged-inner"), S_IFREG | 0644);
        send_free(FXP_NAME, id, &b);
    } else {
        send_entries(id);
    }
    buf_free(&name);
}

/* Bytes as the word and the names have them. */
static void unescape(const char *s, struct buf *out) {
    for (; *s != '\0'; s++) {
        unsigned byte;
        if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &byte) == 1) {
            buf_putc(out, (char)byte);
            s += 3;
        } else {
            buf_putc(out, *s);
        }
    }
}

static void lie_about_link(uint32_t id) {
    struct buf b = {0}, target = {0};
    uint32_t n = is("link-none") ? 0 : is("link-two") ? 2 : 1;
    unescape(is("link") ? word : "../../x", &target);
    add_u32(&b, n);
    for (uint32_t i = 0; i < n; i++) {
        add_str(&b, buf_view(&target));
        add_str(&b, STR(""));
        add_u32(&b, 0);
    }
    buf_free(&target);
    send_free(FXP_NAME, id, &b);
}

static bool lie_about_open(struct request *q, struct str path) {
    if (is("open-silent"))
        return true;
    if (is("open-close"))
        return ending = true;
    if (is("open-escape"))
        send_status(q->id, FX_FAILURE, STR("\033]0;owned\007\033[31m\r\nfailed"));
    else if (is("open-unknown"))
        send_status(q->id, 4711, STR(""));
    else if (is("open-ok"))
        send_status(q->id, FX_OK, STR(""));
    else if (is("open-kind"))
        send_data(q->id, 10);
    else if (type_of(path) == 'd')
        send_status(q->id, FX_FAILURE, STR("it is a directory"));
    else
        send_handle(q->id, path);
    return true;
}

/* --- lies about what is sent there --- */

static bool lie_about_write(struct request *q) {
    if (is("write-silent"))
        return silent = true;
    if (is("write-close"))
        return ending = true;
    if (is("write-escape"))
        send_status(q->id, FX_FAILURE, STR("\033]0;owned\007\033[31m\r\nfailed"));
    else if (is("write-unknown"))
        send_status(q->id, 4711, STR(""));
    else if (is("write-kind"))
        send_data(q->id, 10);
    else if (is("write-wrong-id"))
        send_status(q->id + 1000, FX_OK, STR(""));
    else if (is("write-damaged")) /* passed on, with another last byte */
        return ((char *)q->whole.s)[q->whole.n - 1] ^= 1, false;
    else
        return false;
    return true;
}

/* --- how a session begins --- */

static bool lie_about_version(void) {
    struct buf b = {0};
    if (is("version-silent"))
        return true;
    if (is("version-close"))
        return ending = true;
    if (is("version-text")) {
        buf_puts(&to_client, "Welcome to this machine\r\nand a \033[31mred\033[0m word\r\n");
        return true;
    }
    if (is("version")) {
        send_packet(FXP_VERSION, (uint32_t)strtoul(word, NULL, 10), &b);
    } else if (is("version-short")) {
        buf_add(&to_client, "\0\0\0\2\2\0", 6);
    } else if (is("version-extensions")) {
        add_str(&b, STR("posix-rename@openssh.com"));
        add_u32(&b, 0xfffffff0);
        send_packet(FXP_VERSION, 3, &b);
    } else if (is("version-many")) {
        for (int i = 0; i < 20000; i++) {
            add_str(&b, STR("x@y"));
            add_str(&b, STR("1"));
        }
        send_packet(FXP_VERSION, 3, &b);
    } else if (is("limits")) {
        add_str(&b, STR("limits@openssh.com"));
        add_str(&b, STR("1"));
        send_packet(FXP_VERSION, 3, &b);
    } else {
        return false;
    }
    buf_free(&b);
    return true;
}

static bool lie_about_limits(struct request *q) {
    struct str rest = q->rest;
    struct buf b = {0};
    if (!is("limits") || !str_eq(take_str(&rest), STR("limits@openssh.com")))
        return false;
    for (int i = 0; i < 4; i++)
        add_u64(&b, strtoull(word, NULL, 0));
    send_free(FXP_EXTENDED_REPLY, q->id, &b);
    return true;
}

/* --- requests --- */

/* Directories are forged where there is a lie about them. */
static bool forges_directories(void) {
    return entries.n != 0 || strncmp(mode, "dir-", 4) == 0 || is("type");
}

static bool lie_by_path(struct request *q) {
    struct str rest = q->rest, path = take_str(&rest);
    if (q->kind == FXP_OPENDIR) {
        if (!is_forged(path) && !forges_directories())
            return false;
        send_handle(q->id, path);
        return true;
    }
    if (!is_forged(path))
        return false;
    if (q->kind == FXP_OPEN)
        return rest.n >= 4 && (u32(rest.s) & 2) == 0 && lie_about_open(q, path);
    if (q->kind == FXP_READLINK)
        lie_about_link(q->id);
    else
        lie_about_attributes(q->kind, q->id, path);
    return true;
}

static bool lie_by_handle(struct request *q) {
    struct str rest = q->rest, text = take_str(&rest);
    struct handle *h = handle_of(text);
    if (is("handle-empty") && text.n == 0 && handles.n != 0)
        h = &handles.v[handles.n - 1];
    if (q->kind == FXP_CLOSE && is("close-fails")) {
        send_status(q->id, FX_FAILURE, STR("quota exceeded"));
        return true;
    }
    if (h == NULL)
        return false;
    if (q->kind == FXP_READ) {
        uint64_t offset = take_u64(&rest);
        lie_about_read(q->id, h, offset, rest.n >= 4 ? u32(rest.s) : 0);
    } else if (q->kind == FXP_READDIR) {
        lie_about_directory(q->id, h);
    } else if (q->kind == FXP_FSTAT) {
        lie_about_attributes(q->kind, q->id, h->path);
    } else { /* FXP_CLOSE */
        send_status(q->id, FX_OK, STR(""));
    }
    return true;
}

static bool lie(struct request *q) {
    switch (q->kind) {
    case FXP_INIT: /* the real server has to have it */
        forged_version = lie_about_version();
        return false;
    case FXP_OPEN:
    case FXP_OPENDIR:
    case FXP_STAT:
    case FXP_LSTAT:
    case FXP_READLINK:
        return lie_by_path(q);
    case FXP_READ:
    case FXP_READDIR:
    case FXP_FSTAT:
    case FXP_CLOSE:
        return lie_by_handle(q);
    case FXP_WRITE:
        return lie_about_write(q);
    case FXP_MKDIR:
        if (is("mkdir-fails"))
            send_status(q->id, FX_FAILURE, STR("\033[31mno"));
        return is("mkdir-fails");
    case FXP_EXTENDED:
        return lie_about_limits(q);
    default:
        return false;
    }
}

static void take_requests(struct buf *in) {
    while (in->n >= 4 && in->n - 4 >= u32(in->s)) {
        size_t n = u32(in->s) + 4;
        if (n < 9)
            exit(3);
        struct request q = {(enum kind)in->s[4], u32(in->s + 5), {in->s + 9, n - 9}, {in->s, n}};
        q.kind = (unsigned char)in->s[4];
        if (!silent && !ending && !lie(&q))
            buf_str(&to_server, q.whole);
        buf_drop(in, n);
    }
}

/* "dies-listing" is silent after so many answers with names, and killed a second later. */
static void die_in_time(int kind) {
    static int names;
    if (!is("dies-listing") || kind != FXP_NAME || ++names != atoi(word))
        return;
    silent = true;
    alarm(1);
}

/* Answers of the real server; "write-twice" has each of them twice. */
static void take_answers(struct buf *in) {
    while (in->n >= 4 && in->n - 4 >= u32(in->s)) {
        size_t n = u32(in->s) + 4;
        bool passes = !silent && !(forged_version && in->s[4] == FXP_VERSION);
        for (int i = 0; passes && i < (is("write-twice") && in->s[4] == FXP_STATUS ? 2 : 1); i++)
            buf_add(&to_client, in->s, n);
        die_in_time(in->s[4]);
        buf_drop(in, n);
    }
}

/* --- from one to the other --- */

static bool fill(int fd, struct buf *b) {
    buf_reserve(b, ROOM);
    ssize_t n = read(fd, b->s + b->n, ROOM);
    if (n > 0)
        b->n += (size_t)n;
    return n > 0;
}

static bool drain(int fd, struct buf *b) {
    ssize_t n = write(fd, b->s, b->n);
    if (n > 0)
        buf_drop(b, (size_t)n);
    return n > 0 || errno == EAGAIN;
}

static void serve(int to, int from) {
    struct buf requests = {0}, answers = {0};
    for (;;) {
        if (flood != NULL && to_client.n < ROOM)
            buf_add(&to_client, flood, flood_bytes);
        if (ending && to_client.n == 0)
            return;
        bool room = to_client.n < ROOM && to_server.n < ROOM;
        struct pollfd p[] = {
            {.fd = room && !silent ? 0 : -1, .events = POLLIN},
            {.fd = to_client.n < ROOM ? from : -1, .events = POLLIN},
            {.fd = to_client.n != 0 ? 1 : -1, .events = POLLOUT},
            {.fd = to_server.n != 0 ? to : -1, .events = POLLOUT},
        };
        if (poll(p, 4, -1) < 0)
            return;
        if ((p[0].revents != 0 && !fill(0, &requests)) ||
            (p[1].revents != 0 && !fill(from, &answers)) ||
            (p[2].revents != 0 && !drain(1, &to_client)) ||
            (p[3].revents != 0 && !drain(to, &to_server)))
            return;
        take_requests(&requests);
        take_answers(&answers);
    }
}

static void start_real_server(int *to, int *from) {
    static const char *const places[] = {"/usr/lib/openssh/sftp-server",
                                         "/usr/libexec/openssh/sftp-server",
                                         "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server"};
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0)
        exit(3);
    pid_t pid = fork();
    if (pid < 0)
        exit(3);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        for (int i = 0; i < 2; i++) {
            close(in[i]);
            close(out[i]);
        }
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            execl(places[i], places[i], (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *to = in[1];
    *from = out[0];
}

static void read_mode(const char *name) {
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen(name, "r");
    if (f == NULL || getline(&line, &cap, f) < 0)
        exit(3);
    line[strcspn(line, "\n")] = '\0';
    mode = mem_strdup(line);
    word = "";
    if (strchr(mode, ' ') != NULL) {
        *strchr(mode, ' ') = '\0';
        word = mode + strlen(mode) + 1;
    }
    while (getline(&line, &cap, f) > 2) {
        struct buf entry_name = {0};
        line[strcspn(line, "\n")] = '\0';
        unescape(line + 2, &entry_name);
        *vec_push(&entries) = (struct entry){line[0], buf_view(&entry_name)};
    }
    free(line);
    fclose(f);
}

int main(int argc, char **argv) {
    int to, from;
    if (argc != 2)
        return 2;
    signal(SIGPIPE, SIG_DFL);
    read_mode(argv[1]);
    start_real_server(&to, &from);
    fcntl(1, F_SETFL, O_NONBLOCK);
    fcntl(to, F_SETFL, O_NONBLOCK);
    serve(to, from);
    return 0;
}
