/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/clock.h"

apr_time_t rp_clock_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock on Linux */
    return (apr_time_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct timespec rp_clock_timespec(apr_time_t us)
{
    struct timespec ts = {0, 0};

    if (us > 0) {
        ts.tv_sec = (time_t)(us / 1000000);
        ts.tv_nsec = (long)(us % 1000000) * 1000;
    }
    return ts;
}

int rp_clock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int err = pthread_condattr_init(&attr);

    if (err == 0) {
        err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        if (err == 0) {
            err = pthread_cond_init(cond, &attr);
        }
        (void)pthread_condattr_destroy(&attr);
    }
    return err;
}
