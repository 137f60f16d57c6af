/* What a try of a step starts from and leaves, for the journal. */
#include "plan/fresh_state.h"

#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static struct version *add_file(struct fresh *f, struct memo *m, const struct file *file) {
    struct version *v = vec_push(&m->files);
    *v = (struct version){file->name, *fresh_look(f, file)};
    return v;
}

struct memo *fresh_begin(struct fresh *f, const struct step *step, uint32_t attempt,
                         struct str host) {
    struct memo *m = mem_zalloc(sizeof *m);
    file_list inputs = {0};
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
    for (size_t i = 0; i < inputs.n; i++)
        add_file(f, m, inputs.v[i]);
    m->n_in = (uint32_t)inputs.n;
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

/* Where the contents matter: if they say whether it is the same, or its time says too little. */
static void hash_input(struct version *v, const struct rule *rule, hash_list *list) {
    bool matters = rule->contents || (v->was.flags & SIGNATURE_RECENT) != 0;
    if (matters && (v->was.flags & (SIGNATURE_THERE | SIGNATURE_HASHED)) == SIGNATURE_THERE)
        hash(v, list);
}

void fresh_left(struct fresh *f, struct memo *m, const str_list *deps, hash_list *list) {
    const struct step *step = m->step;
    if (f->journal == NULL)
        return;
    for (size_t i = 0; i < m->n_in; i++)
        hash_input(&m->files.v[i], step->rule, list);
    for (size_t i = 0; i < step->n_out; i++) {
        struct version *v = add_file(f, m, step->out[i]);
        struct known *k = &f->files.v[step->out[i]->id];
        if (v->was.size <= SIGNATURE_AT_ONCE || step->rule->contents)
            hash(v, list);
        k->is = v->was;
        k->made = true;
    }
    for (size_t i = 0; i < deps->n; i++)
        hash_input(add_file(f, m, graph_file(f->graph, deps->v[i])), step->rule, list);
    m->n_out = step->n_out;
    m->n_deps = (uint32_t)deps->n;
}

static void take_hashes(struct fresh *f, struct memo *m, const hash_list *hashed) {
    for (size_t i = 0; i < hashed->n; i++) {
        const struct to_hash *h = &hashed->v[i];
        for (size_t k = 0; k < m->files.n && h->good; k++) {
            struct version *v = &m->files.v[k];
            if (v->name.s == h->name.s && signature_same_stat(&v->was, &h->is))
                v->was = h->is;
        }
    }
    for (size_t i = 0; i < m->n_out; i++)
        f->files.v[m->step->out[i]->id].is = m->files.v[m->n_in + i].was;
}

bool fresh_end(struct fresh *f, struct memo *m, const struct try_end *end,
               const hash_list *hashed) {
    bool good = true;
    if (f->journal != NULL) {
        if (hashed != NULL)
            take_hashes(f, m, hashed);
        bool well = end->ending == ENDED_WELL;
        uint32_t *numbers = mem_array(NULL, m->files.n + 1, sizeof *numbers);
        for (size_t i = 0; i < m->files.n && well; i++)
            numbers[i] = journal_file(f->journal, m->files.v[i].name, &m->files.v[i].was);
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
            .in = numbers,
            .out = numbers + m->n_in,
            .deps = numbers + m->n_in + m->n_out,
            .n_in = well ? m->n_in : 0,
            .n_out = well ? m->n_out : 0,
            .n_deps = well ? m->n_deps : 0,
        };
        if (r.captured)
            r.output = end->output;
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
    vec_free(&m->files);
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
