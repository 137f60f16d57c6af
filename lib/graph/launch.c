/* The command that reaches a host. */
#include "graph/graph.h"

struct launching {
    const struct host *host;
    const struct step *step;
    struct buf text; /* of the value that was looked up last */
    struct str value;
    bool unknown; /* a value that the step does not say */
};

static bool look_up(void *context, const struct reference *reference, struct value *out) {
    struct launching *l = context;
    uint32_t cpus = l->step != NULL && l->step->rule->cpus != 0 ? l->step->rule->cpus : 1;
    uint64_t mem = l->step != NULL ? l->step->rule->mem : 0;
    buf_clear(&l->text);
    if (str_eq(reference->word, STR("host")))
        buf_str(&l->text, l->host->name);
    else if (str_eq(reference->word, STR("cpus")))
        buf_printf(&l->text, "%u", cpus);
    else if (str_eq(reference->word, STR("mem")))
        buf_printf(&l->text, "%lluM", (unsigned long long)(mem / 1048576 + (mem % 1048576 != 0)));
    else if (l->step != NULL)
        buf_str(&l->text, l->step->name);
    if (mem == 0 && str_eq(reference->word, STR("mem")))
        l->unknown = true;
    l->value = buf_view(&l->text);
    *out = (struct value){.v = &l->value, .n = 1};
    return true;
}

void graph_launch(const struct host *host, const struct step *step, str_list *words) {
    struct launching l = {.host = host, .step = step};
    for (uint32_t i = 0; i < host->launch->n; i++) {
        struct buf word = {0};
        l.unknown = false;
        template_text(&host->launch->words[i], look_up, &l, &word);
        if (l.unknown)
            buf_free(&word);
        else
            str_list_take(words, &word);
    }
    buf_free(&l.text);
}
