/* Whether files contain the same here and on a host: what cksum(1) says there of all of them, one
 * behind the other, is compared with their sum here. */
#ifndef FORAY_CARRY_PROOF_H
#define FORAY_CARRY_PROOF_H

#include "base/cksum.h"
#include "base/str.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* Sums of what is here: what several hosts get is read once. */
struct sums;

struct sums *sums_new(struct loop *loop);
void sums_free(struct sums *s); /* after all proofs */

struct proof;

#define PROOF_DIFFERS                                                                              \
    "what was copied is not the same here and there: it changed meanwhile, or was damaged on its " \
    "way"

struct proof *proof_new(struct sums *sums);
/* At any time; nobody is told any more. NULL: does nothing. */
void proof_free(struct proof *p);
/* A file here, of which only `size` bytes from `start` on count. Its number, from 0 on; the name is
 * copied. */
size_t proof_here(struct proof *p, struct str here, uint64_t start, uint64_t size);
/* What number i contains is known: it is not read. The proof's from now on. */
void proof_knows(struct proof *p, size_t i, struct cksum *sum);
/* That was all: begins to read them. `done` may be called from within. */
void proof_read(struct proof *p);
/* What number i is called there, where its first `size` bytes count; copied. All must have been
 * told before the script is asked for. */
void proof_there(struct proof *p, size_t i, struct str there);
bool proof_is_empty(const struct proof *p);
void proof_need_sync(struct proof *p); /* the files there have yet to be written to disk */

/* What a shell there is to run, from where a log-in starts. */
void proof_script(const struct proof *p, struct buf *out);
void proof_output(struct proof *p, struct str bytes); /* what it wrote to standard output */
/* It has ended, with that exit status. true: some of the files there have grown, and the script is
 * to be asked for, and run, once more. */
bool proof_goes_on(struct proof *p, int status);
/* It has ended, and that was all. done is called once, from the loop or from within, when both
 * sides are known: NULL, or what is wrong. */
void proof_ended(struct proof *p, int status, void (*done)(void *arg, const char *wrong),
                 void *arg);

#endif
