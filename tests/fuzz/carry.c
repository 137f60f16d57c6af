/* A host that answers what it likes: whatever it says, the errand ends, nothing is written beside
 * what was asked for, and no temporary file stays. The input chooses the answer to each request. */
#include "carry/carry.h"
#include "base/mem.h"
#include "base/vec.h"
#include "pen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The other side: a way that has one channel. */
struct liar {
    struct way way;
    struct channel channel;
    struct party party;
    const uint8_t *data;
    size_t size;
    struct buf asked, answers;
    size_t read;
    struct carrier *carrier;
    bool given_back; /* by that, once, to be carried by another */
    bool over;       /* the carrier is broken, or the errand has ended */
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

static void add_u32(struct buf *b, uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_putc(b, (char)(v >> shift));
}

static uint32_t get_u32(const char *s) {
    const unsigned char *u = (const unsigned char *)s;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* So many bytes of the input, with its length, which may lie. */
static void add_text(struct liar *l, struct buf *b, size_t n) {
    add_u32(b, next(l) == 255 ? (uint32_t)next(l) << 24 : (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (char)next(l));
}

static void add_attributes(struct liar *l, struct buf *b) {
    static const uint32_t kinds[] = {0100644, 0100644, 0100600, 0040755, 0120777, 0010600, 0140600};
    uint8_t what = next(l);
    bool huge = what == 255;
    add_u32(b, huge ? 0x8000000fU : 5);
    add_u32(b, huge ? 0x7fffffffU : 0);
    add_u32(b, what % 64);
    if (huge) {
        add_u32(b, 0);
        add_u32(b, 0);
    }
    add_u32(b, kinds[next(l) % (sizeof kinds / sizeof *kinds)]);
    if (huge) {
        add_u32(b, 0);
        add_u32(b, 0);
        add_u32(b, next(l));
    }
}

static void add_names(struct liar *l, struct buf *b) {
    static const char *const names[] = {"a", "b",   "..",       "/etc/x", "a/b",
                                        "",  "sub", ".foray-x", "../../x"};
    uint8_t n = next(l) % 5;
    add_u32(b, n == 4 ? 0x10000000U : n);
    for (uint8_t i = 0; i < n; i++) {
        uint8_t which = next(l);
        if (which < 200) {
            const char *name = names[which % (sizeof names / sizeof *names)];
            add_u32(b, (uint32_t)strlen(name));
            buf_puts(b, name);
        } else {
            add_text(l, b, which - 200);
        }
        add_u32(b, 0);
        add_attributes(l, b);
    }
}

/* The answer to a request of that kind: most often one that would do. */
static void answer(struct liar *l, uint8_t type, uint32_t id) {
    static const uint8_t fitting[256] = {
        [3] = 102, [5] = 103, [7] = 105, [8] = 105, [11] = 102, [12] = 104, [17] = 105, [19] = 104,
    };
    struct buf b = {0};
    uint8_t choice = next(l), kind = choice < 200 ? fitting[type] : (uint8_t)(101 + choice % 5);
    if (choice < 200 && (kind == 0 || choice % 5 == 4))
        kind = 101;
    if (choice == 254)
        id ^= next(l);
    buf_putc(&b, (char)(choice == 253 ? next(l) : kind));
    add_u32(&b, id);
    if (kind == 101)
        add_u32(&b, choice % 5 == 4 ? 1 : next(l) % 10);
    else if (kind == 104)
        add_names(l, &b);
    else if (kind == 105)
        add_attributes(l, &b);
    else
        add_text(l, &b, next(l) % 72);
    add_u32(&l->answers, choice == 252 ? (uint32_t)next(l) << 16 : (uint32_t)b.n);
    buf_str(&l->answers, buf_view(&b));
    buf_free(&b);
}

/* Whole requests are answered at once. */
static void take_requests(struct liar *l) {
    while (l->asked.n >= 4 && l->asked.n - 4 >= get_u32(l->asked.s)) {
        uint32_t n = get_u32(l->asked.s);
        require(n >= 5);
        uint8_t type = (uint8_t)l->asked.s[4];
        if (type == 1) { /* INIT */
            add_u32(&l->answers, 5);
            buf_putc(&l->answers, 2);
            add_u32(&l->answers, 3);
        } else {
            require(n >= 9);
            answer(l, type, get_u32(l->asked.s + 5));
        }
        buf_drop(&l->asked, 4 + (size_t)n);
    }
}

static enum channel_state state_of(struct channel *c) {
    (void)c;
    return CHANNEL_OPEN;
}

static ssize_t read_some(struct channel *c, enum stream stream, void *bytes, size_t n) {
    struct liar *l = of_channel(c);
    size_t left = l->answers.n - l->read;
    if (stream == STREAM_ERR || left == 0)
        return 0;
    n = n < left ? n : left;
    memcpy(bytes, l->answers.s + l->read, n);
    l->read += n;
    return (ssize_t)n;
}

static size_t write_some(struct channel *c, const void *bytes, size_t n) {
    struct liar *l = of_channel(c);
    buf_add(&l->asked, bytes, n);
    take_requests(l);
    return n;
}

static bool finish(struct channel *c) {
    (void)c;
    return true;
}

/* Who has no more to say ends. */
static bool ended(struct channel *c) {
    struct liar *l = of_channel(c);
    return l->size == 0 && l->read == l->answers.n;
}

static void ignore_channel(struct channel *c) {
    (void)c;
}

static const struct channel_table channel_table = {.state = state_of,
                                                   .read = read_some,
                                                   .leave = ignore_channel,
                                                   .write = write_some,
                                                   .finish = finish,
                                                   .ended = ended,
                                                   .kick = ignore_channel,
                                                   .free = ignore_channel};

static struct channel *open_channel(struct way *w, enum channel_kind kind, struct party party) {
    struct liar *l = (struct liar *)w;
    require(kind == CHANNEL_SFTP);
    l->party = party;
    return &l->channel;
}

static const struct way_table way_table = {.open = open_channel};

static void done(void *arg, enum carried how, const char *reason) {
    (void)how;
    require(reason != NULL);
    ((struct liar *)arg)->over = true;
}

static void broken(void *context, struct carrier *k, bool refused, const char *reason) {
    struct liar *l = context;
    (void)refused;
    require(reason != NULL);
    require(carrier_take_back(k) == NULL || l->given_back); /* it may not have begun again */
    l->over = true;
}

static void holds(void *context, struct str name) {
    (void)context;
    (void)name;
}

/* No other carrier does it. */
static void much(void *context, struct errand *e, const char *packed) {
    struct liar *l = context;
    require(packed == NULL || *packed != '\0');
    require(!l->given_back);
    l->given_back = true;
    carrier_do(l->carrier, e);
}

/* There is no stream here. */
static void as_stream(void *arg) {
    ((struct liar *)arg)->over = true;
}

static void fetch(struct liar *l, struct loop *loop) {
    struct cargo cargo[] = {{.from = STR("out")},
                            {.from = STR("p/*"), .pattern = true, .optional = true},
                            {.from = STR("t"), .tree = true}};
    bool give_up = false;
    str_list made = {0};
    struct errand e = {.kind = ERRAND_FETCH,
                       .cargo = cargo,
                       .n_cargo = sizeof cargo / sizeof *cargo,
                       .where = STR("/scratch"),
                       .give_up = &give_up,
                       .done = done,
                       .as_stream = as_stream,
                       .arg = l,
                       .made = &made};
    struct carrier *k =
        carrier_open(loop, &l->way, NULL, SECOND,
                     &(struct carrier_events){l, broken, holds, much, .bulk = true, .packs = true});
    l->carrier = k;
    carrier_do(k, &e);
    for (int turns = 0; !l->over; turns++) {
        bool moved = l->party.advance(l->party.arg);
        if (l->over || moved)
            continue;
        give_up = give_up || turns > 1000; /* it goes on without end, or says nothing */
        if (turns > 2000)
            break;
        pen_turn(loop, 0);
    }
    require(!l->over || carrier_waiting(k) == 0);
    carrier_free(k);
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
    buf_free(&l.answers);
    return 0;
}
