/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms at their bounds. */
#include "upstream_unit.h"

#include "upstream/stat.h"

START_TEST(histogram_at_and_beyond_each_bound)
{
    rp_histogram_t h = {0};
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < RP_HISTOGRAM_BOUNDS; i++) {
        ck_assert(i == 0 || rp_histogram_bounds_us[i] > rp_histogram_bounds_us[i - 1]);
        rp_histogram_add(&h, rp_histogram_bounds_us[i]);
        rp_histogram_add(&h, (apr_interval_time_t)rp_histogram_bounds_us[i] + 1);
        sum += 2 * (apr_uint64_t)rp_histogram_bounds_us[i] + 1;
    }
    ck_assert_uint_eq(h.count[0], 1);
    for (i = 1; i < RP_HISTOGRAM_BOUNDS; i++) {
        ck_assert_uint_eq(h.count[i], 2);
    }
    ck_assert_uint_eq(h.count[RP_HISTOGRAM_BOUNDS], 1);
    ck_assert_uint_eq(h.sum_us, sum);
    ck_assert_uint_eq(rp_histogram_times(&h), 2 * RP_HISTOGRAM_BOUNDS);
}
END_TEST

START_TEST(histogram_of_a_clock_that_went_back)
{
    rp_histogram_t h = {0};

    rp_histogram_add(&h, -5);
    rp_histogram_add(&h, 0);
    ck_assert_uint_eq(h.count[0], 2);
    ck_assert_uint_eq(h.sum_us, 0);
    rp_histogram_add(&h, APR_INT64_MAX);
    ck_assert_uint_eq(h.count[RP_HISTOGRAM_BOUNDS], 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stat");
    TCase *tc = tcase_create("stat");

    tcase_add_test(tc, histogram_at_and_beyond_each_bound);
    tcase_add_test(tc, histogram_of_a_clock_that_went_back);
    suite_add_tcase(s, tc);
    return suite_main(s);
}
