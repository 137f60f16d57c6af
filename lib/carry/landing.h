/* Files that come from a host: under temporary names until all of them are whole, then synced and
 * renamed, all or none. */
#ifndef FORAY_CARRY_LANDING_H
#define FORAY_CARRY_LANDING_H

#include "base/str.h"
#include "carry/cargo.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct landing;

struct landing *landing_new(struct loop *loop);
/* At any time, also while it is being synced: nobody is told then. What has not come to its own
 * name goes. NULL: does nothing. */
void landing_free(struct landing *l);

/* A whole file, or a link, that stands under a temporary name, which becomes the landing's; name:
 * its own, copied. fd: open for writing, is synced and closed; -1: closed, or a link. */
void landing_add(struct landing *l, struct buf *temporary, struct str name, int fd);
size_t landing_count(const struct landing *l);
/* Number i, in the order of adding: its temporary name. */
struct str landing_temporary(const struct landing *l, size_t i);

/* all: not each is synced by itself, but what they lie on as a whole, which takes as long as a few
 * of them. done is called once, from the loop: 0, or errno, and which it was. */
void landing_sync(struct landing *l, bool all,
                  void (*done)(void *arg, int error, struct str failed), void *arg);
bool landing_is_syncing(const struct landing *l);

/* Makes a directory of a tree that comes, with those above it. A link in its place is not followed:
 * the host may have sent it before. Its marks, which may keep us from putting anything into it, are
 * made when all is there. 0 or errno. */
int landing_make_directory(struct landing *l, struct str name, const struct marks *marks,
                           bool preserve);
bool landing_is_empty(const struct landing *l); /* nothing came, and nothing is to be made */
/* Gives an open file its marks, when all of it is written: temporary_open could not leave out what
 * it needs itself. 0 or errno. */
int landing_mark(int fd, const struct marks *marks, bool preserve);
/* Whether there is room for a file of so many bytes as the host says: if not, they need not begin
 * to come. */
bool landing_has_room(struct str name, uint64_t size);
/* Writes some of a file. What is all zeros becomes a hole, and sets sparse: the file's length is to
 * be set in the end. 0 or errno. */
int landing_write(int fd, struct str bytes, uint64_t offset, bool *sparse);

#endif
