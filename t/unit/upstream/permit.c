/* SPDX-License-Identifier: Apache-2.0 */
/* Permits: never more than max, handed to the oldest waiter, none lost. */
#include "upstream_unit.h"

#include <sched.h>

#include <apr_thread_proc.h>

#include "upstream/clock.h"

static rp_worker_t *w;

static void setup(void)
{
    pool_setup();
    w = make_worker(pool, 80, "/");
}

static apr_uint32_t in_flight(void)
{
    return __atomic_load_n(&w->stat->in_flight, __ATOMIC_SEQ_CST);
}
static apr_uint32_t waiters(void) { return __atomic_load_n(&w->stat->waiters, __ATOMIC_SEQ_CST); }

START_TEST(permit_without_max_no_limit)
{
    int i;

    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    }
    ck_assert_uint_eq(in_flight(), 1000);
    ck_assert_int_eq(rp_permit_acquire(w, 0, NULL), APR_SUCCESS);
    w->params.max = 0;
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
}
END_TEST

START_TEST(permit_max_and_back)
{
    w->params.max = 2;
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_try(w), APR_EAGAIN);
    rp_permit_release(w);
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_try(w), APR_EAGAIN);
}
END_TEST

START_TEST(permit_acquire_times_out_in_time)
{
    apr_time_t start = rp_clock_now_us(), took;

    w->params.max = 1;
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_acquire(w, start + 50000, NULL), APR_TIMEUP);
    took = rp_clock_now_us() - start;
    ck_assert_int_ge(took, 50000);
    ck_assert_int_lt(took, 5 * SEC);
    ck_assert_uint_eq(waiters(), 0);
    ck_assert_int_eq(rp_permit_acquire(w, -5, NULL), APR_TIMEUP); /* long over */
    rp_permit_release(w);
    ck_assert_int_eq(rp_permit_acquire(w, rp_clock_now_us(), NULL),
                     APR_SUCCESS); /* free: no need to wait */
    ck_assert_uint_eq(in_flight(), 1);
}
END_TEST

START_TEST(permit_acquired_and_released_keeps_nothing)
{
    w->params.max = 1;
    ck_assert_int_eq(rp_permit_acquire(w, rp_clock_now_us() + SEC, NULL), APR_SUCCESS);
    rp_permit_release(w);
    ck_assert_uint_eq(in_flight(), 0);
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(rp_permit_acquire(w, rp_clock_now_us(), NULL), APR_TIMEUP);
}
END_TEST

/* ---- with threads ---- */

typedef struct turn_t {
    int number;
    int *order, *n; /* who came when; written while holding the only permit */
} turn_t;

static void *APR_THREAD_FUNC wait_turn(apr_thread_t *t, void *data)
{
    turn_t *me = data;

    (void)t;
    ck_assert_int_eq(rp_permit_acquire(w, rp_clock_now_us() + 20 * SEC, NULL), APR_SUCCESS);
    me->order[(*me->n)++] = me->number;
    rp_permit_release(w);
    return NULL;
}

START_TEST(permit_first_come_first_served)
{
    apr_thread_t *t[5];
    turn_t turn[5];
    int order[5], n = 0, i;
    apr_status_t rv;

    w->params.max = 1;
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    for (i = 0; i < 5; i++) {
        turn[i] = (turn_t){i, order, &n};
        ck_assert_int_eq(apr_thread_create(&t[i], NULL, wait_turn, &turn[i], pool), APR_SUCCESS);
        while (waiters() != (apr_uint32_t)i + 1) { /* in line before the next one comes */
            sched_yield();
        }
    }
    ck_assert_int_eq(rp_permit_try(w), APR_EAGAIN);
    rp_permit_release(w);
    for (i = 0; i < 5; i++) {
        apr_thread_join(&rv, t[i]);
    }
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(order[i], i);
    }
    ck_assert_uint_eq(in_flight(), 0);
}
END_TEST

/* A permit that is free for a moment is not for who comes later while others wait. */
START_TEST(permit_nobody_jumps_the_queue)
{
    apr_thread_t *t;
    int order[1], n = 0;
    turn_t turn = {0, order, &n};
    apr_status_t rv;

    w->params.max = 1;
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    ck_assert_int_eq(apr_thread_create(&t, NULL, wait_turn, &turn, pool), APR_SUCCESS);
    while (waiters() == 0) {
        sched_yield();
    }
    (void)pthread_mutex_lock(&w->shared.mutex); /* who waits gives it up when it sleeps */
    (void)pthread_mutex_unlock(&w->shared.mutex);
    (void)__atomic_sub_fetch(&w->stat->in_flight, 1, __ATOMIC_SEQ_CST); /* there would be room */
    ck_assert_int_eq(rp_permit_try(w), APR_EAGAIN);
    (void)__atomic_add_fetch(&w->stat->in_flight, 1, __ATOMIC_SEQ_CST);
    rp_permit_release(w);
    apr_thread_join(&rv, t);
    ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
}
END_TEST

static apr_uint32_t inside, most_inside, timeouts;

static void *APR_THREAD_FUNC hammer(apr_thread_t *t, void *data)
{
    unsigned seed = (unsigned)(apr_uintptr_t)data;
    int i;

    (void)t;
    for (i = 0; i < 3000; i++) {
        apr_uint32_t now_inside, most;
        int impatient = rand_r(&seed) % 4 == 0;

        if (rp_permit_try(w) != APR_SUCCESS
            && rp_permit_acquire(w, rp_clock_now_us() + (impatient ? 100 : 20 * SEC), NULL)
                   != APR_SUCCESS) {
            ck_assert_int_eq(impatient, 1); /* a patient one never starves: no wake-up is lost */
            __atomic_add_fetch(&timeouts, 1, __ATOMIC_RELAXED);
            continue;
        }
        now_inside = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        most = __atomic_load_n(&most_inside, __ATOMIC_SEQ_CST);
        while (now_inside > most
               && !__atomic_compare_exchange_n(&most_inside, &most, now_inside, 0, __ATOMIC_SEQ_CST,
                                               __ATOMIC_SEQ_CST)) {
        }
        if (rand_r(&seed) % 3 == 0) {
            sched_yield();
        }
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        rp_permit_release(w);
    }
    return NULL;
}

START_TEST(permit_hammered_max_holds_none_lost)
{
    apr_thread_t *t[16];
    apr_status_t rv;
    int i;

    w->params.max = 3;
    inside = most_inside = timeouts = 0;
    for (i = 0; i < 16; i++) {
        ck_assert_int_eq(
            apr_thread_create(&t[i], NULL, hammer, (void *)(apr_uintptr_t)(i + 1), pool),
            APR_SUCCESS);
    }
    for (i = 0; i < 16; i++) {
        apr_thread_join(&rv, t[i]);
    }
    ck_assert_uint_le(most_inside, 3);
    ck_assert_uint_gt(most_inside, 0);
    ck_assert_uint_eq(in_flight(), 0);
    ck_assert_uint_eq(waiters(), 0);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(rp_permit_try(w), APR_SUCCESS);
    }
    ck_assert_int_eq(rp_permit_try(w), APR_EAGAIN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("permit");
    TCase *tc = tcase_create("permit");

    tcase_add_checked_fixture(tc, setup, pool_teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, permit_without_max_no_limit);
    tcase_add_test(tc, permit_max_and_back);
    tcase_add_test(tc, permit_acquire_times_out_in_time);
    tcase_add_test(tc, permit_acquired_and_released_keeps_nothing);
    tcase_add_test(tc, permit_first_come_first_served);
    tcase_add_test(tc, permit_nobody_jumps_the_queue);
    tcase_add_test(tc, permit_hammered_max_holds_none_lost);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
