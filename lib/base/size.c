#include "base/size.h"

bool size_parse(struct str text, uint64_t *bytes) {
    double n = 0, unit = 1, place = 1;
    size_t i = 0, digits = 0;
    bool point = false;
    for (; i < text.n; i++) {
        char c = text.s[i];
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            digits++;
            place /= point ? 10 : 1;
            n = point ? n + (c - '0') * place : n * 10 + (c - '0');
        } else {
            break;
        }
    }
    if (digits == 0)
        return false;
    struct str rest = {text.s + i, text.n - i};
    static const char units[] = "KMGT";
    for (size_t k = 0; rest.n != 0 && k < sizeof units - 1; k++) {
        unit *= 1024;
        if (rest.s[0] == units[k] || rest.s[0] == units[k] + ('a' - 'A')) {
            rest = (struct str){rest.s + 1, rest.n - 1};
            if (rest.n != 0 && !str_eq(rest, STR("B")) && !str_eq(rest, STR("iB")))
                return false;
            rest.n = 0;
            n *= unit;
        }
    }
    if (rest.n != 0 || !(n <= (double)(UINT64_C(1) << 62)))
        return false;
    *bytes = (uint64_t)n;
    return true;
}

void size_print(struct buf *out, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double n = (double)bytes;
    size_t unit = 0;
    for (; n >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++)
        n /= 1024;
    buf_printf(out, "%.*f %s", unit != 0 && n < 9.95 ? 1 : 0, n, units[unit]);
}
