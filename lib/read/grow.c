/* The order in which rules unfold: first all that can be known from what is written, then, while
 * the graph runs, what waits for the outputs and words of other steps. */
#include "read/draft.h"

#include <stdlib.h>

enum { PATH_SHOWN = 20 };

/* "a -> b -> a" for a rule that is never ready: each of these waits for another one, so that
 * following them comes back somewhere. */
static void report_waiting(struct reader *r, struct draft_rule *d) {
    draft_rules path = {0};
    while (d->on_path == 0) {
        *vec_push(&path) = d;
        d->on_path = (uint32_t)path.n;
        size_t i = 0;
        while (!(d->refs.v[i].names || d->rule->late) || d->refs.v[i].to->unfolded)
            i++;
        d = d->refs.v[i].to;
    }
    struct buf text = {0};
    for (size_t i = d->on_path - 1; i < path.n; i++) {
        if (i == d->on_path - 1 + PATH_SHOWN) {
            buf_puts(&text, "... -> ");
            break;
        }
        buf_printf(&text, "%s -> ", diag_name(r->diags, path.v[i]->rule->name));
    }
    buf_puts(&text, diag_name(r->diags, d->rule->name));
    diag_error(r->diags, d->rule->at, "the names of its files depend on themselves: %s", text.s);
    buf_free(&text);
    vec_free(&path);
}

static void wait_less(struct unfolding *u, struct draft_rule *d) {
    if (--d->waiting == 0)
        *vec_push(&u->queue) = d;
}

/* All its steps are over, or there are none. */
static void settle(struct unfolding *u, struct draft_rule *d);

static void unfolded(struct unfolding *u, struct draft_rule *d) {
    d->unfolded = true;
    u->pending--;
    *vec_push(&u->batch) = d;
    for (size_t i = 0; i < d->before.n; i++)
        if (!d->before.v[i]->unfolded)
            wait_less(u, d->before.v[i]);
    if (d->left == 0)
        settle(u, d);
}

/* What a rule is made of will never be known: one step stands for all of it, that cannot run
 * either. */
static void give_up(struct unfolding *u, struct draft_rule *d, struct draft_rule *failed) {
    if (d->unfolded)
        return;
    struct graph *g = u->reader->graph;
    struct step *step = stand_in(u, d), *need = all_of(failed);
    step->needs = arena_copy(&g->arena, &need, sizeof need);
    step->n_needs = 1;
    d->refs.n = 0;
    unfolded(u, d);
}

static void settle(struct unfolding *u, struct draft_rule *d) {
    d->over = true;
    for (size_t i = 0; i < d->listeners.n; i++) {
        struct draft_rule *listener = d->listeners.v[i];
        if (listener->unfolded)
            continue;
        if (d->failed) {
            give_up(u, listener, d);
            continue;
        }
        /* Who waits for a step that lists others waits for those too. */
        for (size_t k = 0; k < d->listed.n; k++) {
            struct draft_rule *other = d->listed.v[k];
            *vec_push(&listener->refs) = (struct draft_reference){.to = other};
            if (!other->unfolded) {
                *vec_push(&other->before) = listener;
                listener->waiting++;
            }
            if (other->rule->yields && !other->over) {
                *vec_push(&other->listeners) = listener;
                listener->waiting++;
            }
        }
        wait_less(u, listener);
    }
}

/* What cannot be made out fails when it is run: a mistake of late rules. */
static void break_steps(struct unfolding *u, struct draft_rule *d) {
    for (size_t i = 0; i < d->rule->n_steps; i++) {
        struct step *step = d->rule->steps[i];
        step->broken = true;
        step->n_in = step->n_out = step->n_patterns = step->n_copies = step->n_needs = 0;
        step->same = NULL;
        step->pool = NULL;
    }
    (void)u;
}

static void unfold(struct unfolding *u, struct draft_rule *d) {
    struct reader *r = u->reader;
    size_t errors = r->diags->errors;
    make_steps(u, d);
    if (r->graph->running && errors != r->diags->errors) {
        if (d->rule->n_steps == 0)
            stand_in(u, d);
        break_steps(u, d);
        d->refs.n = 0;
        d->in.n = 0;
    }
    unfolded(u, d);
}

/* Unfolds what is ready, and what gets ready by that; then finds what these steps read and need. */
static void unfold_ready(struct unfolding *u) {
    struct graph *g = u->reader->graph;
    struct diags *diags = u->reader->diags;
    size_t first = g->steps.n;
    u->batch.n = 0;
    for (size_t i = 0; i < u->queue.n; i++)
        if (!u->queue.v[i]->unfolded)
            unfold(u, u->queue.v[i]);
    u->queue.n = 0;
    for (size_t i = 0; i < u->batch.n; i++) {
        struct draft_rule *d = u->batch.v[i];
        size_t errors = diags->errors;
        if (d->refs.n != 0 || d->in.n != 0)
            find_edges(u, d);
        if (g->running && errors != diags->errors)
            break_steps(u, d);
    }
    for (size_t i = 0; i < u->batch.n; i++)
        for (size_t k = 0;
             u->batch.v[i]->rare->same.text.n != 0 && k < u->batch.v[i]->rule->n_steps; k++) {
            struct step *step = u->batch.v[i]->rule->steps[k], *root = step;
            for (size_t n = 0; root->same != NULL && n < u->batch.n; n++)
                root = root->same;
            step->pool = root->pool;
        }
    size_t errors = diags->errors;
    graph_link(g, first, diags);
    if (g->running && errors != diags->errors) /* two makers of a file, or a cycle */
        for (size_t i = 0; i < u->batch.n; i++)
            break_steps(u, u->batch.v[i]);
}

/* --- while the graph runs --- */

static struct draft_rule *draft_of_step(struct unfolding *u, const struct step *step) {
    return step->rule->id < u->by_rule.n ? u->by_rule.v[step->rule->id] : NULL;
}

static void step_over(struct growth *growth, struct step *step, bool well, struct diags *diags) {
    struct unfolding *u = (struct unfolding *)growth;
    struct draft_rule *d = draft_of_step(u, step);
    u->reader->diags = diags;
    if (d == NULL || d->over)
        return;
    d->failed = d->failed || !well;
    if (--d->left == 0)
        settle(u, d);
    if (u->queue.n != 0 || u->batch.n != 0)
        unfold_ready(u);
    u->batch.n = 0;
}

static void add_drafts(struct unfolding *u, const draft_rules *drafts) {
    for (size_t i = 0; i < drafts->n; i++)
        *vec_push(&u->by_rule) = drafts->v[i];
    u->pending += drafts->n;
}

static bool listed(struct growth *growth, struct step *step, struct str text, struct diags *diags) {
    struct unfolding *u = (struct unfolding *)growth;
    struct reader *r = u->reader;
    struct graph *g = r->graph;
    struct draft_rule *lister = draft_of_step(u, step);
    struct source *source = arena_alloc(&g->arena, sizeof *source);
    struct document *document = arena_alloc(&g->arena, sizeof *document);
    size_t errors = diags->errors;
    r->diags = diags;
    bool blank = true;
    for (size_t i = 0; i < text.n && blank; i++)
        blank = text.s[i] == ' ' || text.s[i] == '\n';
    if (blank || lister == NULL)
        return true;
    *source = (struct source){arena_printf(&g->arena, "<%.*s>", STR_FMT(step->name)).s,
                              arena_str(&g->arena, text)};
    *document = (struct document){.source = source};
    document->root = nodes_read(&r->nodes, &g->arena, source, diags);
    if (document->root == NULL || !want_map(document->root, "what it lists", diags))
        return false;
    /* Names that are taken are found before anything is changed. */
    for (size_t i = 0; i + 1 < document->root->n; i += 2) {
        const struct node *key = &document->root->items[i];
        const struct rule *known = map_get(&g->rule_names, key->text);
        if (known == NULL)
            continue;
        diag_error(diags, node_at(key), "there is a step `%s` already",
                   diag_name(diags, key->text));
        diag_note(diags, known->at, "the other one");
    }
    if (errors != diags->errors)
        return false;
    size_t rules = g->rules.n, names = r->rule_names.n, pending = u->pending;
    draft_rules drafts = {0};
    draft_steps(r, document, document->root, &drafts);
    document->root = NULL;
    arena_free(&r->nodes);
    add_drafts(u, &drafts);
    connect_drafts(u, &drafts);
    bool good = errors == diags->errors;
    for (size_t i = 0; i < drafts.n; i++) {
        struct draft_rule *d = drafts.v[i];
        d->rule->lister = step->rule;
        if (good) {
            *vec_push(&lister->listed) = d;
            if (d->waiting == 0)
                *vec_push(&u->queue) = d;
        } else { /* as if they had never been there */
            *map_put(&g->rule_names, d->rule->name) = NULL;
            for (size_t k = 0; k < d->refs.n; k++) {
                draft_rules *waiting[] = {(draft_rules *)&d->refs.v[k].to->before,
                                          (draft_rules *)&d->refs.v[k].to->listeners};
                for (size_t w = 0; w < 2; w++)
                    while (waiting[w]->n != 0 && waiting[w]->v[waiting[w]->n - 1] == d)
                        waiting[w]->n--;
            }
        }
    }
    if (!good) {
        for (size_t i = 0; i < drafts.n; i++)
            free_draft(drafts.v[i]);
        g->rules.n = rules;
        r->rule_names.n = names;
        u->by_rule.n -= drafts.n;
        u->pending = pending;
    }
    vec_free(&drafts);
    return good;
}

/* --- the whole --- */

static void growth_free(struct growth *growth) {
    struct unfolding *u = (struct unfolding *)growth;
    for (size_t i = 0; i < u->by_rule.n; i++)
        free_draft(u->by_rule.v[i]);
    vec_free(&u->by_rule);
    vec_free(&u->queue);
    vec_free(&u->batch);
    arena_free(&u->scratch);
    vec_free(&u->names);
    vec_free(&u->files);
    arena_free(&u->reader->nodes);
    vec_free(&u->reader->documents);
    vec_free(&u->reader->rule_names);
    map_free(&u->reader->told);
}

/* For people and plans: what a late rule comes after. */
static void note_references(struct unfolding *u, struct draft_rule *d) {
    struct rule *rule = d->rule;
    if (!rule->late)
        return;
    rule->refs = arena_alloc(&u->reader->graph->arena, d->refs.n * sizeof *rule->refs);
    for (size_t i = 0; i < d->refs.n; i++) {
        bool known = false;
        for (size_t k = 0; k < rule->n_refs && !known; k++)
            known = rule->refs[k] == d->refs.v[i].to->rule;
        if (!known)
            rule->refs[rule->n_refs++] = d->refs.v[i].to->rule;
    }
}

/* Of rules that are late, all that wait for each other wait for ever. */
static void find_stuck(struct unfolding *u, const draft_rules *drafts) {
    /* Those that something will free are taken away, and what these free, until none is left. */
    size_t n = drafts->n;
    draft_rules free_ones = {0};
    for (size_t i = 0; i < n; i++)
        drafts->v[i]->on_path = 0;
    size_t *waits = mem_zalloc((n + 1) * sizeof *waits);
    for (size_t i = 0; i < n; i++) {
        const struct draft_rule *d = drafts->v[i];
        for (size_t k = 0; k < d->refs.n; k++)
            waits[i] += (d->refs.v[k].names || d->rule->late) && !d->refs.v[k].to->unfolded;
        if (d->unfolded || waits[i] == 0)
            *vec_push(&free_ones) = drafts->v[i];
    }
    for (size_t i = 0; i < free_ones.n; i++)
        for (size_t k = 0; k < free_ones.v[i]->before.n; k++) {
            struct draft_rule *d = free_ones.v[i]->before.v[k];
            if (!d->unfolded && !free_ones.v[i]->unfolded && --waits[d->rule->id] == 0)
                *vec_push(&free_ones) = d;
        }
    for (size_t i = 0; i < n; i++)
        if (!drafts->v[i]->unfolded && waits[drafts->v[i]->rule->id] != 0) {
            report_waiting(u->reader, drafts->v[i]);
            break;
        }
    free(waits);
    vec_free(&free_ones);
}

void unfold_rules(struct reader *r, const draft_rules *drafts) {
    struct graph *g = r->graph;
    struct unfolding *u = arena_alloc(&g->arena, sizeof *u);
    *u = (struct unfolding){.growth = {listed, step_over, growth_free}, .reader = r};
    add_drafts(u, drafts);
    connect_drafts(u, drafts);
    for (size_t i = 0; i < drafts->n; i++)
        if (drafts->v[i]->waiting == 0)
            *vec_push(&u->queue) = drafts->v[i];
    unfold_ready(u);
    u->batch.n = 0;
    bool grows = u->pending != 0;
    for (size_t i = 0; i < drafts->n; i++) {
        grows = grows || drafts->v[i]->rule->yields;
        note_references(u, drafts->v[i]);
    }
    if (u->pending != 0)
        find_stuck(u, drafts);
    g->growth = &u->growth;
    if (!grows) {
        growth_free(g->growth);
        g->growth = NULL;
    }
}
