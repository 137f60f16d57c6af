#include "plan/fresh_state.h"

#include "base/map.h"
#include "base/mem.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void find_resumed(void *context, const struct record_run *r) {
    struct fresh *f = context;
    if (str_eq(r->file, f->file))
        f->resumes = r->resumes;
}

/* What has ended well has nothing left to be done. */
static void find_end(void *context, const struct record_run_end *r) {
    struct fresh *f = context;
    if (r->run >= f->resumes && r->status == 0)
        f->resumes = 0;
}

struct fresh *fresh_new(struct graph *g, struct journal *journal, struct str file,
                        const struct fresh_options *options) {
    struct fresh *f = mem_zalloc(sizeof *f);
    *f = (struct fresh){.graph = g, .journal = journal, .file = file, .options = *options};
    if (journal != NULL && options->resume)
        journal_read(journal, &(struct journal_reader){
                                  .context = f, .run = find_resumed, .run_end = find_end});
    return f;
}

void fresh_free(struct fresh *f) {
    if (f == NULL)
        return;
    vec_free(&f->files);
    vec_free(&f->version_files);
    vec_free(&f->steps);
    buf_free(&f->text);
    free(f);
}

struct journal *fresh_journal(const struct fresh *f) {
    return f->journal;
}

uint64_t fresh_key(const struct fresh *f, const struct step *step) {
    return journal_key(f->file, step->name);
}

bool fresh_has_outputs(const struct step *step) {
    return step->n_out + step->n_patterns != 0;
}

void fresh_mark(struct fresh *f, const struct step *step, enum step_state state) {
    while (f->steps.n <= step->id)
        *vec_push(&f->steps) = STEP_UNKNOWN;
    f->steps.v[step->id] = (uint8_t)state;
}

enum step_state fresh_state(const struct fresh *f, const struct step *step) {
    return step->id < f->steps.n ? (enum step_state)f->steps.v[step->id] : STEP_UNKNOWN;
}

bool fresh_is_pruned(const struct fresh *f, const struct step *step) {
    return fresh_state(f, step) == STEP_FRESH;
}

/* --- what it is run with --- */

/* Which host it runs on is no part of what it does. */
void fresh_command(const struct fresh *f, const struct step *step, struct buf *out) {
    graph_script(f->graph, step, STR("{{host}}"), STR(""), out);
}

static void add_variable(void *context, struct str name, struct str value) {
    struct buf *out = context;
    if (str_starts(name, STR("FORAY_")))
        return;
    buf_puts(out, "env ");
    buf_str(out, name);
    buf_putc(out, '=');
    buf_str(out, value);
    buf_putc(out, '\n');
}

static void add_line(struct buf *out, const char *word, struct str text) {
    if (text.n == 0)
        return;
    buf_puts(out, word);
    buf_str(out, text);
    buf_putc(out, '\n');
}

void fresh_settings(const struct fresh *f, const struct step *step, struct buf *out) {
    const struct rule *rule = step->rule;
    if (rule->dir.n != 0) {
        buf_puts(out, "dir ");
        graph_dir(f->graph, step, STR("{{host}}"), out);
        buf_putc(out, '\n');
    }
    add_line(out, "shell ", rule->shell);
    if (rule->n_env != 0)
        graph_environment(f->graph, step, STR("{{host}}"), STR(""), add_variable, out);
    for (size_t i = 0; i < step->n_patterns; i++)
        add_line(out, "out ", step->patterns[i].text);
    for (size_t i = 0; i < step->n_copies; i++) {
        buf_puts(out, step->copies[i].fetch ? "fetch " : "send ");
        buf_str(out, step->copies[i].from);
        add_line(out, " to ", step->copies[i].to);
    }
}

/* --- files --- */

struct signature *fresh_look(struct fresh *f, const struct file *file) {
    while (f->files.n <= file->id)
        vec_push(&f->files);
    struct known *k = &f->files.v[file->id];
    if (f->looking_once && k->looked)
        return &k->is;
    struct signature is = signature_of(file->name.s, file->maker == NULL);
    if (k->looked && (k->is.flags & SIGNATURE_HASHED) != 0 &&
        (k->is.flags & SIGNATURE_RECENT) == 0 && signature_same_stat(&k->is, &is)) {
        is.hash = k->is.hash;
        is.flags |= SIGNATURE_HASHED;
    }
    bool ours = file->maker != NULL && fresh_state(f, file->maker) == STEP_RAN && !k->made;
    if (k->looked && !ours && !signature_same_stat(&k->is, &is))
        f->moved = true;
    k->is = is;
    k->looked = true;
    return &k->is;
}

static void add_matching(struct fresh *f, const struct copy *copy, file_list *out,
                         struct str *unwatched) {
    glob_t found = {0};
    struct stat st;
    int rc = glob(copy->from.s, 0, NULL, &found);
    uses_glob(f->graph->uses, copy->from);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
        if (stat(found.gl_pathv[i], &st) == 0 && S_ISDIR(st.st_mode))
            *unwatched = copy->from;
        else
            *vec_push(out) = graph_file(f->graph, str_of(found.gl_pathv[i]));
    globfree(&found);
}

void fresh_inputs(struct fresh *f, const struct step *step, file_list *out, struct str *unwatched) {
    struct stat st;
    *unwatched = (struct str){0};
    for (size_t i = 0; i < step->n_in; i++)
        *vec_push(out) = step->in[i];
    for (size_t i = 0; i < step->n_copies; i++) {
        const struct copy *copy = &step->copies[i];
        if (copy->fetch)
            continue;
        if (copy->pattern)
            add_matching(f, copy, out, unwatched);
        else if (stat(copy->from.s, &st) == 0 && S_ISDIR(st.st_mode))
            *unwatched = copy->from;
        else
            *vec_push(out) = graph_file(f->graph, copy->from);
    }
    f->moved = f->moved || unwatched->n != 0;
}

void fresh_hash(hash_list *list) {
    for (size_t i = 0; i < list->n; i++)
        list->v[i].good = signature_hash(list->v[i].name.s, &list->v[i].is);
}

void fresh_hashed(struct fresh *f, const hash_list *list) {
    for (size_t i = 0; i < list->n; i++) {
        struct signature *is = &f->files.v[graph_find_file(f->graph, list->v[i].name)->id].is;
        *is = list->v[i].is;
        is->flags |= SIGNATURE_HASHED; /* what could not be read counts as changed */
    }
}

/* --- judging --- */

struct look {
    struct fresh *fresh;
    const struct step *step;
    struct judgement j;
    hash_list *list;
};

/* is: the file as it was just looked at. */
static bool is_same(struct look *l, const struct file *file, const struct signature *was,
                    struct signature *is) {
    bool contents = l->step->rule->contents;
    enum sameness same = signature_compare(was, is, contents);
    if (same == SAME_IF_HASH && l->list != NULL && is->size > SIGNATURE_AT_ONCE) {
        *vec_push(l->list) = (struct to_hash){.name = file->name, .is = *is};
        return true;
    }
    if (same == SAME_IF_HASH)
        same = signature_hash(file->name.s, is) ? signature_compare(was, is, contents) : DIFFERENT;
    if (same == SAME)
        return true;
    l->j.name = file->name;
    l->j.was = *was;
    l->j.is = *is;
    return false;
}

/* The first name of `a` that is not in `b`. */
static bool find_missing(const struct str *a, size_t n_a, const struct str *b, size_t n_b,
                         struct str *out) {
    struct map names = {0};
    bool found = false;
    for (size_t i = 0; i < n_b; i++)
        map_put(&names, b[i]);
    for (size_t i = 0; i < n_a && !found; i++) {
        size_t before = names.n;
        map_put(&names, a[i]);
        found = names.n != before;
        if (found)
            *out = a[i];
    }
    map_free(&names);
    return found;
}

/* Two lists of names that differ: by which name. */
static enum verdict compare_names(struct look *l, const struct str *now, size_t n_now,
                                  const struct str *then, size_t n_then, enum verdict added,
                                  enum verdict removed) {
    if (find_missing(now, n_now, then, n_then, &l->j.name))
        return added;
    if (find_missing(then, n_then, now, n_now, &l->j.name))
        return removed;
    l->j.name = n_now > 0 ? now[0] : then[0]; /* another order, or one twice */
    return added;
}

static enum verdict compare_inputs(struct look *l) {
    struct fresh *f = l->fresh;
    const struct record_end *last = &l->j.past.last;
    file_list inputs = {0};
    struct str unwatched;
    fresh_inputs(f, l->step, &inputs, &unwatched);
    enum verdict verdict = IS_FRESH;
    bool same = inputs.n == last->n_in;
    for (size_t i = 0; i < inputs.n && same; i++)
        same = str_eq(journal_version(f->journal, last->in[i])->name, inputs.v[i]->name);
    if (unwatched.n != 0) {
        verdict = INPUT_UNWATCHED;
        l->j.name = unwatched;
    } else if (!same) {
        str_list now = {0}, then = {0};
        for (size_t i = 0; i < inputs.n; i++)
            *vec_push(&now) = inputs.v[i]->name;
        for (size_t i = 0; i < last->n_in; i++)
            *vec_push(&then) = journal_version(f->journal, last->in[i])->name;
        verdict = compare_names(l, now.v, now.n, then.v, then.n, INPUT_ADDED, INPUT_REMOVED);
        vec_free(&now);
        vec_free(&then);
    }
    for (size_t i = 0; i < inputs.n && verdict == IS_FRESH; i++)
        if (!is_same(l, inputs.v[i], &journal_version(f->journal, last->in[i])->was,
                     fresh_look(f, inputs.v[i])))
            verdict = INPUT_CHANGED;
    vec_free(&inputs);
    return verdict;
}

/* A version is of a file that the graph may not know. */
static struct file *file_of(struct fresh *f, uint32_t number) {
    while (f->version_files.n <= number)
        *vec_push(&f->version_files) = NULL;
    struct file **file = &f->version_files.v[number];
    if (*file == NULL)
        *file = graph_file(f->graph, journal_version(f->journal, number)->name);
    return *file;
}

/* What it says by name that it makes; what its patterns stood for is whatever it was. */
static enum verdict compare_outputs(struct look *l) {
    struct fresh *f = l->fresh;
    const struct step *step = l->step;
    const struct record_end *last = &l->j.past.last;
    bool patterns = step->n_patterns != 0;
    bool same = patterns ? step->n_out <= last->n_out : step->n_out == last->n_out;
    for (size_t i = 0; i < step->n_out && same; i++)
        same = str_eq(journal_version(f->journal, last->out[i])->name, step->out[i]->name);
    if (!same) {
        str_list now = {0}, then = {0};
        for (size_t i = 0; i < step->n_out; i++)
            *vec_push(&now) = step->out[i]->name;
        for (size_t i = 0; i < last->n_out; i++)
            *vec_push(&then) = journal_version(f->journal, last->out[i])->name;
        enum verdict verdict =
            compare_names(l, now.v, now.n, then.v, then.n, OUTPUT_ADDED, OUTPUT_REMOVED);
        vec_free(&now);
        vec_free(&then);
        return verdict;
    }
    for (size_t i = 0; i < last->n_out; i++) {
        const struct version *v = journal_version(f->journal, last->out[i]);
        const struct file *file = i < step->n_out ? step->out[i] : file_of(f, last->out[i]);
        struct signature *is = fresh_look(f, file);
        is->flags &= (uint8_t)~SIGNATURE_RECENT; /* nobody else writes to it */
        if (!is_same(l, file, &v->was, is))
            return OUTPUT_CHANGED;
        /* Its contents are known from when it was made. */
        if ((v->was.flags & SIGNATURE_HASHED) != 0 && signature_same_stat(&v->was, is)) {
            is->hash = v->was.hash;
            is->flags |= SIGNATURE_HASHED;
        }
    }
    return IS_FRESH;
}

static enum verdict compare_dependencies(struct look *l) {
    struct fresh *f = l->fresh;
    const struct record_end *last = &l->j.past.last;
    for (size_t i = 0; i < last->n_deps; i++) {
        const struct file *file = file_of(f, last->deps[i]);
        /* Most are headers of others that many steps have read: one look is enough for them. */
        bool foreign = file->maker == NULL && !file->read;
        bool known = file->id < f->files.n && f->files.v[file->id].looked;
        struct signature *is = foreign && known ? &f->files.v[file->id].is : fresh_look(f, file);
        if (!is_same(l, file, &journal_version(f->journal, last->deps[i])->was, is))
            return DEPENDENCY_CHANGED;
    }
    return IS_FRESH;
}

static bool text_differs(struct fresh *f, const struct step *step, struct str was,
                         void (*write)(const struct fresh *f, const struct step *step,
                                       struct buf *out)) {
    buf_clear(&f->text);
    write(f, step, &f->text);
    return !str_eq(buf_view(&f->text), was);
}

static bool is_resumed(const struct fresh *f, const struct record_end *last) {
    return f->options.resume && f->resumes != 0 && last->run >= f->resumes;
}

static enum verdict judge(struct look *l) {
    struct fresh *f = l->fresh;
    const struct step *step = l->step;
    struct past *past = &l->j.past;
    bool has_outputs = fresh_has_outputs(step);
    bool known = f->journal != NULL && journal_find(f->journal, fresh_key(f, step), past);
    if (step->broken)
        return IS_BROKEN;
    if (f->options.always)
        return RUNS_AS_TOLD;
    if (!has_outputs && !f->options.resume)
        return RUNS_ALWAYS;
    if (!known)
        return NEVER_RAN;
    if (past->unfinished)
        return DID_NOT_END;
    if (past->last.ending != ENDED_WELL)
        return ENDED_BADLY;
    if (!has_outputs && !is_resumed(f, &past->last))
        return RUNS_ALWAYS;
    for (size_t i = 0; i < step->n_needs && !has_outputs; i++)
        if (fresh_state(f, step->needs[i]) == STEP_RAN) {
            l->j.name = step->needs[i]->name;
            return NEED_RAN;
        }
    if (text_differs(f, step, past->last.command, fresh_command))
        return COMMAND_CHANGED;
    if (text_differs(f, step, past->last.settings, fresh_settings))
        return SETTINGS_CHANGED;
    enum verdict verdict = compare_inputs(l);
    if (verdict == IS_FRESH)
        verdict = compare_dependencies(l);
    if (verdict == IS_FRESH)
        verdict = compare_outputs(l);
    if (verdict == IS_FRESH && (step->rule->captured || step->rule->yields) && !past->last.captured)
        verdict = OUTPUT_UNKNOWN;
    return verdict;
}

bool fresh_may_be(const struct fresh *f, const struct step *step) {
    return f->journal != NULL && !f->options.always && fresh_state(f, step) != STEP_STALE &&
           (fresh_has_outputs(step) || f->options.resume);
}

struct judgement fresh_judge(struct fresh *f, const struct step *step, hash_list *list) {
    struct look l = {.fresh = f, .step = step, .list = list};
    l.j.verdict = judge(&l);
    if (l.j.verdict != IS_FRESH && list != NULL)
        list->n = 0; /* it is known without */
    return l.j;
}

int64_t fresh_cost(const struct fresh *f, const struct step *step, struct str *host) {
    struct past past;
    *host = (struct str){0};
    if (f->journal == NULL || !journal_find(f->journal, fresh_key(f, step), &past) || !past.ended ||
        past.last.ending != ENDED_WELL)
        return 0;
    *host = past.last.host;
    return past.last.took;
}

/* A file that is the same, by its contents, but was touched: as it is now. */
static uint32_t renew(struct fresh *f, uint32_t number) {
    const struct signature *was = &journal_version(f->journal, number)->was;
    const struct file *file = file_of(f, number);
    const struct signature *is = &f->files.v[file->id].is;
    if ((is->flags & SIGNATURE_HASHED) == 0 ||
        (signature_same_stat(was, is) && (was->flags & SIGNATURE_RECENT) == 0))
        return number;
    return journal_file(f->journal, file->name, is);
}

/* So that the next look at the same files need not read them. */
static void renew_all(struct fresh *f, const struct record_end *last) {
    size_t n = (size_t)last->n_in + last->n_out + last->n_deps;
    uint32_t *numbers = mem_array(NULL, n + 1, sizeof *numbers);
    bool changed = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t was = i < last->n_in                 ? last->in[i]
                       : i < last->n_in + last->n_out ? last->out[i - last->n_in]
                                                      : last->deps[i - last->n_in - last->n_out];
        numbers[i] = renew(f, was);
        changed = changed || numbers[i] != was;
    }
    struct record_end end = *last;
    end.in = numbers;
    end.out = end.in + end.n_in;
    end.deps = end.out + end.n_out;
    if (changed)
        journal_end(f->journal, &end);
    free(numbers);
}

void fresh_settle(struct fresh *f, struct step *step, struct diags *diags) {
    struct past past;
    struct buf reason = {0};
    journal_find(f->journal, fresh_key(f, step), &past);
    if (journal_is_written(f->journal))
        renew_all(f, &past.last);
    if (step->n_patterns != 0) {
        str_list made = {0};
        for (size_t i = 0; i < past.last.n_out; i++)
            *vec_push(&made) = journal_version(f->journal, past.last.out[i])->name;
        graph_settle(f->graph, step, made.v, made.n, &reason);
        for (size_t i = 0; i < step->n_out; i++)
            fresh_look(f, step->out[i]);
        vec_free(&made);
    }
    graph_step_over(f->graph, step, past.last.status, past.last.output);
    f->moved = f->moved || !fresh_has_outputs(step); /* it is only for once */
    fresh_mark(f, step, STEP_FRESH);
    if (step->rule->yields)
        f->graph->growth->listed(f->graph->growth, step, past.last.output, diags);
    buf_free(&reason);
}

uint64_t fresh_size(const struct fresh *f, const struct file *file) {
    return file->id < f->files.n && f->files.v[file->id].looked ? f->files.v[file->id].is.size : 0;
}
