/* foray copy: --scatter and --gather. */
#include "read/copy_state.h"

#include "base/cksum.h"
#include "base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool has_twin(const struct copy_reading *r, size_t i, size_t n) {
    bool has = false;
    uint64_t size = r->starts.v[i + 1] - r->starts.v[i];
    for (size_t k = 0; k < n && !has && size != 0; k++)
        has = k != i && r->starts.v[k + 1] - r->starts.v[k] == size;
    return has;
}

static int sum_part(int fd, uint64_t from, uint64_t to, uint32_t *sum) {
    struct cksum *c = cksum_new();
    char bytes[64 * 1024];
    int error = 0;
    while (from < to && error == 0) {
        uint64_t left = to - from;
        ssize_t n =
            pread(fd, bytes, left < sizeof bytes ? (size_t)left : sizeof bytes, (off_t)from);
        if (n < 0 && errno != EINTR)
            error = errno;
        else if (n == 0) /* it changes, which will be told */
            break;
        if (n > 0)
            cksum_add(c, (struct str){bytes, (size_t)n});
        from += n > 0 ? (uint64_t)n : 0;
    }
    *sum = cksum_end(c);
    free(c);
    return error;
}

/* Which file is cut into so many parts, and where. */
bool copy_cut(struct copy_reading *r, size_t n) {
    const struct place_of *p = &r->sources.v[0];
    if (r->steps->fetch || r->sources.n != 1 || copy_has_host(r, p->path)) {
        diag_error(r->diags, (struct place){0}, "--scatter wants one file that is here, and hosts");
        diag_help(r->diags, "as in foray copy --scatter FILE HOSTS:FILE");
        return false;
    }
    if (!copy_check_here(r, p->path, true))
        return false;
    struct stat st;
    int fd = open(p->path.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 || fstat(fd, &st) != 0 ? errno : 0;
    while (r->starts.n <= n)
        *vec_push(&r->starts) = 0;
    if (error == 0)
        error = lines_split(fd, (uint64_t)st.st_size, n, r->starts.v);
    for (size_t i = 0; i < n && error == 0; i++) {
        uint32_t *sum = vec_push(&r->sums);
        if (has_twin(r, i, n))
            error = sum_part(fd, r->starts.v[i], r->starts.v[i + 1], sum);
    }
    if (fd >= 0)
        close(fd);
    if (error != 0) {
        diag_error(r->diags, (struct place){0}, "cannot read `%s`: %s",
                   diag_name(r->diags, p->path), strerror(error));
        return false;
    }
    r->steps->scattered = p->path;
    r->steps->was = signature_of_stat(&st, 0);
    return true;
}

/* As text for sh. */
static void say_check(const struct copy_reading *r, const struct step *part, size_t i, size_t n,
                      struct buf *out) {
    const struct copy *copy = &part->copies[0];
    copy_say_place(copy, out);
    buf_printf(out, "\n{ [ \"$(wc -c < \"$p\")\" -eq %llu ]", (unsigned long long)(copy->length));
    if (has_twin(r, i, n))
        buf_printf(out,
                   " && { ! command -v cksum >/dev/null || { set -- $(cksum < \"$p\") && [ \"$1\" "
                   "= %lu ]; }; }",
                   (unsigned long)r->sums.v[i]);
    buf_puts(out, "; } || { echo 'its part is one of another host by now: where hosts share a "
                  "directory, put {{host}} into the name'; exit 1; }\n");
}

void copy_add_checks(struct copy_reading *r, const struct pool *hosts) {
    struct graph *g = r->graph;
    struct rule *parts = r->rule, *all = graph_add_rule(g, STR("parts"), (struct template){0});
    all->script_at = (struct place){0};
    size_t first = g->steps.n;
    struct step *gate = graph_add_step(g, all, (struct str){0}, false);
    gate->needs = arena_copy(&g->arena, parts->steps, parts->n_steps * sizeof *parts->steps);
    gate->n_needs = parts->n_steps;
    graph_rule_done(g, all, first);
    for (size_t i = 0; i < hosts->n_hosts; i++) {
        struct buf text = {0};
        say_check(r, parts->steps[i], i, hosts->n_hosts, &text);
        struct rule *check = graph_add_rule(g, STR("check"), copy_script(r, &text));
        check->dir = r->rule->dir;
        first = g->steps.n;
        struct step *step = graph_add_step(g, check, hosts->hosts[i]->name, false);
        step->pool = parts->steps[i]->pool;
        step->needs = arena_copy(&g->arena, &gate, sizeof gate);
        step->n_needs = 1;
        graph_rule_done(g, check, first);
    }
}

/* Where what is gathered goes, and a directory beside it for the parts. */
bool copy_place_whole(struct copy_reading *r) {
    const struct place_of *first = &r->sources.v[0];
    struct str path = r->to.path, base = copy_base_of(first->path);
    bool into = copy_ends_in_slash(path) || copy_is_directory(path);
    if (!r->steps->fetch || copy_has_host(r, path)) {
        diag_error(r->diags, (struct place){0}, "--gather wants files on hosts, and one file here");
        diag_help(r->diags, "as in foray copy --gather HOSTS:FILE FILE");
        return false;
    }
    if (into && (first->pattern || copy_has_host(r, first->path)))
        return copy_wrong(r, path, "is a directory: name the file that is to be made in it");
    if (into)
        path = copy_join(r, copy_ends_in_slash(path) ? path : copy_join(r, path, STR("/"), STR("")),
                         base, STR(""));
    uint64_t number;
    if (getentropy(&number, sizeof number) != 0)
        return copy_wrong(r, path, strerror(errno));
    struct str dir = {path.s, path.n - copy_base_of(path).n};
    r->steps->whole = path;
    r->steps->parts = arena_printf(&r->graph->arena, "%.*s.foray-%016llx.tmp", STR_FMT(dir),
                                   (unsigned long long)number);
    return true;
}
