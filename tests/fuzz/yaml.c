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

/* As if it ran: every step ends well or not, has written something, and the graph grows by it. */
static void grow(struct graph *g, struct plan *plan, const uint8_t *data, size_t size) {
    static const char *const written[] = {"a\nb c\n", "", "x: {run: y}\n",
                                          "a: {each: 1..3, run: z}\n"};
    enum { MOST = 300 };
    g->running = true;
    for (size_t i = 0; i < plan->steps.n && i < MOST && g->growth != NULL; i++) {
        struct step *step = plan->steps.v[i];
        unsigned choice = size != 0 ? data[i % size] : 0;
        struct str text = str_of(written[choice % 4]);
        size_t first = g->steps.n;
        struct diags diags;
        diags_init(&diags);
        bool well = choice % 16 != 0 && !step->broken;
        if (well && step->rule->yields)
            well = g->growth->listed(g->growth, step, text, &diags);
        graph_step_over(g, step, well ? 0 : 1, text);
        g->growth->over(g->growth, step, well, &diags);
        plan_grow(plan, first, &diags);
        for (size_t k = first; k < g->steps.n; k++)
            for (size_t n = 0; n < g->steps.v[k]->n_needs; n++)
                require(g->steps.v[k]->broken || g->steps.v[k]->needs[n]->id < g->steps.n);
        diags_free(&diags);
    }
    require(plan->steps.n <= g->steps.n);
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
    if (good && diags.errors == 0)
        grow(&graph, &plan, data, size);
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
