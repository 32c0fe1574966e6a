/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: order, put off, cancelled in a call, and ten thousand random operations against a model. */
#include "../pool_case.h"

#include <limits.h>

#include "engine/timer.h"

#define MANY 500
#define ALL INT_MAX

typedef struct row_t {
    rp_timer_t t;         /* first: a timer is its row */
    apr_time_t model_us;  /* when it has to be called, RP_TIMER_NEVER: not set */
    int calls;
    apr_time_t again_us;  /* its call sets it again for that time */
    struct row_t *victim; /* its call cancels that one */
} row_t;

static rp_timers_t ts;
static row_t rows[MANY];
static apr_time_t last_due_us;
static int calls;

static void setup(void)
{
    pool_setup();
    memset(&ts, 0, sizeof(ts));
    memset(rows, 0, sizeof(rows));
    calls = 0;
    last_due_us = 0;
}

static void teardown(void)
{
    rp_timers_free(&ts);
    pool_teardown();
}

static void on_timer(rp_timer_t *t, apr_time_t now_us)
{
    row_t *row = (row_t *)t;

    ck_assert(!rp_timer_is_set(t));
    ck_assert(t->due_us <= now_us);
    row->calls++;
    row->model_us = RP_TIMER_NEVER;
    calls++;
    if (row->victim != NULL) {
        rp_timer_cancel(&ts, &row->victim->t);
    }
    if (row->again_us != 0) {
        ck_assert_int_eq(rp_timer_set(&ts, t, row->again_us), APR_SUCCESS);
    }
    last_due_us = t->due_us;
}

static row_t *row_set(int i, apr_time_t due_us)
{
    rows[i].t.fn = on_timer;
    rows[i].model_us = due_us;
    ck_assert_int_eq(rp_timer_set(&ts, &rows[i].t, due_us), APR_SUCCESS);
    return &rows[i];
}

START_TEST(none_set_never_comes)
{
    ck_assert(rp_timers_next(&ts) == RP_TIMER_NEVER);
    (void)rp_timers_run(&ts, 1000, ALL);
    rp_timer_cancel(&ts, &rows[0].t);
    ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(due_is_called_once_not_before)
{
    row_t *a = row_set(0, 100);

    ck_assert(rp_timers_next(&ts) == 100);
    (void)rp_timers_run(&ts, 99, ALL);
    ck_assert_int_eq(a->calls, 0);
    (void)rp_timers_run(&ts, 100, ALL);
    (void)rp_timers_run(&ts, 200, ALL);
    ck_assert_int_eq(a->calls, 1);
    ck_assert(rp_timers_next(&ts) == RP_TIMER_NEVER);
}
END_TEST

START_TEST(put_off_is_called_at_its_new_time_alone)
{
    row_t *a = row_set(0, 100);

    (void)row_set(0, 300);
    ck_assert(rp_timers_next(&ts) <= 300);
    (void)rp_timers_run(&ts, 299, ALL);
    ck_assert_int_eq(a->calls, 0);
    ck_assert(rp_timers_next(&ts) == 300);
    (void)rp_timers_run(&ts, 300, ALL);
    ck_assert_int_eq(a->calls, 1);
}
END_TEST

START_TEST(put_off_does_not_hold_up_others)
{
    (void)row_set(0, 100);
    (void)row_set(1, 110);
    (void)row_set(2, 120);
    (void)row_set(0, 1000);
    (void)row_set(1, 1000);
    (void)rp_timers_run(&ts, 120, ALL);
    ck_assert_int_eq(rows[2].calls, 1);
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(brought_forward_is_called_early)
{
    (void)row_set(0, 100);
    (void)row_set(1, 500);
    (void)row_set(1, 50);
    ck_assert(rp_timers_next(&ts) == 50);
    (void)rp_timers_run(&ts, 50, ALL);
    ck_assert_int_eq(rows[1].calls, 1);
    ck_assert_int_eq(rows[0].calls, 0);
}
END_TEST

START_TEST(call_may_cancel_another_that_is_due)
{
    row_set(0, 100)->victim = &rows[1];
    (void)row_set(1, 100);
    row_set(2, 101)->victim = &rows[2]; /* itself: not set any more */
    (void)rp_timers_run(&ts, 200, ALL);
    ck_assert_int_eq(rows[0].calls + rows[1].calls, 1);
    ck_assert_int_eq(rows[2].calls, 1);
}
END_TEST

START_TEST(call_that_sets_itself_waits_for_the_next_run)
{
    row_set(0, 10)->again_us = 5; /* in the past, before everybody else */
    (void)row_set(1, 20);
    (void)rp_timers_run(&ts, 100, ALL);
    ck_assert_int_eq(rows[0].calls, 1);
    ck_assert_int_eq(rows[1].calls, 1); /* not kept from its turn */
    ck_assert(rp_timer_is_set(&rows[0].t));
    (void)rp_timers_run(&ts, 200, ALL);
    ck_assert_int_eq(rows[0].calls, 2);
}
END_TEST

START_TEST(run_of_some_leaves_the_rest)
{
    row_set(0, 10)->again_us = 5;
    (void)row_set(1, 20);
    (void)row_set(2, 30);
    ck_assert_int_eq(rp_timers_run(&ts, 100, 2), 2);
    ck_assert_int_eq(rows[0].calls, 1);
    ck_assert_int_eq(rows[1].calls, 1);
    ck_assert(rp_timers_next(&ts) == 30);
    ck_assert_int_eq(rp_timers_run(&ts, 100, 2), 1);
    ck_assert_int_eq(rows[2].calls, 1);
    ck_assert_int_eq(rows[0].calls, 1);
    ck_assert_int_eq(rp_timers_run(&ts, 101, 2), 1);
    ck_assert_int_eq(rows[0].calls, 2);
}
END_TEST

START_TEST(resting_is_not_called_and_leaves_its_place)
{
    (void)row_set(0, 10);
    (void)row_set(1, 20);
    (void)row_set(2, 30);
    rp_timer_rest(&rows[0].t);
    rp_timer_rest(&rows[1].t);
    ck_assert_int_eq(rp_timer_is_set(&rows[0].t), 0);
    (void)row_set(1, 25); /* at work again */
    ck_assert_int_eq(rp_timers_run(&ts, 100, ALL), 2);
    ck_assert_int_eq(rows[0].calls, 0);
    ck_assert_int_eq(rows[1].calls, 1);
    ck_assert_int_eq(rows[2].calls, 1);
    ck_assert(rp_timers_next(&ts) == RP_TIMER_NEVER);
    rp_timer_rest(&rows[0].t); /* not set: fine */
    (void)row_set(0, 200);
    ck_assert_int_eq(rp_timers_run(&ts, 200, ALL), 1);
}
END_TEST

START_TEST(order_is_by_time)
{
    int i;

    for (i = 0; i < MANY; i++) {
        (void)row_set(i, 1 + (i * 7919) % 1009);
    }
    for (i = 1; i <= 1009; i++) {
        apr_time_t next = rp_timers_next(&ts);

        last_due_us = 0;
        (void)rp_timers_run(&ts, i, ALL);
        ck_assert(last_due_us == 0 || last_due_us == next);
    }
    ck_assert_int_eq(calls, MANY);
}
END_TEST

/* A heap of a known shape: taking one out of another branch than the last one's needs a move upward. */
START_TEST(cancel_in_another_branch_keeps_the_order)
{
    static const apr_time_t due[] = {1, 10, 2, 11, 12, 3, 4, 13, 14, 15, 16, 5, 6};
    apr_time_t before = 0;
    int i;

    for (i = 0; i < ROWS(due); i++) {
        (void)row_set(i, due[i]);
    }
    rp_timer_cancel(&ts, &rows[7].t); /* 13; the last one, 6, takes its place below 10 and 11 */
    while (rp_timers_next(&ts) != RP_TIMER_NEVER) {
        apr_time_t next = rp_timers_next(&ts);

        ck_assert(next > before);
        before = next;
        (void)rp_timers_run(&ts, next, ALL);
    }
    ck_assert_int_eq(calls, ROWS(due) - 1);
}
END_TEST

static unsigned seed;

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

static void check_model(apr_time_t now_us)
{
    apr_time_t first = RP_TIMER_NEVER;
    int i;

    for (i = 0; i < MANY; i++) {
        ck_assert_int_eq(rp_timer_is_set(&rows[i].t), rows[i].model_us != RP_TIMER_NEVER);
        if (rows[i].model_us < first) {
            first = rows[i].model_us;
        }
    }
    ck_assert(first > now_us);
    ck_assert(rp_timers_next(&ts) <= first);
}

START_TEST(random_operations_agree_with_a_model)
{
    apr_time_t now_us = 0;
    int i;

    seed = (unsigned)_i + 1;
    for (i = 0; i < MANY; i++) {
        rows[i].model_us = RP_TIMER_NEVER;
    }
    for (i = 0; i < 10000; i++) {
        int which = (int)rnd(MANY);

        switch (rnd(8)) {
        case 0:
            rp_timer_cancel(&ts, &rows[which].t);
            rows[which].model_us = RP_TIMER_NEVER;
            break;
        case 1:
            now_us += rnd(50);
            (void)rp_timers_run(&ts, now_us, ALL);
            check_model(now_us);
            break;
        case 2:
            rp_timer_rest(&rows[which].t);
            rows[which].model_us = RP_TIMER_NEVER;
            break;
        default: (void)row_set(which, now_us + 1 + rnd(1000)); break;
        }
    }
    (void)rp_timers_run(&ts, now_us + 2000, ALL);
    (void)rp_timers_run(&ts, now_us + 2000, ALL);
    check_model(now_us + 2000);
    ck_assert(rp_timers_next(&ts) == RP_TIMER_NEVER);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timer");
    TCase *tc = tcase_create("timer");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    tcase_add_test(tc, none_set_never_comes);
    tcase_add_test(tc, due_is_called_once_not_before);
    tcase_add_test(tc, put_off_is_called_at_its_new_time_alone);
    tcase_add_test(tc, put_off_does_not_hold_up_others);
    tcase_add_test(tc, brought_forward_is_called_early);
    tcase_add_test(tc, call_may_cancel_another_that_is_due);
    tcase_add_test(tc, call_that_sets_itself_waits_for_the_next_run);
    tcase_add_test(tc, run_of_some_leaves_the_rest);
    tcase_add_test(tc, resting_is_not_called_and_leaves_its_place);
    tcase_add_test(tc, order_is_by_time);
    tcase_add_test(tc, cancel_in_another_branch_keeps_the_order);
    tcase_add_loop_test(tc, random_operations_agree_with_a_model, 0, 5);
    return suite_main(s);
}
