/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file dial.h
 * What is known of name look-ups and TLS handshakes of one endpoint, by which threads for them are shared out.
 */
#ifndef RP_UPSTREAM_DIAL_H
#define RP_UPSTREAM_DIAL_H

#include <apr_ring.h>

struct rp_job_t;

/** All zero at first. Guarded by the mutex of the pool of threads that runs the jobs, but `good`. */
typedef struct rp_dial_group_t {
    int running;  /**< jobs that run or are next in line */
    int good;     /**< atomic: the last one came to a good end */
    APR_RING_HEAD(rp_dial_ring_t, rp_job_t) parked; /**< jobs that wait for others of this group */
} rp_dial_group_t;

#endif
