/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rproxy_lbmethod.h
 * How a load-balancing method looks. Methods register by ap_register_provider(pool, RPROXY_LBMETHOD_GROUP, name,
 * RPROXY_LBMETHOD_VERSION, &method) in their register_hooks; `lbmethod=name` finds them.
 */
#ifndef RPROXY_LBMETHOD_H
#define RPROXY_LBMETHOD_H

#include <apr.h>
#include <apr_time.h>

#define RPROXY_LBMETHOD_GROUP "rproxy_lbmethod"
#define RPROXY_LBMETHOD_VERSION "0"

/** What a method sees of a candidate: a snapshot, read-only. */
typedef struct rproxy_lbmember_t {
    int index;                   /**< place among the balancer's members: stable while the configuration is */
    const char *name;            /**< URL of the member: what hashes are made of */
    int weight_x100;             /**< loadfactor times 100 */
    int lbstatus;                /**< running credit that methods keep by the deltas they report */
    apr_uint32_t busy;           /**< requests under way, over all children */
    apr_uint64_t sent, received; /**< bytes to and from it */
    apr_uint64_t elected;        /**< how often it was chosen */
    apr_uint32_t latency_us;     /**< moving average of the time to the first byte; 0 unknown */
    apr_time_t usable_since_us;  /**< for slow starts; 0: all the time */
} rproxy_lbmember_t;

/** What else a method may use. */
typedef struct rproxy_lbcontext_t {
    apr_time_t now_us;           /**< monotonic */
    apr_uint32_t random;         /**< fresh for each choice */
    const char *key;             /**< for hashing methods; NULL none */
    apr_size_t key_len;
} rproxy_lbcontext_t;

typedef struct rproxy_lbmethod_t {
    const char *name;
    /**
     * Choose one of n > 0 candidates. MUST NOT wait, lock, keep state of its own or change anything but delta: delta[i] (zeroed) is added to
     * the lbstatus of candidate i by the caller. Runs on any thread.
     * @return the index of the winner in candidates, 0..n-1
     */
    int (*select)(const rproxy_lbmember_t *const *candidates, int n, const rproxy_lbcontext_t *context, int *delta);
} rproxy_lbmethod_t;

#endif
