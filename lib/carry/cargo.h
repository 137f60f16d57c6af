/* What an errand carries: names, patterns and trees, and the files, directories and links that they
 * stand for. */
#ifndef FORAY_CARRY_CARGO_H
#define FORAY_CARRY_CARGO_H

#include "base/hash.h"
#include "base/str.h"
#include "base/strlist.h"
#include "base/vec.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What a file or directory has beside its contents: permissions, and times in s since 1970. */
struct marks {
    uint32_t mode;
    int64_t accessed, modified;
};

/* As it is asked for. from: where it is now, to: where it goes; of here and there whichever it is.
 * to: empty: the same name; with a slash at its end: into that directory. */
struct cargo {
    struct str from, to;
    bool pattern;  /* `from` is one, as for glob(3), of regular files (tree: of directories too) */
    bool optional; /* it may come to nothing */
    bool tree;     /* a directory goes with all that is in it */
    bool preserve; /* times too, and modes whatever the umask says where it goes */
    int8_t *or_name; /* SEND: `to` ends in a slash; where no directory of that name stands there, it
                        is the name without the slash. -1: none does; 1: one does; 0: not known yet,
                        and set as soon as it is, for those who try again when this try has made
                        one. Else NULL */
    struct str seed; /* SEND: a file of that name, beside where it goes, may hold the same as one
                        that is sent, and is taken then; empty: there is none */
    bool part;       /* SEND: of the file only `length` bytes, from `start` on */
    uint64_t start, length;
};

enum cargo_kind { CARGO_FILE, CARGO_DIRECTORY, CARGO_LINK };

/* One thing of it. The names are its own. */
struct cargo_item {
    enum cargo_kind kind;
    struct str from, to;
    bool optional;
    bool found;     /* by a pattern, or in a directory */
    bool sparse;    /* of a sent file that was found: it has holes */
    bool looked_at; /* of a fetched file: it is a regular one; marks and size are known */
    bool preserve;
    struct marks marks;
    bool known; /* of a sent file: its digest is known */
    struct digest digest;
    struct str seed;
    size_t proof; /* of a sent file: its number there */
    bool part;    /* only `size` bytes of it, from `start` on */
    uint64_t start;
    uint64_t size; /* as far as it is known before it is opened */
};

typedef VEC(struct cargo_item) cargo_list;

/* How deep a tree may be, and how many names one errand may come to. */
enum { CARGO_DEPTH = 64, CARGO_MOST = 1000 * 1000 };

void cargo_add(cargo_list *list, enum cargo_kind kind, struct str from, struct str to);
void cargo_free(cargo_list *list);
/* What another machine says of a regular file. */
void cargo_looked_at(struct cargo_item *item, const struct marks *marks, uint64_t size);
struct marks cargo_marks(const struct stat *st);
bool cargo_is_sparse(const struct stat *st);
/* Whether an open file has more in it than it says, as those of /proc do. */
#define CARGO_HAS_MORE "says that it is empty, and is not, as files of /proc: copy its content"
bool cargo_has_more(int fd, const struct stat *st);
/* What a cargo that is here stands for. false, with the reason, if it stands for nothing and may
 * not, or for what cannot be carried. */
bool cargo_expand(const struct cargo *c, cargo_list *list, struct buf *why);
/* Where something called `from` goes. */
void cargo_place(const struct cargo *c, struct str from, struct buf *to);
/* dir + "/" + name. */
void cargo_join(struct str dir, struct str name, struct buf *out);
/* Appends the full name of one that starts in `where`. */
void cargo_path(struct str where, struct str name, struct buf *path);
/* Adds where temporary files may be left there, as slot_leave has it: the letter, and that name. */
void cargo_leave(struct str where, char letter, struct str name, str_list *words);
/* Whether a name that another machine gives is one of an entry of a directory, and nothing else. */
bool cargo_is_plain(struct str name);
/* The next component of a pattern: its length; wild: it has to be looked for. */
size_t cargo_component(struct str pattern, bool *wild);
void cargo_unescape(struct str component, struct buf *out);

#endif
