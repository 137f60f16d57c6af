#include "run/executor.h"

#include "base/shell.h"
#include "run/files.h"

#include <stdlib.h>

static struct str host_of(const struct job *job) {
    return job->host != NULL ? job->host->name : STR("");
}

void job_script(const struct job *job, struct str prefix, struct buf *out) {
    size_t start = out->n;
    struct str shell = job->step->rule->shell;
    if (shell.n != 0) { /* the step's own shell takes the place of the one that is started */
        struct buf script = {0};
        graph_script(job->graph, job->step, host_of(job), prefix, &script);
        buf_puts(out, "exec ");
        buf_str(out, shell);
        buf_puts(out, " -c ");
        shell_quote(out, buf_view(&script));
        buf_free(&script);
        return;
    }
    graph_script(job->graph, job->step, host_of(job), prefix, out);
    /* An operand that begins so would be taken for an option. */
    if (start == 0 && out->n != 0 && (out->s[0] == '-' || out->s[0] == '+')) {
        struct buf spaced = {0};
        buf_putc(&spaced, ' ');
        buf_str(&spaced, buf_view(out));
        buf_free(out);
        *out = spaced;
    }
}

void job_script_in_place(const struct job *job, struct buf *prefix, struct buf *script) {
    struct buf dir = {0};
    graph_dir(job->graph, job->step, host_of(job), &dir);
    if (dir.n != 0) {
        files_way_back(buf_view(&dir), prefix);
        buf_puts(script, "CDPATH= cd -- ");
        shell_insert(script, SHELL_BARE, buf_view(&dir));
        buf_puts(script, "\n");
    }
    buf_free(&dir);
    job_script(job, buf_view(prefix), script);
}

static void add_variable(void *context, struct str name, struct str value) {
    struct buf b = {0};
    buf_str(&b, name);
    buf_putc(&b, '=');
    buf_str(&b, value);
    *vec_push((str_list *)context) = (struct str){b.s, b.n};
}

void job_variables(const struct job *job, struct str prefix, str_list *out) {
    graph_environment(job->graph, job->step, host_of(job), prefix, add_variable, out);
}
