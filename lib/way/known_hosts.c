#include "way/known_hosts.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/map.h"
#include "way/base64.h"
#include "way/wire.h"

#include <errno.h>
#include <openssl/evp.h>

enum {
    FILE_MAX = 256 * 1024 * 1024,
    SHA1 = 20,
    BLOCK = 64, /* that SHA-1 works on */
};

/* A line. */
struct host_line {
    struct str key; /* base64 */
    struct str type;
    struct str names;                     /* of entries with patterns */
    unsigned char salt[SHA1], hash[SHA1]; /* of entries with a hashed name */
    unsigned line;
    int marker;
    struct host_line *next; /* with the same plain name */
};

struct hosts_file {
    const char *name;
    struct map plain; /* names without patterns, to their entries, the last line first */
    VEC(struct host_line *) hashed, patterns;
    unsigned malformed; /* a line; 0: none */
};

struct known_hosts {
    struct arena arena;
    struct map files, names;
    const EVP_MD
        *sha1; /* with its context from the first hashed name on: OpenSSL's start takes 1 ms */
    EVP_MD_CTX *context;
};

/* Since OpenSSL 3 a method that was not asked for by name is looked up with each use. */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static const EVP_MD *find_sha1(void) {
    return EVP_MD_fetch(NULL, "SHA1", NULL);
}

static void free_sha1(const EVP_MD *sha1) {
    EVP_MD_free((EVP_MD *)sha1);
}
#else
static const EVP_MD *find_sha1(void) {
    return EVP_sha1();
}

static void free_sha1(const EVP_MD *sha1) {
    (void)sha1;
}
#endif

struct known_hosts *known_hosts_new(void) {
    return mem_zalloc(sizeof(struct known_hosts));
}

void known_hosts_free(struct known_hosts *k) {
    if (k == NULL)
        return;
    for (size_t i = 0; i < k->files.n; i++) {
        struct hosts_file *f = k->files.entries[i].value;
        map_free(&f->plain);
        vec_free(&f->hashed);
        vec_free(&f->patterns);
    }
    for (size_t i = 0; i < k->names.n; i++)
        vec_free(&((struct known_name *)k->names.entries[i].value)->keys);
    map_free(&k->files);
    map_free(&k->names);
    EVP_MD_CTX_free(k->context);
    free_sha1(k->sha1);
    arena_free(&k->arena);
    free(k);
}

struct str known_key_type(struct str blob) {
    struct str type = STR("");
    wire_take_string(&blob, &type);
    return type;
}

/* --- reading --- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line, which goes on behind it. */
static struct str take_word(struct str *line) {
    while (line->n != 0 && is_blank(line->s[0]))
        *line = (struct str){line->s + 1, line->n - 1};
    struct str word = {line->s, 0};
    while (word.n < line->n && !is_blank(line->s[word.n]))
        word.n++;
    *line = (struct str){line->s + word.n, line->n - word.n};
    return word;
}

static bool take_20_bytes(struct str text, unsigned char bytes[SHA1]) {
    struct buf b = {0};
    bool good = base64_decode(text, &b) && b.n == SHA1;
    if (good)
        memcpy(bytes, b.s, SHA1);
    buf_free(&b);
    return good;
}

/* "|1|salt|hash" */
static bool take_hashed(struct host_line *e, struct str names) {
    const char *bar = bytes_last(names.s, '|', names.n);
    struct str salt = {names.s + 3, bar > names.s + 3 ? (size_t)(bar - names.s) - 3 : 0};
    struct str hash = {bar + 1, names.n - (size_t)(bar - names.s) - 1};
    return take_20_bytes(salt, e->salt) && take_20_bytes(hash, e->hash);
}

static struct str lowered(struct arena *arena, struct str s) {
    struct str copy = arena_str(arena, s);
    for (size_t i = 0; i < s.n; i++)
        if (copy.s[i] >= 'A' && copy.s[i] <= 'Z')
            ((char *)copy.s)[i] = (char)(copy.s[i] - 'A' + 'a');
    return copy;
}

static bool is_pattern(struct str names) {
    for (size_t i = 0; i < names.n; i++)
        if (names.s[i] == '*' || names.s[i] == '?' || names.s[i] == '!')
            return true;
    return false;
}

static struct str take_name(struct str *names) {
    const char *comma = memchr(names->s, ',', names->n);
    struct str name = {names->s, comma != NULL ? (size_t)(comma - names->s) : names->n};
    size_t n = name.n + (comma != NULL);
    *names = (struct str){names->s + n, names->n - n};
    return name;
}

static bool add_entry(struct known_hosts *k, struct hosts_file *f, struct host_line *e,
                      struct str names) {
    if (str_starts(names, STR("|1|"))) {
        if (!take_hashed(e, names))
            return false;
        *vec_push(&f->hashed) = e;
        return true;
    }
    names = lowered(&k->arena, names);
    if (is_pattern(names)) {
        e->names = names;
        *vec_push(&f->patterns) = e;
        return true;
    }
    for (struct host_line *own = e; names.n != 0; own = arena_copy(&k->arena, e, sizeof *e)) {
        struct host_line **first = (struct host_line **)map_put(&f->plain, take_name(&names));
        own->next = *first;
        *first = own;
    }
    return true;
}

/* False if it is malformed. */
static bool take_line(struct known_hosts *k, struct hosts_file *f, struct str line,
                      unsigned number) {
    struct host_line e = {.line = number, .marker = KEY_GOOD};
    struct str names = take_word(&line);
    if (names.n == 0 || names.s[0] == '#')
        return true;
    if (names.s[0] == '@') {
        bool authority = str_eq(names, STR("@cert-authority"));
        if (!authority && !str_eq(names, STR("@revoked")))
            return false;
        e.marker = authority ? KEY_AUTHORITY : KEY_REVOKED;
        names = take_word(&line);
    }
    e.type = take_word(&line);
    e.key = take_word(&line);
    return e.key.n != 0 && add_entry(k, f, arena_copy(&k->arena, &e, sizeof e), names);
}

static void take_text(struct known_hosts *k, struct hosts_file *f, struct str text) {
    for (unsigned number = 1; text.n != 0; number++) {
        const char *end = memchr(text.s, '\n', text.n);
        size_t n = end != NULL ? (size_t)(end - text.s) : text.n;
        if (!take_line(k, f, (struct str){text.s, n}, number) && f->malformed == 0)
            f->malformed = number;
        n += end != NULL;
        text = (struct str){text.s + n, text.n - n};
    }
}

static struct hosts_file *add_file(struct known_hosts *k, const char *name, struct str text) {
    struct hosts_file *f = arena_alloc(&k->arena, sizeof *f);
    f->name = arena_str(&k->arena, str_of(name)).s;
    *map_put(&k->files, str_of(f->name)) = f;
    take_text(k, f, arena_str(&k->arena, text));
    return f;
}

void known_hosts_take(struct known_hosts *k, const char *file, struct str text) {
    add_file(k, file, text);
}

static struct hosts_file *file_of(struct known_hosts *k, const char *name) {
    struct hosts_file *f = map_get(&k->files, str_of(name));
    if (f != NULL)
        return f;
    struct buf text = {0};
    if (io_read_file(name, FILE_MAX, &text) != 0)
        buf_clear(&text);
    f = add_file(k, name, buf_view(&text));
    buf_free(&text);
    return f;
}

/* --- finding --- */

/* "*" is any text and "?" any byte; no recursion, whatever the pattern. */
static bool matches(struct str pattern, struct str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, again = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.s[p] == '*') {
            star = p++;
            again = t;
        } else if (p < pattern.n && (pattern.s[p] == '?' || pattern.s[p] == text.s[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++again;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.s[p] == '*')
        p++;
    return p == pattern.n;
}

/* "*.example.com,!bad.example.com": what is denied is out, whatever else matches. */
static bool names_match(struct str names, struct str name) {
    bool found = false;
    while (names.n != 0) {
        struct str pattern = take_name(&names);
        bool deny = pattern.n != 0 && pattern.s[0] == '!';
        if (deny)
            pattern = (struct str){pattern.s + 1, pattern.n - 1};
        if (!matches(pattern, name))
            continue;
        if (deny)
            return false;
        found = true;
    }
    return found;
}

/* HMAC-SHA1 (RFC 2104) with the salt as its key. One context for many: a new one costs OpenSSL ten
 * times what the hash does. */
static bool keyed_hash(EVP_MD_CTX *context, const EVP_MD *sha1, const unsigned char salt[SHA1],
                       struct str name, unsigned char hash[SHA1]) {
    unsigned char inner[BLOCK], outer[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) {
        inner[i] = (unsigned char)(0x36 ^ (i < SHA1 ? salt[i] : 0));
        outer[i] = (unsigned char)(0x5c ^ (i < SHA1 ? salt[i] : 0));
    }
    return EVP_DigestInit_ex(context, sha1, NULL) == 1 &&
           EVP_DigestUpdate(context, inner, BLOCK) == 1 &&
           EVP_DigestUpdate(context, name.s, name.n) == 1 &&
           EVP_DigestFinal_ex(context, hash, NULL) == 1 &&
           EVP_DigestInit_ex(context, sha1, NULL) == 1 &&
           EVP_DigestUpdate(context, outer, BLOCK) == 1 &&
           EVP_DigestUpdate(context, hash, SHA1) == 1 &&
           EVP_DigestFinal_ex(context, hash, NULL) == 1;
}

static void add_key(struct known_hosts *k, struct known_name *found, struct hosts_file *f,
                    const struct host_line *e) {
    struct buf b = {0};
    struct known_key key = {.marker = e->marker, .file = f->name, .line = e->line};
    if (base64_decode(e->key, &b) && str_eq(known_key_type(buf_view(&b)), e->type)) {
        key.blob = arena_str(&k->arena, buf_view(&b));
        *vec_push(&found->keys) = key;
    } else if (found->malformed == NULL) {
        found->malformed = f->name;
        found->malformed_line = e->line;
    }
    buf_free(&b);
}

static void find_in(struct known_hosts *k, struct hosts_file *f, struct str name,
                    struct known_name *found) {
    for (const struct host_line *e = map_get(&f->plain, name); e != NULL; e = e->next)
        add_key(k, found, f, e);
    for (size_t i = 0; i < f->patterns.n; i++)
        if (names_match(f->patterns.v[i]->names, name))
            add_key(k, found, f, f->patterns.v[i]);
    if (f->hashed.n != 0 && k->context == NULL) {
        k->context = EVP_MD_CTX_new();
        k->sha1 = find_sha1();
    }
    for (size_t i = 0; i < f->hashed.n; i++) {
        const struct host_line *e = f->hashed.v[i];
        unsigned char hash[EVP_MAX_MD_SIZE];
        if (keyed_hash(k->context, k->sha1, e->salt, name, hash) &&
            memcmp(hash, e->hash, SHA1) == 0)
            add_key(k, found, f, e);
    }
    if (f->malformed != 0 && found->malformed == NULL) {
        found->malformed = f->name;
        found->malformed_line = f->malformed;
    }
}

/* A RevokedHostKeys file: a key on each line, whatever the host, or OpenSSH's binary form. */
static void find_revoked(struct known_hosts *k, const char *file, struct known_name *found) {
    struct buf text = {0};
    struct hosts_file f = {.name = arena_str(&k->arena, str_of(file)).s};
    bool unreadable = io_read_file(file, FILE_MAX, &text) != 0;
    bool binary = str_starts(buf_view(&text), STR("SSHKRL\n"));
    found->unreadable = found->unreadable || unreadable;
    found->binary_revoked = found->binary_revoked || binary;
    if (unreadable || binary)
        found->revoked_file = f.name;
    struct str left = buf_view(&text);
    for (unsigned number = 1; left.n != 0 && !binary; number++) {
        const char *end = memchr(left.s, '\n', left.n);
        struct str line = {left.s, end != NULL ? (size_t)(end - left.s) : left.n};
        size_t n = line.n + (end != NULL);
        left = (struct str){left.s + n, left.n - n};
        struct host_line e = {.type = take_word(&line), .line = number, .marker = KEY_REVOKED};
        e.key = take_word(&line);
        if (e.key.n != 0 && e.type.s[0] != '#')
            add_key(k, found, &f, &e);
    }
    buf_free(&text);
}

void known_hosts_name(const struct ssh_target *t, struct buf *out) {
    if (t->known_as != NULL)
        buf_puts(out, t->known_as);
    else if (t->port == 22)
        buf_puts(out, t->address);
    else
        buf_printf(out, "[%s]:%u", t->address, t->port);
}

/* What decides what is found. */
static struct str search_key(struct known_hosts *k, const struct ssh_target *t, struct str name) {
    struct buf b = {0};
    const str_list *lists[] = {&t->known_hosts, &t->revoked};
    buf_str(&b, name);
    for (size_t l = 0; l < 2; l++) {
        buf_putc(&b, '\0');
        for (size_t i = 0; i < lists[l]->n; i++) {
            buf_putc(&b, '\0');
            buf_str(&b, lists[l]->v[i]);
        }
    }
    struct str key = arena_str(&k->arena, buf_view(&b));
    buf_free(&b);
    return key;
}

const struct known_name *known_hosts_find(struct known_hosts *k, const struct ssh_target *t) {
    struct buf b = {0};
    known_hosts_name(t, &b);
    struct str name = lowered(&k->arena, buf_view(&b));
    buf_free(&b);
    void **place = map_put(&k->names, search_key(k, t, name));
    if (*place != NULL)
        return *place;
    struct known_name *found = arena_alloc(&k->arena, sizeof *found);
    *place = found;
    for (size_t i = 0; i < t->known_hosts.n; i++)
        find_in(k, file_of(k, t->known_hosts.v[i].s), name, found);
    found->by_port = found->keys.n != 0;
    /* A key that is known at the usual port is good at any, as ssh sees it. */
    if (!found->by_port && t->known_as == NULL && t->port != 22)
        for (size_t i = 0; i < t->known_hosts.n; i++)
            find_in(k, file_of(k, t->known_hosts.v[i].s), lowered(&k->arena, str_of(t->address)),
                    found);
    for (size_t i = 0; i < t->revoked.n; i++)
        find_revoked(k, t->revoked.v[i].s, found);
    return found;
}

enum known_host known_name_check(const struct known_name *name, struct str blob,
                                 const struct known_key **place) {
    const struct known_key *same = NULL, *other = NULL, *authority = NULL;
    *place = NULL;
    for (size_t i = 0; i < name->keys.n; i++) {
        const struct known_key *key = &name->keys.v[i];
        bool equal = str_eq(key->blob, blob);
        if (key->marker == KEY_REVOKED && equal) {
            *place = key;
            return HOST_REVOKED;
        }
        if (key->marker == KEY_AUTHORITY)
            authority = key;
        else if (key->marker == KEY_GOOD && equal)
            same = key;
        /* A new kind of key is as suspicious as another key of the same kind. */
        else if (key->marker == KEY_GOOD && name->by_port && other == NULL)
            other = key;
    }
    if (name->unreadable)
        return HOST_UNREADABLE;
    if (name->binary_revoked)
        return HOST_ASK_SSH;
    *place = same != NULL ? same : authority != NULL ? authority : other;
    return same != NULL        ? HOST_KNOWN
           : authority != NULL ? HOST_ASK_SSH
           : other != NULL     ? HOST_CHANGED
                               : HOST_UNKNOWN;
}
