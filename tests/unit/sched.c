/* The scheduler's promises one by one: what it answers to an event, as one line of text. */
#include "sched/sched.h"
#include "base/mem.h"
#include "unit.h"

#include <stdlib.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)

static struct sched *s;
static int64_t now, wake;         /* wake: the last one said */
static uint32_t attempts[100000]; /* the last one of each step */

static void fresh(struct sched_config config) {
    sched_free(s);
    s = sched_new(&config);
    now = wake = 0;
}

static uint32_t add_pool(enum sched_pick pick, size_t n, uint32_t slots) {
    uint32_t hosts[16];
    for (size_t i = 0; i < n; i++)
        hosts[i] = sched_add_host(s, slots);
    return sched_add_pool(s, pick, hosts, n);
}

/* A pool 0 with a host 0 that is up, as this machine is. */
static void here(struct sched_config config, uint32_t slots) {
    fresh(config);
    add_pool(SCHED_LEAST_LOADED, 1, slots);
    sched_host_up(s, 0, 1, 0, 0);
}

/* By turns, so that a test knows who gets what. */
static void two_hosts(uint32_t slots) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 2, slots);
    for (uint32_t i = 0; i < 2; i++)
        sched_host_up(s, i, 1, 0, 0);
}

static void add_steps(size_t n, uint32_t pool) {
    for (size_t i = 0; i < n; i++)
        sched_add_step(s, &(struct sched_step){.pool = pool});
}

static uint32_t add_step(int64_t cost, size_t n_needs, const uint32_t *needs) {
    struct sched_need all[16] = {0};
    for (size_t i = 0; i < n_needs; i++)
        all[i].step = needs[i];
    return sched_add_step(s, &(struct sched_step){.cost = cost, .needs = all, .n_needs = n_needs});
}

/* What there is to do: "start 1@0" is step 1 on host 0. Waking is left out. */
static const char *answer(void) {
    static const char *const states[] = {"done",    "failed",   "timed-out", "no-host",
                                         "skipped", "unneeded", "stopped",   "cancelled"};
    static char text[2048];
    size_t n = 0;
    text[0] = 0;
    struct sched_action a;
    while (sched_next(s, &a) && n < sizeof text - 64) {
        char *to = text + n + (n != 0);
        size_t left = sizeof text - n - 1;
        int wrote = 0;
        switch (a.kind) {
        case SCHED_START:
            attempts[a.step] = a.attempt;
            wrote = snprintf(to, left, "start %u@%u", (unsigned)a.step, (unsigned)a.host);
            break;
        case SCHED_CANCEL:
            wrote = snprintf(to, left, "%s %u", a.timed_out ? "cut" : "cancel", (unsigned)a.step);
            break;
        case SCHED_ASK:
            wrote = snprintf(to, left, "ask %u", (unsigned)a.step);
            break;
        case SCHED_CONNECT:
            wrote = snprintf(to, left, "connect %u", (unsigned)a.host);
            break;
        case SCHED_RETRY:
            wrote = snprintf(to, left, "retry %u", (unsigned)a.step);
            break;
        case SCHED_SETTLED:
            wrote = snprintf(to, left, "%s %u", states[a.state], (unsigned)a.step);
            break;
        case SCHED_FINISHED:
            wrote = snprintf(to, left, "finished");
            break;
        case SCHED_WAKE:
            wake = a.at;
            continue;
        }
        if (n != 0)
            text[n++] = ' ';
        n += (size_t)wrote;
    }
    return text;
}

static const char *begin(void) {
    sched_begin(s, now);
    return answer();
}

static const char *ended(uint32_t step, enum sched_end how) {
    sched_step_ended(s, step, attempts[step], how, now);
    return answer();
}

static const char *ok(uint32_t step) {
    return ended(step, SCHED_ENDED_OK);
}

static const char *up(uint32_t host, uint32_t cores) {
    sched_host_up(s, host, cores, 0, now);
    return answer();
}

static const char *lost(uint32_t host, bool for_good) {
    sched_host_lost(s, host, for_good, now);
    return answer();
}

static const char *stop(bool cancel) {
    sched_stop(s, cancel, now);
    return answer();
}

static const char *after(int64_t time) {
    now += time;
    sched_tick(s, now);
    return answer();
}

/* To the time that was asked for. */
static const char *woken(void) {
    return after(wake - now);
}

static bool about(int64_t time, int64_t expected) {
    return time >= expected - expected / 5 && time <= expected + expected / 5;
}

TEST(nothing_to_do_is_finished_once) {
    here((struct sched_config){0}, 1);
    CHECK_STR(answer(), "");
    CHECK_STR(begin(), "finished");
    CHECK_STR(begin(), "");
    CHECK_STR(after(S), "");
}

TEST(a_step_waits_for_all_it_needs) {
    here((struct sched_config){0}, 4);
    add_steps(2, 0);
    add_step(0, 2, (uint32_t[]){0, 1});
    add_step(0, 3, (uint32_t[]){2, 2, 0}); /* named twice */
    CHECK_STR(begin(), "start 0@0 start 1@0");
    CHECK_STR(ok(1), "done 1");
    CHECK_STR(ok(0), "done 0 start 2@0");
    CHECK_STR(ok(2), "done 2 start 3@0");
    CHECK_STR(ok(3), "done 3 finished");
}

TEST(the_longest_way_to_the_end_goes_first) {
    here((struct sched_config){0}, 1);
    add_step(3 * S, 0, NULL);
    add_step(1 * S, 0, NULL);
    add_step(5 * S, 1, (uint32_t[]){1});
    add_step(3 * S, 0, NULL);
    CHECK_STR(begin(), "start 1@0");
    CHECK_STR(ok(1), "done 1 start 2@0");
    CHECK_STR(ok(2), "done 2 start 0@0"); /* of equals, the first */
    CHECK_STR(ok(0), "done 0 start 3@0");
    CHECK_STR(ok(3), "done 3 finished");
}

TEST(an_unknown_cost_counts_as_a_second) {
    here((struct sched_config){0}, 1);
    add_step(S - 1, 0, NULL);
    add_step(0, 0, NULL);
    add_step(S + 1, 0, NULL);
    CHECK_STR(begin(), "start 2@0");
    CHECK_STR(ok(2), "done 2 start 1@0");
}

TEST(the_longest_way_goes_first_over_all_pools) {
    here((struct sched_config){.jobs = 1}, 1);
    add_pool(SCHED_LEAST_LOADED, 1, 1);
    sched_host_up(s, 1, 1, 0, 0);
    sched_add_step(s, &(struct sched_step){.pool = 0, .cost = S});
    sched_add_step(s, &(struct sched_step){.pool = 1, .cost = 2 * S});
    CHECK_STR(begin(), "start 1@1");
    CHECK_STR(ok(1), "done 1 start 0@0");
}

TEST(steps_may_be_added_on_the_way) {
    here((struct sched_config){0}, 2);
    add_steps(2, 0);
    begin();
    add_step(0, 1, (uint32_t[]){0});
    CHECK_STR(ok(0), "done 0 start 2@0");
    add_step(0, 1, (uint32_t[]){0}); /* what it needs is done already */
    CHECK_STR(ended(1, SCHED_ENDED_FAILED), "failed 1 start 3@0");
    add_step(0, 1, (uint32_t[]){1});
    CHECK_STR(answer(), "skipped 4");
}

TEST(pools_that_share_a_host_share_its_slots) {
    fresh((struct sched_config){0});
    uint32_t host = sched_add_host(s, 2);
    sched_add_pool(s, SCHED_LEAST_LOADED, &host, 1);
    sched_add_pool(s, SCHED_ROUND_ROBIN, &host, 1);
    sched_host_up(s, host, 1, 0, 0);
    add_steps(2, 0);
    add_steps(2, 1);
    CHECK_STR(begin(), "start 0@0 start 1@0");
    CHECK_STR(ok(0), "done 0 start 2@0");
    CHECK_STR(ok(1), "done 1 start 3@0");
}

TEST(the_least_loaded_host_gets_the_step) {
    fresh((struct sched_config){0});
    uint32_t hosts[] = {sched_add_host(s, 2), sched_add_host(s, 4), sched_add_host(s, 4)};
    sched_add_pool(s, SCHED_LEAST_LOADED, hosts, 3);
    for (uint32_t i = 0; i < 3; i++)
        sched_host_up(s, i, 4, 0, 0);
    sched_host_load(s, 0, 3.0, 0);
    sched_host_load(s, 1, 0.5, 0);
    sched_host_load(s, 2, 1.0, 0);
    add_steps(7, 0);
    /* Steps per slot first, then the load, which grows by what has been started since it was
     * sampled. */
    CHECK_STR(begin(), "start 0@1 start 1@2 start 2@0 start 3@1 start 4@2 start 5@1 start 6@2");
    CHECK_STR(ok(1), "done 1");
}

TEST(of_equal_hosts_the_one_used_longest_ago_gets_it) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 3, 1);
    for (uint32_t i = 0; i < 3; i++)
        sched_host_up(s, i, 1, 0, 0);
    add_steps(5, 0);
    CHECK_STR(begin(), "start 0@0 start 1@1 start 2@2");
    sched_step_ended(s, 1, attempts[1], SCHED_ENDED_OK, now);
    sched_step_ended(s, 0, attempts[0], SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "done 1 done 0 start 3@0 start 4@1");
}

TEST(round_robin_takes_the_next_with_a_free_slot) {
    fresh((struct sched_config){0});
    uint32_t hosts[] = {sched_add_host(s, 3), sched_add_host(s, 1), sched_add_host(s, 2)};
    sched_add_pool(s, SCHED_ROUND_ROBIN, hosts, 3);
    for (uint32_t i = 0; i < 3; i++)
        sched_host_up(s, i, 1, 0, 0);
    add_steps(9, 0);
    CHECK_STR(begin(), "start 0@0 start 1@1 start 2@2 start 3@0 start 4@2 start 5@0");
    CHECK_STR(ok(4), "done 4 start 6@2");
    sched_step_ended(s, 0, attempts[0], SCHED_ENDED_OK, now);
    sched_step_ended(s, 2, attempts[2], SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "done 0 done 2 start 7@0 start 8@2");
}

TEST(random_takes_all_hosts_alike) {
    unsigned counts[4] = {0};
    fresh((struct sched_config){.seed = 7});
    add_pool(SCHED_RANDOM, 4, 3);
    for (uint32_t i = 0; i < 4; i++)
        sched_host_up(s, i, 1, 0, 0);
    add_steps(4000, 0);
    sched_begin(s, 0);
    struct sched_action a;
    while (sched_next(s, &a))
        if (a.kind == SCHED_START) {
            counts[a.host]++;
            sched_step_ended(s, a.step, a.attempt, SCHED_ENDED_OK, 0);
        }
    for (int i = 0; i < 4; i++)
        CHECK(counts[i] > 900 && counts[i] < 1100);
}

TEST(hosts_that_were_slow_before_get_what_is_not_urgent) {
    for (int known = 0; known < 2; known++) {
        fresh((struct sched_config){0});
        add_pool(SCHED_LEAST_LOADED, 2, 1);
        if (known) {
            sched_host_was(s, 0, 4000, 1000);
            sched_host_was(s, 1, 1000, 1000);
        }
        sched_host_up(s, 0, 1, 0, 0);
        sched_host_up(s, 1, 1, 0, 0);
        for (int i = 0; i < 100; i++)
            add_step(1000 - i, 0, NULL);
        const char *did = begin();
        CHECK(strncmp(did, known ? "start 0@1 start " : "start 0@0 start 1@1", 16) == 0);
        if (known)
            CHECK(strcmp(did, "start 0@1 start 1@0") != 0 && strstr(did, "@0") != NULL);
    }
}

/* 1 has a long way after it: on a host half as fast it would be longer than all there is to do. */
TEST(what_is_most_urgent_waits_for_a_faster_host_if_others_have_work_for_the_slower_one) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 3, 1);
    sched_host_was(s, 0, 1000, 2000);
    sched_host_was(s, 1, 1000, 1000); /* as fast as most */
    sched_host_was(s, 2, 1000, 1000);
    for (uint32_t i = 0; i < 3; i++)
        sched_host_up(s, i, 1, 0, 0);
    uint32_t first = add_step(5000, 0, NULL), second = add_step(5000, 0, NULL), last = second;
    for (int i = 0; i < 3; i++) {
        last = add_step(5000, 1, &last);
        first = add_step(5000, 1, &first);
    }
    for (int i = 0; i < 100; i++)
        add_step(10, 0, NULL);
    const char *did = begin();
    CHECK(strncmp(did, "start 0@0 start ", 16) == 0);
    CHECK(strstr(did, "start 1@") == NULL);
    CHECK(strncmp(ok(0), "done 0 start 1@0", 16) == 0 || strstr(answer(), "start 2@0") != NULL);
}

TEST(who_asks_is_asked_when_its_needs_are_over_and_holds_nothing) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 2, 1);
    sched_host_up(s, 0, 1, 0, 0);
    sched_host_up(s, 1, 1, 0, 0);
    uint32_t first = add_step(0, 0, NULL);
    struct sched_need need = {.step = first};
    uint32_t second =
        sched_add_step(s, &(struct sched_step){.needs = &need, .n_needs = 1, .ask = true});
    need.step = second;
    uint32_t third = sched_add_step(
        s, &(struct sched_step){.needs = &need, .n_needs = 1, .tied = true, .same = second});
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(ok(first), "done 0 ask 1");
    CHECK_STR(answer(), "");
    sched_step_known(s, second, true, 1, now);
    CHECK_STR(answer(), "done 1 start 2@1"); /* where the second one ran once */
    sched_step_known(s, second, false, 1, now);
    CHECK_STR(answer(), "");
    CHECK_STR(ok(third), "done 2 finished");
}

TEST(who_has_to_run_after_all_does) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 1, 1);
    sched_host_up(s, 0, 1, 0, 0);
    uint32_t step = sched_add_step(s, &(struct sched_step){.ask = true});
    CHECK_STR(begin(), "ask 0");
    sched_step_known(s, step, false, SCHED_NONE, now);
    CHECK_STR(answer(), "start 0@0");
    CHECK_STR(ok(step), "done 0 finished");
}

TEST(a_stop_waits_for_no_answer) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 1, 1);
    sched_host_up(s, 0, 1, 0, 0);
    uint32_t step = sched_add_step(s, &(struct sched_step){.ask = true});
    CHECK_STR(begin(), "ask 0");
    sched_stop(s, false, now);
    CHECK_STR(answer(), "stopped 0 finished");
    sched_step_known(s, step, true, SCHED_NONE, now);
    CHECK_STR(answer(), "");
}

TEST(the_same_seed_decides_the_same) {
    char first[2048] = "";
    for (int i = 0; i < 2; i++) {
        fresh((struct sched_config){.seed = 42});
        add_pool(SCHED_RANDOM, 8, 1);
        add_steps(5, 0);
        if (i == 0)
            strcpy(first, begin());
        else
            CHECK_STR(begin(), first);
    }
}

TEST(hosts_are_asked_for_as_steps_wait) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 4, 0);
    add_steps(2, 0);
    CHECK_STR(begin(), "connect 0 connect 1"); /* one slot each, as far as is known */
    CHECK_STR(up(0, 1), "start 0@0");
    CHECK_STR(up(1, 1), "start 1@1");
    CHECK_STR(ok(0), "done 0");
    CHECK_STR(ok(1), "done 1 finished"); /* nobody asked for the other two */
}

TEST(a_bound_on_jobs_bounds_the_hosts_asked_for) {
    fresh((struct sched_config){.jobs = 3});
    add_pool(SCHED_ROUND_ROBIN, 8, 1);
    add_steps(8, 0);
    CHECK_STR(begin(), "connect 0 connect 1 connect 2");
}

TEST(a_bound_on_jobs_bounds_the_hosts_of_all_pools_together) {
    fresh((struct sched_config){.jobs = 2});
    for (uint32_t i = 0; i < 4; i++) {
        add_pool(SCHED_ROUND_ROBIN, 1, 1);
        add_steps(1, i);
    }
    CHECK_STR(begin(), "connect 0 connect 1");
    CHECK_STR(up(1, 1), "start 1@1");
    CHECK_STR(ok(1), "done 1 connect 2");
    CHECK_STR(lost(2, true), "no-host 2 connect 3");
    CHECK_STR(after(2 * S),
              ""); /* who is slow is waited for, and others may be asked: there are none */
    CHECK_STR(up(3, 1), "start 3@3");
    CHECK_STR(up(0, 1), "start 0@0");
    CHECK_STR(ok(0), "done 0");
    CHECK_STR(ok(3), "done 3 finished");
}

TEST(least_loaded_has_two_to_choose_from) {
    fresh((struct sched_config){.seed = 1});
    add_pool(SCHED_LEAST_LOADED, 8, 4);
    add_steps(1, 0);
    const char *text = begin();
    CHECK(strncmp(text, "connect ", 8) == 0 && strlen(text) == strlen("connect 1 connect 2"));
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 1, 4);
    add_steps(1, 0);
    CHECK_STR(begin(), "connect 0");
}

TEST(the_first_to_answer_does_not_get_everything) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 2, 0);
    add_steps(2, 0);
    CHECK_STR(begin(), "connect 0 connect 1");
    CHECK_STR(up(0, 4), "");
    CHECK(wake == now + 200 * MS);
    now += 100 * MS;
    CHECK_STR(up(1, 4), "start 0@0 start 1@1");
    /* The other one does not come: it is not waited for longer than that. */
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 2, 0);
    add_steps(2, 0);
    begin();
    CHECK_STR(up(0, 4), "");
    CHECK_STR(woken(), "start 0@0 start 1@0");
    CHECK(now == 200 * MS);
}

TEST(what_needs_every_slot_is_not_held) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 2, 0);
    add_steps(3, 0);
    CHECK_STR(begin(), "connect 0 connect 1");
    CHECK_STR(up(0, 2), "start 0@0 start 1@0");
    CHECK_STR(up(1, 2), "start 2@1");
}

TEST(each_wave_of_hosts_settles_anew) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 4, 1);
    add_steps(2, 0);
    CHECK_STR(begin(), "connect 0 connect 1");
    CHECK_STR(up(0, 1), "start 0@0");
    CHECK_STR(up(1, 1), "start 1@1");
    now += 300 * MS;
    for (int i = 0; i < 2; i++)
        sched_add_step(s, &(struct sched_step){.pool = 0});
    CHECK_STR(answer(), "connect 2 connect 3");
    CHECK_STR(up(2, 1), "start 2@2"); /* two wait, one slot */
    sched_step_ended(s, 0, attempts[0], SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "done 0"); /* one waits, one slot, and host 3 is about to come */
    CHECK_STR(up(3, 1), "start 3@3");
}

TEST(a_slow_host_makes_nobody_else_wait) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 3, 1);
    add_steps(1, 0);
    CHECK_STR(begin(), "connect 0");
    CHECK_STR(woken(), "connect 1");
    CHECK(now == S);
    CHECK_STR(up(1, 1), "start 0@1");
    CHECK_STR(up(0, 1), "");
    CHECK_STR(ok(0), "done 0 finished");
}

TEST(a_lost_host_is_tried_again_later_and_later) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 1, 1);
    add_steps(1, 0);
    CHECK_STR(begin(), "connect 0");
    CHECK_STR(lost(0, false), "");
    CHECK(about(wake - now, S));
    CHECK_STR(lost(0, false), ""); /* said twice: counts once */
    CHECK_STR(woken(), "connect 0");
    CHECK_STR(lost(0, false), "");
    CHECK(about(wake - now, 2 * S));
    CHECK_STR(woken(), "connect 0");
    CHECK_STR(up(0, 1), "start 0@0");
    CHECK_STR(ok(0), "done 0 finished");
}

TEST(steps_do_not_wait_for_a_host_that_failed_three_times) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 1, 1);
    add_steps(2, 0);
    add_step(0, 1, (uint32_t[]){1});
    begin();
    for (int i = 0; i < 2; i++) {
        CHECK_STR(lost(0, false), "");
        CHECK_STR(woken(), "connect 0");
    }
    CHECK_STR(lost(0, false), "no-host 1 no-host 0 skipped 2 finished");
}

TEST(a_host_that_failed_often_may_come_back_while_others_work) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 2, 1);
    add_steps(3, 0);
    CHECK_STR(begin(), "connect 0 connect 1");
    CHECK_STR(up(1, 1), "start 0@1");
    for (int i = 0; i < 10; i++) {
        CHECK_STR(lost(0, false), "");
        CHECK(about(wake - now, i < 6 ? S << i : 60 * S));
        CHECK_STR(woken(), "connect 0");
    }
    CHECK_STR(up(0, 1), "start 1@0");
    CHECK_STR(ok(1), "done 1 start 2@0");
    CHECK_STR(lost(0, false), "retry 2"); /* a step ended there: counted from one again */
    CHECK(about(wake - now, S));
}

TEST(no_host_at_all) {
    fresh((struct sched_config){0});
    sched_add_pool(s, SCHED_LEAST_LOADED, NULL, 0);
    add_pool(SCHED_ROUND_ROBIN, 2, 1);
    add_steps(1, 0);
    add_steps(1, 1);
    CHECK_STR(begin(), "no-host 0 connect 0");
    CHECK_STR(lost(0, true), "connect 1");
    CHECK_STR(lost(1, true), "no-host 1 finished");
}

TEST(what_ran_on_a_lost_host_goes_elsewhere) {
    two_hosts(2);
    add_steps(4, 0);
    CHECK_STR(begin(), "start 0@0 start 1@1 start 2@0 start 3@1");
    CHECK_STR(lost(0, true), "retry 2 retry 0");
    CHECK_STR(ended(2, SCHED_ENDED_LOST), ""); /* late news */
    CHECK_STR(ok(1), "done 1 start 0@1");
    CHECK_STR(ok(3), "done 3 start 2@1");
}

TEST(a_lost_step_does_not_go_back_while_there_is_hope_elsewhere) {
    two_hosts(1);
    add_steps(3, 0);
    CHECK_STR(begin(), "start 0@0 start 1@1");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 2@0"); /* others may use the slot */
    CHECK_STR(ok(2), "done 2");
    CHECK_STR(ok(1), "done 1 start 0@1");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@0"); /* both lost it: any is good */
}

TEST(a_step_lost_five_times_is_given_up) {
    fresh((struct sched_config){0});
    add_pool(SCHED_ROUND_ROBIN, 6, 1);
    for (uint32_t i = 0; i < 6; i++)
        sched_host_up(s, i, 1, 0, 0);
    add_steps(1, 0);
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@1");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@2");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@3");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@4");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "no-host 0 finished");
}

TEST(a_step_whose_outputs_have_no_place_is_given_up_at_once) {
    two_hosts(1);
    add_steps(2, 0);
    CHECK_STR(begin(), "start 0@0 start 1@1");
    CHECK_STR(ended(0, SCHED_ENDED_UNKEPT), "no-host 0");
    CHECK_STR(ok(1), "done 1 finished");
}

TEST(a_refused_step_is_given_up_where_there_is_no_other_host) {
    here((struct sched_config){0}, 1);
    add_steps(2, 0);
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_REFUSED), "no-host 0 start 1@0");
    CHECK_STR(ok(1), "done 1 finished");
    two_hosts(1);
    add_steps(1, 0);
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_REFUSED), "retry 0 start 0@1");
    CHECK_STR(ok(0), "done 0 finished");
}

TEST(a_host_that_loses_three_in_a_row_must_prove_itself) {
    here((struct sched_config){0}, 3);
    add_steps(6, 0);
    CHECK_STR(begin(), "start 0@0 start 1@0 start 2@0");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0 start 0@0");
    CHECK_STR(ended(1, SCHED_ENDED_LOST), "retry 1 start 1@0");
    CHECK_STR(ended(2, SCHED_ENDED_LOST), "retry 2");
    CHECK_STR(ok(0), "done 0 start 2@0 start 3@0"); /* something did end: trusted again */
    sched_step_ended(s, 1, attempts[1], SCHED_ENDED_LOST, now);
    sched_step_ended(s, 2, attempts[2], SCHED_ENDED_LOST, now);
    sched_step_ended(s, 3, attempts[3], SCHED_ENDED_LOST, now);
    CHECK_STR(answer(), "retry 1 retry 2 retry 3");
    CHECK(about(wake - now, S));
    CHECK_STR(woken(), "start 1@0"); /* one, as a trial */
    CHECK_STR(ok(1), "done 1 start 2@0 start 3@0 start 4@0");
}

TEST(a_trial_that_fails_ends_in_no_host) {
    here((struct sched_config){0}, 3);
    add_steps(6, 0);
    begin();
    for (uint32_t i = 0; i < 3; i++)
        sched_step_ended(s, i, attempts[i], SCHED_ENDED_LOST, now);
    CHECK_STR(answer(), "retry 0 retry 1 retry 2");
    CHECK_STR(woken(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_LOST), "retry 0");
    CHECK(about(wake - now, 2 * S));
    CHECK_STR(woken(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_LOST),
              "no-host 0 no-host 1 no-host 2 no-host 3 no-host 4 no-host 5 finished");
}

TEST(a_failing_step_is_tried_as_often_as_it_may) {
    here((struct sched_config){0}, 1);
    sched_add_step(s, &(struct sched_step){.retries = 2});
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "retry 0");
    CHECK(about(wake - now, 250 * MS));
    CHECK_STR(after((wake - now) / 2), "");
    CHECK_STR(woken(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "retry 0");
    CHECK(about(wake - now, 500 * MS));
    CHECK_STR(woken(), "start 0@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "failed 0 finished");
}

TEST(pauses_grow_to_half_a_minute) {
    here((struct sched_config){0}, 1);
    sched_add_step(s, &(struct sched_step){.retries = 12});
    begin();
    for (int i = 0; i < 12; i++) {
        CHECK_STR(ended(0, SCHED_ENDED_FAILED), "retry 0");
        CHECK(about(wake - now, i < 7 ? (250 * MS) << i : 30 * S));
        CHECK_STR(woken(), "start 0@0");
    }
}

TEST(a_time_limit_ends_a_try) {
    here((struct sched_config){0}, 1);
    sched_add_step(s, &(struct sched_step){.timeout = 5 * S, .retries = 1});
    CHECK_STR(begin(), "start 0@0");
    CHECK(wake == 5 * S);
    CHECK_STR(after(5 * S - 1), "");
    CHECK_STR(woken(), "cut 0");
    CHECK_STR(after(S), ""); /* once */
    CHECK_STR(ended(0, SCHED_ENDED_CANCELLED), "retry 0");
    CHECK_STR(woken(), "start 0@0");
    CHECK_STR(after(5 * S), "cut 0");
    CHECK_STR(ended(0, SCHED_ENDED_CANCELLED), "timed-out 0 finished");
}

TEST(what_had_ended_well_before_its_time_was_over_has_ended_well) {
    here((struct sched_config){0}, 1);
    sched_add_step(s, &(struct sched_step){.timeout = 5 * S, .retries = 1});
    CHECK_STR(begin(), "start 0@0");
    CHECK_STR(woken(), "cut 0"); /* while what it has made is looked at */
    CHECK_STR(ok(0), "done 0 finished");
}

TEST(what_may_run_only_once_is_given_up_when_it_is_lost) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 1, 2);
    sched_add_step(s, &(struct sched_step){.once = true});
    sched_add_step(s, &(struct sched_step){0});
    CHECK_STR(begin(), "connect 0");
    CHECK_STR(up(0, 2), "start 0@0 start 1@0");
    CHECK_STR(lost(0, false), "retry 1 no-host 0");
    CHECK_STR(woken(), "connect 0");
    CHECK_STR(up(0, 2), "start 1@0");
    CHECK_STR(ended(1, SCHED_ENDED_OK), "done 1 finished");
}

TEST(a_host_that_is_out_of_reach_for_too_long_is_given_up) {
    fresh((struct sched_config){.reach = 5 * S});
    add_pool(SCHED_LEAST_LOADED, 1, 1);
    add_steps(1, 0);
    now = S;
    CHECK_STR(begin(), "connect 0");
    now += S;
    CHECK_STR(lost(0, false), ""); /* soon: it may be only for a moment */
    CHECK_STR(woken(), "connect 0");
    now += 5 * S;
    CHECK_STR(lost(0, false), "no-host 0 finished");
}

TEST(an_end_in_time_wins_over_the_limit) {
    here((struct sched_config){0}, 1);
    sched_add_step(s, &(struct sched_step){.timeout = 5 * S});
    begin();
    now = 5 * S;
    CHECK_STR(ok(0), "done 0 finished");
}

TEST(what_needs_a_failed_step_is_skipped) {
    here((struct sched_config){0}, 2);
    add_steps(2, 0);
    add_step(0, 1, (uint32_t[]){0});
    add_step(0, 2, (uint32_t[]){1, 2});
    CHECK_STR(begin(), "start 0@0 start 1@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "failed 0 skipped 2 skipped 3");
    CHECK_STR(ok(1), "done 1 finished");
}

TEST(a_bound_on_failures_lets_the_rest_end) {
    here((struct sched_config){.failures = 2}, 4);
    add_steps(3, 0);
    sched_add_step(s, &(struct sched_step){.retries = 1});
    add_steps(2, 0);
    CHECK_STR(begin(), "start 0@0 start 1@0 start 2@0 start 3@0");
    CHECK_STR(ended(3, SCHED_ENDED_FAILED), "retry 3 start 4@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "failed 0 start 5@0");
    CHECK_STR(ended(1, SCHED_ENDED_FAILED), "failed 1 failed 3"); /* no further try for 3 */
    CHECK_STR(ok(2), "done 2");
    CHECK_STR(ended(4, SCHED_ENDED_FAILED), "failed 4");
    add_steps(1, 0);
    CHECK_STR(ok(5), "done 5 stopped 6 finished");
}

TEST(a_bound_on_failures_may_end_the_rest) {
    here((struct sched_config){.failures = 1, .cancel_on_stop = true}, 2);
    add_steps(3, 0);
    CHECK_STR(begin(), "start 0@0 start 1@0");
    CHECK_STR(ended(0, SCHED_ENDED_FAILED), "failed 0 cancel 1");
    CHECK_STR(ended(1, SCHED_ENDED_CANCELLED), "cancelled 1 stopped 2 finished");
}

TEST(a_stop_first_gentle_then_not) {
    here((struct sched_config){0}, 3);
    add_steps(4, 0);
    CHECK_STR(begin(), "start 0@0 start 1@0 start 2@0");
    CHECK_STR(stop(false), "");
    CHECK_STR(ok(0), "done 0");
    CHECK_STR(stop(true), "cancel 1 cancel 2");
    CHECK_STR(stop(true), "");
    CHECK_STR(ok(1), "done 1"); /* it was about to end: its work is not thrown away */
    CHECK_STR(ended(2, SCHED_ENDED_FAILED), "cancelled 2 stopped 3 finished");
}

TEST(a_stop_before_the_beginning_skips_all) {
    here((struct sched_config){0}, 1);
    add_steps(2, 0);
    CHECK_STR(stop(true), "");
    CHECK_STR(begin(), "stopped 0 stopped 1 finished");
}

TEST(an_end_overtakes_what_was_not_said_yet) {
    here((struct sched_config){0}, 2);
    add_steps(2, 0);
    begin();
    sched_stop(s, true, now);
    sched_step_ended(s, 0, attempts[0], SCHED_ENDED_FAILED, now);
    CHECK_STR(answer(), "failed 0 cancel 1");
    CHECK_STR(lost(0, false), "cancelled 1 finished");
}

TEST(jobs_bound_what_runs_everywhere) {
    here((struct sched_config){.jobs = 2}, 8);
    add_steps(4, 0);
    CHECK_STR(begin(), "start 0@0 start 1@0");
    CHECK_STR(ok(0), "done 0 start 2@0");
}

TEST(free_at_the_end) {
    sched_free(s);
    sched_free(NULL);
    s = NULL;
}

/* A pool of three hosts with one slot; three steps of a kind, that may run twice. */
static void twins(int64_t timeout) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 3, 1);
    for (int i = 0; i < 3; i++)
        sched_add_step(s, &(struct sched_step){.speculate = true, .kind = 7, .timeout = timeout});
    for (uint32_t i = 0; i < 3; i++)
        sched_host_up(s, i, 1, 0, 0);
    begin();
}

/* The host of a step's last start. */
static uint32_t host_in(const char *said, uint32_t step) {
    char start[32];
    snprintf(start, sizeof start, "start %u@", (unsigned)step);
    const char *at = strstr(said, start);
    return at != NULL ? (uint32_t)atoi(at + strlen(start)) : UINT32_MAX;
}

TEST(a_straggler_gets_a_second_run_and_the_first_to_succeed_counts) {
    twins(0);
    CHECK_STR(after(500 * MS), "");
    ok(0);
    ok(1);
    CHECK_STR(after(400 * MS), ""); /* not before twice what its kind takes, and a second */
    const char *said = after(200 * MS);
    CHECK(host_in(said, 2) < 3 && attempts[2] == 2);
    sched_step_ended(s, 2, 2, SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "cancel 2");
    sched_step_ended(s, 2, 1, SCHED_ENDED_CANCELLED, now);
    CHECK_STR(answer(), "done 2 finished");
    twins(0);
    ok(0);
    ok(1);
    after(S);
    after(S);
    CHECK(attempts[2] == 2);
    sched_step_ended(s, 2, 1, SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "cancel 2");
    sched_step_ended(s, 2, 2, SCHED_ENDED_LOST, now);
    CHECK_STR(answer(), "done 2 finished");
}

TEST(of_two_runs_one_that_fails_is_forgotten) {
    twins(0);
    ok(0);
    ok(1);
    after(S);
    after(S);
    sched_step_ended(s, 2, 1, SCHED_ENDED_FAILED, now);
    CHECK_STR(answer(), "");
    sched_step_ended(s, 2, 1, SCHED_ENDED_OK, now); /* late, and of no meaning */
    CHECK_STR(answer(), "");
    sched_step_ended(s, 2, 2, SCHED_ENDED_FAILED, now);
    CHECK_STR(answer(), "failed 2 finished");
    twins(0);
    ok(0);
    ok(1);
    uint32_t host = host_in(after(S), 2);
    CHECK(host < 3);
    CHECK_STR(lost(host, false), "");
    sched_step_ended(s, 2, 1, SCHED_ENDED_OK, now);
    CHECK_STR(answer(), "done 2 finished");
}

TEST(two_runs_end_with_the_run_as_a_whole) {
    twins(0);
    ok(0);
    ok(1);
    after(S);
    after(S);
    CHECK_STR(stop(true), "cancel 2 cancel 2");
    sched_step_ended(s, 2, 2, SCHED_ENDED_CANCELLED, now);
    CHECK_STR(answer(), "");
    sched_step_ended(s, 2, 1, SCHED_ENDED_CANCELLED, now);
    CHECK_STR(answer(), "cancelled 2 finished");
    twins(0);
    ok(0);
    ok(1);
    after(S);
    after(S);
    stop(true);
    sched_step_ended(s, 2, 1, SCHED_ENDED_CANCELLED, now);
    CHECK_STR(answer(), "");
    sched_step_ended(s, 2, 2, SCHED_ENDED_CANCELLED, now);
    CHECK_STR(answer(), "cancelled 2 finished");
}

TEST(no_second_run_while_work_waits_or_nobody_knows_how_long_it_takes) {
    twins(0);
    CHECK_STR(after(10 * S), "");
    CHECK_STR(woken(), "");
    sched_add_step(s, &(struct sched_step){0});
    ok(0);
    CHECK_STR(after(100 * S), "");
    CHECK(attempts[2] == 1);
    ok(1);
    ok(3);
    after(100 * S);
    CHECK(attempts[2] == 2);
}

TEST(of_equal_hosts_the_one_that_holds_the_data_gets_the_step) {
    fresh((struct sched_config){0});
    add_pool(SCHED_LEAST_LOADED, 4, 2);
    struct sched_datum data[] = {{.id = 3, .bytes = 1000}, {.id = 5, .bytes = 1500}};
    sched_host_holds(s, 1, 3, true);
    sched_host_holds(s, 2, 5, true);
    sched_host_holds(s, 3, 5, true);
    sched_host_holds(s, 3, 3, true);
    sched_host_holds(s, 3, 3, false);
    sched_host_holds(s, 2, 3, true);
    for (int i = 0; i < 3; i++)
        sched_add_step(s, &(struct sched_step){.data = data, .n_data = 2});
    for (uint32_t i = 0; i < 4; i++)
        sched_host_up(s, i, 2, 0, 0);
    /* 2 holds all; then it is busier than 3, which holds more than 1. */
    CHECK_STR(begin(), "start 0@2 start 1@3 start 2@1");
}

TEST(groups_take_turns_by_the_time_they_use) {
    here((struct sched_config){0}, 1);
    for (uint32_t i = 0; i < 3; i++)
        sched_add_step(s, &(struct sched_step){.group = 0, .cost = 100 * S});
    for (uint32_t i = 0; i < 6; i++)
        sched_add_step(s, &(struct sched_step){.group = 1, .cost = 1 * S});
    CHECK_STR(begin(), "start 0@0");
    now += 2 * S;
    CHECK_STR(ok(0), "done 0 start 3@0"); /* long as the others are, they have had their turn */
    now += S;
    CHECK_STR(ok(3), "done 3 start 4@0");
    now += 2 * S;
    CHECK_STR(ok(4), "done 4 start 1@0");
}

UNIT_MAIN
