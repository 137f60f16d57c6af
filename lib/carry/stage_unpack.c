/* The script that takes a stream: makes directories, has tar write the files, and gives them their
 * names. */
#include "base/map.h"
#include "carry/proof.h"
#include "carry/stage_plan.h"
#include "carry/temporary.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of names that a function of the shell there is given: it copies them again and again. */
enum { RENAMED = 4 * 1024 };

static uint32_t mask_of(const struct directory *d) {
    return d->sent != NULL ? ~d->sent->marks.mode & 077 : 0;
}

#define RESTORE_MASK "umask \"$u\"\n"

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
    buf_puts(script, " || :\n" RESTORE_MASK);
    stage_enter(leg, script);
}

/* One that is only above something is missed by that if it cannot be made. The mode of others is
 * what the umask there leaves of it; what it takes to put something into them is theirs for now. */
static void make_directories(const struct part *part, bool sent_too, struct buf *script) {
    struct words w = {script, "mkdir -p --", NULL, SIZE_MAX, 0};
    uint32_t mask = UINT32_MAX;
    for (size_t i = 0; i < part->directories.n; i++) {
        const struct directory *d = &part->directories.v[i];
        const char *end = d->sent != NULL ? "\n" : " || :\n";
        if (d->name.n == 0 || (d->sent != NULL && !sent_too))
            continue; /* it is where the leg starts, or comes with the stream */
        if (mask_of(d) != mask || end != w.end) {
            stage_words_end(&w);
            w.end = end;
            set_mask(script, mask = mask_of(d));
        }
        stage_words_add(&w, STR("./"), d->name);
    }
    stage_words_end(&w);
    if (w.end != NULL)
        buf_puts(script, RESTORE_MASK);
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

/* A directory that nothing stands in the way of is renamed with all that is in it. */
static void rename_directories(const struct sending *send, const struct part *part,
                               struct buf *script) {
    struct words w = {script, "r", "\n", SIZE_MAX, RENAMED};
    struct map seen = {0};
    buf_printf(script,
               "r() {\n"
               "    n=$#\n"
               "    for d; do\n"
               "        [ -e \"./$d\" ] || [ -L \"./$d\" ] || set -- \"$@\" \"%s/f/$d\"\n"
               "    done\n"
               "    shift $n\n"
               "    [ $# = 0 ] || mv -- \"$@\" ./\n"
               "}\n",
               send->hut.s);
    for (size_t i = 0; i < part->directories.n; i++) {
        struct str name = part->directories.v[i].name;
        const char *slash = name.n != 0 ? memchr(name.s, '/', name.n) : NULL;
        struct str first = {name.s, slash != NULL ? (size_t)(slash - name.s) : name.n};
        if (first.n == 0 || map_get(&seen, first) != NULL)
            continue;
        *map_put(&seen, first) = script;
        stage_words_add(&w, STR(""), first);
    }
    stage_words_end(&w);
    map_free(&seen);
}

/* To their own names, the files of a directory together: as renames, on one file system. A
 * directory that is not there any more has been renamed itself. */
static void rename_files(const struct sending *send, const struct part *part, struct buf *script) {
    struct buf hut = {0}, command = {0}, end = {0};
    buf_printf(&hut, "%s/f/", send->hut.s);
    for (size_t i = 0; i < part->files.n;) {
        struct str dir = stage_parent(part->files.v[i].name);
        buf_clear(&command);
        if (dir.n != 0) {
            buf_puts(&command, "[ ! -d");
            stage_word(&command, buf_view(&hut), dir);
            buf_puts(&command, " ] || ");
        }
        buf_puts(&command, "mv -f --");
        buf_clear(&end);
        stage_word(&end, STR("./"), dir);
        buf_puts(&end, "/\n");
        struct words w = {script, command.s, end.s, SIZE_MAX, 0};
        for (; i < part->files.n && str_eq(dir, stage_parent(part->files.v[i].name)); i++)
            stage_words_add(&w, buf_view(&hut), part->files.v[i].name);
        stage_words_end(&w);
    }
    buf_free(&hut);
    buf_free(&command);
    buf_free(&end);
}

/* What stands there now is what was sent. A host without cksum has at least as much of it as tar
 * was given. */
static void prove(struct sending *send, const struct part *part, struct buf *script) {
    struct asking a;
    if (send->sum == NULL)
        return;
    buf_puts(script, "sync -f . 2>/dev/null || sync\n"
                     "if command -v cksum >/dev/null; then\n"
                     "set -- $(");
    stage_sum_begin_script(&a, part->files.n, script);
    for (size_t i = 0; i < part->files.n; i++)
        if (part->files.v[i].item->kind == CARGO_FILE)
            stage_sum_ask(&a, part->files.v[i].name);
    stage_sum_end_script(&a);
    buf_puts(script, ")\n"
                     "was=\"$1 $2\"\n"
                     "set -- ");
    send->end_sum = script->n;
    buf_printf(script,
               "%*s\n"
               "[ \"$was\" = \"$1 $2\" ] || {\n"
               "    echo '" PROOF_DIFFERS "' >&2\n"
               "    exit %d\n"
               "}\n"
               "fi\n",
               SUM_ROOM, "", STAGE_DIFFERS);
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

/* For what has come into a hut: from the directory in which that stands on. */
static void end_in_hut(struct sending *send, const struct part *part, struct buf *script) {
    buf_printf(script, "(\ncd %s/f\n", send->hut.s);
    prove(send, part, script);
    dig_holes(part, script);
    buf_puts(script, ")\n");
    rename_directories(send, part, script);
    make_directories(part, true, script);
    rename_files(send, part, script);
    buf_printf(script, "rm -rf %s\ntrap - EXIT\n",
               send->hut.s); /* before this directory is given its time */
}

static void write_end(struct sending *send, struct part *part) {
    buf_clear(&send->end_name);
    buf_clear(&send->end);
    if (send->hut.n != 0) {
        end_in_hut(send, part, &send->end);
        buf_puts(&send->end_name, "end");
    } else {
        prove(send, part, &send->end);
        dig_holes(part, &send->end);
    }
    mark_directories(part, &send->end);
    if (send->hut.n == 0 && send->end.n != 0)
        temporary_name(STR(""), &send->end_name);
}

/* tar is told to leave owners alone, and times where they do not matter: what is written there is
 * new, and the user's. */
static void unpack_files(const struct sending *send, const struct leg *leg, struct buf *script) {
    const char *command = leg->preserve ? "tar -xpof -" : "tar --no-same-permissions -xmof -";
    const char *hut = send->hut.s, *end = send->end_name.s,
               *first = send->packs ? "gzip -dc | " : "";
    stage_want_tar(script);
    if (send->hut.n == 0)
        buf_printf(script, "echo\n%s%s\n", first, command);
    else
        buf_printf(script,
                   "mkdir -m 700 %s\n"
                   "trap 'rm -rf %s' EXIT\n"
                   "mkdir %s/f\n"
                   "(\ncd %s\necho\n%s%s\n)\n"
                   "[ -e %s/%s ]\n"
                   ". ./%s/%s\n",
                   hut, hut, hut, hut, first, command, hut, end, hut, end);
    if (send->hut.n == 0 && send->end_name.n != 0)
        buf_printf(script, "end=$(cat %s)\nrm -f %s\neval \"$end\"\n", end, end);
}

void stage_unpack(struct stage *s, const struct leg *leg, struct part *part, struct buf *script) {
    if (leg->base.n != 0 || part->directories.n != 0)
        buf_puts(script, "u=$(umask)\n");
    if (leg->base.n != 0)
        make_base(leg, part, script);
    if (part->files.n == 0) {
        make_directories(part, true, script);
        mark_directories(part, script);
        return;
    }
    qsort(part->files.v, part->files.n, sizeof *part->files.v, by_directory);
    if (s->send->hut.n == 0)
        make_directories(part, false, script);
    write_end(s->send, part);
    unpack_files(s->send, leg, script);
}
