/* Streams of tar: what is written is read again, in whatever pieces it comes; what others write is
 * read; what is none is refused. */
#include "carry/tar.h"
#include "base/mem.h"
#include "unit.h"

#include <stdlib.h>

/* What a reader tells, as text. */
static struct buf told;

static bool entry(void *context, const struct tar_entry *e) {
    (void)context;
    static const char *const kinds[] = {"file", "directory", "link", "second", "other"};
    buf_printf(&told, "%s %s %o %llu %lld", kinds[e->kind], e->name.s, (unsigned)e->mode,
               (unsigned long long)e->size, (long long)e->modified);
    if (e->link.n != 0)
        buf_printf(&told, " -> %s", e->link.s);
    buf_puts(&told, e->kind == TAR_FILE ? ": " : "\n");
    return !str_eq(e->name, STR("stop"));
}

static uint64_t next_offset;

static bool bytes(void *context, uint64_t offset, struct str some) {
    (void)context;
    if (offset != next_offset)
        buf_printf(&told, "(%llu)", (unsigned long long)offset);
    next_offset = offset + some.n;
    buf_str(&told, some);
    return true;
}

static bool end(void *context) {
    (void)context;
    next_offset = 0;
    buf_puts(&told, ".\n");
    return true;
}

static const struct tar_events events = {NULL, entry, bytes, end};

/* What is told of a stream that comes in pieces of that size; then what is wrong, or that it could
 * not end there. */
static const char *read_in(struct str stream, size_t piece) {
    struct tar_reader *r = tar_reader_new(&events);
    const char *wrong = NULL;
    buf_clear(&told);
    next_offset = 0;
    for (size_t at = 0; at < stream.n && wrong == NULL; at += piece) {
        size_t n = stream.n - at < piece ? stream.n - at : piece;
        wrong = tar_read(r, (struct str){stream.s + at, n});
    }
    if (wrong != NULL)
        buf_printf(&told, "! %s", wrong);
    else if (!tar_at_end(r))
        buf_puts(&told, "...");
    tar_reader_free(r);
    return told.s;
}

static const size_t pieces[] = {1, 7, 511, 512, 513, 4096, SIZE_MAX / 2};

static void check_read(const struct buf *stream, const char *expected) {
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        CHECK_STR(read_in(buf_view(stream), pieces[i]), expected);
}

static void add_file(struct buf *out, struct str name, struct str text) {
    tar_add_header(out, &(struct tar_entry){
                            .name = name, .mode = 0644, .size = text.n, .modified = 1000000000});
    buf_str(out, text);
    static const char zeros[TAR_BLOCK];
    buf_add(out, zeros, tar_padding(text.n));
}

TEST(what_is_written_is_read) {
    struct buf out = {0};
    add_file(&out, STR("a"), STR("text"));
    add_file(&out, STR("empty"), STR(""));
    tar_add_header(&out,
                   &(struct tar_entry){.kind = TAR_DIRECTORY, .name = STR("d"), .mode = 0700});
    tar_add_header(&out,
                   &(struct tar_entry){
                       .kind = TAR_SYMLINK, .name = STR("l"), .link = STR("d/x"), .mode = 0777});
    tar_add_end(&out);
    check_read(&out, "file a 644 4 1000000000: text.\n"
                     "file empty 644 0 1000000000: .\n"
                     "directory d 700 0 0\n"
                     "link l 777 0 0 -> d/x\n");
    CHECK(out.n % TAR_BLOCK == 0);
    buf_free(&out);
}

TEST(names_of_any_length) {
    struct buf name = {0}, expected = {0};
    for (size_t n = 1; n < 2000; n += n < 98 || n > 101 ? 97 : 1) {
        struct buf out = {0};
        buf_clear(&name);
        buf_clear(&expected);
        while (name.n < n)
            buf_putc(&name, name.n % 50 == 9 && name.n + 1 != n ? '/' : 'n');
        add_file(&out, buf_view(&name), STR("x"));
        tar_add_header(&out, &(struct tar_entry){
                                 .kind = TAR_SYMLINK, .name = STR("l"), .link = buf_view(&name)});
        tar_add_end(&out);
        buf_printf(&expected, "file %s 644 1 1000000000: x.\nlink l 0 0 0 -> %s\n", name.s, name.s);
        check_read(&out, expected.s);
        buf_free(&out);
    }
    buf_free(&name);
    buf_free(&expected);
}

TEST(large_numbers_are_read_as_they_were_written) {
    struct buf out = {0};
    tar_add_header(&out, &(struct tar_entry){.name = STR("a"), .size = UINT64_C(8589934591)});
    CHECK_STR(read_in(buf_view(&out), 512), "file a 0 8589934591 0: ...");
    buf_clear(&out);
    tar_add_header(&out, &(struct tar_entry){.name = STR("a"), .size = UINT64_C(1) << 52});
    CHECK_STR(read_in(buf_view(&out), 512), "file a 0 4503599627370496 0: ...");
    buf_free(&out);
}

TEST(archives_may_follow_one_another) {
    struct buf out = {0};
    static const char zeros[10240];
    for (int i = 0; i < 3; i++) {
        add_file(&out, STR("a"), STR("x"));
        tar_add_end(&out);
        buf_add(&out, zeros, sizeof zeros);
    }
    check_read(&out, "file a 644 1 1000000000: x.\nfile a 644 1 1000000000: x.\n"
                     "file a 644 1 1000000000: x.\n");
    buf_free(&out);
}

/* An entry of another kind, of the same form. */
static void add_kind(struct buf *out, char kind, const char *name, struct str content) {
    size_t at = out->n;
    add_file(out, str_of(name), content);
    unsigned sum = 0;
    out->s[at + 156] = kind;
    memset(out->s + at + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)out->s[at + i];
    snprintf(out->s + at + 148, 7, "%06o", sum);
}

static const char *read_extended(const char *records) {
    static struct buf out;
    buf_clear(&out);
    add_kind(&out, 'x', "PaxHeaders/x", str_of(records));
    add_file(&out, STR("a"), STR("text"));
    tar_add_end(&out);
    return read_in(buf_view(&out), 100);
}

TEST(extended_headers) {
    CHECK_STR(read_extended("14 path=long.\n30 mtime=1234567890.123456789\n"),
              "file long. 644 4 1000000000: text.\n");
    CHECK_STR(read_extended("12 path=a\nb\n"), "file a\nb 644 4 1000000000: text.\n");
    CHECK_STR(read_extended("10 size=3\n"), "file a 644 3 1000000000: tex.\n");
    CHECK_STR(read_extended("11 comment=\n"), "! an extended header that is none");
    CHECK_STR(read_extended("12 comment=\n"), "file a 644 4 1000000000: text.\n");
    CHECK_STR(read_extended("9 path=\n"), "! an extended header that is none");
    CHECK_STR(read_extended("8 path=\n"), "! an entry without a name");
    CHECK_STR(read_extended("99999999999999999999 a=b\n"), "! an extended header that is none");
    CHECK_STR(read_extended("9 size=x\n"), "! a size that is none");
    CHECK_STR(read_extended("x"), "! an extended header that is none");
    CHECK_STR(read_extended("24 GNU.sparse.realsize=\n"), "! a size that is none");
    CHECK_STR(read_extended("22 GNU.sparse.major=2\n"), "! a file with holes of an unknown kind");
    CHECK_STR(read_extended("24 GNU.sparse.offset=11\n"), "! a file with holes of an unknown kind");
}

static const char sparse[] = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
                             "25 GNU.sparse.name=holes\n30 GNU.sparse.realsize=100000\n";

static const char *read_sparse(const char *map, const char *data) {
    static struct buf out, content;
    buf_clear(&out);
    buf_clear(&content);
    buf_puts(&content, map);
    while (content.n % TAR_BLOCK != 0)
        buf_putc(&content, '\0');
    buf_puts(&content, data);
    add_kind(&out, 'x', "PaxHeaders/x", STR(sparse));
    add_file(&out, STR("GNUSparseFile.0/holes"), buf_view(&content));
    tar_add_end(&out);
    return read_in(buf_view(&out), 100);
}

TEST(files_with_holes) {
    CHECK_STR(read_sparse("2\n10\n3\n50000\n4\n", "abcdefg"),
              "file holes 644 100000 1000000000: (10)abc(50000)defg.\n");
    CHECK_STR(read_sparse("1\n100000\n0\n", ""), "file holes 644 100000 1000000000: .\n");
    CHECK_STR(read_sparse("0\n", ""), "file holes 644 100000 1000000000: .\n");
    CHECK_STR(read_sparse("1\n99999\n2\n", "ab"),
              "file holes 644 100000 1000000000: ! a map of holes that does not fit");
    CHECK_STR(read_sparse("1\n0\n3\n", "ab"),
              "file holes 644 100000 1000000000: ! a map of holes that does not fit");
    CHECK_STR(read_sparse("1\n0\n1\n", "ab"),
              "file holes 644 100000 1000000000: ! a map of holes that does not fit");
    CHECK_STR(read_sparse("2\n50\n3\n52\n1\n", "abcd"),
              "file holes 644 100000 1000000000: ! a map of holes that does not fit");
    CHECK_STR(read_sparse("9999999\n", ""),
              "file holes 644 100000 1000000000: ! a map of holes that is too long");
    CHECK_STR(read_sparse("3\n1\n", ""),
              "file holes 644 100000 1000000000: ! a map of holes that is none");
    CHECK_STR(read_sparse("x\n", ""),
              "file holes 644 100000 1000000000: ! a map of holes that is none");
}

TEST(other_kinds_of_entry) {
    struct buf out = {0};
    add_kind(&out, '3', "device", STR(""));
    add_kind(&out, 'g', "global", STR("ignored"));
    add_kind(&out, '1', "second", STR(""));
    add_kind(&out, 'Z', "unknown", STR(""));
    add_kind(&out, '\0', "old/", STR(""));
    add_file(&out, STR("a"), STR("x"));
    tar_add_end(&out);
    check_read(&out, "other device 644 0 1000000000\nsecond second 644 0 1000000000\n"
                     "other unknown 644 0 1000000000\ndirectory old/ 644 0 1000000000\n"
                     "file a 644 1 1000000000: x.\n");
    buf_clear(&out);
    add_kind(&out, 'S', "sparse", STR(""));
    CHECK_STR(read_in(buf_view(&out), 512), "! an entry of an unknown kind");
    buf_clear(&out);
    add_kind(&out, '1', "second", STR("own"));
    CHECK_STR(read_in(buf_view(&out), 512), "! content of what is no file");
    buf_clear(&out);
    add_kind(&out, '5', "directory", STR("text"));
    CHECK_STR(read_in(buf_view(&out), 512), "! content of what is no file");
    buf_clear(&out);
    for (int i = 0; i < 20; i++)
        add_kind(&out, 'g', "global", STR("ignored"));
    CHECK_STR(read_in(buf_view(&out), 512), "! extended headers without an end");
    buf_free(&out);
}

TEST(what_is_no_archive_is_refused) {
    struct buf out = {0};
    static char many[5000 * TAR_BLOCK];
    CHECK_STR(read_in(STR("some text"), 3), "...");
    memset(many, 'x', TAR_BLOCK);
    CHECK_STR(read_in((struct str){many, TAR_BLOCK}, 3), "! something that is no tar archive");
    memset(many, 0, sizeof many);
    CHECK_STR(read_in((struct str){many, sizeof many}, 100000), "! zeros without an end");
    CHECK_STR(read_in((struct str){many, 1024}, 100000), "");
    add_file(&out, STR("a"), STR("text"));
    out.s[3] ^= 1;
    CHECK_STR(read_in(buf_view(&out), 512), "! something that is no tar archive");
    out.s[3] ^= 1;
    CHECK_STR(read_in((struct str){out.s, 600}, 512), "file a 644 4 1000000000: text.\n...");
    CHECK_STR(read_in((struct str){out.s, 514}, 512), "file a 644 4 1000000000: te...");
    buf_clear(&out);
    add_file(&out, STR("stop"), STR("text"));
    CHECK_STR(read_in(buf_view(&out), 512), "file stop 644 4 1000000000: ! ");
    buf_free(&out);
}

int main(void) {
    int status = unit_main();
    buf_free(&told);
    return status;
}
