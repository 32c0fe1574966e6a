/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/stat.h"

const apr_uint32_t rp_histogram_bounds_us[RP_HISTOGRAM_BOUNDS] = {
    250,    500,    1000,    2500,    5000,    10000,   25000,    50000,   100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};

void rp_histogram_add(rp_histogram_t *h, apr_interval_time_t us)
{
    int i = 0;

    if (us < 0) {
        us = 0;
    }
    while (i < RP_HISTOGRAM_BOUNDS && us > (apr_interval_time_t)rp_histogram_bounds_us[i]) {
        i++;
    }
    rp_stat_add(&h->count[i], 1);
    rp_stat_add(&h->sum_us, (apr_uint64_t)us);
}

apr_uint64_t rp_histogram_times(const rp_histogram_t *h)
{
    apr_uint64_t n = 0;

    for (int i = 0; i <= RP_HISTOGRAM_BOUNDS; i++) {
        n += __atomic_load_n(&h->count[i], __ATOMIC_RELAXED);
    }
    return n;
}
