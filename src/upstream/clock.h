/* SPDX-License-Identifier: Apache-2.0 */
/** @file clock.h The one monotonic clock of the project. Everything else takes `now_us` as an
 * argument. */
#ifndef RP_UPSTREAM_CLOCK_H
#define RP_UPSTREAM_CLOCK_H
#include <apr_time.h>
#include <pthread.h>
#include <time.h>
/** CLOCK_MONOTONIC in microseconds. Any thread; cannot fail. */
apr_time_t rp_clock_now_us(void);
/** A time of this clock as the system's calls want it; negative ones become 0. */
struct timespec rp_clock_timespec(apr_time_t us);
/** A condition whose timed waits go by this clock. 0 or the error of pthread_cond_init. */
int rp_clock_cond_init(pthread_cond_t *cond);
#endif
