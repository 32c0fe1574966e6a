/* SPDX-License-Identifier: Apache-2.0 */
/* The clock goes forward only and has the unit it says. */
#include "upstream_unit.h"

#include <time.h>

#include "upstream/clock.h"

START_TEST(clock_twice_not_backwards)
{
    apr_time_t a = rp_clock_now_us(), b = rp_clock_now_us();

    ck_assert_int_gt(a, 0);
    ck_assert_int_ge(b, a);
}
END_TEST

START_TEST(clock_beside_the_systems_microseconds)
{
    struct timespec before, after;
    apr_time_t us;

    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    us = rp_clock_now_us();
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_ge(us, (apr_time_t)before.tv_sec * 1000000 + before.tv_nsec / 1000);
    ck_assert_int_le(us, (apr_time_t)after.tv_sec * 1000000 + after.tv_nsec / 1000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("clock");
    TCase *tc = tcase_create("clock");

    tcase_add_checked_fixture(tc, pool_setup, pool_teardown);
    tcase_add_test(tc, clock_twice_not_backwards);
    tcase_add_test(tc, clock_beside_the_systems_microseconds);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
