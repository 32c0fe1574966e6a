/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file helpers.h
 * The bounded pool of threads of a child for what may block: requests that are handed off, name look-ups, TLS handshakes with
 * backends. Threads start on demand and end when they were idle for a while; jobs wait in a queue, each with a deadline.
 *
 * Jobs with a group are fair to each other. One at a time of a group runs until one has come to a good end; then several, an
 * eighth of the threads at most. And an eighth of the threads is kept for groups of which that is known. So who never answers
 * holds one thread, and however many of them there are, they do not hold all.
 */
#ifndef RP_ENGINE_HELPERS_H
#define RP_ENGINE_HELPERS_H

#include <apr_pools.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

#include "upstream/dial.h"
#include "wire/slice.h"

#define RP_HELPERS_IDLE_US 10000000 /**< an idle helper ends after 10 s */
#define RP_HELPERS_FOREVER APR_INT64_MAX

typedef struct rp_helpers_t rp_helpers_t;
typedef struct rp_job_t rp_job_t;

/** One piece of work; embedded in what it is about, owned by the pool between submit and done. */
struct rp_job_t {
    APR_RING_ENTRY(rp_job_t) link;
    enum { RP_JOB_NOWHERE = 0, RP_JOB_READY, RP_JOB_FRESH, RP_JOB_PARKED } place; /**< where it waits */
    int fresh;                    /**< it runs although nothing good is known of its group */
    apr_time_t deadline_us;       /**< monotonic: when it has not begun by then, fn is told so */
    rp_dial_group_t *group;       /**< whom it asks, or NULL; outlives the job */
    /** On a helper's thread. late: the deadline passed in the queue, or the child ends: only say so to whoever waits. */
    void (*fn)(rp_job_t *self, apr_thread_t *thread, int late);
    /** Behind fn on the same thread: the pool is through with the job and its group. NULL: nothing to do. */
    void (*done)(rp_job_t *self);
};
APR_RING_HEAD(rp_job_ring_t, rp_job_t);

typedef struct rp_helpers_stat_t {
    int threads, busy, queued;
    apr_uint64_t jobs, late;
} rp_helpers_stat_t;

/** Make a pool of at most max threads (1 and up). pool: the child's. No thread is started yet. */
apr_status_t rp_helpers_create(rp_helpers_t **out, apr_pool_t *pool, int max) RP_WARN_UNUSED;
/** Queue a job. Any thread. APR_EAGAIN: the queue is full or the pool stops; the job is still the caller's. */
apr_status_t rp_helpers_submit(rp_helpers_t *hs, rp_job_t *job) RP_WARN_UNUSED;
/** Take back a job that has not begun. 1: it is the caller's again, neither fn nor done will be called; 0: too late. Any thread. */
int rp_helpers_cancel(rp_helpers_t *hs, rp_job_t *job);
/** Queued jobs are called as late ones; what runs is waited for until deadline_us (monotonic, RP_HELPERS_FOREVER). May be called again.
 * @return how many threads still run; 0: all are gone, also from the code */
int rp_helpers_stop(rp_helpers_t *hs, apr_time_t deadline_us) RP_WARN_UNUSED;
/** Any thread. */
void rp_helpers_stat(rp_helpers_t *hs, rp_helpers_stat_t *out);

#endif
