#include "plan/record.h"

#include "base/hash.h"

#include <string.h>

static const char magic[16] = "foray journal\n";
enum { FORMAT = 1 };

struct header_bytes {
    char magic[16];
    uint32_t format, reserved;
    uint64_t number;
};

struct head_bytes {
    uint32_t kind, length; /* of the payload */
    uint64_t checksum;
};

/* Payloads begin with one of these; what has no fixed size follows in the order of the fields. */
struct run_bytes {
    int64_t began, pid;
    uint32_t run, resumes, file, words;
};

struct start_bytes {
    uint64_t key;
    int64_t began;
    uint32_t run, attempt, name, host;
};

struct end_bytes {
    uint64_t key;
    int64_t began, took;
    uint32_t run, attempt;
    int32_t status;
    uint32_t ending, captured;
    uint32_t n_in, n_out, n_deps, base, n_fresh;
    uint32_t name, host, command, settings, output;
    uint32_t reserved;
};

struct version_bytes {
    uint64_t size;
    int64_t changed;
    uint64_t inode, hash;
    uint32_t flags, name;
};

_Static_assert(sizeof(struct header_bytes) == JOURNAL_HEADER, "the header has no padding");
_Static_assert(sizeof(struct head_bytes) == RECORD_HEAD, "a record's head has no padding");
_Static_assert(sizeof(struct end_bytes) % 8 == 0, "versions stand at multiples of 8");

void record_header(uint64_t number, struct buf *out) {
    struct header_bytes h = {.format = FORMAT, .number = number};
    memcpy(h.magic, magic, sizeof magic);
    buf_add(out, &h, sizeof h);
}

enum header record_read_header(struct str bytes, uint64_t *number) {
    struct header_bytes h;
    size_t n = bytes.n < sizeof magic ? bytes.n : sizeof magic;
    if (n != 0 && memcmp(bytes.s, magic, n) != 0)
        return HEADER_FOREIGN;
    if (bytes.n < sizeof h)
        return HEADER_CUT;
    memcpy(&h, bytes.s, sizeof h);
    *number = h.number;
    return h.format == FORMAT ? HEADER_GOOD : HEADER_FOREIGN;
}

static uint64_t checksum(const struct head_bytes *head, struct str payload, uint64_t number) {
    uint64_t seed = number ^ ((uint64_t)head->kind << 32 | head->length);
    return hash_bytes(payload, seed);
}

static size_t begin(struct buf *out, enum record_kind kind) {
    struct head_bytes head = {.kind = kind};
    size_t at = out->n;
    buf_add(out, &head, sizeof head);
    return at;
}

static void pad(struct buf *out, size_t from) {
    static const char zeros[RECORD_ALIGN] = {0};
    size_t over = (out->n - from) % RECORD_ALIGN;
    if (over != 0)
        buf_add(out, zeros, RECORD_ALIGN - over);
}

static void finish(struct buf *out, size_t at, uint64_t number) {
    struct head_bytes head;
    memcpy(&head, out->s + at, sizeof head);
    head.length = (uint32_t)(out->n - at - sizeof head);
    head.checksum = checksum(&head, (struct str){out->s + at + sizeof head, head.length}, number);
    memcpy(out->s + at, &head, sizeof head);
    pad(out, at);
}

void record_put_run(struct buf *out, uint64_t number, const struct record_run *r) {
    size_t at = begin(out, RECORD_RUN);
    struct run_bytes b = {.began = r->began,
                          .pid = r->pid,
                          .run = r->run,
                          .resumes = r->resumes,
                          .file = (uint32_t)r->file.n,
                          .words = (uint32_t)r->words.n};
    buf_add(out, &b, sizeof b);
    buf_str(out, r->file);
    buf_str(out, r->words);
    finish(out, at, number);
}

void record_put_start(struct buf *out, uint64_t number, const struct record_start *r) {
    size_t at = begin(out, RECORD_START);
    struct start_bytes b = {.key = r->key,
                            .began = r->began,
                            .run = r->run,
                            .attempt = r->attempt,
                            .name = (uint32_t)r->name.n,
                            .host = (uint32_t)r->host.n};
    buf_add(out, &b, sizeof b);
    buf_str(out, r->name);
    buf_str(out, r->host);
    finish(out, at, number);
}

static void put_versions(struct buf *out, const struct record_end *r) {
    for (uint32_t i = 0; i < r->n_fresh; i++) {
        const struct signature *s = &r->fresh[i].was;
        struct version_bytes v = {.size = s->size,
                                  .changed = s->changed,
                                  .inode = s->inode,
                                  .hash = s->hash,
                                  .flags = s->flags,
                                  .name = (uint32_t)r->fresh[i].name.n};
        buf_add(out, &v, sizeof v);
    }
}

void record_put_end(struct buf *out, uint64_t number, const struct record_end *r) {
    size_t at = begin(out, RECORD_END);
    struct end_bytes b = {.key = r->key,
                          .began = r->began,
                          .took = r->took,
                          .run = r->run,
                          .attempt = r->attempt,
                          .status = r->status,
                          .ending = r->ending,
                          .captured = r->captured,
                          .n_in = r->n_in,
                          .n_out = r->n_out,
                          .n_deps = r->n_deps,
                          .base = r->base,
                          .n_fresh = r->n_fresh,
                          .name = (uint32_t)r->name.n,
                          .host = (uint32_t)r->host.n,
                          .command = (uint32_t)r->command.n,
                          .settings = (uint32_t)r->settings.n,
                          .output = (uint32_t)r->output.n};
    buf_add(out, &b, sizeof b);
    put_versions(out, r);
    buf_add(out, r->in, r->n_in * sizeof *r->in);
    buf_add(out, r->out, r->n_out * sizeof *r->out);
    buf_add(out, r->deps, r->n_deps * sizeof *r->deps);
    for (uint32_t i = 0; i < r->n_fresh; i++) { /* for system calls */
        buf_str(out, r->fresh[i].name);
        buf_add(out, "", 1);
    }
    buf_str(out, r->name);
    buf_str(out, r->host);
    buf_str(out, r->command);
    buf_str(out, r->settings);
    buf_str(out, r->output);
    finish(out, at, number);
}

void record_put_run_end(struct buf *out, uint64_t number, const struct record_run_end *r) {
    size_t at = begin(out, RECORD_RUN_END);
    buf_add(out, r, sizeof *r);
    finish(out, at, number);
}

bool record_at(struct str bytes, size_t at, uint64_t number, enum record_kind *kind,
               struct str *payload, size_t *next) {
    struct head_bytes head;
    if (bytes.n < at || bytes.n - at < sizeof head)
        return false;
    memcpy(&head, bytes.s + at, sizeof head);
    size_t left = bytes.n - at - sizeof head;
    if (head.kind < RECORD_RUN || head.kind > RECORD_RUN_END || head.length > left)
        return false;
    *payload = (struct str){bytes.s + at + sizeof head, head.length};
    if (checksum(&head, *payload, number) != head.checksum)
        return false;
    *kind = (enum record_kind)head.kind;
    size_t end = at + sizeof head + head.length;
    end += (RECORD_ALIGN - end % RECORD_ALIGN) % RECORD_ALIGN;
    *next = end < bytes.n ? end : bytes.n;
    return true;
}

struct str record_payload(const char *record) {
    struct head_bytes head;
    memcpy(&head, record, sizeof head);
    return (struct str){record + sizeof head, head.length};
}

/* --- reading --- */

static bool take_fixed(struct str *rest, void *out, size_t size) {
    if (rest->n < size)
        return false;
    memcpy(out, rest->s, size);
    *rest = (struct str){rest->s + size, rest->n - size};
    return true;
}

static bool take_text(struct str *rest, uint32_t n, struct str *out) {
    if (rest->n < n)
        return false;
    *out = (struct str){rest->s, n};
    *rest = (struct str){rest->s + n, rest->n - n};
    return true;
}

bool record_get_run(struct str payload, struct record_run *r) {
    struct run_bytes b;
    if (!take_fixed(&payload, &b, sizeof b))
        return false;
    *r = (struct record_run){.run = b.run, .resumes = b.resumes, .began = b.began, .pid = b.pid};
    return take_text(&payload, b.file, &r->file) && take_text(&payload, b.words, &r->words);
}

bool record_get_start(struct str payload, struct record_start *r) {
    struct start_bytes b;
    if (!take_fixed(&payload, &b, sizeof b))
        return false;
    *r = (struct record_start){.key = b.key, .run = b.run, .attempt = b.attempt, .began = b.began};
    return take_text(&payload, b.name, &r->name) && take_text(&payload, b.host, &r->host);
}

bool record_get_run_end(struct str payload, struct record_run_end *r) {
    return take_fixed(&payload, r, sizeof *r);
}

static bool take_numbers(struct str *rest, uint32_t n, const uint32_t **out) {
    *out = (const uint32_t *)(const void *)rest->s; /* payloads stand at multiples of 8 */
    if (rest->n / sizeof **out < n)
        return false;
    *rest = (struct str){rest->s + n * sizeof **out, rest->n - n * sizeof **out};
    return true;
}

/* What a record brings of versions: where they stand, and their names. */
struct brought {
    const char *versions;
    struct str names;
};

/* Every name has its NUL. */
static bool are_ended(struct brought brought, uint32_t n) {
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct version_bytes v;
        memcpy(&v, brought.versions + i * sizeof v, sizeof v);
        at += (size_t)v.name + 1;
        if (brought.names.s[at - 1] != '\0')
            return false;
    }
    return true;
}

static bool get_end(struct str payload, struct record_end *r, struct brought *brought) {
    struct end_bytes b;
    if (!take_fixed(&payload, &b, sizeof b) || payload.n / sizeof(struct version_bytes) < b.n_fresh)
        return false;
    *r = (struct record_end){
        .key = b.key,
        .run = b.run,
        .attempt = b.attempt,
        .began = b.began,
        .took = b.took,
        .ending = (enum ending)b.ending,
        .status = b.status,
        .captured = b.captured != 0,
        .n_in = b.n_in,
        .n_out = b.n_out,
        .n_deps = b.n_deps,
        .base = b.base,
        .n_fresh = b.n_fresh,
    };
    size_t names = 0;
    brought->versions = payload.s;
    for (uint32_t i = 0; i < b.n_fresh; i++) {
        struct version_bytes v;
        take_fixed(&payload, &v, sizeof v);
        names += (size_t)v.name + 1;
    }
    if (!take_numbers(&payload, b.n_in, &r->in) || !take_numbers(&payload, b.n_out, &r->out) ||
        !take_numbers(&payload, b.n_deps, &r->deps) || payload.n < names)
        return false;
    brought->names = (struct str){payload.s, names};
    if (!are_ended(*brought, b.n_fresh))
        return false;
    payload = (struct str){payload.s + names, payload.n - names};
    return take_text(&payload, b.name, &r->name) && take_text(&payload, b.host, &r->host) &&
           take_text(&payload, b.command, &r->command) &&
           take_text(&payload, b.settings, &r->settings) &&
           take_text(&payload, b.output, &r->output) && b.ending >= ENDED_WELL &&
           b.ending <= ENDED_LOST;
}

static void take_versions(struct brought brought, uint32_t n, version_list *versions) {
    for (uint32_t i = 0; i < n; i++) {
        struct version_bytes v;
        struct str name;
        memcpy(&v, brought.versions + i * sizeof v, sizeof v);
        take_text(&brought.names, v.name + 1, &name);
        name.n--;
        *vec_push(versions) = (struct version){name,
                                               {.size = v.size,
                                                .changed = v.changed,
                                                .inode = v.inode,
                                                .hash = v.hash,
                                                .flags = (uint8_t)v.flags}};
    }
}

static bool are_known(const uint32_t *numbers, uint32_t n, const version_list *versions) {
    for (uint32_t i = 0; i < n; i++)
        if (numbers[i] >= versions->n || versions->v[numbers[i]].name.s == NULL)
            return false;
    return true;
}

bool record_get_end(struct str payload, struct record_end *r, version_list *versions,
                    size_t file_size) {
    struct brought brought;
    /* Numbers that a damaged record should have brought stand for nothing; there are no more of
     * them than the file has room for. */
    if (!get_end(payload, r, &brought) || r->base < versions->n ||
        r->base > file_size / sizeof(struct version_bytes))
        return false;
    while (versions->n < r->base)
        vec_push(versions);
    take_versions(brought, r->n_fresh, versions);
    return are_known(r->in, r->n_in, versions) && are_known(r->out, r->n_out, versions) &&
           are_known(r->deps, r->n_deps, versions);
}

void record_get_end_again(struct str payload, struct record_end *r) {
    struct brought brought;
    get_end(payload, r, &brought);
}
