#include "base/duration.h"

#include <string.h>

#define SECOND INT64_C(1000000000)
#define LONGEST (INT64_C(100) * 366 * 24 * 3600) /* seconds */

static size_t unit_length(struct str rest, int64_t *unit) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ms", SECOND / 1000}, {"s", SECOND},        {"min", 60 * SECOND},
                 {"m", 60 * SECOND},    {"h", 3600 * SECOND}, {"d", 24 * 3600 * SECOND}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_starts(rest, str_of(units[i].name))) {
            *unit = units[i].ns;
            return strlen(units[i].name);
        }
    return 0;
}

bool duration_parse(struct str text, int64_t *ns) {
    int64_t total = 0;
    size_t i = 0;
    if (text.n == 0)
        return false;
    while (i < text.n) {
        int64_t whole = 0, fraction = 0, scale = SECOND, unit = SECOND;
        size_t digits = 0;
        for (; i < text.n && text.s[i] >= '0' && text.s[i] <= '9'; i++, digits++) {
            whole = whole * 10 + (text.s[i] - '0');
            if (whole > LONGEST)
                return false;
        }
        if (i < text.n && text.s[i] == '.') {
            for (i++; i < text.n && text.s[i] >= '0' && text.s[i] <= '9'; i++, digits++)
                if (scale > 1) {
                    scale /= 10;
                    fraction += (text.s[i] - '0') * scale;
                }
        }
        if (digits == 0)
            return false;
        size_t n = unit_length((struct str){text.s + i, text.n - i}, &unit);
        if (n == 0 && (i != text.n || total != 0)) /* a number without a unit stands alone */
            return false;
        i += n;
        int64_t most = LONGEST * SECOND;
        if (whole > (most - total) / unit)
            return false;
        total += whole * unit + (int64_t)((double)fraction * ((double)unit / (double)SECOND));
        if (total > most)
            return false;
    }
    *ns = total;
    return true;
}

void duration_print(struct buf *out, int64_t ns) {
    int64_t s = ns / SECOND;
    if (ns < 10 * SECOND)
        buf_printf(out, "%.2fs", (double)ns / (double)SECOND);
    else if (ns < 60 * SECOND)
        buf_printf(out, "%.1fs", (double)ns / (double)SECOND);
    else if (s < 3600)
        buf_printf(out, "%dm%02ds", (int)(s / 60), (int)(s % 60));
    else
        buf_printf(out, "%lldh%02dm", (long long)(s / 3600), (int)(s / 60 % 60));
}
