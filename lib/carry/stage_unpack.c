/* The script that takes a stream: makes directories, has tar write the files, and gives them their
 * names. */
#include "carry/stage_plan.h"

#include <stdlib.h>
#include <time.h>

enum { WORDS = 32 * 1024 }; /* bytes of them that one command is given */

/* COMMAND NAME... as often as it takes for all of them. `end` closes each. */
struct words {
    struct buf *script;
    const char *command, *end;
    size_t begun; /* where the last one begins; SIZE_MAX: none is open */
};

static void close_words(struct words *w) {
    if (w->begun != SIZE_MAX)
        buf_puts(w->script, w->end);
    w->begun = SIZE_MAX;
}

static void add_word(struct words *w, struct str prefix, struct str name) {
    if (w->begun != SIZE_MAX && w->script->n - w->begun > WORDS)
        close_words(w);
    if (w->begun == SIZE_MAX) {
        w->begun = w->script->n;
        buf_puts(w->script, w->command);
    }
    stage_word(w->script, prefix, name);
}

static uint32_t mask_of(const struct directory *d) {
    return d->sent != NULL ? ~d->sent->marks.mode & 077 : 0;
}

static void set_mask(struct buf *script, uint32_t mask) {
    buf_printf(script, "umask \"$(printf %%o $((0$u | 0%o)))\"\n", (unsigned)mask);
}

/* The directory in which the leg's names start. */
static void make_base(const struct leg *leg, const struct part *part, struct buf *script) {
    for (size_t i = 0; i < part->directories.n; i++)
        if (part->directories.v[i].name.n == 0)
            set_mask(script, mask_of(&part->directories.v[i]));
    buf_puts(script, "mkdir -p --");
    stage_word(script, STR(""), leg->base);
    buf_puts(script, " || :\n");
    stage_enter(leg, script);
}

/* One that is only above something is missed by that if it cannot be made. The mode of others is
 * what the umask there leaves of it; what it takes to put something into them is theirs for now. */
static void make_directories(const struct part *part, struct buf *script) {
    struct words w = {script, "mkdir -p --", NULL, SIZE_MAX};
    uint32_t mask = UINT32_MAX;
    for (size_t i = 0; i < part->directories.n; i++) {
        const struct directory *d = &part->directories.v[i];
        const char *end = d->sent != NULL ? "\n" : " || :\n";
        if (d->name.n == 0)
            continue; /* where the leg starts */
        if (mask_of(d) != mask || end != w.end) {
            close_words(&w);
            w.end = end;
            set_mask(script, mask = mask_of(d));
        }
        add_word(&w, STR("./"), d->name);
    }
    close_words(&w);
}

/* When all is in them: those in others first, since this may keep us from reaching them. */
static void mark_directories(const struct part *part, struct buf *script) {
    for (size_t i = part->directories.n; i-- > 0;) {
        const struct directory *d = &part->directories.v[i];
        if (d->sent == NULL || (!d->sent->preserve && (d->sent->marks.mode & 0700) == 0700))
            continue;
        time_t modified = (time_t)d->sent->marks.modified;
        struct tm tm;
        char text[32];
        if (d->sent->preserve && gmtime_r(&modified, &tm) != NULL &&
            strftime(text, sizeof text, "%Y%m%d%H%M.%S", &tm) != 0) {
            buf_printf(script, "TZ=UTC0 touch -t %s --", text);
            stage_word(script, STR("./"), d->name);
            buf_putc(script, '\n');
        }
        buf_printf(script, "chmod %o --", (unsigned)d->sent->marks.mode);
        stage_word(script, STR("./"), d->name);
        buf_putc(script, '\n');
    }
}

static int by_directory(const void *a, const void *b) {
    return str_cmp(stage_parent(((const struct planned *)a)->name),
                   stage_parent(((const struct planned *)b)->name));
}

/* To their own names, the files of a directory together: as renames, on one file system. */
static void rename_files(struct sending *send, struct part *part, struct buf *script) {
    struct buf prefix = {0}, end = {0};
    if (part->files.n != 0)
        qsort(part->files.v, part->files.n, sizeof *part->files.v, by_directory);
    buf_puts(&prefix, send->hut.s);
    buf_puts(&prefix, "/f/");
    for (size_t i = 0; i < part->files.n;) {
        struct str dir = stage_parent(part->files.v[i].name);
        struct words w = {script, "mv -f --", NULL, SIZE_MAX};
        buf_clear(&end);
        stage_word(&end, STR("./"), dir);
        buf_puts(&end, "/\n");
        w.end = end.s;
        for (; i < part->files.n && str_eq(dir, stage_parent(part->files.v[i].name)); i++)
            add_word(&w, buf_view(&prefix), part->files.v[i].name);
        close_words(&w);
    }
    buf_free(&prefix);
    buf_free(&end);
}

/* Holes go as zeros, and are made again where that can be done. */
static void dig_holes(const struct part *part, struct buf *script) {
    for (size_t i = 0; i < part->files.n; i++) {
        if (!part->files.v[i].sparse)
            continue;
        buf_puts(script, "fallocate -d --");
        stage_word(script, STR("./"), part->files.v[i].name);
        buf_puts(script, " 2>/dev/null || :\n");
    }
}

/* tar is told to leave owners alone, and times where they do not matter: what is written there is
 * new, and the user's. */
static void unpack_files(struct sending *send, const struct leg *leg, struct part *part,
                         struct buf *script) {
    const char *command = leg->preserve ? "tar -xpof -" : "tar --no-same-permissions -xmof -";
    stage_want_tar(script);
    if (send->hut.n == 0) {
        buf_printf(script, "%s\n", command);
        dig_holes(part, script);
        return;
    }
    buf_printf(script,
               "mkdir -m 700 %s\n"
               "trap 'rm -rf %s' EXIT\n"
               "(\n"
               "cd %s\n"
               "mkdir f\n"
               "%s\n"
               "[ -e " SEND_MARK " ]\n"
               "cd f\n",
               send->hut.s, send->hut.s, send->hut.s, command);
    dig_holes(part, script);
    buf_puts(script, ")\n");
    rename_files(send, part, script);
    buf_printf(script, "rm -rf %s\n", send->hut.s); /* before this directory is given its time */
}

void stage_unpack(struct stage *s, const struct leg *leg, struct part *part, struct buf *script) {
    if (leg->base.n != 0 || part->directories.n != 0)
        buf_puts(script, "u=$(umask)\n");
    if (leg->base.n != 0)
        make_base(leg, part, script);
    make_directories(part, script);
    if (script->n != 0)
        buf_puts(script, "umask \"$u\"\n");
    if (part->files.n != 0)
        unpack_files(s->send, leg, part, script);
    mark_directories(part, script);
}
