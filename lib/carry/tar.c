#include "carry/tar.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the header of an entry: numbers are octal text --- */

struct header {
    char name[100];
    char mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
    char kind;
    char link[100];
    char magic[8];
    char uname[32], gname[32], major[8], minor[8];
    char prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct header) == TAR_BLOCK, "a tar header is one block");

static unsigned checksum(const struct header *h) {
    const unsigned char *bytes = (const unsigned char *)h;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *h; i++)
        sum += bytes[i];
    for (size_t i = 0; i < sizeof h->checksum; i++) /* counts as blanks */
        sum += ' ' - (unsigned char)h->checksum[i];
    return sum;
}

/* --- writing --- */

/* Octal, or, where that has too few digits, binary, as GNU tar has it. */
static void put_number(char *field, size_t n, uint64_t value) {
    if (value >> 3 * (n - 1) == 0) {
        for (size_t i = n - 1; i-- > 0; value >>= 3)
            field[i] = (char)('0' + (value & 7));
        field[n - 1] = '\0';
        return;
    }
    for (size_t i = n; i-- > 0; value >>= 8)
        field[i] = (char)(value & 255);
    field[0] = (char)0x80;
}

static void add_block(struct buf *out, char kind, struct str name, struct str link, uint32_t mode,
                      uint64_t size, int64_t modified) {
    struct header h = {.kind = kind, .magic = "ustar  "};
    memcpy(h.name, name.s, name.n < sizeof h.name ? name.n : sizeof h.name);
    if (link.n != 0)
        memcpy(h.link, link.s, link.n < sizeof h.link ? link.n : sizeof h.link);
    put_number(h.mode, sizeof h.mode, mode);
    put_number(h.uid, sizeof h.uid, 0);
    put_number(h.gid, sizeof h.gid, 0);
    put_number(h.size, sizeof h.size, size);
    put_number(h.mtime, sizeof h.mtime, modified > 0 ? (uint64_t)modified : 0);
    snprintf(h.checksum, sizeof h.checksum, "%06o", checksum(&h));
    h.checksum[7] = ' ';
    buf_add(out, &h, sizeof h);
}

static void add_zeros(struct buf *out, size_t n) {
    static const char zeros[2 * TAR_BLOCK];
    buf_add(out, zeros, n);
}

/* An entry whose content is the long name of the next one. */
static void add_long(struct buf *out, char kind, struct str text) {
    if (text.n <= sizeof((struct header *)NULL)->name)
        return;
    add_block(out, kind, STR("././@LongLink"), STR(""), 0644, text.n + 1, 0);
    buf_str(out, text);
    add_zeros(out, 1 + tar_padding(text.n + 1));
}

void tar_add_header(struct buf *out, const struct tar_entry *e) {
    static const char kinds[] = {[TAR_FILE] = '0', [TAR_DIRECTORY] = '5', [TAR_SYMLINK] = '2'};
    add_long(out, 'K', e->link);
    add_long(out, 'L', e->name);
    add_block(out, kinds[e->kind], e->name, e->link, e->mode, e->kind == TAR_FILE ? e->size : 0,
              e->modified);
}

size_t tar_padding(uint64_t size) {
    return (size_t)(-size % TAR_BLOCK);
}

void tar_add_end(struct buf *out) {
    add_zeros(out, sizeof(struct header) * 2);
}

/* --- reading --- */

enum {
    LONGEST = 1024 * 1024, /* extension */
    PIECES = 1024 * 1024,  /* of a file with holes */
    ZEROS = 4096,          /* blocks of them, as they end an archive */
    EXTENSIONS = 16,       /* before one entry */
};

/* Where data of a file with holes belongs. */
struct piece {
    uint64_t offset, n;
};

struct tar_reader {
    struct tar_events events;
    enum { HEADER, EXTENSION, MAP, CONTENT, PADDING, DEAD } state;
    unsigned zeros;        /* blocks of them */
    unsigned extensions;   /* for the next entry, so far */
    char extension;        /* what is being read: 'L', 'K', 'x', or another to be passed over */
    struct buf held;       /* of the header, the extension or the map, as far as it has come */
    uint64_t left;         /* of the extension or the content */
    size_t padding;        /* behind it */
    struct buf name, link; /* said for the next entry by extensions; empty: not said */
    bool has_size, sparse;
    uint64_t size, real_size;
    uint64_t at; /* in the content */
    VEC(struct piece) pieces;
    size_t piece;
    uint64_t count, numbers; /* of the map: how many pieces it says, how many numbers were read */
    size_t map_at, wanted;   /* read of what is held, and how much is to be held next */
};

static const char stopped[] = "";

struct tar_reader *tar_reader_new(const struct tar_events *events) {
    struct tar_reader *r = mem_zalloc(sizeof *r);
    r->events = *events;
    return r;
}

void tar_reader_free(struct tar_reader *r) {
    if (r == NULL)
        return;
    buf_free(&r->held);
    buf_free(&r->name);
    buf_free(&r->link);
    vec_free(&r->pieces);
    free(r);
}

static bool get_number(const char *field, size_t n, uint64_t *out) {
    uint64_t value = 0;
    size_t i = 0;
    if (((unsigned char)field[0] & 0x80) != 0) {
        if ((unsigned char)field[0] != 0x80) /* negative, or beyond all bounds */
            return false;
        for (i = 1; i < n; i++) {
            if (value >> 56 != 0)
                return false;
            value = value << 8 | (unsigned char)field[i];
        }
        *out = value;
        return true;
    }
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0'); /* twelve digits at most */
    *out = value;
    return i == n || field[i] == ' ' || field[i] == '\0';
}

static bool get_decimal(struct str text, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.s[i] < '0' || text.s[i] > '9' || value > UINT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(text.s[i] - '0');
    }
    *out = value;
    return text.n != 0;
}

static struct str field_text(const char *field, size_t n) {
    const char *end = memchr(field, '\0', n);
    return (struct str){field, end != NULL ? (size_t)(end - field) : n};
}

/* --- extensions --- */

static const char *take_text(struct buf *to, struct str text) {
    if (text.n == 0 || memchr(text.s, '\0', text.n) != NULL)
        return "an entry without a name";
    buf_clear(to);
    buf_str(to, text);
    return NULL;
}

static const char *take_record(struct tar_reader *r, struct str key, struct str value) {
    uint64_t n;
    if (str_eq(key, STR("path")))
        /* With holes, the name there is that of a stand-in. */
        return r->sparse && r->name.n != 0 ? NULL : take_text(&r->name, value);
    if (str_eq(key, STR("linkpath")))
        return take_text(&r->link, value);
    if (str_eq(key, STR("size"))) {
        r->has_size = true;
        return get_decimal(value, &r->size) ? NULL : "a size that is none";
    }
    if (str_eq(key, STR("GNU.sparse.name")))
        return take_text(&r->name, value);
    if (str_eq(key, STR("GNU.sparse.realsize")))
        return get_decimal(value, &r->real_size) ? NULL : "a size that is none";
    if (str_eq(key, STR("GNU.sparse.major"))) {
        r->sparse = true;
        return get_decimal(value, &n) && n == 1 ? NULL : "a file with holes of an unknown kind";
    }
    if (str_starts(key, STR("GNU.sparse.")) && !str_eq(key, STR("GNU.sparse.minor")))
        return "a file with holes of an unknown kind";
    return NULL;
}

/* Records "LENGTH KEY=VALUE\n", where LENGTH counts all of it. */
static const char *take_records(struct tar_reader *r, struct str text) {
    while (text.n != 0) {
        const char *blank = memchr(text.s, ' ', text.n);
        uint64_t n;
        size_t digits = blank != NULL ? (size_t)(blank - text.s) : 0;
        if (blank == NULL || !get_decimal((struct str){text.s, digits}, &n) || n > text.n ||
            n < digits + 3 || text.s[n - 1] != '\n')
            return "an extended header that is none";
        struct str rest = {blank + 1, (size_t)n - digits - 2};
        const char *equals = memchr(rest.s, '=', rest.n);
        if (equals == NULL)
            return "an extended header that is none";
        size_t key = (size_t)(equals - rest.s);
        const char *wrong =
            take_record(r, (struct str){rest.s, key}, (struct str){equals + 1, rest.n - key - 1});
        if (wrong != NULL)
            return wrong;
        text = (struct str){text.s + n, text.n - (size_t)n};
    }
    return NULL;
}

static const char *take_extension(struct tar_reader *r) {
    struct str text = buf_view(&r->held);
    switch (r->extension) {
    case 'L':
        return take_text(&r->name, field_text(text.s, text.n));
    case 'K':
        return take_text(&r->link, field_text(text.s, text.n));
    case 'x':
        return take_records(r, text);
    default:
        return NULL;
    }
}

/* --- entries --- */

static void forget_extensions(struct tar_reader *r) {
    buf_clear(&r->name);
    buf_clear(&r->link);
    r->extensions = 0;
    r->has_size = r->sparse = false;
    r->real_size = 0;
}

static const char *end_content(struct tar_reader *r) {
    r->state = r->padding != 0 ? PADDING : HEADER;
    return r->events.end(r->events.context) ? NULL : stopped;
}

static const char *begin_content(struct tar_reader *r) {
    r->state = CONTENT;
    r->at = 0;
    r->piece = 0;
    return r->left == 0 ? end_content(r) : NULL;
}

static const char *begin_entry(struct tar_reader *r, const struct header *h, struct tar_entry *e) {
    bool sparse = r->sparse && e->kind == TAR_FILE;
    if (sparse)
        e->size = r->real_size;
    if (e->kind == TAR_SYMLINK || e->kind == TAR_HARDLINK) {
        if (r->link.n == 0)
            buf_str(&r->link, field_text(h->link, sizeof h->link));
        e->link = buf_view(&r->link);
    }
    if (!r->events.entry(r->events.context, e))
        return stopped;
    r->pieces.n = 0;
    forget_extensions(r);
    if (e->kind != TAR_FILE)
        return NULL;
    if (!sparse)
        return begin_content(r);
    r->state = MAP;
    r->real_size = e->size;
    r->count = r->numbers = 0;
    r->map_at = 0;
    r->wanted = TAR_BLOCK;
    return NULL;
}

static enum tar_kind kind_of(char kind, struct str name) {
    switch (kind) {
    case '\0':
    case '0':
    case '7':
        return str_ends(name, STR("/")) ? TAR_DIRECTORY : TAR_FILE;
    case '1':
        return TAR_HARDLINK;
    case '2':
        return TAR_SYMLINK;
    case '5':
        return TAR_DIRECTORY;
    default:
        return TAR_OTHER;
    }
}

static bool is_zeros(const struct header *h) {
    const char *bytes = (const char *)h;
    return bytes[0] == '\0' && memcmp(bytes, bytes + 1, sizeof *h - 1) == 0;
}

static void find_name(struct tar_reader *r, const struct header *h) {
    if (r->name.n != 0)
        return;
    struct str prefix = field_text(h->prefix, sizeof h->prefix);
    if (memcmp(h->magic, "ustar", 6) == 0 && prefix.n != 0) {
        buf_str(&r->name, prefix);
        buf_putc(&r->name, '/');
    }
    buf_str(&r->name, field_text(h->name, sizeof h->name));
}

static const char *take_header(struct tar_reader *r) {
    struct header h;
    uint64_t sum, size, mode, modified;
    memcpy(&h, r->held.s, sizeof h);
    buf_clear(&r->held);
    if (is_zeros(&h)) /* the end, or what fills the last record */
        return r->name.n != 0 || r->link.n != 0 ? "the end where an entry should be"
               : ++r->zeros > ZEROS             ? "zeros without an end"
                                                : NULL;
    r->zeros = 0;
    if (!get_number(h.checksum, sizeof h.checksum, &sum) || sum != checksum(&h))
        return "something that is no tar archive";
    if (!get_number(h.size, sizeof h.size, &size) || !get_number(h.mode, sizeof h.mode, &mode))
        return "a number that is none";
    if (!get_number(h.mtime, sizeof h.mtime, &modified) || modified > INT64_MAX)
        modified = 0; /* before 1970 */
    r->extension = h.kind == 'X' ? 'x' : h.kind;
    if (strchr("LKxg", r->extension) != NULL && r->extension != '\0') {
        if (size > LONGEST)
            return "an extended header that is too long";
        if (++r->extensions > EXTENSIONS)
            return "extended headers without an end";
        r->left = size;
        r->padding = tar_padding(size);
        r->state = EXTENSION;
        return NULL;
    }
    if (strchr("SMDVN", h.kind) != NULL && h.kind != '\0')
        return "an entry of an unknown kind";
    find_name(r, &h);
    struct tar_entry e = {.name = buf_view(&r->name),
                          .kind = kind_of(h.kind, buf_view(&r->name)),
                          .mode = (uint32_t)mode & 07777,
                          .modified = (int64_t)modified};
    if (e.name.n == 0)
        return "an entry without a name";
    r->left = r->has_size ? r->size : size;
    r->padding = tar_padding(r->left);
    if (e.kind == TAR_FILE)
        e.size = r->left;
    else if (r->left != 0)
        return "content of what is no file";
    return begin_entry(r, &h, &e);
}

/* --- content with holes: before it stands a map of its pieces, as lines of numbers --- */

/* As many of its numbers as are held: how many pieces there are, then place and length of each. */
static const char *take_map(struct tar_reader *r) {
    while (r->numbers == 0 || r->numbers < 2 * r->count + 1) {
        const char *start = r->held.s + r->map_at;
        const char *end = memchr(start, '\n', r->held.n - r->map_at);
        uint64_t n;
        if (end == NULL)
            return r->held.n - r->map_at > 20 ? "a map of holes that is none" : NULL;
        if (!get_decimal((struct str){start, (size_t)(end - start)}, &n) || n > INT64_MAX)
            return "a map of holes that is none";
        r->map_at += (size_t)(end - start) + 1;
        if (r->numbers == 0 && (r->count = n) > PIECES)
            return "a map of holes that is too long";
        if (r->numbers % 2 == 1)
            vec_push(&r->pieces)->offset = n;
        else if (r->numbers != 0)
            r->pieces.v[r->pieces.n - 1].n = n;
        r->numbers++;
    }
    return NULL;
}

static const char *check_map(const struct tar_reader *r) {
    uint64_t left = r->left, end = 0;
    for (size_t i = 0; i < r->pieces.n; i++) {
        const struct piece *p = &r->pieces.v[i];
        if (p->n > left || p->offset < end || p->offset > r->real_size ||
            p->n > r->real_size - p->offset)
            return "a map of holes that does not fit";
        left -= p->n;
        end = p->offset + p->n;
    }
    return left == 0 ? NULL : "a map of holes that does not fit";
}

static const char *take_map_block(struct tar_reader *r) {
    if (r->left < TAR_BLOCK)
        return "a map of holes that is too long";
    r->left -= TAR_BLOCK;
    const char *wrong = take_map(r);
    if (wrong != NULL)
        return wrong;
    if (r->numbers == 0 || r->numbers < 2 * r->count + 1) {
        buf_drop(&r->held, r->map_at);
        r->map_at = 0;
        r->wanted = r->held.n + TAR_BLOCK;
        return NULL;
    }
    buf_clear(&r->held);
    wrong = check_map(r);
    return wrong != NULL ? wrong : begin_content(r);
}

/* --- the stream --- */

/* Takes bytes until so many are held; false: there are too few. */
static bool hold(struct tar_reader *r, struct str *bytes, uint64_t n) {
    uint64_t missing = n - r->held.n;
    size_t take = missing < bytes->n ? (size_t)missing : bytes->n;
    buf_add(&r->held, bytes->s, take);
    *bytes = (struct str){bytes->s + take, bytes->n - take};
    return r->held.n == n;
}

static const char *read_content(struct tar_reader *r, struct str *bytes) {
    uint64_t n = r->left < bytes->n ? r->left : bytes->n;
    uint64_t offset = r->at;
    if (r->pieces.n != 0) {
        while (r->piece < r->pieces.n && r->at == r->pieces.v[r->piece].n) {
            r->piece++;
            r->at = 0;
        }
        if (r->piece < r->pieces.n) {
            const struct piece *p = &r->pieces.v[r->piece];
            if (n > p->n - r->at)
                n = p->n - r->at;
            offset = p->offset + r->at;
        }
    }
    struct str some = {bytes->s, (size_t)n};
    *bytes = (struct str){bytes->s + n, bytes->n - (size_t)n};
    r->at += n;
    r->left -= n;
    if (!r->events.bytes(r->events.context, offset, some))
        return stopped;
    return r->left == 0 ? end_content(r) : NULL;
}

static const char *step(struct tar_reader *r, struct str *bytes) {
    const char *wrong = NULL;
    size_t n;
    switch (r->state) {
    case HEADER:
        return hold(r, bytes, TAR_BLOCK) ? take_header(r) : NULL;
    case EXTENSION:
        if (!hold(r, bytes, r->left))
            return NULL;
        wrong = take_extension(r);
        buf_clear(&r->held);
        r->state = r->padding != 0 ? PADDING : HEADER;
        return wrong;
    case MAP:
        return hold(r, bytes, r->wanted) ? take_map_block(r) : NULL;
    case CONTENT:
        return read_content(r, bytes);
    case PADDING:
        n = r->padding < bytes->n ? r->padding : bytes->n;
        *bytes = (struct str){bytes->s + n, bytes->n - n};
        r->padding -= n;
        if (r->padding == 0)
            r->state = HEADER;
        return NULL;
    case DEAD:
        break;
    }
    return stopped;
}

const char *tar_read(struct tar_reader *r, struct str bytes) {
    const char *wrong = NULL;
    while (bytes.n != 0 && wrong == NULL)
        wrong = step(r, &bytes);
    if (wrong != NULL)
        r->state = DEAD;
    return wrong;
}

bool tar_at_end(const struct tar_reader *r) {
    return r->state == HEADER && r->held.n == 0 && r->name.n == 0 && r->link.n == 0;
}
