/* Any bytes as foray.yaml: read, linked, planned, every script and environment expanded. */
#include "read/yaml.h"
#include "base/mem.h"
#include "plan/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

static void add(void *context, struct str name, struct str value) {
    size_t *bytes = context;
    for (size_t i = 0; i < name.n; i++)
        require(name.s[i] != '\0' && name.s[i] != '=');
    for (size_t i = 0; i < value.n; i++)
        require(value.s[i] != '\0');
    *bytes += value.n;
}

/* What comes out of a good text holds what the headers promise. */
static void check_plan(const struct graph *g, const struct plan *plan) {
    bool *done = mem_zalloc(g->steps.n * sizeof *done);
    struct buf out = {0};
    require(plan->steps.n == g->steps.n);
    for (size_t i = 0; i < plan->steps.n; i++) {
        const struct step *step = plan->steps.v[i];
        require(step->id < g->steps.n && g->steps.v[step->id] == step && !done[step->id]);
        for (size_t k = 0; k < step->n_needs; k++)
            require(done[step->needs[k]->id]);
        done[step->id] = true;
        if (i > 100)
            continue; /* a few lines can make many steps, each with a long script */
        size_t bytes = 0;
        graph_script(g, step, STR("host"), STR("../"), &out);
        graph_dir(g, step, STR("host"), &out);
        graph_environment(g, step, STR("host"), STR("../"), add, &bytes);
        buf_clear(&out);
    }
    buf_free(&out);
    free(done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of its own, so that a byte read behind its end is seen. */
    char *text = mem_alloc(size);
    if (size != 0)
        memcpy(text, data, size);
    struct source source = {"fuzz.yaml", {text, size}};
    const struct assignment given = {STR("given"), STR("a word")};
    struct diags diags;
    struct graph graph;
    struct plan plan = {0};
    diags_init(&diags);
    graph_init(&graph);
    bool good = yaml_read(&source, &given, 1, &graph, &diags);
    require(good == (diags.errors == 0));
    if (good && plan_make(&plan, &graph, &(struct plan_options){0}, &diags))
        check_plan(&graph, &plan);
    struct buf out = {0};
    diags_print(&diags, &out, 0, true);
    for (size_t i = 0; i < out.n; i++)
        require(out.s[i] == '\n' || out.s[i] == '\033' || (unsigned char)out.s[i] >= ' ');
    buf_free(&out);
    plan_free(&plan);
    graph_free(&graph);
    diags_free(&diags);
    free(text);
    return 0;
}
