/* The keys of a step. */
#include "base/duration.h"
#include "base/size.h"
#include "read/draft.h"
#include "read/schema.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_MAX = 1000, CPUS_MAX = 100 * 1000, BACKOFF_MAX = 100 };
#define WAIT_FOR_HOST (INT64_C(300) * 1000000000)

/* --- texts --- */

/* The texts of one key, while they are read. */
struct key_texts {
    struct draft_rule *rule;
    struct draft_text *v;
    size_t n;
};

static void one_text(void *context, const struct node *scalar) {
    struct key_texts *k = context;
    k->v[k->n++] =
        (struct draft_text){.t = parse_text(k->rule->reader, scalar), .at = node_at(scalar)};
}

static struct draft_texts read_texts(struct draft_rule *d, const struct node *value,
                                     const char *what,
                                     void (*item)(void *context, const struct node *scalar)) {
    struct reader *r = d->reader;
    size_t most = value->kind == NODE_LIST ? value->n : 1;
    struct key_texts k = {d, arena_alloc(&r->graph->arena, most * sizeof *k.v), 0};
    if (!want_names(value, what, r->diags, item, &k))
        d->broken = true;
    return (struct draft_texts){k.v, k.n};
}

/* What references stand for is no pattern, whatever it looks like. */
static bool is_pattern(const struct template *t) {
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; t->v[i].reference == NULL && k < t->v[i].text.n; k++)
            if (t->v[i].text.s[k] != '\0' && strchr("*?[", t->v[i].text.s[k]) != NULL)
                return true;
    return false;
}

/* `run: make # all`: YAML takes the rest for a comment, and nobody notices. */
static void check_comment(struct draft_rule *d, const struct node *scalar) {
    struct str text = scalar->source->text;
    size_t i = scalar->end;
    while (i < text.n && (text.s[i] == ' ' || text.s[i] == '\t'))
        i++;
    if (!scalar->plain || i >= text.n || text.s[i] != '#')
        return;
    struct place at = node_at(scalar); /* the scalar may go over several lines */
    size_t line_start = scalar->start - (at.col - 1);
    for (size_t k = scalar->start; k < i; k++)
        if (text.s[k] == '\n') {
            at.line++;
            line_start = k + 1;
        }
    at.col = (uint32_t)(i - line_start) + 1;
    at.length = 1;
    diag_error(d->reader->diags, at, "for YAML the rest of this line is a comment, not in `run`");
    diag_help(d->reader->diags, "quote it, or use `run: |`");
}

static void one_script(void *context, const struct node *scalar) {
    struct key_texts *k = context;
    check_comment(k->rule, scalar);
    k->v[k->n++] =
        (struct draft_text){.t = parse_script(k->rule->reader, scalar), .at = node_at(scalar)};
}

static void key_run(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->scripts = read_texts(d, value, "`run`", one_script);
    if (d->scripts.n != 0)
        d->rule->script_at = d->scripts.v[0].at;
}

static void key_in(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->rule->in_at = node_at(value);
    d->in = read_texts(d, value, "`in`", one_text);
}

/* --- out --- */

static void one_out(void *context, const struct node *scalar) {
    struct key_texts *k = context;
    one_text(k, scalar);
    struct draft_text *text = &k->v[k->n - 1];
    text->pattern = is_pattern(&text->t);
}

static void key_optional(void *context, const struct node *value) {
    struct key_texts *k = context;
    size_t first = k->n;
    if (!want_names(value, "`optional`", k->rule->reader->diags, one_out, k))
        k->rule->broken = true;
    for (size_t i = first; i < k->n; i++)
        k->v[i].optional = true;
}

static const struct key out_keys[] = {{"optional", key_optional, KEY_TEXT | KEY_LIST}};

static size_t most_outs(const struct node *value) {
    if (value->kind == NODE_SCALAR)
        return 1;
    size_t n = 0;
    for (size_t i = 0; i < value->n; i++) {
        const struct node *item = &value->items[i];
        const struct node *optional = item->kind == NODE_MAP ? node_get(item, "optional") : NULL;
        n += optional != NULL && optional->kind == NODE_LIST ? optional->n : 1;
        n += item->kind == NODE_LIST ? item->n : 0;
    }
    return n;
}

static void key_out(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    bool list = value->kind == NODE_LIST;
    const struct node *items = list ? value->items : value;
    size_t n = list ? value->n : 1;
    struct key_texts k = {d, arena_alloc(&d->reader->graph->arena, most_outs(value) * sizeof *k.v),
                          0};
    d->rule->out_at = node_at(value);
    for (size_t i = 0; i < n; i++) {
        struct str text;
        if (items[i].kind == NODE_MAP)
            read_keys(&items[i], "`out`", out_keys, sizeof out_keys / sizeof *out_keys, &k, diags);
        else if (want_name(&items[i], "`out`", &text, diags))
            one_out(&k, &items[i]);
        else
            d->broken = true;
    }
    d->out = (struct draft_texts){k.v, k.n};
}

/* --- what it needs --- */

static const struct {
    struct str name;
    enum when when;
} whens[] = {
    {{"success", 7}, WHEN_SUCCESS}, {{"failure", 7}, WHEN_FAILURE}, {{"always", 6}, WHEN_ALWAYS}};

static bool read_when(const struct node *value, enum when *when, struct diags *diags) {
    struct str text;
    if (!want_text(value, "`when`", &text, diags))
        return false;
    for (size_t i = 0; i < sizeof whens / sizeof *whens; i++)
        if (str_eq(text, whens[i].name)) {
            *when = whens[i].when;
            return true;
        }
    diag_error(diags, node_at(value), "`when` must be success, failure or always, not `%s`",
               diag_name(diags, text));
    return false;
}

static void key_when(void *context, const struct node *value) {
    struct draft_rule *d = context;
    own_rare(d)->when_at = node_at(value);
    read_when(value, &d->when, d->reader->diags);
}

static void one_need(void *context, const struct node *scalar) {
    struct draft_rule *d = context;
    *vec_push(&d->needs) = (struct draft_need){.name = {scalar->text, node_at(scalar)}};
}

static void key_needs(void *context, const struct node *value) {
    struct draft_rule *d = context;
    if (value->kind != NODE_MAP) {
        if (!want_names(value, "`needs`", d->reader->diags, one_need, d))
            d->broken = true;
        return;
    }
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *name = &value->items[i];
        struct draft_need need = {.name = {name->text, node_at(name)}, .said = true};
        if (read_when(&value->items[i + 1], &need.when, d->reader->diags))
            *vec_push(&d->needs) = need;
        else
            d->broken = true;
    }
}

static void key_each(void *context, const struct node *value) {
    read_each(context, value);
}

/* --- where --- */

static void key_every(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_name(value, "`every`", &own_rare(d)->every, d->reader->diags);
}

static void key_same(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct str text;
    if (want_name(value, "`same`", &text, d->reader->diags))
        own_rare(d)->same = (struct draft_name){text, node_at(value)};
}

static const struct key on_keys[] = {{"every", key_every, KEY_TEXT}, {"same", key_same, KEY_TEXT}};

static void key_on(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    own_rare(d)->on_at = node_at(value);
    if (value->kind == NODE_MAP) {
        size_t errors = diags->errors;
        read_keys(value, "`on`", on_keys, sizeof on_keys / sizeof *on_keys, d, diags);
        if (errors == diags->errors && (d->rare->every.n != 0) == (d->rare->same.text.n != 0))
            diag_error(diags, node_at(value), "`on` says either `every` or `same`");
        d->broken = d->broken || errors != diags->errors;
    } else if (want_name(value, "`on`", &text, diags)) {
        own_rare(d)->on =
            (struct draft_text){.t = parse_text(d->reader, value), .at = node_at(value)};
    } else {
        d->broken = true;
    }
}

static void key_wait(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (!want_text(value, "`wait`", &text, diags))
        return;
    if (str_eq(text, STR("ssh"))) {
        d->rule->patience = WAIT_FOR_HOST;
    } else if (!duration_parse(text, &d->rule->patience) || d->rule->patience == 0) {
        diag_error(diags, node_at(value), "`wait` must be `ssh` or a time, not `%s`",
                   diag_name(diags, text));
        diag_help(diags,
                  "`wait: ssh` waits 5m for a host that does not answer yet; 10m: that long");
    }
}

/* Nothing expands that, and a directory called so is seldom meant. */
static bool is_below_home(const struct node *node, struct str text, bool there,
                          struct diags *diags) {
    if (text.n == 0 || text.s[0] != '~' || (text.n > 1 && text.s[1] != '/'))
        return false;
    diag_error(diags, node_at(node), "`~` is not expanded here");
    diag_help(diags, there ? "on a host `dir: .` is the home directory, and names of `send` and "
                             "`fetch` start in `dir`; a name is written `./~`"
                           : "{{env.HOME}} is the home directory; a name is written `./~`");
    return true;
}

static void read_copies(struct draft_rule *d, const struct node *value, bool fetch) {
    struct reader *r = d->reader;
    const char *what = fetch ? "`fetch`" : "`send`";
    if (!want_map(value, what, r->diags)) {
        diag_help(r->diags, fetch ? "from names there to names here: `fetch: {/var/log/x: logs/}`"
                                  : "from names here to names there: `send: {app.conf: /etc/}`");
        d->broken = true;
        return;
    }
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *from = &value->items[i], *to = &value->items[i + 1];
        struct str names[2];
        if (!want_name(from, what, &names[0], r->diags) ||
            !want_name(to, what, &names[1], r->diags) ||
            is_below_home(from, names[0], fetch, r->diags) ||
            is_below_home(to, names[1], !fetch, r->diags)) {
            d->broken = true;
            continue;
        }
        struct draft_copy *copy = vec_push(&own_rare(d)->copies);
        copy->fetch = fetch;
        copy->from = (struct draft_text){.t = parse_text(r, from), .at = node_at(from)};
        copy->from.pattern = is_pattern(&copy->from.t);
        copy->to = (struct draft_text){.t = parse_text(r, to), .at = node_at(to)};
    }
}

static void key_send(void *context, const struct node *value) {
    read_copies(context, value, false);
}

static void key_fetch(void *context, const struct node *value) {
    read_copies(context, value, true);
}

/* --- how --- */

static void key_env(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    if (!want_map(value, "`env`", diags))
        return;
    for (size_t i = 0; i + 1 < value->n; i += 2) {
        const struct node *key = &value->items[i], *what = &value->items[i + 1];
        struct str text;
        bool known = false;
        for (size_t k = 0; k < d->rare->env.n; k++)
            known = known || str_eq(d->rare->env.v[k].name, key->text);
        if (known) /* these are defaults, and the step says it itself */
            continue;
        if (!is_identifier(key->text, ""))
            diag_error(diags, node_at(key), "`%s` cannot be the name of an environment variable",
                       diag_name(diags, key->text));
        else if (str_starts(key->text, STR("FORAY_")))
            diag_error(diags, node_at(key), "variables that begin with FORAY_ are set by foray");
        else if (want_text(what, "an environment variable", &text, diags))
            *vec_push(&own_rare(d)->env) = (struct env){key->text, parse_text(d->reader, what)};
    }
}

static void key_dir(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct str text;
    if (want_name(value, "`dir`", &text, d->reader->diags) &&
        !is_below_home(value, text, true, d->reader->diags))
        d->rule->dir = parse_text(d->reader, value);
}

/* Shells whose quoting is that of sh: what stands in braces can be written into their scripts. */
static bool is_posix_shell(struct str word) {
    static const char *const names[] = {"sh",  "ash",  "bash", "dash",   "ksh",
                                        "zsh", "mksh", "yash", "busybox"};
    const char *slash = bytes_last(word.s, '/', word.n);
    if (slash != NULL)
        word = (struct str){slash + 1, (size_t)(word.s + word.n - slash) - 1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(word, str_of(names[i])))
            return true;
    return false;
}

struct shell_words {
    struct buf quoted;
    struct str first;
    size_t n;
};

static void one_shell_word(void *context, const struct node *scalar) {
    struct shell_words *words = context;
    if (words->n++ == 0)
        words->first = scalar->text;
    else
        buf_putc(&words->quoted, ' ');
    shell_quote(&words->quoted, scalar->text);
}

static void key_shell(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct shell_words words = {0};
    if (want_names(value, "`shell`", diags, one_shell_word, &words) && words.n != 0) {
        if (!is_posix_shell(words.first)) {
            diag_error(diags, node_at(value), "`%s` is not a shell that foray can quote for",
                       diag_name(diags, words.first));
            diag_help(diags, "these are: sh, ash, bash, dash, ksh, mksh, yash, zsh; start others "
                             "from `run`, as in: python3 script.py");
        } else {
            if (value->kind == NODE_SCALAR) /* as it is with sh: the first failure ends it */
                buf_puts(&words.quoted, " -e");
            d->rule->shell = arena_str(&d->reader->graph->arena, buf_view(&words.quoted));
        }
    }
    buf_free(&words.quoted);
}

static void read_time(const struct node *value, const char *what, int64_t *out,
                      struct diags *diags) {
    struct str text;
    if (want_text(value, what, &text, diags) && (!duration_parse(text, out) || *out == 0)) {
        diag_error(diags, node_at(value), "%s must be a time, not `%s`", what,
                   diag_name(diags, text));
        diag_help(diags, "for example 90 (seconds), 1.5s, 10m or 1h30m");
    }
}

static void key_timeout(void *context, const struct node *value) {
    struct draft_rule *d = context;
    read_time(value, "`timeout`", &d->rule->timeout, d->reader->diags);
}

/* --- exit statuses and tries --- */

static struct codes *read_codes(struct draft_rule *d, const struct node *value, const char *what) {
    struct diags *diags = d->reader->diags;
    struct codes *codes = arena_alloc(&d->reader->graph->arena, sizeof *codes);
    bool list = value->kind == NODE_LIST;
    for (size_t i = 0; i < (list ? value->n : 1); i++) {
        uint32_t n;
        if (want_number(list ? &value->items[i] : value, what, 1, 255, &n, diags))
            codes->v[n / 64] |= UINT64_C(1) << n % 64;
    }
    return codes;
}

static void key_allow(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->rule->allow = read_codes(d, value, "`allow`");
}

static void key_times(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_number(value, "`times`", 0, RETRY_MAX, &d->rule->retries, d->reader->diags);
}

static void key_retry_wait(void *context, const struct node *value) {
    struct draft_rule *d = context;
    read_time(value, "`wait`", &d->rule->retry_wait, d->reader->diags);
}

static void key_backoff(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (!want_text(value, "`backoff`", &text, diags))
        return;
    char *end = NULL;
    char *copy = (char *)arena_str(&d->reader->graph->arena, text).s;
    bool digit = *copy >= '0' && *copy <= '9';
    double factor = digit ? strtod(copy, &end) : 0;
    if (!digit || *end != '\0' || !(factor >= 1 && factor <= BACKOFF_MAX))
        diag_error(diags, node_at(value), "`backoff` must be a number from 1 to %d, not `%s`",
                   BACKOFF_MAX, diag_name(diags, text));
    else
        d->rule->retry_backoff = factor;
}

static void key_retry_on(void *context, const struct node *value) {
    struct draft_rule *d = context;
    d->rule->retry_on = read_codes(d, value, "`on`");
}

static const struct key retry_keys[] = {{"times", key_times, KEY_NUMBER},
                                        {"wait", key_retry_wait, KEY_TEXT | KEY_NUMBER},
                                        {"backoff", key_backoff, KEY_NUMBER},
                                        {"on", key_retry_on, KEY_NUMBER | KEY_LIST}};

static void key_retry(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    if (value->kind != NODE_MAP) {
        want_number(value, "`retry`", 0, RETRY_MAX, &d->rule->retries, diags);
        return;
    }
    d->rule->retries = UINT32_MAX;
    bool read =
        read_keys(value, "`retry`", retry_keys, sizeof retry_keys / sizeof *retry_keys, d, diags);
    if (d->rule->retries == UINT32_MAX) {
        d->rule->retries = 0;
        if (read && node_get(value, "times") == NULL && !value->refused)
            diag_error(diags, node_at(value), "`retry` does not say how many `times`");
    }
}

/* --- shares --- */

static void key_cpus(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_number(value, "`cpus`", 1, CPUS_MAX, &d->rule->cpus, d->reader->diags);
}

static void key_mem(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (want_text(value, "`mem`", &text, diags) &&
        (!size_parse(text, &d->rule->mem) || d->rule->mem == 0)) {
        diag_error(diags, node_at(value), "`mem` must be an amount of memory, not `%s`",
                   diag_name(diags, text));
        diag_help(diags, "for example 512M or 1.5G");
    }
}

struct limit_list {
    struct draft_rule *rule;
    VEC(struct limit *) limits;
};

static void one_limit(void *context, const struct node *scalar) {
    struct limit_list *list = context;
    struct reader *r = list->rule->reader;
    struct limit *limit = map_get(&r->graph->limit_names, scalar->text);
    if (limit != NULL) {
        for (size_t i = 0; i < list->limits.n; i++)
            if (list->limits.v[i] == limit)
                return;
        *vec_push(&list->limits) = limit;
        return;
    }
    diag_error(r->diags, node_at(scalar), "there is no limit `%s`",
               diag_name(r->diags, scalar->text));
    str_list names = {0};
    for (size_t i = 0; i < r->graph->limits.n; i++)
        *vec_push(&names) = r->graph->limits.v[i]->name;
    if (!help_meant(r->diags, scalar->text, names.v, names.n))
        diag_help(r->diags, "limits are named at the top of the file: `limits: {%s: 2}`",
                  diag_name(r->diags, scalar->text));
    vec_free(&names);
}

static void key_limit(void *context, const struct node *value) {
    struct limit_list list = {.rule = context};
    struct rule *rule = list.rule->rule;
    want_names(value, "`limit`", list.rule->reader->diags, one_limit, &list);
    rule->limits = arena_copy(&list.rule->reader->graph->arena, list.limits.v,
                              list.limits.n * sizeof *list.limits.v);
    rule->n_limits = (uint32_t)list.limits.n;
    vec_free(&list.limits);
}

/* --- the rest --- */

static void key_console(void *context, const struct node *value) {
    struct draft_rule *d = context;
    own_rare(d)->console_at = node_at(value);
    want_bool(value, "`console`", &d->rule->console, d->reader->diags);
}

static void key_detach(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_bool(value, "`detach`", &d->rule->detach, d->reader->diags);
}

static void key_verify(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_bool(value, "`verify`", &d->rule->prove, d->reader->diags);
}

static void key_speculate(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_bool(value, "`speculate`", &d->rule->speculate, d->reader->diags);
}

static void key_check(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (!want_text(value, "`check`", &text, diags))
        return;
    d->rule->contents = str_eq(text, STR("content"));
    if (!d->rule->contents && !str_eq(text, STR("time")))
        diag_error(diags, node_at(value), "`check` must be time or content, not `%s`",
                   diag_name(diags, text));
}

static void key_deps(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct str text;
    if (want_name(value, "`deps`", &text, d->reader->diags))
        d->rule->deps = parse_text(d->reader, value);
}

static void key_keep(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_bool(value, "`keep`", &d->rule->keep, d->reader->diags);
}

static void key_yields(void *context, const struct node *value) {
    struct draft_rule *d = context;
    struct diags *diags = d->reader->diags;
    struct str text;
    if (!want_text(value, "`yields`", &text, diags))
        return;
    if (str_eq(text, STR("steps")))
        d->rule->yields = true;
    else
        diag_error(diags, node_at(value), "`yields` must be `steps`, not `%s`",
                   diag_name(diags, text));
}

static void key_describe(void *context, const struct node *value) {
    struct draft_rule *d = context;
    want_text(value, "`describe`", &d->rule->describe, d->reader->diags);
}

static const struct key step_keys[] = {
    {"run", key_run, KEY_TEXT | KEY_LIST},
    {"in", key_in, KEY_TEXT | KEY_LIST},
    {"out", key_out, KEY_TEXT | KEY_LIST | KEY_MAP},
    {"needs", key_needs, KEY_TEXT | KEY_LIST | KEY_MAP},
    {"when", key_when, KEY_TEXT},
    {"each", key_each, KEY_TEXT | KEY_LIST | KEY_MAP},
    {"on", key_on, KEY_TEXT | KEY_MAP},
    {"env", key_env, KEY_MAP},
    {"dir", key_dir, KEY_TEXT},
    {"shell", key_shell, KEY_TEXT | KEY_LIST},
    {"send", key_send, KEY_MAP},
    {"fetch", key_fetch, KEY_MAP},
    {"timeout", key_timeout, KEY_TEXT | KEY_NUMBER},
    {"retry", key_retry, KEY_NUMBER | KEY_MAP},
    {"allow", key_allow, KEY_NUMBER | KEY_LIST},
    {"wait", key_wait, KEY_TEXT | KEY_NUMBER},
    {"cpus", key_cpus, KEY_NUMBER},
    {"mem", key_mem, KEY_TEXT | KEY_NUMBER},
    {"limit", key_limit, KEY_TEXT | KEY_LIST},
    {"speculate", key_speculate, KEY_BOOL},
    {"check", key_check, KEY_TEXT},
    {"verify", key_verify, KEY_BOOL},
    {"deps", key_deps, KEY_TEXT},
    {"keep", key_keep, KEY_BOOL},
    {"console", key_console, KEY_BOOL},
    {"detach", key_detach, KEY_BOOL},
    {"yields", key_yields, KEY_TEXT},
    {"describe", key_describe, KEY_TEXT},
};

/* Those that may be said for all steps of a file at once. */
static const struct key default_keys[] = {
    {"on", key_on, KEY_TEXT | KEY_MAP},
    {"env", key_env, KEY_MAP},
    {"dir", key_dir, KEY_TEXT},
    {"shell", key_shell, KEY_TEXT | KEY_LIST},
    {"timeout", key_timeout, KEY_TEXT | KEY_NUMBER},
    {"retry", key_retry, KEY_NUMBER | KEY_MAP},
    {"allow", key_allow, KEY_NUMBER | KEY_LIST},
    {"wait", key_wait, KEY_TEXT | KEY_NUMBER},
    {"cpus", key_cpus, KEY_NUMBER},
    {"mem", key_mem, KEY_TEXT | KEY_NUMBER},
    {"limit", key_limit, KEY_TEXT | KEY_LIST},
    {"speculate", key_speculate, KEY_BOOL},
    {"check", key_check, KEY_TEXT},
    {"verify", key_verify, KEY_BOOL},
    {"keep", key_keep, KEY_BOOL},
};

#define TABLE(keys)                                                                                \
    { keys, sizeof keys / sizeof *keys }
const struct key_table schema_step = TABLE(step_keys);
const struct key_table schema_defaults = TABLE(default_keys);
const struct key_table schema_on = TABLE(on_keys);
const struct key_table schema_out = TABLE(out_keys);
const struct key_table schema_retry = TABLE(retry_keys);

void check_defaults(struct reader *r, struct document *document) {
    const struct node *defaults = node_get(document->root, "defaults");
    if (defaults == NULL)
        return;
    struct rule rule = {0};
    struct draft_rule d = {.reader = r, .rule = &rule, .document = document, .rare = &no_rare};
    size_t errors = r->diags->errors;
    read_keys(defaults, "`defaults`", default_keys, sizeof default_keys / sizeof *default_keys, &d,
              r->diags);
    free_draft(&d);
    if (errors == r->diags->errors)
        document->defaults = defaults;
}

/* What the step does not say itself. Where it runs with nothing to run there makes no sense. */
static void apply_defaults(struct draft_rule *d, const struct node *value) {
    const struct node *defaults = d->document != NULL ? d->document->defaults : NULL;
    for (size_t i = 0; defaults != NULL && i + 1 < defaults->n; i += 2) {
        struct str name = defaults->items[i].text;
        bool env = str_eq(name, STR("env"));
        bool here = d->scripts.n == 0 && d->rare->copies.n == 0;
        if (!env && node_get(value, name.s) != NULL)
            continue;
        if (here && (str_eq(name, STR("on")) || str_eq(name, STR("wait"))))
            continue;
        for (size_t k = 0; k < sizeof default_keys / sizeof *default_keys; k++)
            if (str_eq(name, str_of(default_keys[k].name)))
                default_keys[k].read(d, &defaults->items[i + 1]);
    }
}

void read_step_keys(struct draft_rule *d, const struct node *value) {
    struct diags *diags = d->reader->diags;
    if (read_keys(value, "a step", step_keys, sizeof step_keys / sizeof *step_keys, d, diags))
        apply_defaults(d, value);
}
