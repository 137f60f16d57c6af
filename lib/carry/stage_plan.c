/* What goes to a host as streams, and where. */
#include "carry/stage_plan.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- where things go --- */

/* How long what is packed becomes is not known before. */
static bool asks_for_gzip(const struct stage *s) {
    return s->errand->packed && slot_has_perl(s->slot);
}

/* Whether a directory stands there. */
static bool is_asked_for(const struct cargo *c) {
    return c->or_name != NULL && *c->or_name == 0;
}

bool stage_plan_ask(struct stage *s) {
    const struct errand *e = s->errand;
    struct buf script = {0};
    if (e->as_stream != NULL) /* it may go otherwise: before much is promised */
        stage_want_tar(&script);
    if (asks_for_gzip(s))
        buf_puts(&script, "if command -v gzip >/dev/null; then printf z; fi\n");
    for (size_t i = 0; i < e->n_cargo && e->items.n == 0; i++) {
        if (!is_asked_for(&e->cargo[i]))
            continue;
        buf_puts(&script, "if [ -d");
        stage_word(&script, STR(""), e->cargo[i].to);
        buf_puts(&script, " ]; then printf d; else printf -- -; fi\n");
    }
    if (script.n == 0)
        return false;
    /* Nothing has been made there that another way would find in its way. */
    stage_run(s, e->items.n != 0 ? STR(".") : e->where, &script);
    return true;
}

/* A letter for each; a stream is being read. */
void stage_send_take(struct stage *s, struct str bytes) {
    struct sending *send = s->send;
    const struct errand *e = s->errand;
    if (send->state == LEGS)
        slot_feed(s->slot);
    for (size_t i = 0; i < bytes.n && send->state == PLAN; i++) {
        if (bytes.s[i] == 'z') {
            send->packs = e->packed;
            continue;
        }
        while (send->answered < e->n_cargo && !is_asked_for(&e->cargo[send->answered]))
            send->answered++;
        if (send->answered < e->n_cargo)
            *e->cargo[send->answered].or_name = bytes.s[i] == 'd' ? 1 : -1;
    }
}

/* --- what goes --- */

static void add_directory(struct part *part, struct str name, const struct cargo_item *sent) {
    if (name.n == 0 && sent == NULL)
        return;
    void **place = map_put(&part->known, name);
    if (*place == NULL) {
        vec_push(&part->directories)->name = name;
        *place = (void *)(uintptr_t)part->directories.n;
    }
    if (sent != NULL)
        part->directories.v[(size_t)(uintptr_t)*place - 1].sent = sent;
}

struct part *stage_plan_part(struct stage *s, const struct leg *leg) {
    while (s->send->parts.n <= leg->number)
        (void)vec_push(&s->send->parts);
    return &s->send->parts.v[leg->number];
}

static void input_trouble(struct stage *s, struct str name, const char *what, const char *why) {
    struct buf shown = {0};
    buf_visible(&shown, name);
    outcome_trouble(&s->outcome, CARRY_FAILED, "its input %s %s%s", shown.s, what, why);
    buf_free(&shown);
}

static bool plan_file(struct stage *s, struct planned *p) {
    struct stat st;
    if (p->item->found) { /* as it was looked at */
        p->size = p->item->size;
        p->marks = p->item->marks;
        p->sparse = p->item->sparse;
        return true;
    }
    if (stat(p->item->from.s, &st) != 0) {
        int error = errno;
        struct buf shown = {0};
        buf_visible(&shown, p->item->from);
        outcome_trouble(&s->outcome, CARRY_FAILED, "cannot read its input %s: %s", shown.s,
                        strerror(error));
        buf_free(&shown);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        input_trouble(s, p->item->from, "is not a regular file: only those can be carried", "");
        return false;
    }
    p->size = p->item->part ? p->item->size : (uint64_t)st.st_size;
    p->marks = cargo_marks(&st);
    p->sparse = !p->item->part && cargo_is_sparse(&st);
    return true;
}

static bool plan_link(struct stage *s, struct planned *p) {
    char target[4096];
    ssize_t n = readlink(p->item->from.s, target, sizeof target);
    if (n <= 0 || (size_t)n == sizeof target) {
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send", p->item->from,
                             strerror(n < 0 ? errno : EINVAL));
        return false;
    }
    p->link = arena_str(&s->arena, (struct str){target, (size_t)n});
    p->marks.mode = 0777;
    return true;
}

/* Where others may look on, what is half made stands where it goes: elsewhere one may not be
 * allowed to write, or it may be another file system. */
static struct str base_of(const struct stage *s, const struct cargo_item *root) {
    if (s->errand->make_where && !stage_leaves(root->to))
        return STR("");
    if (root->kind == CARGO_DIRECTORY)
        return root->to;
    struct str parent = stage_parent(root->to);
    return parent.n == 0 && root->to.n != 0 && root->to.s[0] == '/' ? STR("/") : parent;
}

static struct str behind(struct str base, struct str name) {
    name = (struct str){name.s + base.n, name.n - base.n};
    while (name.n != 0 && name.s[0] == '/')
        name = (struct str){name.s + 1, name.n - 1};
    return name;
}

static void plan_item(struct stage *s, struct str base, const struct cargo_item *item) {
    size_t place;
    struct planned p = {.item = item};
    struct leg *leg = stage_leg(s, base, behind(base, item->to), false, item->preserve, &place);
    if (leg == NULL)
        return;
    struct part *part = stage_plan_part(s, leg);
    p.name = leg->items.v[place];
    if (item->kind == CARGO_DIRECTORY) {
        add_directory(part, p.name, item);
        return;
    }
    if (p.name.n == 0)
        outcome_trouble_with(&s->outcome, CARRY_FAILED, "cannot send", item->from,
                             "where it goes is no name");
    else if (item->kind == CARGO_LINK ? plan_link(s, &p) : plan_file(s, &p))
        *vec_push(&part->files) = p;
    add_directory(part, stage_parent(p.name), NULL);
    if (s->errand->tally != NULL)
        s->errand->tally->expected += p.size;
}

static void plan_parents(struct stage *s) {
    for (size_t i = 0; i < s->errand->n_parents; i++) {
        size_t place;
        struct str name = s->errand->parents[i], parent = stage_parent(name);
        if (parent.n == 0)
            continue;
        bool leaves = stage_leaves(parent);
        struct leg *leg = stage_leg(s, leaves ? parent : STR(""), leaves ? STR("") : parent, false,
                                    false, &place);
        if (leg != NULL)
            add_directory(stage_plan_part(s, leg), leg->items.v[place], NULL);
    }
}

/* What stands below a directory is `found`, behind it. */
static void plan_items(struct stage *s) {
    const struct sending *send = s->send;
    struct str base = {0};
    for (size_t i = 0; i < send->items.n && !s->outcome.stopping; i++) {
        const struct cargo_item *item = &send->items.v[i];
        if (!item->found)
            base = base_of(s, item);
        plan_item(s, base, item);
    }
}

/* What the cargo stands for: the carrier may know already. */
static void find_items(struct stage *s) {
    struct errand *e = s->errand;
    struct sending *send = s->send;
    struct buf why = {0};
    send->items = e->items;
    e->items = (cargo_list){0};
    if (send->items.n != 0)
        return;
    for (size_t i = 0; i < e->n_cargo && !s->outcome.stopping; i++) {
        struct cargo c = e->cargo[i];
        c.to.n -= c.or_name != NULL && *c.or_name <= 0;
        if (!cargo_expand(&c, &send->items, &why))
            outcome_trouble(&s->outcome, CARRY_FAILED, "%s", why.s);
    }
    buf_free(&why);
}

void stage_plan_make(struct stage *s) {
    find_items(s);
    plan_items(s);
    if (!s->outcome.stopping)
        plan_parents(s);
}
