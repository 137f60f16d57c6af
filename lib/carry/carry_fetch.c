/* Files on their way from a host: under temporary names until all of them are whole. */
#include "carry/carry_state.h"

#include "base/mem.h"
#include "carry/temporary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUM_LEAST = 1024 * 1024 }; /* what is smaller is rather read again */

/* A read that is not answered, or one that was. */
struct piece {
    struct parcel *parcel;
    uint64_t offset;
    uint32_t n;
    struct piece *next, *next_idle;
};

static struct piece *take_piece(struct parcel *p) {
    struct piece *piece = p->idle;
    if (piece != NULL) {
        p->idle = piece->next_idle;
    } else {
        piece = mem_zalloc(sizeof *piece);
        piece->next = p->pieces;
        p->pieces = piece;
    }
    return piece;
}

void fetch_free_pieces(struct parcel *p) {
    for (struct piece *piece = p->pieces, *next; piece != NULL; piece = next) {
        next = piece->next;
        free(piece);
    }
}

static struct cargo_item *item_of(const struct parcel *p) {
    return &p->load->items.v[p->item];
}

static void trouble(struct parcel *p, enum carried verdict, const char *why) {
    outcome_trouble_with(&p->load->outcome, verdict, "cannot fetch", item_of(p)->from, why);
}

static void cannot_keep(struct parcel *p, int error) {
    outcome_trouble_with(&p->load->outcome, CARRY_UNKEPT, "cannot keep", item_of(p)->from,
                         strerror(error));
}

/* SFTP has one word for whatever goes wrong; when reading it is not the disk that is full. */
static const char *reason(uint32_t status) {
    return status == SFTP_FAILURE ? "it cannot be read there" : sftp_reason(status);
}

static void add_fetched(struct parcel *p, int fd) {
    landing_add(p->load->landing, &p->temporary, item_of(p)->to, fd);
}

/* --- links --- */

/* A link comes as a link, wherever it points to: nothing here goes through it. */
static void link_read(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    struct str target = answer->n_entries == 1 ? answer->entries[0].name : STR("");
    if (answer->status != SFTP_OK) {
        trouble(p, CARRY_FAILED, reason(answer->status));
    } else if (target.n == 0 || target.n >= 4096 || memchr(target.s, '\0', target.n) != NULL) {
        trouble(p, CARRY_FAILED, "the host gives a link that is none");
    } else if (!p->load->outcome.stopping) {
        struct buf text = {0};
        buf_str(&text, target);
        int error = temporary_link(item_of(p)->to, text.s, &p->temporary);
        buf_free(&text);
        if (error != 0) {
            buf_clear(&p->temporary);
            cannot_keep(p, error);
        } else {
            add_fetched(p, -1);
        }
    }
    parcel_free(p);
}

/* --- files --- */

static void close_there(struct parcel *p) {
    if (p->handle.n != 0)
        sftp_close(p->load->carrier->sftp, buf_view(&p->handle), carry_ignore, NULL);
    buf_clear(&p->handle);
}

/* All of it is here. */
static void complete(struct parcel *p) {
    struct load *l = p->load;
    int fd = p->fd;
    p->fd = -1;
    int error = p->sparse && ftruncate(fd, (off_t)p->size) != 0 ? errno : 0;
    if (error == 0)
        error = landing_mark(fd, &item_of(p)->marks, item_of(p)->preserve);
    if (!l->sync_each || error != 0) {
        if (close(fd) != 0 && error == 0)
            error = errno;
        fd = -1;
    }
    if (error != 0) {
        cannot_keep(p, error);
    } else {
        if (p->sum != NULL)
            proof_knows(l->errand->proof, p->proof, p->sum);
        p->sum = NULL;
        add_fetched(p, fd);
    }
    if (l->errand->tally != NULL)
        l->errand->tally->files++;
}

/* Ends it if nothing is under way for it any more. */
static void check_over(struct parcel *p) {
    bool all = p->state == MOVING && p->at > p->size;
    if (p->busy != 0 || !(all || p->load->outcome.stopping))
        return;
    if (!p->load->outcome.stopping)
        complete(p);
    close_there(p);
    parcel_free(p);
}

static void ask(struct piece *piece);

/* What was empty is that, and has grown; or it is like those of /proc. */
static void looked_at_again(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    bool grew = answer->status == SFTP_OK && (answer->attributes.has & SFTP_HAS_SIZE) != 0 &&
                answer->attributes.size != 0;
    p->busy--;
    if (!grew && !p->load->outcome.stopping)
        trouble(p, CARRY_FAILED, "it is said to be empty, and is not");
    check_over(p);
}

static void take_bytes(struct piece *piece, struct str bytes) {
    struct parcel *p = piece->parcel;
    /* More than was announced: a file that still grows, or a host that means ill; there is an end
     * to it. */
    uint64_t announced = p->size - piece->offset;
    bool may_grow = p->load->errand->may_grow;
    if (bytes.n > announced && !may_grow) {
        trouble(p, CARRY_FAILED, "it still grew while it was read");
        return;
    }
    if (bytes.n > announced && p->size == 0) {
        p->busy++;
        sftp_look_at_open(p->load->carrier->sftp, buf_view(&p->handle), looked_at_again, p);
        return;
    }
    if (bytes.n > announced)
        bytes.n = (size_t)announced;
    int error = landing_write(p->fd, bytes, piece->offset, &p->sparse);
    if (error != 0)
        cannot_keep(p, error);
    if (p->load->errand->tally != NULL)
        p->load->errand->tally->bytes += bytes.n;
    if (p->sum != NULL && piece->offset == p->sum->size) {
        cksum_add(p->sum, bytes);
    } else {
        free(p->sum);
        p->sum = NULL;
    }
    piece->offset += bytes.n;
    piece->n -= (uint32_t)bytes.n;
}

static void came(void *arg, const struct sftp_answer *answer) {
    struct piece *piece = arg;
    struct parcel *p = piece->parcel;
    p->busy--;
    if (!p->load->outcome.stopping) {
        if (answer->status == SFTP_OK)
            take_bytes(piece, answer->bytes);
        else if (answer->status != SFTP_EOF)
            trouble(p, CARRY_REFUSED, reason(answer->status));
        else if (piece->offset < p->size)
            trouble(p, CARRY_LOST, "it became shorter while it was read");
        /* A server may give less than it was asked for. */
        if (!p->load->outcome.stopping && answer->status == SFTP_OK && piece->offset < p->size &&
            piece->n != 0) {
            ask(piece);
            return;
        }
    }
    piece->next_idle = p->idle;
    p->idle = piece;
    check_over(p);
}

static void ask(struct piece *piece) {
    piece->parcel->busy++;
    sftp_read(piece->parcel->load->carrier->sftp, buf_view(&piece->parcel->handle), piece->offset,
              piece->n, came, piece);
}

/* One byte more than there should be is asked for: what is longer shows. */
bool fetch_more(struct parcel *p) {
    if (p->at > p->size)
        return false;
    uint64_t left = p->size + 1 - p->at;
    size_t most = sftp_chunk(p->load->carrier->sftp);
    struct piece *piece = take_piece(p);
    piece->parcel = p;
    piece->offset = p->at;
    piece->n = (uint32_t)(left < most ? left : most);
    p->at += piece->n;
    ask(piece);
    return true;
}

static void begin_proof(struct parcel *p) {
    struct proof *proof = p->load->errand->proof;
    p->proof = proof_here(proof, buf_view(&p->temporary), 0, p->size);
    proof_there(proof, p->proof, buf_view(&p->path));
    if (p->size >= SUM_LEAST)
        p->sum = cksum_new();
}

static void opened(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    p->busy--;
    if (answer->status != SFTP_OK)
        trouble(p, CARRY_FAILED, reason(answer->status));
    else
        buf_str(&p->handle, answer->bytes);
    if (!p->load->outcome.stopping) {
        p->fd = temporary_open(item_of(p)->to, (mode_t)item_of(p)->marks.mode, &p->temporary);
        if (p->fd < 0) {
            int error = errno;
            buf_clear(&p->temporary);
            cannot_keep(p, error);
        }
    }
    if (p->load->errand->prove_all && !p->load->outcome.stopping)
        begin_proof(p);
    p->state = MOVING;
    check_over(p);
}

static void open_there(struct parcel *p) {
    struct load *l = p->load;
    p->size = item_of(p)->size;
    if (!l->weighed) {
        l->weighed = true;
        l->bytes = p->size;
        weigh(l, buf_view(&p->path));
    }
    if (l->outcome.stopping) {
        parcel_free(p);
        return;
    }
    if (l->state == WEIGHING) {
        p->state = PUT_OFF;
        return;
    }
    if (l->errand->tally != NULL)
        l->errand->tally->expected += p->size;
    if (!landing_has_room(item_of(p)->to, p->size)) {
        trouble(p, CARRY_UNKEPT, "it says that it is larger than what is free here");
        check_over(p);
        return;
    }
    p->busy++;
    sftp_open_file(l->carrier->sftp, buf_view(&p->path), SFTP_READ, 0, opened, p);
}

bool fetch_all_opened(const struct load *l) {
    if (l->item < l->items.n)
        return false;
    for (size_t i = 0; i < l->parcels.n; i++)
        if (l->parcels.v[i]->state != MOVING)
            return false;
    return true;
}

void fetch_weighed(struct load *l) {
    l->state = CARRYING;
    for (size_t i = l->parcels.n; i-- > 0;)
        if (l->parcels.v[i]->state == PUT_OFF) {
            l->parcels.v[i]->state = BEGUN;
            open_there(l->parcels.v[i]);
        }
}

static void not_there(struct parcel *p) {
    struct cargo_item *item = item_of(p);
    struct buf shown = {0};
    buf_visible(&shown, item->from);
    if (item->optional)
        item->found = false;
    else if (item->found || (item->from.n != 0 && item->from.s[0] == '/'))
        outcome_trouble(&p->load->outcome, CARRY_FAILED, "%s is not there", shown.s);
    else
        outcome_trouble(&p->load->outcome, CARRY_FAILED, "it did not make %s", shown.s);
    buf_free(&shown);
}

/* Before it is opened: to open a pipe would keep the server waiting. */
static void looked_at(void *arg, const struct sftp_answer *answer) {
    struct parcel *p = arg;
    struct cargo_item *item = item_of(p);
    const struct sftp_attributes *a = &answer->attributes;
    struct marks marks = carry_marks(a, 0666);
    p->busy--;
    if (answer->status == SFTP_NO_SUCH_FILE) {
        not_there(p);
        parcel_free(p);
        return;
    }
    if (answer->status != SFTP_OK)
        trouble(p, CARRY_FAILED, reason(answer->status));
    else if ((a->has & SFTP_HAS_MODE) != 0 && !S_ISREG(a->mode))
        trouble(p, CARRY_FAILED, "it is not a regular file, and only those can be carried");
    else
        cargo_looked_at(item, &marks, a->has & SFTP_HAS_SIZE ? a->size : 0);
    if (p->load->outcome.stopping)
        parcel_free(p);
    else
        open_there(p);
}

bool fetch_begin_parcel(struct load *l) {
    size_t i = l->item++;
    struct cargo_item *item = &l->items.v[i];
    if (i == 0)
        l->sync_each = l->items.n <= SYNC_EACH;
    if (item->kind == CARGO_DIRECTORY)
        return false;
    struct parcel *p = parcel_new(l, i);
    load_path(l, item->from, &p->path);
    if (item->kind == CARGO_LINK) {
        sftp_read_link(l->carrier->sftp, buf_view(&p->path), link_read, p);
    } else if (item->looked_at) {
        open_there(p);
    } else {
        p->busy++;
        sftp_look_at(l->carrier->sftp, buf_view(&p->path), true, looked_at, p);
    }
    return true;
}

/* What it waits for comes to nothing. */
void fetch_drop(struct parcel *p) {
    if (p->state == PUT_OFF)
        parcel_free(p);
    else if (p->state == MOVING)
        check_over(p);
}
