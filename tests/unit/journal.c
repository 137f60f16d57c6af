/* The journal: what it says is what was written, whatever became of its bytes. */
#include "plan/journal.h"

#include "base/mem.h"

#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void new_directory(void) {
    strcpy(dir, "/tmp/foray-journal-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
}

static const char *path(const char *name) {
    static char text[128];
    snprintf(text, sizeof text, "%s/%s", dir, name);
    return text;
}

static void remove_directory(void) {
    unlink(path("journal"));
    unlink(path(".gitignore"));
    rmdir(dir);
}

static struct journal *open_journal(bool write) {
    struct buf why = {0};
    struct journal *j = journal_open(dir, write, &why);
    buf_free(&why);
    return j;
}

static struct signature signature(uint64_t n) {
    return (struct signature){
        .size = n, .changed = (int64_t)n * 1000, .inode = n, .flags = SIGNATURE_THERE};
}

static uint64_t key(const char *step) {
    return journal_key(STR("foray.yaml"), str_of(step));
}

static void start(struct journal *j, const char *step, uint32_t run) {
    CHECK(journal_start(
        j,
        &(struct record_start){
            .key = key(step), .run = run, .attempt = 1, .name = str_of(step), .host = STR("h1")}));
}

static void end(struct journal *j, const char *step, uint32_t run, enum ending ending) {
    struct signature in = signature(run), out = signature(run + 1);
    uint32_t numbers[] = {journal_file(j, STR("shared.h"), &in),
                          journal_file(j, str_of(step), &out)};
    CHECK(journal_end(j, &(struct record_end){.key = key(step),
                                              .run = run,
                                              .attempt = 1,
                                              .took = 5,
                                              .ending = ending,
                                              .name = str_of(step),
                                              .host = STR("h1"),
                                              .command = STR("cc"),
                                              .in = numbers,
                                              .n_in = 1,
                                              .out = numbers + 1,
                                              .n_out = 1}));
}

static char *read_file(size_t *n) {
    struct stat st;
    int fd = open(path("journal"), O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    *n = (size_t)st.st_size;
    char *bytes = mem_alloc(*n + 1);
    CHECK(read(fd, bytes, *n) == (ssize_t)*n);
    close(fd);
    return bytes;
}

static void write_file(const char *bytes, size_t n) {
    int fd = open(path("journal"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

/* 40 steps in two runs: the even ones ended well in the first one; of the odd ones, some failed,
 * and some were running when it was cut short. */
enum { STEPS = 40 };

static const char *step_name(int i) {
    static char name[32];
    snprintf(name, sizeof name, "step%d", i);
    return name;
}

static enum ending ending_of(int i) {
    return i % 2 == 0 ? ENDED_WELL : i % 4 == 1 ? ENDED_FAILED : (enum ending)0;
}

static void write_journal(void) {
    struct journal *j = open_journal(true);
    CHECK(journal_run(j, &(struct record_run){.run = 1, .resumes = 1, .file = STR("foray.yaml")}));
    for (int i = 0; i < STEPS; i++) {
        start(j, step_name(i), 1);
        if (ending_of(i) != 0)
            end(j, step_name(i), 1, ending_of(i));
    }
    CHECK(journal_close(j) == 0);
}

/* Whatever it still knows is true. How many steps it knows to have ended well. */
static int check_truth(void) {
    struct journal *j = open_journal(false);
    int well = 0;
    if (j == NULL)
        return -1;
    for (int i = 0; i < STEPS; i++) {
        struct past past;
        if (!journal_find(j, key(step_name(i)), &past) || !past.ended)
            continue;
        CHECK(past.last.ending == ending_of(i));
        CHECK(str_eq(past.last.name, str_of(step_name(i))) && str_eq(past.last.command, STR("cc")));
        CHECK(past.last.n_in == 1 && past.last.n_out == 1);
        const struct version *v = journal_version(j, past.last.in[0]);
        CHECK(strcmp(v->name.s, "shared.h") == 0 && v->was.size == 1 && v->was.changed == 1000);
        well += past.last.ending == ENDED_WELL;
    }
    journal_close(j);
    return well;
}

TEST(what_is_written_is_read) {
    new_directory();
    write_journal();
    CHECK(check_truth() == STEPS / 2);
    struct journal *j = open_journal(false);
    struct past past;
    CHECK(journal_find(j, key("step3"), &past) && past.unfinished && !past.ended);
    CHECK(str_eq(past.begun.host, STR("h1")));
    CHECK(!journal_find(j, key("nobody"), &past));
    CHECK(journal_last_run(j) == 1 && journal_damage(j).n == 0);
    journal_close(j);
    remove_directory();
}

TEST(the_last_word_counts) {
    new_directory();
    write_journal();
    struct journal *j = open_journal(true);
    start(j, "step0", 2);
    end(j, "step2", 2, ENDED_FAILED);
    end(j, "step3", 2, ENDED_WELL);
    CHECK(journal_close(j) == 0);
    j = open_journal(false);
    struct past past;
    CHECK(journal_find(j, key("step0"), &past) && past.ended && past.unfinished);
    CHECK(journal_find(j, key("step2"), &past) && past.last.ending == ENDED_FAILED);
    CHECK(journal_find(j, key("step3"), &past) && past.last.ending == ENDED_WELL &&
          !past.unfinished);
    CHECK(journal_version(j, past.last.in[0])->was.size == 2);
    CHECK(journal_find(j, key("step4"), &past) &&
          journal_version(j, past.last.in[0])->was.size == 1);
    journal_close(j);
    remove_directory();
}

TEST(cut_at_any_byte_it_knows_what_stands_before_and_goes_on) {
    new_directory();
    write_journal();
    size_t n;
    char *bytes = read_file(&n);
    int before = STEPS / 2;
    for (size_t cut = n; cut-- > 0;) {
        write_file(bytes, cut);
        int well = check_truth();
        if (!CHECK(well >= 0 && well <= before && well >= before - 1))
            break;
        before = well;
        struct journal *j = open_journal(true); /* what a kill has left is no obstacle */
        if (cut % 16 == 0)
            end(j, "new", 7, ENDED_WELL);
        CHECK(j != NULL && journal_damage(j).n == 0 && journal_close(j) == 0);
        if (cut % 16 == 0) {
            struct past past;
            j = open_journal(false);
            CHECK(journal_find(j, key("new"), &past) && past.last.run == 7);
            journal_close(j);
            CHECK(check_truth() == well);
        }
    }
    CHECK(before == 0);
    free(bytes);
    remove_directory();
}

TEST(with_any_byte_flipped_it_says_nothing_false) {
    new_directory();
    write_journal();
    size_t n;
    char *bytes = read_file(&n);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        write_file(bytes, n);
        int well = check_truth();
        CHECK(i >= JOURNAL_HEADER ? well >= STEPS / 2 - 20 : well <= STEPS / 2);
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
    }
    free(bytes);
    remove_directory();
}

TEST(damage_in_the_midst_is_told_and_what_stands_behind_it_still_known) {
    new_directory();
    write_journal();
    size_t n;
    char *bytes = read_file(&n);
    bytes[n * 3 / 4] ^= 1;
    write_file(bytes, n);
    struct journal *j = open_journal(false);
    CHECK(strstr(journal_damage(j).s, "is damaged") != NULL);
    journal_close(j);
    CHECK(check_truth() >= STEPS / 2 - 1);
    free(bytes);
    remove_directory();
}

TEST(foreign_content_is_refused_and_left_as_it_is) {
    static const char *const contents[] = {"hello, this is not ours, and rather longer than that",
                                           "x", "foray journaX\n\0\0\1\0\0\0 etc etc etc etc etc"};
    new_directory();
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(contents[i]), size;
        write_file(contents[i], n);
        struct buf why = {0};
        CHECK(journal_open(dir, true, &why) == NULL);
        CHECK(strstr(why.s, "no journal of this foray") != NULL);
        buf_free(&why);
        char *bytes = read_file(&size);
        CHECK(size == n && memcmp(bytes, contents[i], n) == 0);
        free(bytes);
    }
    remove_directory();
}

TEST(records_of_another_journal_are_not_taken_for_its_own) {
    new_directory();
    write_journal();
    size_t n, m;
    char *first = read_file(&n);
    unlink(path("journal"));
    write_journal();
    char *second = read_file(&m);
    CHECK(n == m);
    memcpy(second + n / 16 * 8, first + n / 16 * 8, n - n / 16 * 8);
    write_file(second, m);
    int well = check_truth();
    CHECK(well > 0 && well < STEPS / 2);
    free(first);
    free(second);
    remove_directory();
}

TEST(many_runs_leave_it_small_and_nothing_is_forgotten) {
    new_directory();
    struct journal *j = open_journal(true);
    start(j, "old", 1);
    end(j, "old", 1, ENDED_WELL);
    start(j, "killed", 1);
    journal_close(j);
    char *noise = mem_alloc(40 * 1024);
    memset(noise, 'x', 40 * 1024);
    size_t largest = 0;
    for (uint32_t run = 2; run < 400; run++) {
        j = open_journal(true);
        CHECK(journal_run(j, &(struct record_run){
                                 .run = run, .file = STR("foray.yaml"), .words = {noise, 40960}}));
        end(j, "often", run, ENDED_WELL);
        CHECK(journal_run_end(j, &(struct record_run_end){.run = run}));
        CHECK(journal_close(j) == 0);
        struct stat st;
        CHECK(stat(path("journal"), &st) == 0);
        largest = (size_t)st.st_size > largest ? (size_t)st.st_size : largest;
    }
    CHECK(largest < 3 * 1024 * 1024);
    j = open_journal(false);
    struct past past;
    CHECK(journal_find(j, key("old"), &past) && past.last.run == 1 && past.last.n_out == 1);
    CHECK(strcmp(journal_version(j, past.last.out[0])->name.s, "old") == 0);
    CHECK(journal_find(j, key("killed"), &past) && past.unfinished && past.begun.run == 1);
    CHECK(journal_find(j, key("often"), &past) && past.last.run == 399);
    CHECK(journal_version(j, past.last.in[0])->was.size == 399);
    CHECK(journal_last_run(j) == 399 && journal_damage(j).n == 0);
    journal_close(j);
    free(noise);
    remove_directory();
}

UNIT_MAIN
