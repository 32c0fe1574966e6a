/* SPDX-License-Identifier: Apache-2.0 */
/** @file clock.h The one monotonic clock of the project. Everything else takes `now_us` as an
 * argument. */
#ifndef RP_UPSTREAM_CLOCK_H
#define RP_UPSTREAM_CLOCK_H
#include <apr_time.h>
/** CLOCK_MONOTONIC in microseconds. Any thread; cannot fail. */
apr_time_t rp_clock_now_us(void);
#endif
