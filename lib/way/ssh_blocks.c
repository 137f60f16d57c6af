#include "way/ssh_blocks.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, TEXT_MAX = 4 * 1024 * 1024 };

/* What may be a host's own. */
enum own { HOSTNAME, PORT, USER, HOSTKEYALIAS, OWNS };
static const char *const own_keys[OWNS] = {"hostname", "port", "user", "hostkeyalias"};

/* What stands between two lines with `Host`. Its texts point into those of the files. */
struct block {
    struct str patterns;  /* s NULL: it counts for all */
    struct str own[OWNS]; /* n == 0: it does not say */
    bool more;            /* it also says something else */
    const char *file;     /* where its `Host` stands */
    unsigned line;
};

/* A block that counts for a name, which stands there without `*` and the like. */
struct entry {
    uint32_t block;
    uint32_t next; /* its place + 1; 0: none */
};

typedef VEC(uint32_t) number_list;

struct ssh_blocks {
    VEC(struct block) blocks;
    struct map names; /* to a place + 1 in entries */
    VEC(struct entry) entries;
    number_list others;    /* blocks that have to be asked */
    VEC(struct buf) texts; /* of the files */
    struct ssh_given given;
    /* While they are read. */
    VEC(char *) files; /* that ssh has read, in this order */
    size_t next_file, size;
    bool (*read)(void *context, const char *path, struct buf *text);
    void *context;
};

/* --- lines --- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

/* The next line, without its end. */
static bool next_line(struct str *text, struct str *line) {
    if (text->n == 0)
        return false;
    const char *end = memchr(text->s, '\n', text->n);
    size_t n = end != NULL ? (size_t)(end - text->s) : text->n;
    *line = (struct str){text->s, n};
    n += end != NULL;
    *text = (struct str){text->s + n, text->n - n};
    while (line->n != 0 && is_blank(line->s[line->n - 1]))
        line->n--;
    return true;
}

/* The next of several words. */
static bool next_word(struct str *words, struct str *word) {
    while (words->n != 0 && is_blank(words->s[0]))
        *words = (struct str){words->s + 1, words->n - 1};
    word->s = words->s;
    for (word->n = 0; word->n < words->n && !is_blank(word->s[word->n]); word->n++)
        ;
    *words = (struct str){words->s + word->n, words->n - word->n};
    return word->n != 0;
}

/* "Key value", "Key=value" or "Key = value"; false: there is nothing in it. */
static bool split_line(struct str line, struct str *key, struct str *value) {
    size_t i = 0;
    while (i < line.n && is_blank(line.s[i]))
        i++;
    if (i == line.n || line.s[i] == '#')
        return false;
    key->s = line.s + i;
    while (i < line.n && !is_blank(line.s[i]) && line.s[i] != '=')
        i++;
    key->n = (size_t)(line.s + i - key->s);
    while (i < line.n && is_blank(line.s[i]))
        i++;
    if (i < line.n && line.s[i] == '=')
        i++;
    while (i < line.n && is_blank(line.s[i]))
        i++;
    *value = (struct str){line.s + i, line.n - i};
    return true;
}

static bool is_key(struct str key, const char *name) {
    if (key.n != strlen(name))
        return false;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.s[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != name[i])
            return false;
    }
    return true;
}

/* Quotes and comments behind values were read differently by different versions of ssh. */
static bool is_simple(struct str value) {
    for (size_t i = 0; i < value.n; i++)
        if (strchr("\"'\\#", value.s[i]) != NULL)
            return false;
    return value.n != 0;
}

/* --- files --- */

static struct block *new_block(struct ssh_blocks *b, struct str patterns, const char *file,
                               unsigned line) {
    struct block *block = vec_push(&b->blocks);
    *block = (struct block){.patterns = patterns, .file = file, .line = line};
    return block;
}

static bool read_file(struct ssh_blocks *b, const char *path, int depth);

/* A pattern stands for files as it is written, or below a directory that ssh knows. */
static bool includes(struct str pattern, const char *path) {
    struct buf copy = {0};
    const char *tail = path + strlen(path);
    size_t slashes = 0;
    bool home = str_starts(pattern, STR("~/"));
    buf_str(&copy, (struct str){pattern.s + 2 * home, pattern.n - 2 * home});
    bool absolute = copy.s[0] == '/';
    for (size_t i = 0; i < copy.n; i++)
        slashes += copy.s[i] == '/';
    while (!absolute && tail > path && (tail[-1] != '/' || slashes-- != 0))
        tail--;
    bool fits = fnmatch(copy.s, absolute ? path : tail, FNM_PATHNAME | FNM_PERIOD) == 0;
    buf_free(&copy);
    return fits;
}

/* The files that ssh has read at this line. */
static bool include(struct ssh_blocks *b, struct str patterns, int depth) {
    struct str pattern;
    while (next_word(&patterns, &pattern))
        while (b->next_file < b->files.n && includes(pattern, b->files.v[b->next_file]))
            if (!read_file(b, b->files.v[b->next_file++], depth + 1))
                return false;
    return true;
}

static bool take_line(struct block *block, struct str key, struct str value) {
    for (size_t i = 0; i < OWNS; i++)
        if (is_key(key, own_keys[i])) {
            if (block->own[i].n == 0)
                block->own[i] = value;
            return is_simple(value);
        }
    block->more = true;
    return true;
}

/* depth: of files that include one another. */
static bool read_file(struct ssh_blocks *b, const char *path, int depth) {
    struct buf text = {0};
    if (depth > 16 || !b->read(b->context, path, &text) || (b->size += text.n) > TEXT_MAX) {
        buf_free(&text);
        return false;
    }
    *vec_push(&b->texts) = text;
    struct str rest = buf_view(&text), line, key, value;
    bool all = true; /* no `Host` so far */
    new_block(b, (struct str){0}, path, 0);
    for (unsigned number = 1; next_line(&rest, &line); number++) {
        if (!split_line(line, &key, &value))
            continue;
        if (is_key(key, "match")) {
            return false;
        } else if (is_key(key, "host")) {
            if (!is_simple(value))
                return false;
            new_block(b, value, path, number);
            all = false;
        } else if (is_key(key, "include")) {
            if (!all || !is_simple(value) || !include(b, value, depth))
                return false;
            new_block(b, (struct str){0}, path, 0);
        } else if (!take_line(&b->blocks.v[b->blocks.n - 1], key, value)) {
            return false;
        }
    }
    return true;
}

/* --- what counts for a host --- */

static bool fits(struct str pattern, struct str name) {
    size_t star = SIZE_MAX, back = 0, p = 0;
    for (size_t i = 0; i < name.n;) {
        if (p < pattern.n && pattern.s[p] == '*') {
            star = p++;
            back = i;
        } else if (p < pattern.n && (pattern.s[p] == '?' || pattern.s[p] == name.s[i])) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.s[p] == '*')
        p++;
    return p == pattern.n;
}

static bool counts(const struct block *block, struct str host) {
    struct str rest = block->patterns, pattern;
    bool any = block->patterns.s == NULL;
    while (next_word(&rest, &pattern)) {
        bool not = pattern.s[0] == '!';
        if (!fits((struct str){pattern.s + not, pattern.n - not }, host))
            continue;
        if (not )
            return false;
        any = true;
    }
    return any;
}

/* Where each host has a block of its own, there are many. */
static void index_blocks(struct ssh_blocks *b) {
    for (size_t i = b->blocks.n; i-- > 0;) {
        struct str rest = b->blocks.v[i].patterns, name;
        bool names = rest.s != NULL;
        for (size_t k = 0; k < rest.n && names; k++)
            names = strchr("*?!", rest.s[k]) == NULL;
        if (!names)
            *vec_push(&b->others) = (uint32_t)i;
        while (names && next_word(&rest, &name)) {
            void **first = map_put(&b->names, name);
            *vec_push(&b->entries) = (struct entry){(uint32_t)i, (uint32_t)(uintptr_t)*first};
            *first = (void *)(uintptr_t)b->entries.n;
        }
    }
}

/* The blocks that count, in their order. */
static void find_blocks(const struct ssh_blocks *b, struct str host, number_list *found) {
    uint32_t entry = (uint32_t)(uintptr_t)map_get(&b->names, host);
    size_t left = b->others.n; /* which stand there from the last to the first */
    found->n = 0;
    while (entry != 0 || left != 0) {
        const struct entry *e = entry != 0 ? &b->entries.v[entry - 1] : NULL;
        bool own = e != NULL && (left == 0 || e->block < b->others.v[left - 1]);
        uint32_t block = own ? e->block : b->others.v[left - 1];
        if (own)
            entry = e->next;
        else
            left--;
        if (own ? found->n == 0 || found->v[found->n - 1] != block
                : counts(&b->blocks.v[block], host))
            *vec_push(found) = block;
    }
}

/* Of names with capitals, and with anything that may be more than a name, ssh makes others. */
static bool is_plain(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        char c = name.s[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && strchr("-._", c) == NULL)
            return false;
    }
    return name.n != 0;
}

/* What is said first counts. */
static void find_own(const struct ssh_blocks *b, const number_list *found, struct str own[OWNS]) {
    for (size_t k = 0; k < OWNS; k++) {
        own[k] = (struct str){0};
        for (size_t i = 0; i < found->n && own[k].n == 0; i++)
            own[k] = b->blocks.v[found->v[i]].own[k];
    }
    if (b->given.user)
        own[USER].n = 0;
    if (b->given.port)
        own[PORT].n = 0;
}

/* "%h" is the host's name. */
static bool expand_hostname(struct str text, struct str host, struct buf *out) {
    size_t start = out->n;
    for (size_t i = 0; i < text.n; i++) {
        bool token = text.s[i] == '%';
        if (token && (++i == text.n || (text.s[i] != 'h' && text.s[i] != '%')))
            return false;
        if (token && text.s[i] == 'h')
            buf_str(out, host);
        else
            buf_putc(out, text.s[i]);
    }
    for (size_t i = start; i < out->n; i++)
        if (out->s[i] >= 'A' && out->s[i] <= 'Z')
            return false;
    return true;
}

bool ssh_blocks_signature(const struct ssh_blocks *b, struct str host, struct buf *signature) {
    struct str own[OWNS];
    number_list found = {0};
    bool good = is_plain(host);
    find_blocks(b, host, &found);
    find_own(b, &found, own);
    for (size_t k = 0; k < OWNS; k++) {
        if (k != HOSTNAME && own[k].n != 0 && memchr(own[k].s, '%', own[k].n) != NULL)
            good = false;
        buf_putc(signature, own[k].n != 0 ? 'y' : 'n');
    }
    for (size_t i = 0; i < found.n; i++)
        if (b->blocks.v[found.v[i]].more)
            buf_printf(signature, " %u", found.v[i]);
    vec_free(&found);
    return good;
}

/* A line of an answer with what is a host's own. false: there is no telling what it is. */
static bool add_own(enum own k, struct str from_own, struct str from, struct str own,
                    struct str host, struct str value, struct buf *out) {
    struct buf expected = {0};
    bool good = true;
    if (k == HOSTNAME) {
        good = expand_hostname(from_own.n != 0 ? from_own : STR("%h"), from, &expected);
        good = good && str_eq(buf_view(&expected), value) &&
               expand_hostname(own.n != 0 ? own : STR("%h"), host, out);
    } else if (own.n != 0) {
        good = str_eq(from_own, value);
        buf_str(out, own);
    } else {
        buf_str(out, value);
    }
    buf_free(&expected);
    return good;
}

/* "key value", as answers are written. */
static void split_answer(struct str line, struct str *key, struct str *value) {
    const char *blank = memchr(line.s, ' ', line.n);
    size_t n = blank != NULL ? (size_t)(blank - line.s) : line.n;
    *key = (struct str){line.s, n};
    n += blank != NULL;
    *value = (struct str){line.s + n, line.n - n};
}

bool ssh_blocks_answer(const struct ssh_blocks *b, struct str answer, struct str from,
                       struct str host, struct buf *out) {
    struct str from_own[OWNS], own[OWNS], line, key, value;
    number_list found = {0};
    find_blocks(b, from, &found);
    find_own(b, &found, from_own);
    find_blocks(b, host, &found);
    find_own(b, &found, own);
    vec_free(&found);
    while (next_line(&answer, &line)) {
        size_t k = 0;
        split_answer(line, &key, &value);
        if (is_key(key,
                   "loglevel")) /* -v, with which the first one is asked for, is one of these */
            continue;
        while (k < OWNS && !is_key(key, own_keys[k]))
            k++;
        buf_str(out, key);
        buf_putc(out, ' ');
        if (is_key(key, "host"))
            buf_str(out, str_eq(value, from) ? host : value);
        else if (k == OWNS)
            buf_str(out, value);
        else if (!add_own((enum own)k, from_own[k], from, own[k], host, value, out))
            return false;
        buf_putc(out, '\n');
    }
    return true;
}

/* --- from what ssh says of its way --- */

static bool take_after(struct str *line, struct str what) {
    if (!str_starts(*line, what))
        return false;
    *line = (struct str){line->s + what.n, line->n - what.n};
    return true;
}

static void find_files(struct ssh_blocks *b, struct str said) {
    struct str line;
    while (next_line(&said, &line) && b->files.n <= FILES_MAX)
        if (take_after(&line, STR("debug1: Reading configuration data "))) {
            struct buf path = {0};
            buf_str(&path, line);
            buf_add(&path, "", 0);
            *vec_push(&b->files) = path.s;
        }
}

/* The blocks that ssh has found to count must be those that are found here. */
static bool agrees(const struct ssh_blocks *b, struct str said, struct str host) {
    static const char applying[] = ": Applying options for ";
    struct str line;
    struct buf told = {0}, expected = {0};
    number_list found = {0};
    while (next_line(&said, &line))
        for (size_t k = 0; k + sizeof applying - 1 <= line.n; k++)
            if (memcmp(line.s + k, applying, sizeof applying - 1) == 0) {
                buf_str(&told, (struct str){line.s, k});
                buf_putc(&told, '\n');
                break;
            }
    find_blocks(b, host, &found);
    for (size_t i = 0; i < found.n; i++) {
        const struct block *block = &b->blocks.v[found.v[i]];
        if (block->patterns.s != NULL)
            buf_printf(&expected, "debug1: %s line %u\n", block->file, block->line);
    }
    bool good = str_eq(buf_view(&told), buf_view(&expected));
    buf_free(&told);
    buf_free(&expected);
    vec_free(&found);
    return good;
}

struct ssh_blocks *ssh_blocks_new(struct str said, struct str host, struct ssh_given given,
                                  bool (*read)(void *context, const char *path, struct buf *text),
                                  void *context) {
    struct ssh_blocks *b = mem_zalloc(sizeof *b);
    *b = (struct ssh_blocks){.given = given, .read = read, .context = context};
    find_files(b, said);
    bool good = is_plain(host) && b->files.n <= FILES_MAX;
    /* The user's file, and the system's. */
    for (int roots = 0; good && b->next_file < b->files.n; roots++)
        good = roots < 2 && read_file(b, b->files.v[b->next_file++], 0);
    index_blocks(b);
    if (!good || !agrees(b, said, host)) {
        ssh_blocks_free(b);
        return NULL;
    }
    return b;
}

void ssh_blocks_free(struct ssh_blocks *b) {
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->files.n; i++)
        free(b->files.v[i]);
    for (size_t i = 0; i < b->texts.n; i++)
        buf_free(&b->texts.v[i]);
    vec_free(&b->files);
    vec_free(&b->texts);
    vec_free(&b->blocks);
    vec_free(&b->entries);
    vec_free(&b->others);
    map_free(&b->names);
    free(b);
}
