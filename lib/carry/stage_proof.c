/* Whether files are the same at both ends: one sum of what cksum(1) says of each of them. */
#include "base/cksum.h"
#include "base/mem.h"
#include "carry/proof.h"
#include "carry/stage_state.h"

#include <stdlib.h>
#include <string.h>

enum { SHARE_LEAST = 1000, READERS_MOST = 4 }; /* files that one cksum is given; so many of these */

struct stage_sum {
    struct cksum *file;
    struct cksum *said, *said_by_length;
};

struct stage_sum *stage_sum_new(void) {
    struct stage_sum *sum = mem_zalloc(sizeof *sum);
    sum->file = cksum_new();
    sum->said = cksum_new();
    sum->said_by_length = cksum_new();
    return sum;
}

void stage_sum_free(struct stage_sum *sum) {
    if (sum == NULL)
        return;
    free(sum->file);
    free(sum->said);
    free(sum->said_by_length);
    free(sum);
}

void stage_sum_add(struct stage_sum *sum, struct str bytes) {
    if (sum != NULL)
        cksum_add(sum->file, bytes);
}

void stage_sum_add_zeros(struct stage_sum *sum, uint64_t n) {
    static const char zeros[64 * 1024];
    for (; sum != NULL && n != 0; n -= n < sizeof zeros ? n : sizeof zeros)
        cksum_add(sum->file, (struct str){zeros, n < sizeof zeros ? (size_t)n : sizeof zeros});
}

/* It is written as it is by every cksum. */
static bool is_plain(struct str name) {
    bool plain = true;
    for (size_t i = 0; i < name.n && plain; i++)
        plain = (unsigned char)name.s[i] >= ' ' && name.s[i] != '\\' && name.s[i] != 0x7f;
    return plain;
}

/* What cksum says of a file, without the newline. */
static void say(const struct cksum *sum, struct buf *out) {
    buf_printf(out, "%lu %llu", (unsigned long)cksum_end(sum), (unsigned long long)sum->size);
}

void stage_sum_file(struct stage_sum *sum, struct str name) {
    if (sum == NULL)
        return;
    struct buf line = {0};
    say(sum->file, &line);
    size_t n = line.n;
    buf_putc(&line, '\n');
    cksum_add(sum->said_by_length, buf_view(&line));
    line.n = n;
    if (is_plain(name)) {
        buf_puts(&line, " ./");
        buf_str(&line, name);
    }
    buf_putc(&line, '\n');
    cksum_add(sum->said, buf_view(&line));
    buf_free(&line);
    cksum_reset(sum->file);
}

void stage_sum_say(const struct stage_sum *sum, bool by_length, struct buf *out) {
    say(by_length ? sum->said_by_length : sum->said, out);
}

/* Several read at the same time; what each but the first one says waits in a pipe until all before
 * it have ended. */
void stage_sum_begin_script(struct asking *a, size_t names, struct buf *script) {
    size_t readers = names / SHARE_LEAST;
    readers = readers < 1 ? 1 : readers < READERS_MOST ? readers : READERS_MOST;
    *a = (struct asking){.words = {script, "cksum --", "\n", SIZE_MAX, 0},
                         .share = (names + readers - 1) / readers};
    buf_puts(script, "{\n:\n");
}

static void end_share(struct asking *a) {
    stage_words_end(&a->words);
    buf_puts(a->words.script, a->asked <= a->share ? "}" : "} | { cat <&3; cat; }\n} 3<&0");
}

void stage_sum_ask(struct asking *a, struct str name) {
    struct words *w = &a->words;
    if (a->asked != 0 && a->asked % a->share == 0) {
        end_share(a);
        buf_puts(w->script, " | { {\n:\n");
    }
    a->asked++;
    if (is_plain(name)) {
        stage_words_add(w, STR("./"), name);
        return;
    }
    stage_words_end(w);
    buf_puts(w->script, "cksum <");
    stage_word(w->script, STR("./"), name);
    buf_putc(w->script, '\n');
}

void stage_sum_end_script(struct asking *a) {
    end_share(a);
    buf_puts(a->words.script, " | cksum");
}

/* With sizes to read from 3. cksum names those that have grown, and they are read again. */
static const char by_length[] =
    "some() {\n"
    "cksum -- \"$@\" | while read -r sum size name; do\n"
    "read -r most <&3\n"
    "if [ \"$size\" -gt \"$most\" ]; then head -c \"$most\" \"$1\" | cksum\n"
    "else echo \"$sum $size\"; fi\n"
    "shift\n"
    "done\n"
    "}\n"
    "{\n";

void stage_sum_ask_by_length(const struct summed *files, size_t n, struct buf *script) {
    buf_puts(script, by_length);
    struct words w = {script, "some", "\n", SIZE_MAX, 0};
    for (size_t i = 0; i < n; i++) {
        if (is_plain(files[i].name)) {
            stage_words_add(&w, STR("./"), files[i].name);
            continue;
        }
        stage_words_end(&w);
        buf_puts(script, "read -r most <&3; head -c \"$most\"");
        stage_word(script, STR("./"), files[i].name);
        buf_puts(script, " | cksum\n");
    }
    stage_words_end(&w);
    buf_puts(script, "} 3<<'sizes' | cksum\n");
    for (size_t i = 0; i < n; i++)
        buf_printf(script, "%llu\n", (unsigned long long)files[i].size);
    buf_puts(script, "sizes\n");
}
