/* What a try of a step starts from and leaves, for the journal. */
#include "plan/fresh_state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

/* Outputs of a step that runs again in the same run: what they were made of does not matter. */
struct memo *fresh_begin(struct fresh *f, const struct step *step, uint32_t attempt,
                         struct str host) {
    struct memo *m = mem_zalloc(sizeof *m);
    input_list inputs = {0};
    struct str unwatched;
    *m = (struct memo){.step = step,
                       .key = fresh_key(f, step),
                       .attempt = attempt,
                       .began = signature_now(),
                       .host = host,
                       .n_outputs = step->n_out};
    fresh_mark(f, step, STEP_RAN);
    f->moved = f->moved || !fresh_has_outputs(step);
    if (f->journal == NULL)
        return m;
    fresh_command(f, step, &m->command);
    fresh_settings(f, step, &m->settings);
    fresh_inputs(f, step, &inputs, &unwatched);
    for (size_t i = 0; i < inputs.n; i++) {
        struct signature space;
        *vec_push(&m->in) =
            (struct version){inputs.v[i].name, *fresh_look_input(f, &inputs.v[i], &space)};
    }
    vec_free(&inputs);
    journal_start(f->journal, &(struct record_start){.key = m->key,
                                                     .run = f->run,
                                                     .attempt = attempt,
                                                     .began = m->began,
                                                     .name = step->name,
                                                     .host = host});
    return m;
}

void fresh_note_outputs(struct memo *m) {
    for (size_t i = 0; i < m->n_outputs; i++)
        *vec_push(&m->before) = signature_of(m->step->out[i]->name.s, false);
}

void fresh_touched(const struct memo *m, str_list *names) {
    for (size_t i = 0; i < m->before.n; i++) {
        struct signature is = signature_of(m->step->out[i]->name.s, false);
        if ((is.flags & SIGNATURE_THERE) != 0 && !signature_same_stat(&m->before.v[i], &is))
            *vec_push(names) = m->step->out[i]->name;
    }
}

/* Small contents at once, larger ones later. */
static void hash(struct version *v, hash_list *list) {
    if (v->was.size <= SIGNATURE_AT_ONCE)
        signature_hash(v->name.s, &v->was);
    else
        *vec_push(list) = (struct to_hash){.name = v->name, .is = v->was};
}

void fresh_left(struct fresh *f, struct memo *m, const str_list *deps, hash_list *list) {
    const struct step *step = m->step;
    if (f->journal == NULL)
        return;
    for (size_t i = 0; i < m->in.n; i++) {
        struct version *v = &m->in.v[i];
        bool matters = step->rule->contents || (v->was.flags & SIGNATURE_RECENT) != 0;
        if (matters && (v->was.flags & (SIGNATURE_THERE | SIGNATURE_HASHED)) == SIGNATURE_THERE)
            hash(v, list);
    }
    for (size_t i = 0; i < step->n_out; i++) {
        *vec_push(&m->out) = (struct version){step->out[i]->name, *fresh_look(f, step->out[i])};
        struct version *v = &m->out.v[i];
        if (v->was.size <= SIGNATURE_AT_ONCE || step->rule->contents)
            hash(v, list);
        f->files.v[step->out[i]->id].is = v->was;
        f->files.v[step->out[i]->id].made = true;
    }
    f->moved = f->moved || step->rule->deps.n != 0; /* which are not looked at here as others are */
    for (size_t i = 0; deps != NULL && i < deps->n; i++) {
        struct version v = {deps->v[i], signature_of(deps->v[i].s, true)};
        if (step->rule->contents || (v.was.flags & SIGNATURE_RECENT) != 0)
            signature_hash(v.name.s, &v.was);
        *vec_push(&m->deps) = v;
    }
}

static void take_hashes(struct fresh *f, struct memo *m, const hash_list *hashed) {
    for (size_t i = 0; hashed != NULL && i < hashed->n; i++) {
        const struct to_hash *h = &hashed->v[i];
        for (size_t k = 0; k < m->in.n + m->out.n && h->good; k++) {
            struct version *v = k < m->in.n ? &m->in.v[k] : &m->out.v[k - m->in.n];
            if (v->name.s == h->name.s && signature_same_stat(&v->was, &h->is))
                v->was = h->is;
        }
    }
    for (size_t i = 0; hashed != NULL && i < m->out.n; i++)
        f->files.v[m->step->out[i]->id].is = m->out.v[i].was;
}

static uint32_t *numbers_of(struct journal *j, const struct version *v, size_t n, uint32_t *at) {
    for (size_t i = 0; i < n; i++)
        at[i] = journal_file(j, v[i].name, &v[i].was);
    return at + n;
}

bool fresh_end(struct fresh *f, struct memo *m, const struct try_end *end,
               const hash_list *hashed) {
    bool good = true;
    if (f->journal != NULL) {
        take_hashes(f, m, hashed);
        bool well = end->ending == ENDED_WELL;
        size_t n = well ? m->in.n + m->out.n + m->deps.n : 0;
        uint32_t *numbers = mem_array(NULL, n + 1, sizeof *numbers), *at = numbers;
        struct record_end r = {
            .key = m->key,
            .run = f->run,
            .attempt = m->attempt,
            .began = m->began,
            .took = end->took,
            .ending = end->ending,
            .status = end->status,
            .name = m->step->name,
            .host = m->host,
            .command = buf_view(&m->command),
            .settings = buf_view(&m->settings),
            .captured = well && (m->step->rule->captured || m->step->rule->yields) &&
                        end->output.n <= SIGNATURE_AT_ONCE,
            .n_in = well ? (uint32_t)m->in.n : 0,
            .n_out = well ? (uint32_t)m->out.n : 0,
            .n_deps = well ? (uint32_t)m->deps.n : 0,
        };
        if (r.captured)
            r.output = end->output;
        r.in = at;
        r.out = at = well ? numbers_of(f->journal, m->in.v, m->in.n, at) : at;
        r.deps = at = well ? numbers_of(f->journal, m->out.v, m->out.n, at) : at;
        if (well)
            numbers_of(f->journal, m->deps.v, m->deps.n, at);
        good = journal_end(f->journal, &r);
        free(numbers);
    }
    fresh_drop(m);
    return good;
}

void fresh_drop(struct memo *m) {
    if (m == NULL)
        return;
    buf_free(&m->command);
    buf_free(&m->settings);
    vec_free(&m->in);
    vec_free(&m->out);
    vec_free(&m->deps);
    vec_free(&m->before);
    free(m);
}

bool fresh_begin_run(struct fresh *f, struct str words) {
    if (f->journal == NULL)
        return true;
    f->run = journal_last_run(f->journal) + 1;
    f->began = signature_now();
    return journal_run(f->journal,
                       &(struct record_run){
                           .run = f->run,
                           .resumes = f->options.resume && f->resumes != 0 ? f->resumes : f->run,
                           .began = f->began,
                           .pid = getpid(),
                           .file = f->file,
                           .words = words,
                       });
}

uint32_t fresh_run(const struct fresh *f) {
    return f->run;
}

bool fresh_end_run(struct fresh *f, struct record_run_end *end) {
    if (f->journal == NULL)
        return true;
    end->run = f->run;
    end->ended = signature_now();
    end->took = end->ended - f->began;
    return journal_run_end(f->journal, end);
}
