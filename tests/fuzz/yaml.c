/* Any text as foray.yaml: diagnostics or a graph, never a crash or a hang. */
#include "read/yaml.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, struct str name, struct str value) {
    (void)context;
    (void)name;
    (void)value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct source source = {"fuzz.yaml", {(const char *)data, size}};
    struct diags diags;
    struct graph graph;
    struct plan plan = {0};
    struct buf out = {0};
    diags_init(&diags);
    graph_init(&graph);
    if (yaml_read(&source, NULL, 0, &graph, &diags) && plan_make(&plan, &graph, NULL, 0, &diags))
        for (size_t i = 0; i < plan.n && i < 100; i++) {
            graph_script(&graph, plan.steps[i], STR("host"), STR("../"), &out);
            graph_dir(&graph, plan.steps[i], STR("host"), &out);
            graph_environment(&graph, plan.steps[i], STR("host"), STR(""), ignore, NULL);
        }
    diags_print(&diags, &out, 20, true);
    buf_free(&out);
    plan_free(&plan);
    graph_free(&graph);
    diags_free(&diags);
    return 0;
}
