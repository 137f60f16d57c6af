/* What stands in .foray may hold anything: the journal, the seal, the kept output. Checksums are
 * made right here, so that what they guard is looked at too. */
#include "base/hash.h"
#include "plan/journal.h"
#include "plan/kept.h"
#include "plan/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void remove_all(void) {
    static const char *const names[] = {"journal", "fresh", "output/1.zst", "output"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
    rmdir(dir);
}

static void make_directory(void) {
    char path[128];
    if (dir[0] != '\0')
        return;
    strcpy(dir, "/tmp/foray-fuzz-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/output", dir);
    mkdir(path, 0700);
    atexit(remove_all);
}

static void write_file(const char *name, struct str bytes) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, bytes.s, bytes.n) != (ssize_t)bytes.n)
        abort();
    close(fd);
}

static void take_run(void *context, const struct record_run *r) {
    (void)context;
    (void)hash_pair(r->file, r->words);
}

static void take_start(void *context, const struct record_start *r) {
    (void)context;
    (void)hash_pair(r->name, r->host);
}

/* All that a record refers to is there. */
static void take_end(void *context, const struct record_end *r) {
    struct journal *j = context;
    struct past past;
    for (uint32_t i = 0; i < r->n_in + r->n_out + r->n_deps; i++) {
        uint32_t number = i < r->n_in              ? r->in[i]
                          : i < r->n_in + r->n_out ? r->out[i - r->n_in]
                                                   : r->deps[i - r->n_in - r->n_out];
        const struct version *v = journal_version(j, number);
        if (strlen(v->name.s) > v->name.n)
            abort();
    }
    (void)hash_pair(r->command, r->settings);
    (void)hash_pair(r->output, r->host);
    if (!journal_find(j, r->key, &past))
        abort();
}

static void take_run_end(void *context, const struct record_run_end *r) {
    (void)context;
    (void)r;
}

/* Pieces of the input become payloads: kind, length (2 bytes), bytes. */
static void try_journal(struct str in) {
    struct buf file = {0}, why = {0};
    uint64_t number = 7;
    record_header(number, &file);
    while (in.n > 3) {
        uint32_t head[2] = {(unsigned char)in.s[0] % 6,
                            (uint32_t)((unsigned char)in.s[1] | (unsigned char)in.s[2] << 8)};
        in = (struct str){in.s + 3, in.n - 3};
        if (head[1] > in.n)
            head[1] = (uint32_t)in.n;
        uint64_t checksum =
            hash_bytes((struct str){in.s, head[1]}, number ^ ((uint64_t)head[0] << 32 | head[1]));
        buf_add(&file, head, sizeof head);
        buf_add(&file, &checksum, sizeof checksum);
        buf_add(&file, in.s, head[1]);
        while (file.n % RECORD_ALIGN != 0)
            buf_putc(&file, 0);
        in = (struct str){in.s + head[1], in.n - head[1]};
    }
    write_file("journal", buf_view(&file));
    struct journal *j = journal_open(dir, false, &why);
    if (j == NULL)
        abort();
    journal_read(j, &(struct journal_reader){j, take_run, take_start, take_end, take_run_end});
    journal_close(j);
    buf_free(&file);
    buf_free(&why);
}

static void try_seal(struct str in) {
    struct buf file = {0};
    size_t steps;
    buf_puts(&file, "foray fresh 1\n");
    buf_add(&file, "\0", 2);
    uint64_t checksum = 0, line = hash_pair(STR(PACKAGE_VERSION), STR("x"));
    buf_add(&file, &checksum, sizeof checksum);
    buf_add(&file, &line, sizeof line);
    buf_str(&file, in);
    checksum = hash_bytes((struct str){file.s + 24, file.n - 24}, 0);
    memcpy(file.s + 16, &checksum, sizeof checksum);
    write_file("fresh", buf_view(&file));
    seal_holds(dir, STR("x"), &steps);
    buf_free(&file);
}

static void take_stretch(void *context, bool error, struct str bytes) {
    *(uint64_t *)context += hash_bytes(bytes, error);
}

static void try_kept(struct str in) {
    uint64_t sum = 0;
    write_file("output/1.zst", in);
    kept_read(dir, 1, STR("s"), 0, take_stretch, &sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    make_directory();
    if (size == 0)
        return 0;
    struct str in = {(const char *)data + 1, size - 1};
    switch (data[0] % 4) {
    case 0:
    case 1:
        try_journal(in);
        break;
    case 2:
        try_seal(in);
        break;
    default:
        try_kept(in);
        break;
    }
    return 0;
}
