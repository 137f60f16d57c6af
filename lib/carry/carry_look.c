/* Before anything is fetched: what patterns and directories stand for there. */
#include "carry/carry_state.h"

#include "base/mem.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOKED_AT = 1000 }; /* names, before it is asked whether they are many small files */

static bool is_excepted(const struct load *l, struct str name) {
    for (size_t i = 0; i < l->errand->n_except; i++)
        if (str_eq(l->errand->except[i], name))
            return true;
    return false;
}

static const struct cargo *cargo_of(const struct look *look) {
    return &look->load->errand->cargo[look->cargo];
}

static struct look *add_look(struct load *l, size_t cargo, struct str dir, struct str rest,
                             unsigned depth) {
    struct look *look = mem_zalloc(sizeof *look);
    *look = (struct look){.load = l, .cargo = cargo, .rest = rest, .depth = depth};
    buf_str(&look->dir, dir);
    buf_add(&look->dir, "", 0);
    buf_add(&look->to, "", 0);
    *vec_push(&l->looks) = look;
    return look;
}

void look_free(struct look *look) {
    if (look == NULL)
        return;
    buf_free(&look->dir);
    buf_free(&look->to);
    buf_free(&look->handle);
    free(look);
}

static void look_over(struct look *look) {
    struct load *l = look->load;
    for (size_t i = 0; i < l->look; i++) /* few are under way */
        if (l->looks.v[i] == look)
            l->looks.v[i] = NULL;
    l->looking--;
    l->busy--;
    if (look->handle.n != 0)
        sftp_close(l->carrier->sftp, buf_view(&look->handle), carry_ignore, NULL);
    look_free(look);
}

static struct cargo_item *add_item(struct load *l, size_t cargo, enum cargo_kind kind,
                                   struct str from, struct str to) {
    struct buf place = {0};
    if (to.n == 0)
        cargo_place(&l->errand->cargo[cargo], from, &place);
    else
        buf_str(&place, to);
    cargo_add(&l->items, kind, from, buf_view(&place));
    buf_free(&place);
    l->cargo[cargo].found++;
    l->items.v[l->items.n - 1].preserve = l->errand->cargo[cargo].preserve;
    return &l->items.v[l->items.n - 1];
}

/* The part of a pattern that has nothing to look for goes with the directory. */
static void begin_pattern(struct load *l, size_t cargo) {
    const struct cargo *c = &l->errand->cargo[cargo];
    struct str rest = c->from;
    struct buf dir = {0};
    bool wild = false;
    while (rest.n != 0) {
        if (rest.s[0] == '/') {
            buf_putc(&dir, '/');
            rest = (struct str){rest.s + 1, rest.n - 1};
            continue;
        }
        size_t n = cargo_component(rest, &wild);
        if (wild || n == rest.n)
            break;
        cargo_unescape((struct str){rest.s, n}, &dir);
        rest = (struct str){rest.s + n, rest.n - n};
    }
    if (!wild) { /* a plain name that may not be there */
        cargo_unescape(rest, &dir);
        struct cargo_item *item = add_item(l, cargo, CARGO_FILE, buf_view(&dir), STR(""));
        item->optional = c->optional;
        item->found = true;
    } else {
        add_look(l, cargo, buf_view(&dir), rest, 0);
    }
    buf_free(&dir);
}

bool look_begin(struct load *l) {
    for (size_t i = 0; i < l->errand->n_cargo; i++) {
        const struct cargo *c = &l->errand->cargo[i];
        if (c->pattern)
            begin_pattern(l, i);
        else if (c->tree)
            cargo_place(c, c->from, &add_look(l, i, c->from, STR(""), 0)->to);
        else
            add_item(l, i, CARGO_FILE, c->from, STR(""))->optional = c->optional;
    }
    l->state = LOOKING;
    return false;
}

static void trouble(struct look *look, enum carried verdict, const char *why) {
    struct str name = look->dir.n != 0 ? buf_view(&look->dir) : cargo_of(look)->from;
    outcome_trouble_with(&look->load->outcome, verdict, "cannot fetch", name, why);
}

static bool add_tree_entry(struct look *look, const struct sftp_entry *e, struct str from) {
    struct load *l = look->load;
    uint32_t mode = (e->attributes.has & SFTP_HAS_MODE) != 0 ? e->attributes.mode : S_IFREG | 0666;
    struct marks marks = carry_marks(&e->attributes, mode);
    struct buf to = {0};
    cargo_join(buf_view(&look->to), e->name, &to);
    bool good = true;
    if (S_ISDIR(mode)) {
        struct look *below = add_look(l, look->cargo, from, STR(""), look->depth + 1);
        below->marks = marks;
        buf_str(&below->to, buf_view(&to));
    } else if (S_ISREG(mode) || S_ISLNK(mode)) {
        struct cargo_item *item =
            add_item(l, look->cargo, S_ISLNK(mode) ? CARGO_LINK : CARGO_FILE, from, buf_view(&to));
        item->found = true;
        if (S_ISREG(mode) && (e->attributes.has & SFTP_HAS_SIZE) != 0)
            cargo_looked_at(item, &marks, e->attributes.size);
    } else {
        good = false;
    }
    buf_free(&to);
    return good;
}

static void add_match(struct look *look, const struct sftp_entry *e, struct str from) {
    struct load *l = look->load;
    bool typed = (e->attributes.has & SFTP_HAS_MODE) != 0, wild;
    bool link = typed && S_ISLNK(e->attributes.mode);
    bool directory = typed && S_ISDIR(e->attributes.mode);
    bool regular = !typed || S_ISREG(e->attributes.mode);
    struct marks marks = carry_marks(&e->attributes, 0666);
    struct str rest = look->rest;
    size_t n = cargo_component(rest, &wild);
    struct buf component = {0}, text = {0};
    buf_str(&text, e->name);
    if (wild)
        buf_str(&component, (struct str){rest.s, n});
    else
        cargo_unescape((struct str){rest.s, n}, &component);
    bool match = wild ? fnmatch(component.s, text.s, FNM_PERIOD) == 0
                      : str_eq(buf_view(&component), e->name);
    buf_free(&component);
    buf_free(&text);
    if (match && n == rest.n && regular && !is_excepted(l, from)) {
        struct cargo_item *item = add_item(l, look->cargo, CARGO_FILE, from, STR(""));
        item->found = true;
        if (typed && (e->attributes.has & SFTP_HAS_SIZE) != 0)
            cargo_looked_at(item, &marks, e->attributes.size);
    } else if (match && n == rest.n && (link || (directory && cargo_of(look)->tree))) {
        struct look *below = add_look(l, look->cargo, from, STR(""), look->depth + 1);
        below->link = link;
        below->marks = marks;
        cargo_place(cargo_of(look), from, &below->to);
    } else if (match && n < rest.n && (link || directory)) {
        add_look(l, look->cargo, from, (struct str){rest.s + n + 1, rest.n - n - 1},
                 look->depth + 1);
    }
}

/* One entry of a directory there, as the host tells it: nothing of that is trusted. Returns what is
 * wrong with it, or NULL. */
static const char *take_entry(struct look *look, const struct sftp_entry *e) {
    struct load *l = look->load;
    if (str_eq(e->name, STR(".")) || str_eq(e->name, STR("..")))
        return NULL;
    if (!cargo_is_plain(e->name))
        return "the host gives a name that is none";
    if (++l->seen >= CARGO_MOST)
        return "there are too many files";
    if (look->depth >= CARGO_DEPTH)
        return "the directories are too deep";
    struct buf from = {0};
    const char *wrong = NULL;
    if (look->dir.n != 0)
        cargo_join(buf_view(&look->dir), e->name, &from);
    else
        buf_str(&from, e->name);
    if (look->rest.n != 0)
        add_match(look, e, buf_view(&from));
    else if (!add_tree_entry(look, e, buf_view(&from)))
        wrong = "there is something that is no file, directory or link";
    buf_free(&from);
    return wrong;
}

static void listed(void *arg, const struct sftp_answer *answer) {
    struct look *look = arg;
    struct load *l = look->load;
    const char *wrong = NULL;
    if (answer->status != SFTP_OK && answer->status != SFTP_EOF)
        trouble(look, CARRY_REFUSED, sftp_reason(answer->status));
    for (size_t i = 0; i < answer->n_entries && wrong == NULL && !l->outcome.stopping; i++)
        wrong = take_entry(look, &answer->entries[i]);
    if (wrong != NULL)
        trouble(look, CARRY_FAILED, wrong);
    if (answer->status == SFTP_OK && !l->outcome.stopping)
        sftp_read_directory(l->carrier->sftp, buf_view(&look->handle), listed, look);
    else
        look_over(look);
}

/* status: of opening it. */
static void begin_reading(struct look *look, uint32_t status) {
    struct load *l = look->load;
    bool tree = look->rest.n == 0;
    if (status != SFTP_OK) {
        if (tree) /* else nothing in it matches */
            trouble(look, CARRY_FAILED, sftp_reason(status));
        look_over(look);
        return;
    }
    if (tree && !l->outcome.stopping)
        add_item(l, look->cargo, CARGO_DIRECTORY, buf_view(&look->dir), buf_view(&look->to))
            ->marks = look->marks;
    if (l->outcome.stopping)
        look_over(look);
    else
        sftp_read_directory(l->carrier->sftp, buf_view(&look->handle), listed, look);
}

/* The root of a tree may be a mere file, and a link anything. */
static void root_answered(struct look *look) {
    struct load *l = look->load;
    if (--look->unanswered != 0)
        return;
    if (look->directory && (cargo_of(look)->tree || !look->link)) {
        begin_reading(look, look->status);
        return;
    }
    bool wanted = !look->link || (look->regular && !is_excepted(l, buf_view(&look->dir)));
    if (wanted && !l->outcome.stopping)
        add_item(l, look->cargo, CARGO_FILE, buf_view(&look->dir), buf_view(&look->to))->found =
            true;
    look_over(look);
}

static void looked_at(void *arg, const struct sftp_answer *answer) {
    struct look *look = arg;
    bool typed = answer->status == SFTP_OK && (answer->attributes.has & SFTP_HAS_MODE) != 0;
    look->directory = typed && S_ISDIR(answer->attributes.mode);
    look->regular = typed && S_ISREG(answer->attributes.mode);
    look->marks = carry_marks(&answer->attributes, 0777);
    root_answered(look);
}

static void opened(void *arg, const struct sftp_answer *answer) {
    struct look *look = arg;
    look->status = answer->status;
    if (answer->status == SFTP_OK)
        buf_str(&look->handle, answer->bytes);
    if (look->unanswered != 0)
        root_answered(look);
    else
        begin_reading(look, answer->status);
}

/* At once, which costs a root that is a file nothing but an error. */
static void open_directory(struct look *look) {
    bool root = look->rest.n == 0 && (look->depth == 0 || look->link);
    struct sftp *sftp = look->load->carrier->sftp;
    struct buf path = {0};
    load_path(look->load, look->dir.n != 0 || root ? buf_view(&look->dir) : STR("."), &path);
    if (root) {
        look->unanswered = 2;
        sftp_look_at(sftp, buf_view(&path), true, looked_at, look);
    }
    sftp_open_directory(sftp, buf_view(&path), opened, look);
    buf_free(&path);
}

static int by_name(const void *a, const void *b) {
    return str_cmp(((const struct cargo_item *)a)->to, ((const struct cargo_item *)b)->to);
}

/* Of two that stand side by side: they must not become one, unless they are directories. */
static void check_alone(struct load *l, const struct cargo_item *a, const struct cargo_item *b) {
    if (!str_eq(a->to, b->to) || (a->kind == CARGO_DIRECTORY && b->kind == CARGO_DIRECTORY))
        return;
    struct buf names = {0};
    buf_visible(&names, a->from);
    buf_puts(&names, " and ");
    buf_visible(&names, b->from);
    buf_puts(&names, " would both become ");
    buf_visible(&names, b->to);
    outcome_trouble(&l->outcome, CARRY_FAILED, "%s", names.s);
    buf_free(&names);
}

/* Here; in that order those above others come before them. */
static void make_directories(struct load *l) {
    for (size_t i = 0; i < l->items.n && !l->outcome.stopping; i++) {
        const struct cargo_item *item = &l->items.v[i];
        if (item->kind != CARGO_DIRECTORY)
            continue;
        int error = landing_make_directory(l->landing, item->to, &item->marks, item->preserve);
        if (error != 0)
            outcome_trouble_with(&l->outcome, CARRY_UNKEPT, "cannot fetch", item->from,
                                 strerror(error));
    }
}

/* All has been looked at. */
static void end_looking(struct load *l) {
    const struct errand *e = l->errand;
    for (size_t i = 0; i < e->n_cargo; i++) {
        if (l->cargo[i].found != 0 || e->cargo[i].optional)
            continue;
        struct buf name = {0};
        buf_visible(&name, e->cargo[i].from);
        outcome_trouble(&l->outcome, CARRY_FAILED,
                        e->cargo[i].to.n == 0 ? "it made nothing that matches %s"
                                              : "nothing there matches %s",
                        name.s);
        buf_free(&name);
    }
    if (l->items.n != 0) /* the server has no order */
        qsort(l->items.v, l->items.n, sizeof *l->items.v, by_name);
    for (size_t i = 1; i < l->items.n; i++)
        check_alone(l, &l->items.v[i - 1], &l->items.v[i]);
    if (!l->outcome.stopping && !weigh_many(l, NULL)) {
        make_directories(l);
        l->state = CARRYING;
    }
}

/* Of what is much the beginning tells enough: as a stream it comes whatever else there is. */
static bool begins_with_many(struct load *l) {
    if (l->sampled || l->items.n < LOOKED_AT)
        return false;
    l->sampled = true;
    return weigh_many(l, NULL);
}

bool look_further(struct load *l) {
    bool moved = false;
    if (begins_with_many(l))
        return true;
    while (l->look < l->looks.n && l->looking < LOOKS_MAX && sftp_room(l->carrier->sftp) != 0) {
        struct look *look = l->looks.v[l->look++];
        l->looking++;
        l->busy++;
        moved = true;
        open_directory(look);
    }
    if (l->look == l->looks.n && l->looking == 0)
        end_looking(l);
    return moved;
}
