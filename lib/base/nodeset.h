/* Host lists as ClusterShell and pdsh write them: "node[01-03,7],gpu[1-2]-ib0,ana@big:2222". */
#ifndef FORAY_BASE_NODESET_H
#define FORAY_BASE_NODESET_H

#include "base/arena.h"
#include "base/strlist.h"

/* Expands one list into names, in the order written, duplicates left out; zero padding is kept
 * ("[01-10]"), several brackets in one word are a product, "[0-10/5]" is a step. Names are made in
 * the arena. On a mistake: false, with the offset of the mistake in text and a short reason. More
 * than `limit` names are a mistake too. */
bool nodeset_expand(struct str text, size_t limit, struct arena *arena, str_list *out,
                    size_t *offset, const char **reason);

/* Appends the names as one host list, short and always the same whatever their order: numbers
 * become ranges, padding kept, in every place of the name ("rack[1-4]-node[01-23],gpu1").
 * Duplicates count once. The list stands for these names again: they have no blanks, commas and
 * operators, as those that nodeset_expand makes. Takes time nearly proportional to the names. */
void nodeset_fold(const struct str *names, size_t n, struct buf *out);

#endif
