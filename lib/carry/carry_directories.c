/* Directories there: made before what goes into them, and marked when all is in them. */
#include "carry/carry_state.h"

#include "base/map.h"

#include <sys/stat.h>

/* --- which --- */

static struct directory *list_one(struct load *l, struct str name, struct map *seen) {
    void **known = map_put(seen, name);
    if (*known != NULL)
        return &l->directories.v[(size_t)(uintptr_t)*known - 1];
    struct buf path = {0};
    load_path(l, name, &path);
    struct directory *d = vec_push(&l->directories);
    *d = (struct directory){.load = l, .path = {path.s, path.n}};
    *known = (void *)(uintptr_t)l->directories.n;
    return d;
}

/* The directories above a file, as far as they have not been listed yet. */
static void list_parents(struct load *l, struct str name, struct map *seen) {
    for (size_t i = 1; i < name.n; i++)
        if (name.s[i] == '/')
            list_one(l, (struct str){name.s, i}, seen);
}

void directories_list(struct load *l) {
    const struct errand *e = l->errand;
    struct map seen = {0};
    if (e->make_where)
        list_one(l, STR(""), &seen);
    for (size_t i = 0; i < l->items.n; i++) {
        const struct cargo_item *item = &l->items.v[i];
        list_parents(l, item->to, &seen);
        if (item->kind != CARGO_DIRECTORY)
            continue;
        struct directory *d = list_one(l, item->to, &seen);
        d->sent = true;
        d->preserve = item->preserve;
        d->marks = item->marks;
    }
    for (size_t i = 0; i < e->n_parents; i++)
        list_parents(l, e->parents[i], &seen);
    map_free(&seen);
}

/* --- making --- */

static void made_scratch(void *arg, const struct sftp_answer *answer) {
    struct directory *d = arg;
    d->load->busy--;
    if (answer->status != SFTP_OK)
        outcome_trouble_with(&d->load->outcome, CARRY_REFUSED, "cannot make the scratch directory",
                             d->load->errand->where, sftp_reason(answer->status));
}

static void looked_at(void *arg, const struct sftp_answer *answer) {
    struct directory *d = arg;
    bool known = answer->status == SFTP_OK && (answer->attributes.has & SFTP_HAS_MODE) != 0;
    d->load->busy--;
    if (answer->status != SFTP_OK)
        outcome_trouble_with(&d->load->outcome, CARRY_REFUSED, "cannot make the directory", d->path,
                             sftp_reason(answer->status));
    else if (known && !S_ISDIR(answer->attributes.mode))
        outcome_trouble_with(&d->load->outcome, CARRY_REFUSED, "cannot make the directory", d->path,
                             "something else stands there");
}

/* It may stand already. Of one that is only above a file opening that will tell. */
static void made(void *arg, const struct sftp_answer *answer) {
    struct directory *d = arg;
    d->made = answer->status == SFTP_OK;
    if (d->made || !d->sent || d->load->outcome.stopping)
        d->load->busy--;
    else
        sftp_look_at(d->load->carrier->sftp, d->path, true, looked_at, d);
}

bool directories_make(struct load *l) {
    bool moved = false;
    while (l->directory < l->directories.n && sftp_room(l->carrier->sftp) != 0) {
        struct directory *d = &l->directories.v[l->directory];
        bool scratch = l->errand->make_where && l->directory == 0;
        uint32_t mode = scratch ? 0700 : d->sent ? d->marks.mode | 0700 : 0777;
        sftp_make_directory(l->carrier->sftp, d->path, mode, scratch ? made_scratch : made, d);
        l->directory++;
        l->busy++;
        moved = true;
    }
    if (l->directory == l->directories.n && l->busy == 0)
        l->state = CARRYING;
    return moved;
}

/* --- marking --- */

static void marked(void *arg, const struct sftp_answer *answer) {
    struct directory *d = arg;
    d->load->busy--;
    if (answer->status != SFTP_OK)
        outcome_trouble_with(&d->load->outcome, CARRY_REFUSED, "cannot set the mode of", d->path,
                             sftp_reason(answer->status));
}

/* Those in others first: what they are given may keep us from reaching them. */
bool directories_mark(struct load *l) {
    bool moved = false;
    while (l->marked < l->directories.n && sftp_room(l->carrier->sftp) != 0) {
        struct directory *d = &l->directories.v[l->directories.n - ++l->marked];
        struct sftp_attributes a = {.has = SFTP_HAS_MODE,
                                    .mode = d->marks.mode,
                                    .accessed = (uint32_t)d->marks.accessed,
                                    .modified = (uint32_t)d->marks.modified};
        if (d->preserve)
            a.has |= SFTP_HAS_TIMES;
        else if (!d->sent || !d->made || (d->marks.mode & 0700) == 0700)
            continue;
        sftp_set_named(l->carrier->sftp, d->path, &a, marked, d);
        l->busy++;
        moved = true;
    }
    if (l->marked == l->directories.n && l->busy == 0)
        l->state = OVER;
    return moved;
}
