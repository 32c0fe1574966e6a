/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/clock.h"

#include <time.h>

apr_time_t rp_clock_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock on Linux */
    return (apr_time_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
