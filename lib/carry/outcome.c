#include "carry/outcome.h"

void outcome_trouble(struct outcome *o, enum carried how, const char *fmt, ...) {
    if (o->stopping)
        return;
    o->stopping = true;
    o->how = how;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&o->why, fmt, ap);
    va_end(ap);
}

void outcome_trouble_with(struct outcome *o, enum carried how, const char *what, struct str name,
                          const char *why) {
    struct buf shown = {0};
    buf_visible(&shown, name);
    outcome_trouble(o, how, "%s %s: %s", what, shown.s, why);
    buf_free(&shown);
}

void outcome_tell(struct outcome o, struct errand *e) {
    if (o.stopping)
        e->done(e->arg, o.how, o.why.s);
    else
        e->done(e->arg, CARRIED, "done");
    buf_free(&o.why);
}
