/* Files on their way to a host as a stream. In a scratch directory tar writes them under their
 * names, since nobody looks at them before all are there; elsewhere into a hut, a directory beside,
 * from where they are renamed when all are whole. */
#include "base/mem.h"
#include "carry/stage_plan.h"
#include "carry/tar.h"
#include "carry/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sending *stage_send_new(void) {
    struct sending *send = mem_zalloc(sizeof *send);
    send->fd = -1;
    send->now = time(NULL);
    return send;
}

void stage_send_free(struct sending *send) {
    for (size_t i = 0; i < send->parts.n; i++) {
        vec_free(&send->parts.v[i].files);
        vec_free(&send->parts.v[i].directories);
        map_free(&send->parts.v[i].known);
    }
    vec_free(&send->parts);
    cargo_free(&send->items);
    buf_free(&send->hut);
    buf_free(&send->end_name);
    buf_free(&send->end);
    stage_sum_free(send->sum);
    packer_free(send->packer);
    buf_free(&send->block);
    if (send->fd >= 0)
        close(send->fd);
    free(send);
}

/* --- the stream --- */

static void put_header(const struct sending *send, struct str name, struct tar_entry e,
                       struct buf *out) {
    struct buf full = {0};
    if (send->hut.n != 0)
        buf_puts(&full, "f/");
    buf_str(&full, name);
    e.name = buf_view(&full);
    tar_add_header(out, &e);
    buf_free(&full);
}

static void put_file(const struct sending *send, const struct planned *p, struct buf *out) {
    put_header(send, p->name,
               (struct tar_entry){.kind = p->item->kind == CARGO_LINK ? TAR_SYMLINK : TAR_FILE,
                                  .link = p->link,
                                  .mode = p->marks.mode | (send->hut.n != 0 ? 0 : 0200),
                                  .modified = p->item->preserve ? p->marks.modified : send->now,
                                  .size = p->size},
               out);
}

static void pad(struct buf *out, uint64_t size) {
    static const char zeros[TAR_BLOCK];
    buf_add(out, zeros, tar_padding(size));
}

static void put_directory(const struct sending *send, const struct directory *d, struct buf *out) {
    put_header(
        send, d->name,
        (struct tar_entry){.kind = TAR_DIRECTORY,
                           .mode = d->sent->marks.mode | 0700,
                           .modified = d->sent->preserve ? d->sent->marks.modified : send->now},
        out);
}

static bool goes(const struct directory *d) {
    return d->sent != NULL && d->name.n != 0;
}

static void put_tail(struct sending *send, struct buf *out) {
    struct buf said = {0};
    if (send->end_name.n == 0)
        return;
    if (send->sum != NULL) {
        stage_sum_say(send->sum, false, &said);
        memset(send->end.s + send->end_sum, ' ',
               SUM_ROOM); /* it was that of nothing, for its length */
        memcpy(send->end.s + send->end_sum, said.s, said.n);
        buf_free(&said);
    }
    tar_add_header(out, &(struct tar_entry){.name = buf_view(&send->end_name),
                                            .mode = 0600,
                                            .modified = send->now,
                                            .size = send->end.n});
    buf_str(out, buf_view(&send->end));
    pad(out, send->end.n);
}

static uint64_t length_of_stream(struct sending *send, const struct part *part) {
    struct buf block = {0};
    uint64_t n = 0;
    for (size_t i = 0; i < part->directories.n; i++) {
        buf_clear(&block);
        if (goes(&part->directories.v[i]))
            put_directory(send, &part->directories.v[i], &block);
        n += block.n;
    }
    for (size_t i = 0; i < part->files.n; i++) {
        buf_clear(&block);
        put_file(send, &part->files.v[i], &block);
        n += block.n + part->files.v[i].size + tar_padding(part->files.v[i].size);
    }
    buf_clear(&block);
    put_tail(send, &block);
    tar_add_end(&block);
    n += block.n;
    buf_free(&block);
    return n;
}

/* Nothing that is opened here may keep us waiting, or be another file a moment later. */
static bool open_file(struct stage *s, const struct planned *p) {
    struct stat st;
    struct sending *send = s->send;
    bool longer = p->item->part || s->errand->may_grow;
    send->fd = open(p->item->from.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    send->at = p->item->part ? p->item->start : 0;
    send->left = p->size;
    if (send->fd < 0)
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send", p->item->from,
                             strerror(errno));
    else if (fstat(send->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
             (longer ? (uint64_t)st.st_size < send->at + p->size : (uint64_t)st.st_size != p->size))
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send", p->item->from,
                             "it changed while it was carried");
    else if (cargo_has_more(send->fd, &st))
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send", p->item->from,
                             "it " CARGO_HAS_MORE);
    return !s->outcome.stopping;
}

/* The next entry, in the block. */
static bool next_entry(struct stage *s, const struct part *part) {
    struct sending *send = s->send;
    buf_clear(&send->block);
    send->block_at = 0;
    if (send->fd >= 0) { /* the one before is done */
        const struct planned *p = &part->files.v[send->file - 1];
        close(send->fd);
        send->fd = -1;
        pad(&send->block, p->size);
        stage_sum_file(send->sum, p->name);
        if (s->errand->tally != NULL)
            s->errand->tally->files++;
    }
    while (send->made < part->directories.n) {
        const struct directory *d = &part->directories.v[send->made++];
        if (!goes(d))
            continue;
        put_directory(send, d, &send->block);
        return true;
    }
    if (send->file < part->files.n) {
        const struct planned *p = &part->files.v[send->file++];
        put_file(send, p, &send->block);
        return p->item->kind == CARGO_LINK || open_file(s, p);
    }
    if (send->ending)
        return false;
    put_tail(send, &send->block);
    tar_add_end(&send->block);
    send->ending = true;
    return true;
}

static size_t read_file(struct stage *s, const struct part *part, char *bytes, size_t n) {
    struct sending *send = s->send;
    ssize_t got;
    if (n > send->left)
        n = (size_t)send->left;
    do
        got = pread(send->fd, bytes, n, (off_t)send->at);
    while (got < 0 && errno == EINTR);
    if (got <= 0) {
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send",
                             part->files.v[send->file - 1].item->from,
                             got < 0 ? strerror(errno) : "it changed while it was carried");
        return 0;
    }
    send->at += (uint64_t)got;
    send->left -= (uint64_t)got;
    if (s->errand->tally != NULL)
        s->errand->tally->bytes += (uint64_t)got;
    stage_sum_add(send->sum, (struct str){bytes, (size_t)got});
    return (size_t)got;
}

/* A put_source. */
static size_t read_stream(void *context, char *bytes, size_t n) {
    struct stage *s = context;
    struct sending *send = s->send;
    const struct part *part = &send->parts.v[send->leg - 1];
    if (s->outcome.stopping)
        return 0;
    if (send->block_at == send->block.n && send->left != 0)
        return read_file(s, part, bytes, n);
    if (send->block_at == send->block.n && !next_entry(s, part))
        return 0;
    if (n > send->block.n - send->block_at)
        n = send->block.n - send->block_at;
    memcpy(bytes, send->block.s + send->block_at, n);
    send->block_at += n;
    return n;
}

/* --- turns --- */

/* Where somebody may look on it becomes whole in a hut. */
static void choose_hut(struct stage *s, const struct leg *leg) {
    buf_clear(&s->send->hut);
    if (!s->errand->make_where || leg->base.n != 0)
        temporary_name(STR(""), &s->send->hut);
}

/* Who takes it away if this side is gone. */
static void tell_hut(const struct stage *s, const struct leg *leg) {
    const struct errand *e = s->errand;
    struct buf name = {0};
    str_list words = {0};
    if (e->leaves == NULL || s->send->hut.n == 0)
        return;
    cargo_join(leg->base, buf_view(&s->send->hut), &name);
    str_list_add(&words, STR("-")); /* no family */
    cargo_leave(e->where, 'd', buf_view(&name), &words);
    e->leaves(e->arg, &words);
    str_list_free(&words);
    buf_free(&name);
}

static uint64_t bytes_of(const struct part *part) {
    uint64_t n = 0;
    for (size_t i = 0; i < part->files.n; i++)
        n += part->files.v[i].size;
    return n;
}

static bool send_leg(struct stage *s) {
    struct sending *send = s->send;
    const struct leg *leg = s->legs.v[send->leg];
    struct part *part = stage_plan_part(s, leg);
    struct buf script = {0};
    send->leg++;
    choose_hut(s, leg);
    stage_sum_free(send->sum);
    send->sum = s->errand->prove_all ? stage_sum_new() : NULL;
    stage_unpack(s, leg, part, &script);
    if (part->files.n == 0) {
        bool any = script.n != 0;
        if (any)
            stage_run(s, s->errand->where, &script);
        buf_free(&script);
        return any;
    }
    send->made = send->file = 0;
    send->left = 0;
    send->ending = false;
    buf_clear(&send->block);
    send->block_at = 0;
    buf_clear(&s->said);
    s->running = true;
    tell_hut(s, leg);
    packer_free(send->packer);
    send->packer = send->packs ? packer_new(read_stream, s) : NULL;
    struct put_source source = {s, read_stream, bytes_of(part)};
    if (send->packs)
        source = (struct put_source){send->packer, packer_read, source.about};
    slot_put(s->slot, s->errand->where, buf_view(&script),
             slot_has_perl(s->slot) ? PUT_AS_MANY : length_of_stream(send, part), &source);
    buf_free(&script);
    return true;
}

bool stage_send_next(struct stage *s) {
    struct sending *send = s->send;
    if (send->state == PLACE) {
        send->state = PLAN;
        if (stage_plan_ask(s))
            return true;
    }
    if (send->state == PLAN) {
        send->state = LEGS;
        stage_plan_make(s);
    }
    while (send->leg < s->legs.n && !s->outcome.stopping)
        if (send_leg(s))
            return true;
    return false;
}

void stage_send_ended(struct stage *s, int status) {
    s->errand->no_tar = status == STAGE_NO_TAR;
    if (status != 0) /* it would do the same again, unless it was killed */
        stage_trouble_there(s,
                            status == STAGE_DIFFERS || status >= 128 ? CARRY_LOST : CARRY_REFUSED,
                            "cannot send files there");
}
