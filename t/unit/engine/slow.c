/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that take long: which of them are to blame. */
#include "../pool_case.h"

#include <poll.h>

#include "engine/slow.h"

#define LIMIT_US 5000

START_TEST(call_that_slept_or_computed_is_slow_and_one_that_waited_for_the_processor_is_not)
{
    const rp_used_t before = {1000000, 7};
    const rp_used_t preempted = {1000000 + LIMIT_US, 7};
    const rp_used_t computed = {1000001 + LIMIT_US, 7};
    const rp_used_t slept = {1000000, 8};

    ck_assert(!rp_used_slow(&before, &preempted, LIMIT_US));
    ck_assert(rp_used_slow(&before, &computed, LIMIT_US));
    ck_assert(rp_used_slow(&before, &slept, LIMIT_US));
}
END_TEST

START_TEST(sleep_and_work_of_a_thread_are_seen)
{
    rp_used_t before, after;
    volatile unsigned n = 0;

    rp_used_now(&before);
    (void)poll(NULL, 0, 20);
    rp_used_now(&after);
    ck_assert_int_gt(after.sleeps, before.sleeps);
    do {
        n++;
        rp_used_now(&after);
    } while (after.cpu_us - before.cpu_us <= 20000);
    ck_assert(rp_used_slow(&before, &after, 20000));
}
END_TEST

START_TEST(first_long_call_begins_a_close_look_and_the_next_ones_count)
{
    rp_slow_t s = {0, {0, 0}};
    int i;

    rp_slow_begin(&s);
    (void)poll(NULL, 0, 20);
    ck_assert(!rp_slow_end(&s, 20000, LIMIT_US)); /* nobody knows what it did */
    rp_slow_begin(&s);
    (void)poll(NULL, 0, 20);
    ck_assert(rp_slow_end(&s, 20000, LIMIT_US));
    rp_slow_begin(&s);
    ck_assert(!rp_slow_end(&s, 20000, LIMIT_US)); /* it took long and did nothing: others had the processor */
    for (i = 0; i < RP_SLOW_CLOSELY; i++) {
        ck_assert_int_gt(s.closely, 0);
        rp_slow_begin(&s);
        ck_assert(!rp_slow_end(&s, LIMIT_US, LIMIT_US));
    }
    ck_assert_int_eq(s.closely, 0); /* over */
    rp_slow_begin(&s);
    (void)poll(NULL, 0, 20);
    ck_assert(!rp_slow_end(&s, 20000, LIMIT_US));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slow");
    TCase *tc = tcase_create("slow");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_add_test(tc, call_that_slept_or_computed_is_slow_and_one_that_waited_for_the_processor_is_not);
    tcase_add_test(tc, sleep_and_work_of_a_thread_are_seen);
    tcase_add_test(tc, first_long_call_begins_a_close_look_and_the_next_ones_count);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
