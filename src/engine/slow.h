/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file slow.h
 * Whether a call that took long is to blame for it: it slept, or it computed. On a busy machine a thread that does neither stands still
 * as long when others have the processor.
 */
#ifndef RP_ENGINE_SLOW_H
#define RP_ENGINE_SLOW_H

#include <apr_time.h>

#define RP_SLOW_CLOSELY 1000 /**< so many calls are looked at closely behind one that took long */

/** What a thread has used since it began. */
typedef struct rp_used_t {
    apr_interval_time_t cpu_us; /**< user and system */
    long sleeps;                /**< how often it gave the processor away by itself */
} rp_used_t;

/** Of the calling thread. One system call. */
void rp_used_now(rp_used_t *used);

/** 1 when a call that lies between the two slept, or used more than limit_us of the processor. Pure. */
int rp_used_slow(const rp_used_t *before, const rp_used_t *after, apr_interval_time_t limit_us);

/** Of one loop: all zero at the beginning. Looking closely costs two system calls a request, so it begins with a call that took long. */
typedef struct rp_slow_t {
    int closely;      /**< calls that are still looked at closely */
    rp_used_t before; /**< of the call under way, when that is */
} rp_slow_t;

/** Before a call. The loop's thread. */
void rp_slow_begin(rp_slow_t *s);

/** Behind it: 1 when it took more than limit_us and is known to be to blame. The first one that takes long is not known yet. */
int rp_slow_end(rp_slow_t *s, apr_interval_time_t took_us, apr_interval_time_t limit_us);

#endif
