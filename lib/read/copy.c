#include "read/copy_state.h"

#include "base/hostpath.h"
#include "base/map.h"
#include "base/shell.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool copy_wrong(struct copy_reading *r, struct str word, const char *what) {
    diag_error(r->diags, (struct place){0}, "`%s` %s", diag_name(r->diags, word), what);
    return false;
}

/* --- words --- */

bool copy_is_directory(struct str name) {
    struct stat st;
    return stat(name.s, &st) == 0 && S_ISDIR(st.st_mode);
}

bool copy_ends_in_slash(struct str path) {
    return path.n != 0 && path.s[path.n - 1] == '/';
}

static struct str without_slashes(struct str path) {
    while (path.n > 1 && path.s[path.n - 1] == '/')
        path.n--;
    return path;
}

/* The last component; empty for the root. */
struct str copy_base_of(struct str path) {
    path = without_slashes(path);
    const char *slash = bytes_last(path.s, '/', path.n);
    return slash != NULL ? (struct str){slash + 1, (size_t)(path.s + path.n - slash) - 1} : path;
}

/* Names there begin in the home directory. */
static bool from_home(struct copy_reading *r, struct place_of *p) {
    if (p->path.n == 0 || p->path.s[0] != '~')
        return true;
    size_t n = strcspn(p->path.s, "/");
    if (n != 1) {
        copy_wrong(r, p->text, "begins in another user's home directory");
        diag_help(r->diags, "write its full name; a file called so is ./~...");
        return false;
    }
    while (n < p->path.n && p->path.s[n] == '/')
        n++;
    p->path = (struct str){p->path.s + n, p->path.n - n};
    return true;
}

/* Where a word is, and on which hosts. named: it says so itself. */
static bool read_word(struct copy_reading *r, struct str word, struct place_of *p, bool *named) {
    struct str hosts;
    bool on = r->order->on->n != 0;
    *p = (struct place_of){.text = word, .path = word};
    p->there = hostpath_split(word, &hosts, &p->path) && (hosts.n != 0 || on);
    *named = p->there && hosts.n != 0;
    if (!p->there) {
        p->path = word;
        return word.n != 0 || copy_wrong(r, word, "names nothing");
    }
    if (!*named)
        return from_home(r, p);
    if (on)
        return copy_wrong(r, word, "names hosts, and so does -w");
    option_list *list = arena_alloc(&r->graph->arena, sizeof *list);
    list->v = arena_alloc(&r->graph->arena, sizeof *list->v);
    list->v[list->n++] = (struct source){"HOSTS", arena_str(&r->graph->arena, hosts)};
    p->pool = words_pool(r->graph, list, r->order->except, r->diags);
    if (p->pool == NULL)
        diag_help(r->diags, "a file here with a colon in its name is written ./NAME");
    return p->pool != NULL && from_home(r, p);
}

/* Whether the hosts are one host, written as itself: what it gives needs no directory then. */
static bool is_one_host(const struct copy_reading *r, const struct place_of *p, bool named) {
    struct str hosts = p->text, path;
    if (!named && r->order->on->n == 1)
        hosts = r->order->on->v[0].text;
    else if (!named || !hostpath_split(p->text, &hosts, &path))
        return false;
    if (p->pool->n_hosts != 1 || hosts.s[0] == '@' || map_get(&r->graph->pool_names, hosts) != NULL)
        return false;
    return str_eq(hosts, p->pool->hosts[0]->name);
}

static bool read_words(struct copy_reading *r) {
    const struct copy_order *order = r->order;
    bool good = true, named = false, one = true;
    struct pool *pool = NULL;
    if (order->on->n != 0) {
        pool = words_pool(r->graph, order->on, order->except, r->diags);
        good = pool != NULL;
    }
    size_t there = 0;
    for (size_t i = 0; i < order->n; i++) {
        struct place_of *p = i + 1 < order->n ? vec_push(&r->sources) : &r->to;
        good = read_word(r, order->words[i], p, &named) && good;
        there += p->there && p != &r->to;
        if (p->there && p->pool == NULL)
            p->pool = pool;
        if (p->there && p != &r->to && good)
            one = one && is_one_host(r, p, named) &&
                  p->pool->hosts[0] == r->sources.v[0].pool->hosts[0];
    }
    if (!good)
        return false;
    /* As pdcp has it: -w, and no word that is there. */
    if (pool != NULL && there == 0 && !r->to.there) {
        r->to.there = true;
        r->to.pool = pool;
        good = from_home(r, &r->to);
    }
    r->each_apart = !one;
    r->steps->fetch = !r->to.there;
    if (good && there == 0 && !r->to.there) {
        diag_error(r->diags, (struct place){0}, "none of the names is on a host");
        diag_help(r->diags, "such a name is written HOSTS:PATH, as in node[1-3]:/tmp/");
        return false;
    }
    for (size_t i = 0; i < r->sources.n && good; i++) {
        const struct place_of *p = &r->sources.v[i];
        if (p->there == r->to.there && p->there) {
            good = copy_wrong(r, p->text, "and the destination are both on hosts");
            diag_help(r->diags, "copy it here first, and from here to the others");
        } else if (p->there == r->to.there) {
            good = copy_wrong(r, p->text, "is here, and so is the destination");
        }
    }
    return good;
}

/* --- scripts on hosts --- */

void copy_say_place(const struct copy *copy, struct buf *out) {
    struct str to = copy->to;
    to.n -= copy->or_name;
    buf_puts(out, "p=");
    shell_insert(out, SHELL_BARE, to);
    buf_puts(out, copy->or_name ? "; [ ! -d \"$p\" ] || p=$p/" : "; p=$p");
    shell_insert(out, SHELL_BARE, copy_base_of(copy->from));
}

struct template copy_script(struct copy_reading *r, struct buf *script) {
    struct template_piece *piece = arena_alloc(&r->graph->arena, sizeof *piece);
    piece->text = arena_str(&r->graph->arena, buf_view(script));
    buf_free(script);
    return (struct template){.v = piece, .n = 1};
}

/* --- {{host}} --- */

static bool look_up(void *context, const struct reference *reference, struct value *out) {
    const struct host *host = context;
    bool is_host = str_eq(reference->word, STR("host")) && reference->part.n == 0;
    *out = (struct value){.v = is_host ? &host->name : &reference->text, .n = 1};
    return true;
}

/* The text for a host: only {{host}} is replaced. pattern: what it stands for is no part of one. */
static struct str text_for(struct copy_reading *r, struct str text, struct host *host,
                           bool pattern) {
    struct arena *arena = &r->graph->arena;
    struct template t = template_parse(arena, text);
    str_list texts = {0};
    if (pattern)
        template_patterns(&t, look_up, host, arena, &texts);
    else
        template_list(&t, look_up, host, arena, &texts);
    text = arena_str(arena, texts.v[0]);
    vec_free(&texts);
    return text;
}

bool copy_has_host(struct copy_reading *r, struct str text) {
    struct template t = template_parse(&r->graph->arena, text);
    for (uint32_t i = 0; i < t.n; i++)
        if (t.v[i].reference != NULL && str_eq(t.v[i].reference->word, STR("host")))
            return true;
    return false;
}

/* --- sources --- */

/* Patterns as for scp: only there, since the shell knows those that are here. */
static void find_pattern(struct copy_reading *r, struct place_of *p) {
    struct buf plain = {0};
    for (size_t i = 0; i < p->path.n && !p->pattern; i++) {
        if (p->path.s[i] == '\\' && i + 1 < p->path.n)
            i++;
        else
            p->pattern = memchr("*?[", p->path.s[i], 3) != NULL;
        buf_putc(&plain, p->path.s[i]);
    }
    if (!p->pattern)
        p->path = arena_str(&r->graph->arena, buf_view(&plain));
    buf_free(&plain);
}

static bool check_sources(struct copy_reading *r) {
    bool good = true;
    for (size_t i = 0; i < r->sources.n; i++) {
        struct place_of *p = &r->sources.v[i];
        struct str base = copy_base_of(p->path);
        if (p->there)
            find_pattern(r, p);
        if (base.n == 0 || str_eq(base, STR("..")))
            good = copy_wrong(r, p->text,
                              "does not say what it is called: end it in a name, or in /.");
    }
    return good;
}

/* A source that is here, and what is wrong with it. */
bool copy_check_here(struct copy_reading *r, struct str name, bool file) {
    struct stat st;
    const char *what = NULL;
    if (stat(name.s, &st) != 0 || access(name.s, R_OK) != 0)
        what = strerror(errno);
    else if (!S_ISREG(st.st_mode) && (file || !S_ISDIR(st.st_mode)))
        what = file ? "it is not a regular file" : "it is neither a file nor a directory";
    if (what != NULL)
        diag_error(r->diags, (struct place){0}, "cannot read `%s`: %s", diag_name(r->diags, name),
                   what);
    r->missing += what != NULL;
    return what == NULL;
}

/* --- copies --- */

struct str copy_join(struct copy_reading *r, struct str a, struct str b, struct str c) {
    const struct str parts[] = {a, b, c};
    return arena_join(&r->graph->arena, parts, 3);
}

/* Adds a copy of `from` into the directory or to the name `to`. */
static bool add_copy(struct copy_reading *r, struct copy copy, struct str from, struct str to) {
    struct str base = copy_base_of(from);
    copy.from = from;
    copy.to = to;
    if (str_eq(base, STR("."))) { /* what is in it, and not itself */
        copy.to = without_slashes(to);
        copy.or_name = false;
    }
    for (size_t i = 0; i < r->copies.n && copy_ends_in_slash(copy.to) && !copy.pattern; i++) {
        const struct copy *other = &r->copies.v[i];
        if (!other->pattern && str_eq(other->to, copy.to) &&
            str_eq(copy_base_of(other->from), base)) {
            diag_error(r->diags, (struct place){0}, "`%s` and `%s` would both become `%s`",
                       diag_name(r->diags, other->from), diag_name(r->diags, from),
                       diag_name(r->diags, copy_join(r, copy.to, base, STR(""))));
            return false;
        }
    }
    *vec_push(&r->copies) = copy;
    return true;
}

/* Where it goes there: a name is that of a directory to put it into if one stands there. */
static struct str place_there(struct copy_reading *r, struct str path, bool *or_name) {
    struct str base = copy_base_of(path);
    *or_name = false;
    if (path.n == 0)
        return STR("./");
    if (copy_ends_in_slash(path))
        return path;
    *or_name = r->sources.n == 1 && !str_eq(base, STR(".")) && !str_eq(base, STR(".."));
    return copy_join(r, path, STR("/"), STR(""));
}

static struct str place_here(struct copy_reading *r, struct str path, const struct host *host) {
    if (r->each_apart)
        return copy_join(r, copy_ends_in_slash(path) ? path : copy_join(r, path, STR("/"), STR("")),
                         host->name, STR("/"));
    bool several = r->sources.n > 1 || r->sources.v[0].pattern;
    if (!copy_ends_in_slash(path) && (several || copy_is_directory(path)))
        return copy_join(r, path, STR("/"), STR(""));
    return path;
}

static bool send_to(struct copy_reading *r, struct host *host, size_t index) {
    struct copy copy = {.preserve = r->order->preserve};
    struct str to = place_there(r, text_for(r, r->to.path, host, false), &copy.or_name);
    bool good = true;
    for (size_t i = 0; i < r->sources.n; i++) {
        struct str from = text_for(r, r->sources.v[i].path, host, false);
        if (r->order->scatter) {
            copy.part = true;
            copy.start = r->starts.v[index];
            copy.length = r->starts.v[index + 1] - copy.start;
        }
        good = (r->order->scatter || copy_check_here(r, from, false)) &&
               add_copy(r, copy, from, to) && good;
    }
    return good;
}

static bool fetch_from(struct copy_reading *r, struct host *host) {
    struct str to = text_for(r, r->to.path, host, false);
    bool good = true;
    if (!r->order->gather)
        to = place_here(r, to, host);
    for (size_t i = 0; i < r->sources.n; i++) {
        const struct place_of *p = &r->sources.v[i];
        bool has = false;
        for (size_t k = 0; k < p->pool->n_hosts && !has; k++)
            has = p->pool->hosts[k] == host;
        if (!has)
            continue;
        struct copy copy = {.fetch = true, .pattern = p->pattern, .preserve = r->order->preserve};
        if (r->order->gather) {
            struct str name = arena_printf(&r->graph->arena, "%zu%s", r->steps->part_names.n,
                                           p->pattern ? "/" : "");
            *vec_push(&r->steps->part_names) = name;
            to = copy_join(r, r->steps->parts, STR("/"), name);
        }
        good = add_copy(r, copy, text_for(r, p->path, host, p->pattern), to) && good;
    }
    return good;
}

/* --- the steps --- */

/* All hosts, each once, in the order in which they are named. */
static void find_hosts(struct copy_reading *r, struct pool *all) {
    VEC(bool) seen = {0};
    VEC(struct host *) hosts = {0};
    for (size_t i = 0; i <= r->sources.n; i++) {
        const struct place_of *p = i < r->sources.n ? &r->sources.v[i] : &r->to;
        for (size_t k = 0; p->there && k < p->pool->n_hosts; k++) {
            struct host *host = p->pool->hosts[k];
            while (seen.n <= host->id)
                *vec_push(&seen) = false;
            if (!seen.v[host->id])
                *vec_push(&hosts) = host;
            seen.v[host->id] = true;
        }
    }
    all->hosts = arena_copy(&r->graph->arena, hosts.v, hosts.n * sizeof *hosts.v);
    all->n_hosts = hosts.n;
    vec_free(&seen);
    vec_free(&hosts);
}

/* What is fetched must not take the place of what is no file; each host's copies need a place of
 * their own. */
static bool check_place_here(struct copy_reading *r, const struct pool *hosts) {
    struct map names = {0};
    struct stat st;
    bool good = true, there = stat(r->to.path.s, &st) == 0;
    if (r->order->gather || copy_has_host(r, r->to.path))
        r->each_apart = false;
    if (!r->steps->fetch)
        return true;
    if (there && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return copy_wrong(r, r->to.text, "is neither a file nor a directory");
    if (!r->each_apart)
        return true;
    if (there && !S_ISDIR(st.st_mode)) {
        good =
            copy_wrong(r, r->to.text, "is no directory, and each of several hosts gets one in it");
        diag_help(r->diags, "or put {{host}} into the name");
    }
    for (size_t i = 0; i < hosts->n_hosts && good; i++) {
        void **name = map_put(&names, hosts->hosts[i]->name);
        if (*name != NULL || str_eq(hosts->hosts[i]->name, STR("..")))
            good = copy_wrong(r, hosts->hosts[i]->name, "cannot have a directory of its own here");
        *name = r;
    }
    map_free(&names);
    return good;
}

static bool add_step(struct copy_reading *r, struct host *host, size_t index) {
    struct graph *g = r->graph;
    struct step *step = graph_add_step(g, r->rule, host->name, false);
    r->copies.n = 0;
    bool good = r->steps->fetch ? fetch_from(r, host) : send_to(r, host, index);
    step->pool = graph_host_pool(g, host);
    step->copies = arena_copy(&g->arena, r->copies.v, r->copies.n * sizeof *r->copies.v);
    step->n_copies = (uint32_t)r->copies.n;
    return good;
}

static bool read_all(struct copy_reading *r) {
    struct graph *g = r->graph;
    struct pool hosts = {0};
    if (!read_words(r) || !check_sources(r))
        return false;
    find_hosts(r, &hosts);
    if (!check_place_here(r, &hosts) || (r->order->gather && !copy_place_whole(r)))
        return false;
    size_t first = g->steps.n;
    if (r->order->relay && (r->steps->fetch || r->order->scatter)) {
        diag_error(r->diags, (struct place){0},
                   "--relay and -A are for what goes to several hosts");
        return false;
    }
    for (size_t i = 0; r->order->relay && i < hosts.n_hosts; i++)
        if (hosts.hosts[i]->launch != NULL)
            return copy_wrong(r, hosts.hosts[i]->name,
                              "is reached by its `launch`: --relay and -A are for hosts by ssh");
    if (r->order->scatter && !copy_cut(r, hosts.n_hosts))
        return false;
    r->rule = graph_add_rule(g, STR("copy"), template_parse(&g->arena, STR(":")));
    r->rule->prove = true;
    r->rule->dir = template_parse(&g->arena, STR("."));
    bool good = true;
    /* What is missing here is missing for all hosts: one of them is enough to tell. */
    for (size_t i = 0; i < hosts.n_hosts && good; i++)
        good = add_step(r, hosts.hosts[i], i);
    graph_rule_done(g, r->rule, first);
    r->steps->hosts = hosts.n_hosts;
    if (r->order->scatter && good && hosts.n_hosts > 1)
        copy_add_checks(r, &hosts);
    if (r->order->relay && good)
        copy_add_relays(r, &hosts);
    return good;
}

bool copy_read(struct graph *g, const struct copy_order *order, struct copy_steps *steps,
               struct diags *diags) {
    struct copy_reading r = {.graph = g, .diags = diags, .order = order, .steps = steps};
    size_t errors = diags->errors;
    *steps = (struct copy_steps){0};
    bool good = read_all(&r);
    steps->missing = r.missing != 0 && r.missing == diags->errors - errors;
    vec_free(&r.sources);
    vec_free(&r.copies);
    vec_free(&r.starts);
    vec_free(&r.sums);
    return good;
}
