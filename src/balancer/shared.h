/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file shared.h
 * What all children share of the balancers: one segment by mod_slotmem_shm with a header, a record for each member, and a gauge
 * for each member and child. Counters are 64-bit atomics. The parent sets it up after the configuration was read; state and counters go from one
 * generation to the next by name.
 */
#ifndef RP_BALANCER_SHARED_H
#define RP_BALANCER_SHARED_H

#include <httpd.h>

#include "config/conf.h"

#define RP_SHM_MAGIC 0x52505842u
#define RP_SHM_LAYOUT 1u /**< raise with every change of the structs below */

typedef struct rp_shm_header_t {
    apr_uint32_t magic, layout;
    apr_uint32_t member_size, nmembers, nchildren;
    apr_uint32_t reserved;
    apr_uint64_t generation;
} rp_shm_header_t;

/** One member. Changed by atomics only. */
typedef struct rp_shm_member_t {
    apr_uint32_t status;       /**< rp_status_flag_e bits */
    apr_uint32_t busy;         /**< requests under way, all children */
    apr_int32_t lbstatus;      /**< credit of the methods */
    apr_int32_t weight_x100, lbset;
    apr_uint32_t retries;      /**< errors since the last success */
    apr_int64_t error_us;      /**< monotonic time of the last error */
    apr_uint64_t elected, sent, received, failed;
    apr_uint64_t room[8];      /**< for latency averages and queues */
} rp_shm_member_t;
_Static_assert(sizeof(rp_shm_member_t) == 128, "layout of the shared segment");

/** A member of a balancer as this process sees it. */
typedef struct rp_member_t {
    rp_worker_t *worker;
    rp_shm_member_t *shm;
    int index;                 /**< in the segment */
} rp_member_t;

/** A balancer of the running configuration. Const after post_config but for what shm points to. */
typedef struct rp_balancer_t {
    const rp_balancer_conf_t *conf;
    rp_member_t *members;
    int nmembers;
    const struct rproxy_lbmethod_t *method;
} rp_balancer_t;

/** Parent, post_config: make the segment for all balancers of all servers. balancers: of rp_balancer_t *, members filled in here.
 * Errors are logged. */
apr_status_t rp_shared_create(apr_pool_t *pconf, server_rec *s, apr_array_header_t *balancers) RP_WARN_UNUSED;

/** Child: claim a row of gauges. */
void rp_shared_child_init(apr_pool_t *pool, server_rec *s);

/** Parent: a child is gone; what it had under way is not any more. */
void rp_shared_child_gone(pid_t pid);

/** A request of this child goes to (+1) or has left (-1) a member. */
void rp_shared_busy(rp_member_t *m, int change);

#endif
