/* A slot: a channel with a long-lived shell (keeper.sh) at its far end that runs one step after
 * another, so that the cost of a log-in shell is paid once, and that ends the step when this side
 * goes away. */
#ifndef FORAY_WAY_SLOT_H
#define FORAY_WAY_SLOT_H

#include "base/strlist.h"
#include "loop/loop.h"
#include "run/executor.h"
#include "way/put.h"
#include "way/terminal.h"
#include "way/way.h"

struct slot;

struct slot_events {
    void *context;
    void (*ready)(void *context, struct slot *s, uint32_t cores, uint64_t memory,
                  double load); /* steps can be run; load < 0: unknown */
    /* The way takes no more channels (MaxSessions). The slot is only good for slot_free. */
    void (*refused)(void *context, struct slot *s);
    /* The keeper is gone, or never came. Likewise. */
    void (*broken)(void *context, struct slot *s, const char *reason);
    void (*output)(void *context, struct slot *s, enum stream stream, struct str bytes);
    /* The step has ended, with this exit status of a shell. clean: it left its directory empty. */
    void (*ended)(void *context, struct slot *s, int status, bool clean, double load);
    /* The step could not be started there, or was ended by the keeper itself; the slot is idle. */
    void (*unable)(void *context, struct slot *s, const char *reason);
    void (*load)(void *context, struct slot *s, double load);
    /* What slot_ask_facts asked for: bytes; UINT64_MAX: not known. */
    void (*facts)(void *context, struct slot *s, uint64_t memory, uint64_t disk);
    /* The way takes no channel more for a step's terminal: slot_take_terminal finds another way. */
    void (*no_room)(void *context, struct slot *s);
};

struct slot_options {
    bool count_cores; /* ask for them too, which costs a moment */
    bool keep_scratch;
    bool perl_works; /* as another slot there has found: slot_has_perl */
    /* A keeper that hears nothing for so many seconds takes this side for gone, and ends what runs:
     * it is to have a word (slot_ping) three times in these. */
    unsigned silence;
    bool patient; /* it may take as long as it likes to be ready */
    /* While it is true what a step writes is left where it is; when that is over: slot_go_on. NULL:
     * it never is. */
    const bool *held;
};

/* Opens a slot on a way that is ready. */
struct slot *slot_open(struct loop *loop, struct way *w, const struct slot_options *options,
                       const struct slot_events *events);
/* Forgets it, whatever it does; the other side ends what runs. */
void slot_free(struct slot *s);

struct str slot_scratch(const struct slot *s);    /* below it the slot's scratch directories stand;
                                                     known when it is ready */
char *slot_first_directory(const struct slot *s); /* one that is there and empty when it is ready;
                                                     the caller's */
bool slot_has_perl(const struct slot *s);         /* known likewise; false: it may have one */
/* Starts a script in a directory (a scratch directory below slot_scratch is made if it is not
 * there), with variables NAME=VALUE (NULL: none) added to the environment there. The slot must be
 * idle. detach: what it leaves running when it has succeeded stays; the slot is to be freed then.
 */
void slot_run(struct slot *s, struct str where, struct str script, const str_list *variables,
              bool detach);
/* The same on a terminal there, which is joined with the one here: granted, and not freed before
 * the step has ended, or the slot. `output` has nothing of it. */
void slot_run_on(struct slot *s, struct str where, struct str script, const str_list *variables,
                 struct terminal *t);
void slot_take_terminal(struct slot *s, struct way *w); /* if a step waits for its terminal */
/* That way is gone: no step has its terminal by it any more. */
void slot_lose_terminal(struct slot *s);
void slot_resized(struct slot *s); /* the terminal here */
/* The same for a script that reads exactly that many bytes of standard input (put.h);
 * PUT_AS_MANY: where slot_has_perl. Only the first of them are sent before slot_feed is called,
 * since it is being read: OpenSSH's server keeps what nobody reads, and moves all of that for each
 * packet more. Nothing can end it but slot_give_up. */
void slot_put(struct slot *s, struct str where, struct str script, uint64_t bytes,
              const struct put_source *source);
void slot_feed(struct slot *s);
/* What runs next writes much, all of which is taken as it comes. */
void slot_widen(struct slot *s);
void slot_signal(struct slot *s, bool at_once); /* TERM, or KILL, to what runs; `ended` follows */
/* The keeper does not answer: `broken` follows. */
void slot_give_up(struct slot *s, const char *reason);
void slot_clean(struct slot *s, struct str directory);
/* What the other side is to remove when this one is gone without a word: a family of temporary
 * names (carry/temporary.h) and places, each a letter and a name: f: a directory that they are in;
 * t: a tree; d: a directory that is one itself. None: nothing any more. */
void slot_leave(struct slot *s, const str_list *words);
void slot_remove_left(struct slot *s); /* it removes that now */
void slot_ask_load(struct slot *s);
void slot_ask_facts(struct slot *s);       /* how much memory and disk are free there */
enum { SLOT_SILENCE = 15, SLOT_PING = 5 }; /* seconds: for `silence`, and between words */
void slot_ping(struct slot *s);
void slot_pause(struct slot *s); /* until the next one: this side is being stopped, for a while */
void slot_resume(struct slot *s);
void slot_go_on(struct slot *s);
/* Says good-bye; slot_is_closed tells when the other side has tidied up. */
void slot_close(struct slot *s);
bool slot_is_closed(const struct slot *s);

#endif
