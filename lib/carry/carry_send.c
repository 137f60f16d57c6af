/* Files on their way to a host. In a scratch directory they are written under their names, since
 * nobody looks at them before all are there; elsewhere under temporary names, and renamed. */
#include "carry/carry_state.h"

#include "base/mem.h"
#include "carry/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- where things go --- */

static void placed(void *arg, const struct sftp_answer *answer) {
    struct errand_cargo *c = arg;
    const struct cargo *asked = &c->load->errand->cargo[c - c->load->cargo];
    c->load->busy--;
    bool known = answer->status == SFTP_OK && (answer->attributes.has & SFTP_HAS_MODE) != 0;
    bool directory = known && S_ISDIR(answer->attributes.mode);
    if (known || answer->status == SFTP_NO_SUCH_FILE)
        *asked->or_name = directory ? 1 : -1;
    if (known && !directory && !S_ISREG(answer->attributes.mode)) {
        outcome_trouble_with(&c->load->outcome, CARRY_REFUSED, "cannot replace",
                             (struct str){asked->to.s, asked->to.n - 1},
                             "it is neither a file nor a directory there");
    }
}

bool send_begin(struct load *l) {
    const struct errand *e = l->errand;
    struct buf path = {0};
    bool asked = false;
    for (size_t i = 0; i < e->n_cargo; i++) {
        struct str to = e->cargo[i].to;
        if (e->cargo[i].or_name == NULL || *e->cargo[i].or_name != 0)
            continue;
        load_path(l, (struct str){to.s, to.n - 1}, &path);
        l->busy++;
        sftp_look_at(l->carrier->sftp, buf_view(&path), true, placed, &l->cargo[i]);
        asked = true;
    }
    buf_free(&path);
    l->state = PLACING;
    return asked;
}

/* While they are sent they are also read for the proof. */
static void read_here(struct load *l) {
    struct proof *proof = l->errand->proof;
    for (size_t i = 0; i < l->items.n; i++) {
        struct cargo_item *item = &l->items.v[i];
        if (item->kind == CARGO_FILE)
            item->proof = proof_here(proof, item->from, item->part ? item->start : 0, item->size);
    }
    if (!proof_is_empty(proof))
        proof_read(proof);
}

/* One that others may look at. */
static bool has_own_place(const struct load *l, struct str to) {
    return !l->errand->make_where || (to.n != 0 && to.s[0] == '/');
}

static bool is_below(struct str name, struct str dir) {
    return dir.n != 0 && name.n > dir.n && str_starts(name, dir) && name.s[dir.n] == '/';
}

/* Where they will be: what is in a tree stands behind it, and what goes into one directory most
 * often together. */
static void tell_places(struct load *l) {
    str_list words = {0};
    struct str tree = {0}, last = {0};
    char family[16];
    l->family = l->errand->family = temporary_family();
    snprintf(family, sizeof family, "%08lx", (unsigned long)l->family);
    str_list_add(&words, str_of(family));
    for (size_t i = 0; i < l->items.n; i++) {
        const struct cargo_item *item = &l->items.v[i];
        struct str parent = str_directory(item->to);
        if (!has_own_place(l, item->to) || is_below(item->to, tree))
            continue;
        if (item->kind == CARGO_DIRECTORY)
            cargo_leave(l->errand->where, 't', tree = item->to, &words);
        else if (last.s == NULL || !str_eq(parent, last))
            cargo_leave(l->errand->where, 'f', last = parent, &words);
    }
    if (words.n > 1)
        l->errand->leaves(l->errand->arg, &words);
    str_list_free(&words);
}

bool send_place(struct load *l) {
    const struct errand *e = l->errand;
    struct buf why = {0};
    for (size_t i = 0; i < e->n_cargo && !l->outcome.stopping; i++) {
        struct cargo c = e->cargo[i];
        c.to.n -= c.or_name != NULL && *c.or_name <= 0;
        if (!cargo_expand(&c, &l->items, &why))
            outcome_trouble(&l->outcome, CARRY_FAILED, "%s", why.s);
    }
    buf_free(&why);
    for (size_t i = 0; i < l->items.n; i++)
        l->bytes += l->items.v[i].size;
    if (l->outcome.stopping)
        return false;
    /* Where it is given back this is known there before the other carrier begins. */
    l->family = e->family;
    if (e->leaves != NULL && !e->much)
        tell_places(l);
    weigh(l, STR(""));
    if (!l->outcome.stopping && l->state != WEIGHING)
        send_weighed(l);
    return false;
}

void send_weighed(struct load *l) {
    if (l->errand->tally != NULL)
        l->errand->tally->expected += l->bytes;
    directories_list(l);
    if (l->errand->prove_all)
        read_here(l);
    l->state = KNOWING;
}

/* --- one file --- */

static struct str name_of(const struct parcel *p) {
    return p->load->items.v[p->item].from;
}

void send_trouble(struct parcel *p, enum carried verdict, const char *why) {
    outcome_trouble_with(&p->load->outcome, verdict, "cannot send", name_of(p), why);
}

void send_over(struct parcel *p) {
    if (p->load->errand->tally != NULL && !p->load->outcome.stopping)
        p->load->errand->tally->files++;
    parcel_free(p);
}

static void removed(void *arg, const struct sftp_answer *answer) {
    (void)answer;
    parcel_free(arg);
}

static void remove_there(struct parcel *p) {
    sftp_remove(p->load->carrier->sftp, buf_view(&p->temporary), removed, p);
}

/* SFTP has one word for whatever goes wrong; here the disk is seldom the reason. */
static const char *why_not_renamed(uint32_t status) {
    return status == SFTP_FAILURE ? "failed there (is there a directory of that name?)"
                                  : sftp_reason(status);
}

/* What was only to be kept there goes straight to its own place instead. */
static void send_unkept(struct parcel *p) {
    sftp_remove(p->load->carrier->sftp, buf_view(&p->temporary), carry_ignore, NULL);
    if (p->load->errand->tally != NULL)
        p->load->errand->tally->bytes -= p->at;
    p->at = 0;
    lanes_forget(p);
    keep_no_more(p);
    send_file(p);
}

static void renamed(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    if (answer->status == SFTP_OK) {
        if (!keep_stored(p))
            send_over(p);
    } else if (keep_refused(p) && !p->load->outcome.stopping) {
        send_unkept(p);
    } else {
        send_trouble(p, CARRY_REFUSED, why_not_renamed(answer->status));
        remove_there(p);
    }
}

void send_prove(struct parcel *p, struct str there) {
    proof_there(p->load->errand->proof, p->load->items.v[p->item].proof, there);
}

/* It waits under its temporary name until all that is sent has come so far. */
static void hold(struct parcel *p) {
    struct load *l = p->load;
    if (l->items.v[p->item].kind == CARGO_FILE)
        send_prove(p, buf_view(&p->temporary));
    struct held *h = vec_push(&l->held);
    *h = (struct held){.load = l, .path = p->path, .temporary = p->temporary};
    p->path = p->temporary = (struct buf){0};
    send_over(p);
}

static void held_removed(void *arg, const struct sftp_answer *answer) {
    (void)answer;
    ((struct held *)arg)->load->busy--;
}

static void freed(void *arg, const struct sftp_answer *answer) {
    struct held *h = arg;
    struct load *l = h->load;
    if (answer->status == SFTP_OK) {
        l->busy--;
    } else { /* of several that fail, none is left */
        outcome_trouble_with(&l->outcome, CARRY_REFUSED, "cannot rename to", buf_view(&h->path),
                             why_not_renamed(answer->status));
        sftp_remove(l->carrier->sftp, buf_view(&h->temporary), held_removed, h);
    }
}

bool send_free_held(struct load *l) {
    struct sftp *sftp = l->carrier->sftp;
    bool moved = false;
    while (l->freed < l->held.n && sftp_room(sftp) != 0) {
        struct held *h = &l->held.v[l->freed++];
        l->busy++;
        moved = true;
        if (l->outcome.stopping)
            sftp_remove(sftp, buf_view(&h->temporary), held_removed, h);
        else
            sftp_rename(sftp, buf_view(&h->temporary), buf_view(&h->path), freed, h);
    }
    if (l->freed == l->held.n && l->busy == 0 && l->state == NAMING)
        l->state = MARKING;
    return moved;
}

/* It was closed there: on to its own name, or away with it. */
static void settle(struct parcel *p) {
    const struct load *l = p->load;
    p->state = RENAMING;
    if (p->temporary.n == 0) {
        if (l->errand->prove_all && l->items.v[p->item].kind == CARGO_FILE && !l->outcome.stopping)
            send_prove(p, buf_view(&p->path));
        send_over(p);
    } else if (l->outcome.stopping) {
        remove_there(p);
    } else if (p->unkept) {
        send_unkept(p);
    } else if (l->errand->prove_all && p->object == NULL) {
        hold(p);
    } else {
        sftp_rename(l->carrier->sftp, buf_view(&p->temporary), buf_view(&p->path), renamed, p);
    }
}

void send_answered(struct parcel *p) {
    p->busy--;
    if (p->state == CLOSING && p->busy == 0)
        settle(p);
}

void send_written(struct parcel *p, const struct sftp_answer *answer) {
    if (answer->status != SFTP_OK && !keep_refused(p))
        send_trouble(p, CARRY_REFUSED, sftp_reason(answer->status));
    send_answered(p);
}

static void written(void *arg, const struct sftp_answer *answer) {
    send_written(arg, answer);
}

/* What stands there in the end is as long as what was sent. */
static void measured(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    bool sized = (answer->attributes.has & SFTP_HAS_SIZE) != 0;
    if (answer->status != SFTP_OK && !keep_refused(p))
        send_trouble(p, CARRY_REFUSED, sftp_reason(answer->status));
    else if (answer->status == SFTP_OK && sized && answer->attributes.size != p->size)
        send_trouble(p, CARRY_LOST, "it has another size there after it was written");
    send_answered(p);
}

static void close_there(struct parcel *p) {
    p->state = CLOSING;
    lanes_leave(p);
    p->busy++;
    sftp_close(p->load->carrier->sftp, buf_view(&p->handle), written, p);
}

static void opened(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    p->busy--;
    if (answer->status != SFTP_OK && keep_refused(p) && !p->load->outcome.stopping) {
        send_unkept(p);
        return;
    }
    if (answer->status != SFTP_OK) {
        /* A scratch directory may have gone with its host, and in the home directory anything may
         * be in the way; but what directory it runs in the step says. */
        const struct errand *e = p->load->errand;
        bool named =
            !e->make_where && !str_eq(e->where, STR(".")) && answer->status == SFTP_NO_SUCH_FILE;
        struct buf shown = {0};
        buf_visible(&shown, buf_view(&p->path));
        outcome_trouble(&p->load->outcome, named ? CARRY_FAILED : CARRY_REFUSED,
                        "cannot write %s there: %s", shown.s, sftp_reason(answer->status));
        buf_free(&shown);
        parcel_free(p);
        return;
    }
    buf_str(&p->handle, answer->bytes);
    p->state = MOVING;
    if (p->load->outcome.stopping)
        close_there(p);
    else
        lanes_join(p);
}

/* A name beside its own, where its own is one that others may look at. */
static void choose_name(struct parcel *p) {
    struct load *l = p->load;
    struct str to = l->items.v[p->item].to;
    load_path(l, to, &p->path);
    if (has_own_place(l, to))
        temporary_of_family(buf_view(&p->path), l->family, l->relatives++, &p->temporary);
}

struct str send_name_there(const struct parcel *p) {
    return buf_view(p->temporary.n != 0 ? &p->temporary : &p->path);
}

static void linked(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    if (answer->status != SFTP_OK) {
        send_trouble(p, CARRY_REFUSED, sftp_reason(answer->status));
        parcel_free(p);
        return;
    }
    settle(p);
}

static bool send_link(struct load *l, size_t item) {
    char target[4096];
    struct str name = l->items.v[item].from;
    ssize_t n = readlink(name.s, target, sizeof target);
    if (n <= 0 || (size_t)n == sizeof target) {
        outcome_trouble_with(&l->outcome, CARRY_FAILED, "cannot send", name,
                             strerror(n < 0 ? errno : EINVAL));
        return false;
    }
    struct parcel *p = parcel_new(l, item);
    choose_name(p);
    sftp_make_link(l->carrier->sftp, send_name_there(p), (struct str){target, (size_t)n}, linked,
                   p);
    return true;
}

/* Nothing that is opened here may keep us waiting, or be another file a moment later. */
static int open_input(struct load *l, struct str name, struct stat *st) {
    int fd = open(name.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct buf shown = {0};
    buf_visible(&shown, name);
    if (fd < 0)
        outcome_trouble(&l->outcome, CARRY_FAILED, "cannot read its input %s: %s", shown.s,
                        strerror(errno));
    else if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))
        outcome_trouble(&l->outcome, CARRY_FAILED,
                        "its input %s is not a regular file: only those can be carried", shown.s);
    else if (cargo_has_more(fd, st))
        outcome_trouble(&l->outcome, CARRY_FAILED, "its input %s %s", shown.s, CARGO_HAS_MORE);
    buf_free(&shown);
    if (fd >= 0 && l->outcome.stopping) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void count(const struct parcel *p, uint64_t n) {
    if (p->load->errand->tally != NULL)
        p->load->errand->tally->bytes += n;
}

/* --- what may be there already --- */

static void seed_removed(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    (void)answer;
    p->busy--;
    if (p->load->outcome.stopping)
        parcel_free(p);
    else
        send_file(p);
}

/* What it contains is for the proof to say. */
static void seed_measured(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    struct load *l = p->load;
    struct sftp *sftp = l->carrier->sftp;
    const struct sftp_attributes *a = &answer->attributes;
    enum { BOTH = SFTP_HAS_SIZE | SFTP_HAS_MODE };
    const struct cargo_item *item = &l->items.v[p->item];
    if (answer->status != SFTP_OK || (a->has & BOTH) != BOTH || a->size != p->size ||
        !S_ISREG(a->mode) || l->outcome.stopping) {
        sftp_remove(sftp, buf_view(&p->temporary), seed_removed, p);
        return;
    }
    count(p, p->size);
    if (l->errand->tally != NULL)
        l->errand->tally->spared += p->size;
    proof_need_sync(l->errand->proof);
    p->state = CLOSING;
    if (!item->preserve) {
        send_answered(p);
        return;
    }
    struct sftp_attributes marks = {.has = SFTP_HAS_MODE | SFTP_HAS_TIMES,
                                    .mode = item->marks.mode,
                                    .accessed = (uint32_t)item->marks.accessed,
                                    .modified = (uint32_t)item->marks.modified};
    sftp_set_named(sftp, buf_view(&p->temporary), &marks, written, p);
}

static void seed_renamed(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    if (answer->status == SFTP_OK)
        sftp_look_at(p->load->carrier->sftp, buf_view(&p->temporary), false, seed_measured, p);
    else
        seed_removed(p, answer);
}

static void take_seed(struct parcel *p) {
    struct buf path = {0};
    buf_str(&path, str_directory(buf_view(&p->path)));
    buf_str(&path, p->load->items.v[p->item].seed);
    p->state = BEGUN;
    p->busy++;
    sftp_rename(p->load->carrier->sftp, buf_view(&path), buf_view(&p->temporary), seed_renamed, p);
    buf_free(&path);
}

bool send_begin_parcel(struct load *l) {
    size_t i = l->item++;
    const struct cargo_item *item = &l->items.v[i];
    struct stat st;
    if (item->kind == CARGO_DIRECTORY)
        return false;
    if (item->kind == CARGO_LINK)
        return send_link(l, i);
    int fd = open_input(l, item->from, &st);
    if (fd < 0)
        return false;
    struct parcel *p = parcel_new(l, i);
    p->fd = fd;
    p->start = item->part ? item->start : 0;
    p->size = item->part ? item->size : (uint64_t)st.st_size;
    l->items.v[i].marks = cargo_marks(&st);
    p->sparse = !item->part && cargo_is_sparse(&st);
    choose_name(p);
    p->mode = (uint32_t)(st.st_mode & 0777) | (p->temporary.n != 0 ? 0 : 0200);
    if (item->seed.n != 0 && l->errand->prove_all)
        take_seed(p);
    else if (!keep_begin(p))
        send_file(p);
    return true;
}

void send_file(struct parcel *p) {
    p->state = BEGUN;
    p->busy++;
    sftp_open_file(p->load->carrier->sftp, send_name_there(p),
                   SFTP_WRITE | SFTP_CREATE |
                       (p->temporary.n != 0 ? SFTP_EXCLUSIVE : SFTP_TRUNCATE),
                   p->mode, opened, p);
}

/* How much can be sent at once from where it stands; holes are passed over. 0: nothing is left. */
static uint32_t next_chunk(struct parcel *p) {
    uint64_t end = p->size;
#ifdef SEEK_DATA
    if (p->sparse) {
        off_t data = lseek(p->fd, (off_t)p->at, SEEK_DATA);
        uint64_t before = p->at;
        p->at = data < 0 || (uint64_t)data > p->size ? p->size : (uint64_t)data;
        count(p, p->at - before);
        if (data < 0) /* only a hole is left */
            return 0;
        off_t hole = lseek(p->fd, data, SEEK_HOLE);
        if (hole >= 0 && (uint64_t)hole < end)
            end = (uint64_t)hole;
    }
#endif
    size_t most = sftp_chunk(p->load->carrier->sftp);
    return (uint32_t)(end - p->at < most ? end - p->at : most);
}

static bool has_changed(const struct parcel *p) {
    struct stat st;
    if (fstat(p->fd, &st) != 0)
        return true;
    uint64_t size = (uint64_t)st.st_size;
    bool longer = p->load->items.v[p->item].part || p->load->errand->may_grow;
    return longer ? size < p->start + p->size : size != p->size;
}

/* Many are synced together, by what proves them. */
static void sync_there(struct parcel *p) {
    struct sftp *sftp = p->load->carrier->sftp;
    if (p->load->items.n > SYNC_EACH || !sftp_can_sync(sftp)) {
        proof_need_sync(p->load->errand->proof);
        return;
    }
    p->busy++;
    sftp_sync(sftp, buf_view(&p->handle), written, p);
}

static void end_file(struct parcel *p) {
    struct sftp *sftp = p->load->carrier->sftp;
    const struct marks *marks = &p->load->items.v[p->item].marks;
    bool preserve = p->load->items.v[p->item].preserve;
    struct sftp_attributes a = {.has = (p->sparse ? SFTP_HAS_SIZE : 0) |
                                       (preserve ? SFTP_HAS_MODE | SFTP_HAS_TIMES : 0),
                                .size = p->size,
                                .mode = marks->mode,
                                .accessed = (uint32_t)marks->accessed,
                                .modified = (uint32_t)marks->modified};
    if (has_changed(p) || !keep_is_true(p))
        send_trouble(p, CARRY_FAILED, "it changed while it was carried");
    if (a.has != 0) {
        p->busy++;
        sftp_set(sftp, buf_view(&p->handle), &a, written, p);
    }
    if (p->load->errand->prove_all && p->temporary.n != 0 && p->object == NULL)
        sync_there(p);
    p->busy++;
    sftp_look_at_open(sftp, buf_view(&p->handle), measured, p);
    close_there(p);
}

bool send_chunk(struct parcel *p, struct sftp *sftp, struct str handle, sftp_done *done,
                void *arg) {
    uint32_t n = p->at < p->size && !p->unkept ? next_chunk(p) : 0;
    if (n == 0)
        return false;
    p->busy++;
    char *bytes = sftp_write(sftp, handle, p->at, n, done, arg);
    for (uint32_t got = 0; got < n;) {
        ssize_t r = pread(p->fd, bytes + got, n - got, (off_t)(p->start + p->at + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) {
            memset(bytes + got, 0, n - got);
            send_trouble(p, CARRY_FAILED,
                         r < 0 ? strerror(errno) : "it changed while it was carried");
            break;
        }
        got += (uint32_t)r;
    }
    if (p->hash != NULL)
        hash_stream_add(p->hash, (struct str){bytes, n});
    p->at += n;
    count(p, n);
    return true;
}

bool send_more(struct parcel *p) {
    if (send_chunk(p, p->load->carrier->sftp, buf_view(&p->handle), written, p))
        return true;
    if (lanes_are_busy(p))
        return false;
    if (p->unkept)
        close_there(p);
    else
        end_file(p);
    return true;
}

void send_drop(struct parcel *p) {
    if (p->state == MOVING)
        close_there(p);
    else if (p->state == WAITING)
        parcel_free(p);
}
