/* What a file was like when a step read it or left it: enough to tell whether it is still that. */
#ifndef FORAY_BASE_SIGNATURE_H
#define FORAY_BASE_SIGNATURE_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum {
    SIGNATURE_THERE = 1,  /* the file exists; without it nothing else counts */
    SIGNATURE_HASHED = 2, /* hash is that of its contents */
    /* It was written to so shortly before it was looked at that its time of change might not tell
     * of another write: file systems count time in steps of up to 10 ms. Only contents tell then.
     */
    SIGNATURE_RECENT = 4,
};

struct signature {
    uint64_t size;
    int64_t changed; /* its mtime, ns since 1970 */
    uint64_t inode;
    uint64_t hash; /* of its contents, see hash_bytes; 0 unless SIGNATURE_HASHED */
    uint8_t flags;
};

/* Contents up to this size are hashed at once; more of them is work to be done aside. */
enum { SIGNATURE_AT_ONCE = 1024 * 1024 };

/* Of a file as it is now (a link: of what it leads to), without its hash. Of what is no regular
 * file only that it is there. recent: whether to mark what was changed just now. */
struct signature signature_of(const char *name, bool recent);
struct signature signature_of_stat(const struct stat *st, int64_t now);
int64_t signature_now(void); /* wall time, ns */
/* Reads the contents. false, with errno: they could not be read, or were changed meanwhile. */
bool signature_hash(const char *name, struct signature *s);

/* Whether size, time and inode are the same. */
bool signature_same_stat(const struct signature *a, const struct signature *b);

enum sameness {
    SAME,
    DIFFERENT,
    SAME_IF_HASH, /* the contents decide: they have to be hashed */
};
/* Whether a file that was like `was` is still the same. contents: equal contents count as the same,
 * whatever its times say; without it they do if they are known. */
enum sameness signature_compare(const struct signature *was, const struct signature *is,
                                bool contents);

#endif
