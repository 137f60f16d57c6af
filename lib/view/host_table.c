#include "view/host_table.h"

#include "base/size.h"
#include "base/vec.h"

#include <jansson.h>

enum { NAME, LATENCY, CORES, LOAD, MEMORY, DISK, WAY_IN, KEY, COLUMNS };
enum { LEAST = 16 }; /* of the last two columns: with less, nobody has a use for them */

static const char *const titles[COLUMNS] = {"HOST",        "LATENCY",   "CORES",  "LOAD",
                                            "FREE MEMORY", "FREE DISK", "WAY IN", "KEY"};

struct row {
    struct buf cells[COLUMNS];
    const struct host_facts *facts;
};

/* Characters, as far as they can be told without knowing the terminal. */
static size_t width_of(const struct buf *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->n; i++)
        n += ((unsigned char)text->s[i] & 0xc0) != 0x80;
    return n;
}

static void say_latency(int64_t ns, struct buf *out) {
    double ms = (double)ns / 1e6;
    if (ns != 0)
        buf_printf(out, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
}

static void make_row(const struct host_facts *f, struct row *row) {
    row->facts = f;
    buf_visible(&row->cells[NAME], f->host->name);
    if (f->error.n != 0)
        return;
    say_latency(f->latency, &row->cells[LATENCY]);
    buf_printf(&row->cells[CORES], "%u", f->cores);
    if (f->load >= 0)
        buf_printf(&row->cells[LOAD], "%.2f", f->load);
    if (f->memory_free != UINT64_MAX)
        size_print(&row->cells[MEMORY], f->memory_free);
    if (f->memory_free != UINT64_MAX && f->memory != UINT64_MAX) {
        buf_puts(&row->cells[MEMORY], " of ");
        size_print(&row->cells[MEMORY], f->memory);
    }
    if (f->disk_free != UINT64_MAX)
        size_print(&row->cells[DISK], f->disk_free);
    buf_visible(&row->cells[WAY_IN], buf_view(&f->way_in));
    buf_visible(&row->cells[KEY], buf_view(&f->key));
    for (size_t i = 0; i < COLUMNS; i++)
        if (row->cells[i].n == 0)
            buf_putc(&row->cells[i], '-');
}

/* The widths of the columns; the last ones give way where the terminal is not wide enough. */
static void measure(const struct row *rows, size_t n, size_t width, size_t widths[COLUMNS]) {
    size_t total = 2 * (COLUMNS - 1);
    for (size_t i = 0; i < COLUMNS; i++) {
        widths[i] = strlen(titles[i]);
        for (size_t r = 0; r < n; r++) {
            size_t cell = width_of(&rows[r].cells[i]);
            widths[i] = cell > widths[i] ? cell : widths[i];
        }
        total += widths[i];
    }
    for (size_t i = COLUMNS; width != 0 && total > width && i-- > WAY_IN;) {
        size_t spare = widths[i] > LEAST ? widths[i] - LEAST : 0;
        size_t less = total - width < spare ? total - width : spare;
        widths[i] -= less;
        total -= less;
    }
}

/* A text in so many characters; what is cut ends in "..". */
static void add_cell(struct str text, size_t width, bool right, bool last, struct buf *out) {
    struct buf all = {0};
    buf_str(&all, text);
    size_t n = width_of(&all);
    if (n > width) {
        size_t bytes = 0;
        for (size_t chars = 0; bytes < text.n; bytes++) {
            chars += ((unsigned char)text.s[bytes] & 0xc0) != 0x80;
            if (chars > width - 2)
                break;
        }
        buf_clear(&all);
        buf_add(&all, text.s, bytes);
        buf_puts(&all, "..");
        n = width;
    }
    for (size_t i = n; i < width && right; i++)
        buf_putc(out, ' ');
    buf_str(out, buf_view(&all));
    for (size_t i = n; i < width && !right && !last; i++)
        buf_putc(out, ' ');
    buf_free(&all);
}

static void add_row(const struct row *row, const size_t widths[COLUMNS], bool colour,
                    struct buf *out) {
    bool bold = row == NULL && colour;
    buf_puts(out, bold ? "\033[1m" : "");
    for (size_t i = 0; i < COLUMNS; i++) {
        struct str text = row != NULL ? buf_view(&row->cells[i]) : str_of(titles[i]);
        bool right = i > NAME && i < WAY_IN;
        if (row != NULL && row->facts->error.n != 0 && i != NAME) {
            buf_puts(out, colour ? "  \033[1;31mcannot be used:\033[0m " : "  cannot be used: ");
            buf_visible(out, buf_view(&row->facts->error));
            break;
        }
        if (i != 0)
            buf_puts(out, "  ");
        add_cell(text, widths[i], right, i + 1 == COLUMNS, out);
    }
    buf_puts(out, bold ? "\033[0m\n" : "\n");
}

void host_table_print(const struct host_facts *hosts, size_t n, size_t width, bool colour,
                      struct buf *out) {
    struct row *rows = mem_zalloc((n + 1) * sizeof *rows);
    size_t widths[COLUMNS];
    for (size_t i = 0; i < n; i++)
        make_row(&hosts[i], &rows[i]);
    measure(rows, n, width, widths);
    add_row(NULL, widths, colour, out);
    for (size_t i = 0; i < n; i++)
        add_row(&rows[i], widths, colour, out);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            buf_free(&rows[i].cells[c]);
    free(rows);
}

static void add_text(json_t *object, const char *key, struct str text) {
    struct buf visible = {0};
    buf_visible(&visible, text);
    if (text.n != 0)
        json_object_set_new(object, key, json_stringn(visible.s, visible.n));
    buf_free(&visible);
}

static void add_bytes(json_t *object, const char *key, uint64_t n) {
    if (n <= INT64_MAX)
        json_object_set_new(object, key, json_integer((json_int_t)n));
}

void host_table_json(const struct host_facts *hosts, size_t n, struct buf *out) {
    buf_puts(out, "{\"hosts\":[");
    for (size_t i = 0; i < n; i++) {
        const struct host_facts *f = &hosts[i];
        json_t *object = json_object();
        add_text(object, "name", f->host->name);
        json_object_set_new(object, "usable", json_boolean(f->error.n == 0));
        add_text(object, "error", buf_view(&f->error));
        add_text(object, "way_in", buf_view(&f->way_in));
        add_text(object, "key", buf_view(&f->key));
        if (f->error.n == 0) {
            if (f->latency != 0)
                json_object_set_new(object, "latency", json_real((double)f->latency / 1e9));
            json_object_set_new(object, "cores", json_integer(f->cores));
            if (f->load >= 0)
                json_object_set_new(object, "load", json_real(f->load));
            add_bytes(object, "memory", f->memory);
            add_bytes(object, "memory_free", f->memory_free);
            add_bytes(object, "disk_free", f->disk_free);
            add_text(object, "scratch", buf_view(&f->scratch));
        }
        char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
        buf_puts(out, i != 0 ? ",\n  " : "\n  ");
        buf_puts(out, text != NULL ? text : "{}");
        free(text);
        json_decref(object);
    }
    buf_puts(out, "\n]}\n");
}
