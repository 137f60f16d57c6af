/* What foray remembers from run to run, in .foray/journal: how steps ended, and the files that they
 * read and left as they were then. Appended to, never changed in place, and made small again from
 * time to time.
 *
 * A record is on its way to the disk when it is written: it outlives foray, whatever ends that. A
 * power failure can take what has not been synced. A journal that was cut or damaged loses what the
 * bad records said, no more: steps that they told of run again. */
#ifndef FORAY_PLAN_JOURNAL_H
#define FORAY_PLAN_JOURNAL_H

#include "plan/record.h"

struct journal;

/* What is known of the last try of a step. Valid as long as the journal. */
struct past {
    bool ended; /* `last` says how */
    struct record_end last;
    bool unfinished; /* a try has begun after that, and nothing says that it has ended */
    struct record_start begun;
};

/* The directory of state, made if need be, with all that is in it kept out of git. 0 or errno. */
int journal_directory(const char *dir);
/* Reads DIR/journal; one that is not there is empty. write: records will be added; the caller holds
 * the lock of DIR (lock.h). NULL, with the reason, and errno, if it cannot be read or is no
 * journal of ours (0). */
struct journal *journal_open(const char *dir, bool write, struct buf *why);
/* 0, or errno of the first failure to write. */
int journal_close(struct journal *j);
/* A sentence about damage that was found; empty: there was none. */
struct str journal_damage(const struct journal *j);

/* A step is known by its graph's file and its name. */
uint64_t journal_key(struct str file, struct str step);
/* false: nothing is known. */
bool journal_find(const struct journal *j, uint64_t key, struct past *past);
/* Whether a record that a reader was given is the last one of how its step ended. */
bool journal_is_last(const struct journal *j, const struct record_end *r);
const struct version *journal_version(const struct journal *j, uint32_t number);

/* All records that were there when it was opened, in order. NULL: those of that kind are left out.
 */
struct journal_reader {
    void *context;
    void (*run)(void *context, const struct record_run *r);
    void (*start)(void *context, const struct record_start *r);
    void (*end)(void *context, const struct record_end *r);
    void (*run_end)(void *context, const struct record_run_end *r);
};
void journal_read(const struct journal *j, const struct journal_reader *reader);
uint32_t journal_last_run(const struct journal *j); /* 0: none */

/* --- writing: false if it failed, now or before; journal_error says why --- */
bool journal_is_written(const struct journal *j); /* it was opened for that */
int journal_error(const struct journal *j);
bool journal_run(struct journal *j, const struct record_run *r);
bool journal_start(struct journal *j, const struct record_start *r);
/* A file as a step read or left it, for journal_end. The name must live as long as the journal. */
uint32_t journal_file(struct journal *j, struct str name, const struct signature *was);
/* r->base and r->fresh are the journal's to set. */
bool journal_end(struct journal *j, const struct record_end *r);
bool journal_run_end(struct journal *j, const struct record_run_end *r);
/* Waits until the disk has it all. May be called in another thread than the rest. 0 or errno. */
int journal_sync(const struct journal *j);
/* It could not be synced. */
void journal_fail(struct journal *j, int error);

#endif
