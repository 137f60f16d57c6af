#include "run/files.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of "parts/p.*", "parts/p.". */
static struct str literal_part(const struct pattern *pattern) {
    return (struct str){pattern->text.s, strcspn(pattern->text.s, "*?[\\")};
}

int files_make_directories_for_outputs(const struct step *step, const char **failed) {
    for (size_t i = 0; i < step->n_out + step->n_patterns; i++) {
        struct str name =
            i < step->n_out ? step->out[i]->name : literal_part(&step->patterns[i - step->n_out]);
        if (name.n == 0 || memchr(name.s, '/', name.n) == NULL)
            continue;
        int error = io_make_parents(name);
        if (error != 0) {
            *failed = "cannot make the directory of an output";
            return error;
        }
    }
    return 0;
}

static bool is_input(const struct step *step, struct str name) {
    for (size_t i = 0; i < step->n_in; i++)
        if (str_eq(step->in[i]->name, name))
            return true;
    return false;
}

/* Files as they were. */
struct found {
    struct map names; /* of struct stat */
    struct arena arena;
};

static void match(const struct pattern *pattern,
                  void (*each)(void *context, struct str name, const struct stat *st),
                  void *context) {
    glob_t found = {0};
    int rc = glob(pattern->text.s, 0, NULL, &found);
    if (rc == GLOB_NOSPACE)
        mem_alloc(SIZE_MAX);
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        struct stat st;
        if (stat(found.gl_pathv[i], &st) == 0 && S_ISREG(st.st_mode))
            each(context, str_of(found.gl_pathv[i]), &st);
    }
    globfree(&found);
}

static void note(void *context, struct str name, const struct stat *st) {
    struct found *f = context;
    *map_put(&f->names, arena_str(&f->arena, name)) = arena_copy(&f->arena, st, sizeof *st);
}

void files_note_before(struct job *job) {
    if (job->step->n_patterns == 0)
        return;
    job->before = mem_zalloc(sizeof *job->before);
    for (size_t i = 0; i < job->step->n_patterns; i++)
        match(&job->step->patterns[i], note, job->before);
}

void files_free_found(struct found *before) {
    if (before == NULL)
        return;
    map_free(&before->names);
    arena_free(&before->arena);
    free(before);
}

struct matching {
    const struct step *step;
    const struct found *before;
    str_list touched, untouched;
};

static bool is_as_before(const struct found *before, struct str name, const struct stat *st) {
    const struct stat *was = before != NULL ? map_get(&before->names, name) : NULL;
    return was != NULL && was->st_dev == st->st_dev && was->st_ino == st->st_ino &&
           was->st_size == st->st_size && was->st_mtim.tv_sec == st->st_mtim.tv_sec &&
           was->st_mtim.tv_nsec == st->st_mtim.tv_nsec &&
           was->st_ctim.tv_sec == st->st_ctim.tv_sec && was->st_ctim.tv_nsec == st->st_ctim.tv_nsec;
}

static void take(void *context, struct str name, const struct stat *st) {
    struct matching *m = context;
    if (is_input(m->step, name))
        return;
    str_list *list = is_as_before(m->before, name, st) ? &m->untouched : &m->touched;
    str_list_add(list, name);
}

bool files_match_made(const struct step *step, const struct found *before, str_list *made,
                      struct buf *reason) {
    for (size_t i = 0; i < step->n_patterns; i++) {
        const struct pattern *pattern = &step->patterns[i];
        struct matching m = {.step = step, .before = before};
        match(pattern, take, &m);
        str_list *taken = m.touched.n != 0 ? &m.touched : &m.untouched;
        bool good = taken->n != 0 || pattern->optional;
        for (size_t k = 0; k < taken->n; k++)
            *vec_push(made) = taken->v[k];
        taken->n = 0;
        str_list_free(&m.touched);
        str_list_free(&m.untouched);
        if (good)
            continue;
        buf_puts(reason, "it made nothing that matches ");
        buf_visible(reason, pattern->text);
        return false;
    }
    return true;
}

void files_touched(const struct job *job, str_list *names) {
    for (size_t i = 0; i < job->step->n_patterns && job->before != NULL; i++) {
        struct matching m = {.step = job->step, .before = job->before};
        match(&job->step->patterns[i], take, &m);
        for (size_t k = 0; k < m.touched.n; k++)
            *vec_push(names) = arena_str(&job->graph->arena, m.touched.v[k]);
        str_list_free(&m.touched);
        str_list_free(&m.untouched);
    }
}

void files_check_made(struct job *job) {
    for (size_t i = 0; i < job->step->n_out; i++) {
        struct stat st;
        struct str name = job->step->out[i]->name;
        if (stat(name.s, &st) == 0)
            continue;
        job->end = JOB_FAILED;
        buf_puts(&job->reason, "it did not make ");
        buf_visible(&job->reason, name);
        if (errno != ENOENT)
            buf_printf(&job->reason, " (%s)", strerror(errno));
        return;
    }
    if (!files_match_made(job->step, job->before, &job->made, &job->reason))
        job->end = JOB_FAILED;
}

void files_way_back(struct str dir, struct buf *out) {
    struct buf way = {0};
    bool plain = dir.n != 0 && dir.s[0] != '/';
    for (size_t i = 0; plain && i < dir.n;) {
        size_t n = 0;
        while (i + n < dir.n && dir.s[i + n] != '/')
            n++;
        struct str part = {dir.s + i, n};
        if (str_eq(part, STR("..")))
            plain = false;
        else if (n != 0 && !str_eq(part, STR(".")))
            buf_puts(&way, "../");
        i += n + 1;
    }
    if (plain) {
        buf_str(out, buf_view(&way));
    } else {
        char *here = realpath(".", NULL);
        if (here != NULL) {
            buf_puts(out, here);
            if (here[1] != '\0')
                buf_putc(out, '/');
        }
        free(here);
    }
    buf_free(&way);
}
