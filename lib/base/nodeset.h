/* Host lists as ClusterShell and pdsh write them: "node[01-03,7],gpu[1-2]-ib0,ana@big:2222". They
 * are words between commas and blanks, which are put together, or between operators, which are
 * followed from the left, none before another: `a!b` is a without b, `a&b` what is in both, `a^b`
 * what is in one of them. What a word that begins with `@` stands for its reader knows. */
#ifndef FORAY_BASE_NODESET_H
#define FORAY_BASE_NODESET_H

#include "base/arena.h"
#include "base/map.h"
#include "base/strlist.h"

/* --- text to words to names --- */

/* What is done with a word's names: they are added to those of all that stands before it, taken
 * away from them, the only ones that stay, or each either added or taken away. */
enum nodeset_op { NODESET_UNION, NODESET_DIFFERENCE, NODESET_INTERSECTION, NODESET_XOR };

/* Goes through a text: {text}. */
struct nodeset_words {
    struct str text;
    size_t at;
    bool any; /* a word was met */
};

struct nodeset_word {
    enum nodeset_op op;
    struct str text;
    const char *wrong; /* not NULL: the text is an operator that misses a word, and this is why */
};

/* The next word; false: there is none. After a mistake it can go on. */
bool nodeset_next_word(struct nodeset_words *words, struct nodeset_word *word);

/* The names of one word, in the order written: zero padding is kept ("[01-10]"), several brackets
 * are a product, "[0-10/5]" is a step, and an IPv6 address in brackets stays as it is. They are
 * made in the arena. On a mistake: false, with its offset in the word, and a short reason. More
 * than `limit` names are a mistake too. */
bool nodeset_expand(struct str word, size_t limit, struct arena *arena, str_list *out,
                    size_t *offset, const char **reason);

/* --- names to sets --- */

/* A name, and what it stands for: NULL, or a thing of that name only. */
struct nodeset_item {
    struct str name;
    void *thing;
    uint32_t added; /* with which word, the last time */
    uint32_t state; /* of its name */
};

/* A set while it is made word by word; {0} is the empty one. Every operation takes time
 * proportional to the names of its word. */
struct nodeset {
    struct map names, things;
    VEC(struct nodeset_state) states; /* by name */
    /* That were in it ever, in the order in which they came. */
    VEC(struct nodeset_item) items;
    struct arena arena;
    enum nodeset_op op;
    uint32_t word; /* that is added: they count from 1 */
    /* The last word that only let its names stay, and the one that was it before this word. */
    uint32_t narrowed, before;
};

/* Begins a word; then each name of it is told. A name must outlive the set. Those with a thing and
 * those without differ for NODESET_UNION, not for the others. */
void nodeset_begin(struct nodeset *set, enum nodeset_op op);
void nodeset_add(struct nodeset *set, struct str name, void *thing);
/* The next one that is in the set, from *i on, in the order in which they came first; NULL: there
 * is none. */
const struct nodeset_item *nodeset_next(const struct nodeset *set, size_t *i);
void nodeset_free(struct nodeset *set);

/* --- names to text --- */

/* Appends the names as one host list, short and always the same whatever their order: numbers
 * become ranges, padding kept, in every place of the name ("rack[1-4]-node[01-23],gpu1").
 * Duplicates count once. The list stands for these names again: they have no blanks, commas and
 * operators, as those that nodeset_expand makes. Takes time nearly proportional to the names. */
void nodeset_fold(const struct str *names, size_t n, struct buf *out);

#endif
