/* A host that answers what it likes to what is asked through its shell: what there is, and the
 * files themselves, as streams of tar. Whatever it says, the errand ends, nothing is written beside
 * what was asked for, and no temporary file stays. The input chooses what it says to each script.
 */
#include "carry/stage.h"
#include "base/mem.h"
#include "base/vec.h"
#include "carry/pack.h"
#include "carry/tar.h"
#include "pen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORD = 32 }; /* characters of what the keeper is to mark its own words with */

/* The other side: a way that has one channel, with a keeper at its end. */
struct liar {
    struct way way;
    struct channel channel;
    struct party party;
    const uint8_t *data;
    size_t size;
    struct buf asked, said[2];
    size_t read[2];
    char id[WORD + 1];
    unsigned scripts;
    struct stage *stage;
    bool ready, over; /* the slot is; the errand has ended */
    bool packs;       /* what comes may be packed */
    enum carried how;
};

static struct liar *of_channel(struct channel *c) {
    return (struct liar *)((char *)c - offsetof(struct liar, channel));
}

static uint8_t next(struct liar *l) {
    if (l->size == 0)
        return 0;
    l->size--;
    return *l->data++;
}

static void add_bytes(struct liar *l, struct buf *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (char)next(l));
}

static void add_name(struct liar *l, struct buf *b) {
    static const char *const names[] = {
        "out",      "p/a",  "p/b",   "t",    "t/a",    "t/sub",  "t/sub/x",  "t/link",
        "t/link/x", "./t/", "./out", "../x", "/tmp/x", "t/../x", "t/a/./b/", "p/../x",
        "p/a/b",    "x",    "..",    ".",    "",       "t/..",
    };
    uint8_t which = next(l);
    if (which < 250)
        buf_puts(b, names[which % (sizeof names / sizeof *names)]);
    else
        add_bytes(l, b, next(l));
}

/* --- what there is --- */

static void add_answers(struct liar *l, struct buf *b) {
    for (uint8_t n = next(l) % 8; n > 0; n--) {
        uint8_t kind = next(l);
        buf_printf(b, "%u %c", next(l) % 4U, kind < 240 ? "fdo"[kind % 3] : (char)kind);
        add_name(l, b);
        buf_putc(b, '\0');
    }
}

/* --- a stream --- */

static void set_checksum(char *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 7, "%06o", sum);
}

/* Its last header says something else than what tar_add_header writes. */
static void twist(struct liar *l, struct buf *b) {
    char *header = b->s + b->n - TAR_BLOCK;
    static const char kinds[] = "0125345677";
    uint8_t kind = next(l);
    struct buf link = {0};
    header[156] = kind < 240 ? kinds[kind % (sizeof kinds - 1)] : (char)kind;
    add_name(l, &link);
    if (link.n != 0)
        memcpy(header + 157, link.s, link.n < 100 ? link.n : 100);
    buf_free(&link);
    set_checksum(header);
}

static void add_stream(struct liar *l, struct buf *b) {
    for (uint8_t n = next(l) % 16; n > 0; n--) {
        struct buf name = {0};
        static const enum tar_kind kinds[] = {TAR_FILE, TAR_FILE, TAR_DIRECTORY, TAR_SYMLINK};
        uint8_t what = next(l);
        add_name(l, &name);
        struct tar_entry e = {.kind = kinds[what % 4],
                              .name = buf_view(&name),
                              .link = STR("../x"),
                              .mode = 0644,
                              .size = what % 4 < 2 ? next(l) : 0};
        tar_add_header(b, &e);
        if (what >= 128)
            twist(l, b);
        add_bytes(l, b, e.size);
        static const char zeros[TAR_BLOCK];
        buf_add(b, zeros, what == 127 ? 7 : tar_padding(e.size));
        buf_free(&name);
    }
    if (next(l) < 250)
        tar_add_end(b);
}

/* --- the same as portions, and packed, from some place on --- */

struct packed {
    struct str left;
};

static size_t read_packed(void *context, char *bytes, size_t n) {
    struct packed *p = context;
    n = n < p->left.n ? n : p->left.n;
    memcpy(bytes, p->left.s, n);
    p->left = (struct str){p->left.s + n, p->left.n - n};
    return n;
}

static void add_length(struct buf *b, size_t n) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(b, (char)(n >> shift));
}

static void add_packed(struct liar *l, struct buf *b) {
    struct buf plain = {0};
    uint8_t how = next(l);
    add_stream(l, &plain);
    size_t portion = how < 64 ? plain.n : how < 192 ? plain.n / 2 : 0;
    if (portion != 0)
        add_length(b, portion + (how % 16 == 1));
    buf_add(b, plain.s, portion);
    if (portion != plain.n) {
        struct packed rest = {{plain.s + portion, plain.n - portion}};
        struct packer *packer = packer_new(read_packed, &rest);
        char bytes[1024];
        size_t before = b->n + 4;
        add_length(b, 0);
        for (size_t n; (n = packer_read(packer, bytes, sizeof bytes)) != 0;)
            buf_add(b, bytes, n);
        packer_free(packer);
        if (how % 16 == 2 && b->n > before)
            b->s[before + next(l) % (b->n - before)] ^= (char)next(l);
        if (how % 16 == 3)
            add_bytes(l, b, next(l));
    }
    buf_free(&plain);
}

/* --- the keeper --- */

static void answer(struct liar *l, const char *nonce) {
    struct buf *out = &l->said[STREAM_OUT], *err = &l->said[STREAM_ERR];
    uint8_t choice = next(l);
    buf_printf(out, "\036%s+\n", nonce);
    buf_printf(err, "\036%s+\n", nonce);
    if (choice >= 240)
        add_bytes(l, out, next(l));
    else if ((l->scripts++ == 0) == (choice < 230))
        add_answers(l, out);
    else if (l->packs)
        add_packed(l, out);
    else
        add_stream(l, out);
    if (choice % 16 == 15)
        add_bytes(l, err, next(l));
    buf_printf(err, "\036%s.\n", nonce);
    buf_printf(out, "\036%s %u %c 0.5\n", nonce, choice % 16 == 14 ? next(l) : 0U, '-');
}

/* Whole lines are taken at once: first those of the keeper's own script, then requests. */
static void take_lines(struct liar *l) {
    for (char *end; (end = memchr(l->asked.s, '\n', l->asked.n)) != NULL;) {
        *end = '\0';
        const char *line = l->asked.s, *id = strstr(line, "_foray_id=");
        char nonce[WORD + 1];
        if (l->id[0] == '\0' && id != NULL) {
            require(sscanf(id, "_foray_id=%32[0-9a-f]", l->id) == 1);
            buf_printf(&l->said[STREAM_OUT], "\036%s ready 2 1000 0.5 %d /scratch\n", l->id,
                       l->packs);
        } else if (sscanf(line, "run %32[0-9a-f] ", nonce) == 1 && strlen(nonce) == WORD) {
            answer(l, nonce);
        }
        buf_drop(&l->asked, (size_t)(end - l->asked.s) + 1);
    }
}

static enum channel_state state_of(struct channel *c) {
    (void)c;
    return CHANNEL_OPEN;
}

static ssize_t read_some(struct channel *c, enum stream stream, void *bytes, size_t n) {
    struct liar *l = of_channel(c);
    struct buf *said = &l->said[stream];
    size_t left = said->n - l->read[stream];
    if (left == 0)
        return 0;
    n = n < left ? n : left;
    n = n < 1000 ? n : 1000;
    memcpy(bytes, said->s + l->read[stream], n);
    l->read[stream] += n;
    return (ssize_t)n;
}

static size_t write_some(struct channel *c, const void *bytes, size_t n) {
    struct liar *l = of_channel(c);
    buf_add(&l->asked, bytes, n);
    take_lines(l);
    return n;
}

static bool finish(struct channel *c) {
    (void)c;
    return true;
}

/* Who has no more to say ends. */
static bool ended(struct channel *c) {
    struct liar *l = of_channel(c);
    return l->size == 0 && l->scripts > 8 && l->read[0] == l->said[0].n &&
           l->read[1] == l->said[1].n;
}

static void ignore_channel(struct channel *c) {
    (void)c;
}

static const struct channel_table channel_table = {.state = state_of,
                                                   .read = read_some,
                                                   .write = write_some,
                                                   .finish = finish,
                                                   .ended = ended,
                                                   .kick = ignore_channel,
                                                   .free = ignore_channel};

static struct channel *open_channel(struct way *w, enum channel_kind kind, struct party party) {
    struct liar *l = (struct liar *)w;
    require(kind == CHANNEL_SHELL);
    l->party = party;
    return &l->channel;
}

static const struct way_table way_table = {.open = open_channel};

/* --- what the slot tells --- */

static void ready(void *context, struct slot *s, uint32_t cores, uint64_t memory, double load) {
    (void)s, (void)cores, (void)memory, (void)load;
    ((struct liar *)context)->ready = true;
}

static void broken(void *context, struct slot *s, const char *reason) {
    (void)s;
    struct liar *l = context;
    require(reason != NULL);
    require(l->stage != NULL); /* until it is ready it says nothing else */
    stage_broken(l->stage, reason);
}

static void output(void *context, struct slot *s, enum stream stream, struct str bytes) {
    (void)s;
    stage_output(((struct liar *)context)->stage, stream, bytes);
}

static void script_ended(void *context, struct slot *s, int status, bool clean, double load) {
    (void)s, (void)clean, (void)load;
    stage_ended(((struct liar *)context)->stage, status);
}

static void unable(void *context, struct slot *s, const char *reason) {
    (void)s;
    stage_unable(((struct liar *)context)->stage, reason);
}

static void done(void *arg, enum carried how, const char *reason) {
    struct liar *l = arg;
    require(reason != NULL && l->stage != NULL);
    l->stage = NULL;
    l->how = how;
    l->over = true;
}

/* What was asked for as a file came as one, what was asked for as a directory is not a link. */
static void check_came(void) {
    struct stat st;
    require(lstat("out", &st) == 0 && S_ISREG(st.st_mode));
    if (lstat("t", &st) == 0)
        require(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static bool packs(void *arg, const char *why) {
    (void)arg, (void)why;
    return true;
}

static void fetch(struct liar *l, struct loop *loop) {
    struct cargo cargo[] = {{.from = STR("out")},
                            {.from = STR("p/*"), .pattern = true, .optional = true},
                            {.from = STR("t"), .tree = true, .optional = true},
                            {.from = STR("p/a"), .to = STR("t"), .optional = true}};
    bool give_up = false;
    int patience = next(l) == 255 ? next(l) : 5000;
    str_list made = {0};
    l->packs = l->size % 4 == 1;
    struct errand e = {.kind = ERRAND_FETCH,
                       .cargo = cargo,
                       .n_cargo = sizeof cargo / sizeof *cargo,
                       .where = STR("/scratch/1"),
                       .give_up = &give_up,
                       .prove_all = l->size / 4 % 2 != 0,
                       .packed = l->packs,
                       .packs = packs,
                       .done = done,
                       .arg = l,
                       .made = &made};
    struct slot_events events = {.context = l,
                                 .ready = ready,
                                 .broken = broken,
                                 .output = output,
                                 .ended = script_ended,
                                 .unable = unable};
    struct slot *slot = slot_open(loop, &l->way, &(struct slot_options){.patient = true}, &events);
    for (int turns = 0; !l->over; turns++) {
        bool moved = l->party.advance(l->party.arg);
        if (l->ready && l->stage == NULL && !l->over) {
            l->stage = stage_begin(loop, slot, &e);
            l->ready = false;
        }
        if (turns == patience && l->stage != NULL)
            stage_give_up(l->stage);
        require(turns < 5000); /* of which a thread that syncs may take a while */
        if (!moved && !l->over)
            pen_turn(loop, turns < 100 ? 0 : MILLISECOND);
    }
    if (l->how == CARRIED)
        check_came();
    slot_free(slot);
    str_list_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int before = pen_enter();
    static struct loop *loop; /* for all of them: a thread may still be at work for the last one */
    if (loop == NULL)
        loop = loop_new();
    struct liar l = {.way = {&way_table}, .channel = {&channel_table}, .data = data, .size = size};
    fetch(&l, loop);
    pen_check(loop, before);
    buf_free(&l.asked);
    for (int i = 0; i < 2; i++)
        buf_free(&l.said[i]);
    return 0;
}
