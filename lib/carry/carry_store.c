/* What is kept on a host of the files that were sent there: carry_send.c sends them into the store,
 * and from there they are copied to where they are wanted, over there. */
#include "carry/carry_state.h"

#include "base/mem.h"
#include "carry/temporary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DAY = 24 * 3600, SEEN_MAX = 1000 * 1000 };

/* --- what is there --- */

/* A listing of the store's directory. */
struct listing {
    struct carrier *carrier;
    size_t seen;
    struct buf handle;
};

static void end_listing(struct listing *g, enum store_state state) {
    struct carrier *k = g->carrier;
    if (g->handle.n != 0)
        sftp_close(k->sftp, buf_view(&g->handle), carry_ignore, NULL);
    buf_free(&g->handle);
    free(g);
    k->listing = NULL;
    store_now(k->store, state);
}

/* What a killed foray was sending; another one may still be sending what is younger. */
static bool is_left_over(const struct sftp_entry *e) {
    return temporary_is(e->name) && (e->attributes.has & SFTP_HAS_TIMES) != 0 &&
           (int64_t)e->attributes.modified + DAY < (int64_t)time(NULL);
}

static void take_entry(struct listing *g, const struct sftp_entry *e) {
    enum { BOTH = SFTP_HAS_SIZE | SFTP_HAS_MODE };
    if ((e->attributes.has & BOTH) != BOTH || !S_ISREG(e->attributes.mode))
        return;
    if (store_list(g->carrier->store, e->name, e->attributes.size, e->attributes.modified) ||
        !is_left_over(e))
        return;
    struct buf path = {0};
    buf_puts(&path, STORE_DIRECTORY "/");
    buf_str(&path, e->name);
    sftp_remove(g->carrier->sftp, buf_view(&path), carry_ignore, NULL);
    buf_free(&path);
}

static void listed(void *arg, const struct sftp_answer *answer) {
    struct listing *g = arg;
    for (size_t i = 0; i < answer->n_entries && g->seen < SEEN_MAX; i++, g->seen++)
        take_entry(g, &answer->entries[i]);
    if (answer->status == SFTP_OK && g->seen < SEEN_MAX)
        sftp_read_directory(g->carrier->sftp, buf_view(&g->handle), listed, g);
    else
        end_listing(g, answer->status == SFTP_EOF ? STORE_KNOWN : STORE_CLOSED);
}

static void opened_store(void *arg, const struct sftp_answer *answer) {
    struct listing *g = arg;
    if (answer->status != SFTP_OK) {
        end_listing(g, STORE_CLOSED);
        return;
    }
    buf_str(&g->handle, answer->bytes);
    sftp_read_directory(g->carrier->sftp, buf_view(&g->handle), listed, g);
}

static void list_store(struct carrier *k) {
    struct listing *g = mem_zalloc(sizeof *g);
    g->carrier = k;
    k->listing = g;
    store_now(k->store, STORE_LISTING);
    struct str path = STR(STORE_DIRECTORY);
    for (size_t i = 1; i <= path.n; i++)
        if (i == path.n || path.s[i] == '/')
            sftp_make_directory(k->sftp, (struct str){path.s, i}, 0700, carry_ignore, NULL);
    sftp_open_directory(k->sftp, path, opened_store, g);
}

/* The carrier ends before it knows. */
void keep_stop(struct carrier *k) {
    if (k->listing == NULL)
        return;
    buf_free(&k->listing->handle);
    free(k->listing);
    k->listing = NULL;
    store_now(k->store, STORE_UNKNOWN);
}

/* Only what goes into a scratch directory: what is sent to a place of its own is most often sent
 * once. */
static bool may_be_kept(const struct load *l, const struct cargo_item *item, struct stat *st) {
    return item->kind == CARGO_FILE && !item->part && item->size >= STORE_LEAST &&
           stat(item->from.s, st) == 0 && S_ISREG(st->st_mode) &&
           (uint64_t)st->st_size == item->size && !cargo_is_sparse(st) && l->errand->make_where &&
           !str_starts(item->to, STR("/"));
}

/* Asks for the digest of a file that may be kept; false: it will be known later. */
static bool know(struct load *l, struct cargo_item *item, bool *wanted) {
    struct stat st;
    if (!item->known && !may_be_kept(l, item, &st))
        return true;
    *wanted = true;
    if (item->known)
        return true;
    enum contents_answer answer =
        contents_ask(store_contents(l->carrier->store), item->from, &st, &item->digest);
    item->known = answer == CONTENTS_KNOWN;
    return answer != CONTENTS_SOON;
}

bool keep_know(struct load *l) {
    struct carrier *k = l->carrier;
    bool all = true, wanted = false;
    if (k->store == NULL || !sftp_can_copy(k->sftp) || store_state(k->store) == STORE_CLOSED)
        return true;
    for (size_t i = 0; i < l->items.n; i++)
        all = know(l, &l->items.v[i], &wanted) && all;
    if (wanted && store_state(k->store) == STORE_UNKNOWN)
        list_store(k);
    return all && !(wanted && store_state(k->store) == STORE_LISTING);
}

/* --- from the store --- */

/* The host may have lost its power while it wrote that, or its disk may give other bytes now. */
static void keep_unproved(struct parcel *p, struct object *o) {
    struct load *l = p->load;
    struct proof *proof = l->errand->proof;
    *vec_push(&l->unproved) = o;
    proof_there(proof, proof_here(proof, l->items.v[p->item].from, 0, p->size), buf_view(&p->path));
}

static void copied(struct parcel *p) {
    struct sftp *sftp = p->load->carrier->sftp;
    if (p->busy != 0)
        return;
    struct object *o = p->object;
    struct buf *handles[] = {&p->source, &p->handle};
    for (size_t i = 0; i < 2; i++) {
        if (handles[i]->n != 0)
            sftp_close(sftp, buf_view(handles[i]), carry_ignore, NULL);
        buf_clear(handles[i]);
    }
    p->object = NULL;
    if (p->load->outcome.stopping) {
        parcel_free(p);
    } else if (p->taken) {
        struct carrier *k = p->load->carrier;
        if (p->load->errand->prove_all)
            send_prove(p, buf_view(&p->path));
        else if (p->unproved && p->load->errand->proof != NULL)
            keep_unproved(p, o);
        k->events.holds(k->events.context, p->load->items.v[p->item].from);
        if (p->load->errand->tally != NULL)
            p->load->errand->tally->bytes += p->size - p->at;
        send_over(p);
    } else { /* it is not there any more, or damaged: the way that always works */
        if (o->state == OBJECT_THERE) /* and no other sends it again by now */
            store_forget(p->load->carrier->store, o);
        p->at = 0;
        send_file(p);
    }
}

static void done(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    p->busy--;
    p->taken = p->taken && answer->status == SFTP_OK;
    copied(p);
}

static void measured(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    p->taken = p->taken && (answer->attributes.has & SFTP_HAS_SIZE) != 0 &&
               answer->attributes.size == p->size;
    done(arg, answer);
}

static void start_copy(struct parcel *p) {
    struct sftp *sftp = p->load->carrier->sftp;
    struct sftp_attributes now = {.has = SFTP_HAS_TIMES};
    now.accessed = now.modified = (uint32_t)time(NULL);
    sftp_set(sftp, buf_view(&p->source), &now, carry_ignore, NULL);
    p->busy += 3;
    sftp_copy(sftp, buf_view(&p->source), buf_view(&p->handle), done, p);
    sftp_look_at_open(sftp, buf_view(&p->handle), measured, p);
    sftp_close(sftp, buf_view(&p->handle), done, p); /* before it is used: it may be a program */
    buf_clear(&p->handle);
}

static void opened(struct parcel *p, struct buf *handle, const struct sftp_answer *answer) {
    p->busy--;
    if (answer->status == SFTP_OK)
        buf_str(handle, answer->bytes);
    p->taken = p->taken && answer->status == SFTP_OK;
    if (p->busy == 0 && p->taken && !p->load->outcome.stopping)
        start_copy(p);
    else
        copied(p);
}

static void opened_object(void *arg, const struct sftp_answer *answer) {
    opened(arg, &((struct parcel *)arg)->source, answer);
}

static void opened_copy(void *arg, const struct sftp_answer *answer) {
    opened(arg, &((struct parcel *)arg)->handle, answer);
}

static void object_path(const struct object *o, struct buf *path) {
    buf_puts(path, STORE_DIRECTORY "/");
    buf_str(path, o->name);
}

static void copy_from_store(struct parcel *p) {
    struct sftp *sftp = p->load->carrier->sftp;
    struct buf path = {0};
    object_path(p->object, &path);
    p->object->wanted = true;
    p->state = COPYING;
    p->taken = true;
    p->unproved = !p->object->proved;
    p->busy += 2;
    sftp_open_file(sftp, buf_view(&path), SFTP_READ, 0, opened_object, p);
    sftp_open_file(sftp, buf_view(&p->path), SFTP_WRITE | SFTP_CREATE | SFTP_TRUNCATE, p->mode,
                   opened_copy, p);
    buf_free(&path);
}

/* --- into the store --- */

static void remove_object(void *arg, struct object *o) {
    struct carrier *k = arg;
    struct buf path = {0};
    object_path(o, &path);
    sftp_remove(k->sftp, buf_view(&path), carry_ignore, NULL);
    buf_free(&path);
}

void keep_proved(struct load *l, bool holds) {
    struct carrier *k = l->carrier;
    for (size_t i = 0; i < l->unproved.n; i++) {
        struct object *o = l->unproved.v[i];
        if (holds) {
            o->proved = true;
        } else if (o->state == OBJECT_THERE && !o->proved) {
            remove_object(k, o);
            store_forget(k->store, o);
        }
    }
}

/* Its own place is remembered in `source` until it is copied there. */
static void send_into_store(struct parcel *p) {
    struct buf own = p->path;
    p->path = (struct buf){0};
    p->source = own;
    object_path(p->object, &p->path);
    temporary_name(buf_view(&p->path), &p->temporary);
    p->storing = true;
    p->hash = hash_stream_new();
    send_file(p);
}

/* false: it is not kept. */
static bool use_store(struct parcel *p) {
    struct carrier *k = p->load->carrier;
    if (p->object->state == OBJECT_THERE)
        copy_from_store(p);
    else if (store_state(k->store) != STORE_CLOSED &&
             store_admit(k->store, p->object, remove_object, k))
        send_into_store(p);
    else
        p->object = NULL;
    return p->object != NULL;
}

bool keep_wait(struct parcel *p) {
    if (p->object->state == OBJECT_COMING)
        return false;
    if (!use_store(p))
        send_file(p);
    return true;
}

bool keep_begin(struct parcel *p) {
    const struct cargo_item *item = &p->load->items.v[p->item];
    if (!item->known || item->size != p->size)
        return false;
    p->object = store_object(p->load->carrier->store, &item->digest, item->size);
    if (p->object->state != OBJECT_COMING)
        return use_store(p);
    p->state = WAITING;
    return true;
}

bool keep_refused(struct parcel *p) {
    if (!p->storing)
        return false;
    p->unkept = true;
    store_now(p->load->carrier->store, STORE_CLOSED);
    return true;
}

void keep_no_more(struct parcel *p) {
    keep_drop(p);
    p->hash = NULL;
    p->object = NULL;
    p->unkept = false;
    buf_free(&p->path);
    p->path = p->source;
    p->source = (struct buf){0};
    buf_clear(&p->temporary);
    buf_clear(&p->handle);
}

bool keep_is_true(struct parcel *p) {
    if (p->hash == NULL)
        return true;
    struct digest is = hash_stream_end(p->hash);
    const struct digest *was = &p->load->items.v[p->item].digest;
    p->hash = NULL;
    return is.high == was->high && is.low == was->low;
}

bool keep_stored(struct parcel *p) {
    if (p->object == NULL)
        return false;
    store_arrived(p->load->carrier->store, p->object);
    p->storing = false;
    p->object->proved = true;
    buf_free(&p->path);
    p->path = p->source;
    p->source = (struct buf){0};
    buf_clear(&p->temporary);
    buf_clear(&p->handle);
    copy_from_store(p);
    return true;
}

void keep_drop(struct parcel *p) {
    if (p->hash != NULL)
        hash_stream_end(p->hash);
    if (p->storing)
        store_forget(p->load->carrier->store, p->object);
    p->storing = false;
}
