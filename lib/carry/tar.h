/* The tar format as a stream: written as GNU tar has it, which every tar reads; read as GNU tar,
 * busybox, libarchive and pax(1) write it. What is read is not trusted: nothing of it is acted on
 * here, lengths are bounded, and what is not understood ends it. */
#ifndef FORAY_CARRY_TAR_H
#define FORAY_CARRY_TAR_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { TAR_BLOCK = 512 };

enum tar_kind {
    TAR_FILE,
    TAR_DIRECTORY,
    TAR_SYMLINK,
    TAR_HARDLINK, /* the content of an earlier entry, whose name `link` is */
    TAR_OTHER,    /* a device, a pipe */
};

struct tar_entry {
    enum tar_kind kind;
    struct str name, link;
    uint32_t mode;    /* permissions */
    int64_t modified; /* s since 1970 */
    uint64_t size;    /* of a file */
};

/* Appends what stands before an entry's content. */
void tar_add_header(struct buf *out, const struct tar_entry *entry);
/* So many zeros follow its content. */
size_t tar_padding(uint64_t size);
/* Appends the end of the archive. */
void tar_add_end(struct buf *out);

/* Each returns whether it is to go on. */
struct tar_events {
    void *context;
    /* The texts end in a NUL, hold no other, and live as long as the call. */
    bool (*entry)(void *context, const struct tar_entry *entry);
    /* Some of a file's content, in order; what is left out are zeros. */
    bool (*bytes)(void *context, uint64_t offset, struct str bytes);
    bool (*end)(void *context); /* of a file's content */
};

struct tar_reader;

struct tar_reader *tar_reader_new(const struct tar_events *events);
void tar_reader_free(struct tar_reader *r);
/* Reads on. NULL, or what is wrong: empty if an event said to stop. Nothing more can be read then.
 * Several archives may follow one another. */
const char *tar_read(struct tar_reader *r, struct str bytes);
/* Whether it could end here. */
bool tar_at_end(const struct tar_reader *r);

#endif
