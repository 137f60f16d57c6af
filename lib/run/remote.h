/* One try of a step on a host: its inputs go there, it runs, its outputs come back, its scratch
 * directory goes. */
#ifndef FORAY_RUN_REMOTE_H
#define FORAY_RUN_REMOTE_H

#include "carry/carry.h"
#include "way/slot.h"

/* Where it runs: a slot, and what carries its files on the same connection. */
struct berth {
    struct slot *slot;
    struct loop *loop;
    unsigned *directories; /* counts the slot's scratch directories */
    char **empty; /* the number of one that is left empty by the last step, for the next one; NULL:
                     none */
    bool keep_scratch;
    struct sums *sums;
    bool in_place; /* the files of this directory are there under the same names: the step runs in
                      this directory, nothing is carried */
    /* Has an errand done, as soon as there is a carrier; NULL: the slot is to carry files itself.
     */
    void (*carry)(void *context, struct errand *e);
    /* Is told why many small files are to be packed on their way there, or here, and says whether
     * they may be; where there is `carry`. */
    bool (*packs)(void *context, bool here, const char *why);
    void *context;
    bool *no_tar;              /* the host's: it has none, so that nothing goes there as a stream */
    struct prompter *prompter; /* has the terminal here for what is asked on it */
    const struct watcher *watcher;
};

struct remote;

/* Whether something is carried for it. */
bool remote_has_files(const struct step *step);

/* Begins. done is called once, with end, status and reason set in the job; not after remote_drop.
 */
struct remote *remote_start(struct job *job, const struct berth *berth,
                            void (*done)(void *arg, struct remote *r), void *arg);
struct job *remote_job(const struct remote *r);
/* What the slot's script has written: true if it was none of the step's. */
bool remote_output(struct remote *r, enum stream stream, struct str bytes);
void remote_ended(struct remote *r, int status,
                  bool clean);                            /* the slot says: the script has ended */
void remote_heard(struct remote *r);                      /* it has told its load */
void remote_unable(struct remote *r, const char *reason); /* it says: it cannot start the script */
void remote_broken(struct remote *r,
                   const char *reason); /* the slot is gone, and the job with it */
void remote_cancel(struct remote *r, bool at_once);
/* Gives its memory back. After done was called, or when the connection is gone with all its
 * errands. */
void remote_free(struct remote *r);

#endif
