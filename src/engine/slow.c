/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RUSAGE_THREAD */
#endif
#include "engine/slow.h"

#include <sys/resource.h>

static apr_interval_time_t us_of(const struct timeval *tv)
{
    return (apr_interval_time_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

void rp_used_now(rp_used_t *used)
{
    struct rusage ru;

    (void)getrusage(RUSAGE_THREAD, &ru); /* can not fail for this thread on Linux */
    used->cpu_us = us_of(&ru.ru_utime) + us_of(&ru.ru_stime);
    used->sleeps = ru.ru_nvcsw;
}

int rp_used_slow(const rp_used_t *before, const rp_used_t *after, apr_interval_time_t limit_us)
{
    return after->sleeps != before->sleeps || after->cpu_us - before->cpu_us > limit_us;
}

void rp_slow_begin(rp_slow_t *s)
{
    if (s->closely > 0) {
        rp_used_now(&s->before);
    }
}

int rp_slow_end(rp_slow_t *s, apr_interval_time_t took_us, apr_interval_time_t limit_us)
{
    int closely = s->closely > 0;
    rp_used_t after;

    s->closely -= closely;
    if (took_us <= limit_us) {
        return 0;
    }
    s->closely = RP_SLOW_CLOSELY;
    if (!closely) {
        return 0;
    }
    rp_used_now(&after);
    return rp_used_slow(&s->before, &after, limit_us);
}
