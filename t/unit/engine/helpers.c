/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of helper threads: bounded, on demand, deadlines, the end. Its source is built once more here, with threads of APR instead of httpd's. */
#include "../pool_case.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "engine/helpers.h"
#include "upstream/clock.h"

#define QUEUE_PER_THREAD 64 /* of helpers.c */
#define FAR (rp_clock_now_us() + 60000000)

/* A gate that jobs wait at. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int open_gate, inside, most_inside, done, late_ones;

typedef struct work_t {
    rp_job_t job; /* first */
    int was_late, number;
} work_t;

static int order[64], norder;

/* Also where one process runs all tests. */
static void begin(void)
{
    open_gate = inside = most_inside = done = late_ones = norder = 0;
}

static void on_job(rp_job_t *job, apr_thread_t *thread, int late)
{
    work_t *w = (work_t *)job;

    (void)thread;
    (void)pthread_mutex_lock(&mutex);
    w->was_late = late;
    if (late) {
        late_ones++;
    }
    else {
        inside++;
        most_inside = inside > most_inside ? inside : most_inside;
        (void)pthread_cond_broadcast(&cond);
        while (!open_gate) {
            (void)pthread_cond_wait(&cond, &mutex);
        }
        inside--;
    }
    if (norder < 64) {
        order[norder++] = w->number;
    }
    done++;
    (void)pthread_cond_broadcast(&cond);
    (void)pthread_mutex_unlock(&mutex);
}

static void wait_inside(int n)
{
    (void)pthread_mutex_lock(&mutex);
    while (inside < n) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void wait_done(int n)
{
    (void)pthread_mutex_lock(&mutex);
    while (done < n) {
        (void)pthread_cond_wait(&cond, &mutex);
    }
    (void)pthread_mutex_unlock(&mutex);
}

static void let_all_go(void)
{
    (void)pthread_mutex_lock(&mutex);
    open_gate = 1;
    (void)pthread_cond_broadcast(&cond);
    (void)pthread_mutex_unlock(&mutex);
}

static rp_helpers_t *create(int max)
{
    rp_helpers_t *hs;

    ck_assert_int_eq(rp_helpers_create(&hs, pool, max), APR_SUCCESS);
    return hs;
}

static apr_status_t submit(rp_helpers_t *hs, work_t *w, apr_time_t deadline_us)
{
    w->job.fn = on_job;
    w->job.deadline_us = deadline_us;
    return rp_helpers_submit(hs, &w->job);
}

static pthread_key_t end_key;
static int ended;

/* The end of a thread, which takes a while. */
static void on_end(void *value)
{
    apr_time_t until = rp_clock_now_us() + 20000;

    (void)value;
    while (rp_clock_now_us() < until) {
        (void)sched_yield();
    }
    (void)__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void on_job_with_end(rp_job_t *job, apr_thread_t *thread, int late)
{
    (void)pthread_setspecific(end_key, job);
    on_job(job, thread, late);
}

/* The module may be unloaded then. */
START_TEST(nothing_of_a_thread_runs_after_a_stop)
{
    rp_helpers_t *hs = create(4);
    static work_t w[4];

    ended = 0;
    ck_assert_int_eq(pthread_key_create(&end_key, on_end), 0);
    for (int i = 0; i < 4; i++) {
        w[i].job.fn = on_job_with_end;
        w[i].job.deadline_us = FAR;
        ck_assert_int_eq(rp_helpers_submit(hs, &w[i].job), APR_SUCCESS);
    }
    wait_inside(4);
    let_all_go();
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    ck_assert_int_eq(__atomic_load_n(&ended, __ATOMIC_SEQ_CST), 4);
    ck_assert_int_eq(pthread_key_delete(end_key), 0);
}
END_TEST

START_TEST(no_thread_before_there_is_work)
{
    rp_helpers_t *hs = create(4);
    rp_helpers_stat_t stat;
    static work_t w;

    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.threads, 0);
    let_all_go();
    ck_assert_int_eq(submit(hs, &w, FAR), APR_SUCCESS);
    wait_done(1);
    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.threads, 1);
    ck_assert_uint_eq(stat.jobs, 1);
    ck_assert_uint_eq(stat.late, 0);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

START_TEST(never_more_threads_than_allowed_the_rest_waits)
{
    rp_helpers_t *hs = create(3);
    rp_helpers_stat_t stat;
    static work_t w[20];
    int i;

    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
    }
    wait_inside(3);
    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.threads, 3);
    ck_assert_int_eq(stat.busy, 3);
    ck_assert_int_eq(stat.queued, 17);
    let_all_go();
    wait_done(20);
    ck_assert_int_eq(most_inside, 3);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

/* As many at once as there may be threads, although some were idle for a moment in between. */
START_TEST(burst_gets_all_the_threads)
{
    rp_helpers_t *hs = create(8);
    static work_t first, w[8];
    int i;

    let_all_go();
    ck_assert_int_eq(submit(hs, &first, FAR), APR_SUCCESS);
    wait_done(1);
    (void)pthread_mutex_lock(&mutex);
    open_gate = 0;
    (void)pthread_mutex_unlock(&mutex);
    for (i = 0; i < 8; i++) {
        ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
    }
    wait_inside(8);
    let_all_go();
    wait_done(9);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

/* One call for a burst: who comes calls the next, else what is behind a job that waits would wait with it. */
START_TEST(burst_wakes_as_many_idle_threads_as_it_needs)
{
    rp_helpers_t *hs = create(4);
    static work_t w[4];
    int round, i;

    for (round = 0; round < 200; round++) { /* from the second one on all threads are idle */
        begin();
        for (i = 0; i < 4; i++) {
            ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
        }
        wait_inside(4);
        let_all_go();
        wait_done(4);
    }
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

START_TEST(queue_is_first_in_first_out)
{
    rp_helpers_t *hs = create(1);
    static work_t w[30];
    int i;

    for (i = 0; i < 30; i++) {
        w[i].number = i;
        ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
    }
    let_all_go();
    wait_done(30);
    for (i = 0; i < 30; i++) {
        ck_assert_int_eq(order[i], i);
    }
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

START_TEST(full_queue_refuses)
{
    rp_helpers_t *hs = create(1);
    static work_t w[QUEUE_PER_THREAD + 2];
    int i;

    ck_assert_int_eq(submit(hs, &w[0], FAR), APR_SUCCESS);
    wait_inside(1);
    for (i = 1; i <= QUEUE_PER_THREAD; i++) {
        ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
    }
    ck_assert_int_eq(submit(hs, &w[i], FAR), APR_EAGAIN);
    let_all_go();
    wait_done(QUEUE_PER_THREAD + 1);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

START_TEST(stop_waits_no_longer_than_told)
{
    rp_helpers_t *hs = create(2);
    static work_t a;
    apr_time_t began;

    ck_assert_int_eq(submit(hs, &a, FAR), APR_SUCCESS);
    wait_inside(1);
    began = rp_clock_now_us();
    ck_assert_int_eq(rp_helpers_stop(hs, began + 30000), 1);
    ck_assert_int_ge(rp_clock_now_us(), began + 30000);
    ck_assert_int_eq(rp_helpers_stop(hs, 0), 1);
    let_all_go();
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    wait_done(1);
}
END_TEST

START_TEST(past_its_deadline_is_late)
{
    rp_helpers_t *hs = create(1);
    rp_helpers_stat_t stat;
    static work_t a, b, c;

    ck_assert_int_eq(submit(hs, &a, FAR), APR_SUCCESS);
    wait_inside(1);
    ck_assert_int_eq(submit(hs, &b, rp_clock_now_us() - 1), APR_SUCCESS);
    ck_assert_int_eq(submit(hs, &c, FAR), APR_SUCCESS);
    let_all_go();
    wait_done(3);
    ck_assert_int_eq(a.was_late, 0);
    ck_assert_int_eq(b.was_late, 1);
    ck_assert_int_eq(c.was_late, 0);
    rp_helpers_stat(hs, &stat);
    ck_assert_uint_eq(stat.late, 1);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

/* ---- groups ---- */

static apr_status_t submit_to(rp_helpers_t *hs, work_t *w, rp_dial_group_t *g)
{
    w->job.group = g;
    return submit(hs, w, FAR);
}

/* Nothing good is known of any of these: one thread each, and not all threads for all of them. */
START_TEST(silent_groups_hold_one_thread_each)
{
    rp_helpers_t *hs = create(16);
    rp_dial_group_t silent[20] = {{0}}, good = {.good = 1};
    static work_t w[20][5], one;
    int i, k;

    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(submit_to(hs, &w[0][i], &silent[0]), APR_SUCCESS);
    }
    wait_inside(1);
    ck_assert_int_eq(submit_to(hs, &one, &good), APR_SUCCESS);
    wait_inside(2);
    for (k = 1; k < 20; k++) {
        for (i = 0; i < 5; i++) {
            ck_assert_int_eq(submit_to(hs, &w[k][i], &silent[k]), APR_SUCCESS);
        }
    }
    wait_inside(15);
    let_all_go();
    wait_done(101);
    ck_assert_int_eq(most_inside, 15); /* 14 and the good one */
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    for (k = 0; k < 20; k++) {
        ck_assert_int_eq(silent[k].running, 0);
    }
}
END_TEST

START_TEST(good_groups_have_threads_when_silent_ones_took_theirs)
{
    rp_helpers_t *hs = create(16);
    rp_dial_group_t silent[20] = {{0}}, good = {.good = 1};
    static work_t w[20], g[5];
    int i;

    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(submit_to(hs, &w[i], &silent[i]), APR_SUCCESS);
    }
    wait_inside(14);
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(submit_to(hs, &g[i], &good), APR_SUCCESS);
    }
    wait_inside(16);
    let_all_go();
    wait_done(25);
    ck_assert_int_eq(most_inside, 16);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

static void becomes_good(rp_job_t *job, apr_thread_t *thread, int late)
{
    on_job(job, thread, late);
    __atomic_store_n(&job->group->good, 1, __ATOMIC_RELAXED);
}

/* The first one came to a good end: the others need not wait for each other. */
START_TEST(group_that_turns_out_well_is_no_longer_one_at_a_time)
{
    rp_helpers_t *hs = create(32);
    rp_dial_group_t group = {0};
    static work_t first, w[9];
    int i;

    let_all_go();
    first.job.group = &group;
    first.job.fn = becomes_good;
    first.job.deadline_us = FAR;
    ck_assert_int_eq(rp_helpers_submit(hs, &first.job), APR_SUCCESS);
    wait_done(1);
    while (!__atomic_load_n(&group.good, __ATOMIC_RELAXED)) {
        (void)usleep(1000);
    }
    (void)pthread_mutex_lock(&mutex);
    open_gate = 0;
    (void)pthread_mutex_unlock(&mutex);
    for (i = 0; i < 9; i++) {
        ck_assert_int_eq(submit_to(hs, &w[i], &group), APR_SUCCESS);
    }
    wait_inside(4); /* an eighth */
    let_all_go();
    wait_done(10);
    ck_assert_int_eq(most_inside, 4);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

static int was_done;

static void on_done(rp_job_t *job)
{
    (void)job;
    (void)__atomic_add_fetch(&was_done, 1, __ATOMIC_RELAXED);
}

START_TEST(what_has_not_begun_can_be_taken_back)
{
    rp_helpers_t *hs = create(1);
    rp_dial_group_t group = {0};
    rp_helpers_stat_t stat;
    static work_t w[4];
    int i;

    was_done = 0;
    for (i = 0; i < 4; i++) {
        w[i].job.done = on_done;
        ck_assert_int_eq(submit_to(hs, &w[i], i == 3 ? NULL : &group), APR_SUCCESS);
    }
    wait_inside(1);
    ck_assert_int_eq(rp_helpers_cancel(hs, &w[0].job), 0);
    ck_assert_int_eq(rp_helpers_cancel(hs, &w[1].job), 1);
    ck_assert_int_eq(rp_helpers_cancel(hs, &w[1].job), 0);
    ck_assert_int_eq(rp_helpers_cancel(hs, &w[3].job), 1);
    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.queued, 1);
    let_all_go();
    wait_done(2);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    ck_assert_int_eq(done, 2);
    ck_assert_int_eq(was_done, 2);
    ck_assert_int_eq(group.running, 0);
}
END_TEST

START_TEST(what_is_taken_back_leaves_its_group)
{
    rp_helpers_t *hs = create(1);
    rp_dial_group_t group = {0};
    static work_t w[2];

    ck_assert_int_eq(submit_to(hs, &w[0], NULL), APR_SUCCESS);
    wait_inside(1);
    ck_assert_int_eq(submit_to(hs, &w[1], &group), APR_SUCCESS);
    ck_assert_int_eq(group.running, 1); /* as soon as there is a thread */
    ck_assert_int_eq(rp_helpers_cancel(hs, &w[1].job), 1);
    ck_assert_int_eq(group.running, 0);
    let_all_go();
    wait_done(1);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
}
END_TEST

static void *open_soon(void *unused)
{
    (void)usleep(20000);
    let_all_go();
    return unused;
}

START_TEST(stop_waits_for_the_running_and_tells_the_queued)
{
    rp_helpers_t *hs = create(2);
    rp_helpers_stat_t stat;
    static work_t w[6];
    pthread_t opener;
    int i;

    for (i = 0; i < 6; i++) {
        ck_assert_int_eq(submit(hs, &w[i], FAR), APR_SUCCESS);
    }
    wait_inside(2);
    ck_assert_int_eq(pthread_create(&opener, NULL, open_soon, NULL), 0);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    ck_assert_int_eq(done, 6);
    ck_assert_int_eq(late_ones, 4);
    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.threads, 0);
    ck_assert_int_eq(submit(hs, &w[0], FAR), APR_EAGAIN);
    ck_assert_int_eq(pthread_join(opener, NULL), 0);
}
END_TEST

START_TEST(stop_without_a_job_ends_idle_threads)
{
    rp_helpers_t *hs = create(2);
    rp_helpers_stat_t stat;
    static work_t w;

    let_all_go();
    ck_assert_int_eq(submit(hs, &w, FAR), APR_SUCCESS);
    wait_done(1);
    ck_assert_int_eq(rp_helpers_stop(hs, RP_HELPERS_FOREVER), 0);
    rp_helpers_stat(hs, &stat);
    ck_assert_int_eq(stat.threads, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("helpers");
    TCase *tc = case_new(s, "helpers");

    tcase_add_checked_fixture(tc, begin, NULL);
    tcase_add_test(tc, no_thread_before_there_is_work);
    tcase_add_test(tc, nothing_of_a_thread_runs_after_a_stop);
    tcase_add_test(tc, never_more_threads_than_allowed_the_rest_waits);
    tcase_add_test(tc, burst_gets_all_the_threads);
    tcase_add_test(tc, burst_wakes_as_many_idle_threads_as_it_needs);
    tcase_add_test(tc, queue_is_first_in_first_out);
    tcase_add_test(tc, full_queue_refuses);
    tcase_add_test(tc, stop_waits_no_longer_than_told);
    tcase_add_test(tc, past_its_deadline_is_late);
    tcase_add_test(tc, silent_groups_hold_one_thread_each);
    tcase_add_test(tc, good_groups_have_threads_when_silent_ones_took_theirs);
    tcase_add_test(tc, group_that_turns_out_well_is_no_longer_one_at_a_time);
    tcase_add_test(tc, what_has_not_begun_can_be_taken_back);
    tcase_add_test(tc, what_is_taken_back_leaves_its_group);
    tcase_add_test(tc, stop_waits_for_the_running_and_tells_the_queued);
    tcase_add_test(tc, stop_without_a_job_ends_idle_threads);
    return suite_main(s);
}
