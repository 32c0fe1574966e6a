/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file keep.h
 * What goes from one generation of the server to the next: the slots as they were, found again by a key that says which definition in the
 * configuration a balancer was, and by the URL of a member. What was said at run time stays until the configuration says something
 * else than it did: then the configuration wins, and a line of the log says so. Parent only.
 */
#ifndef RP_BALANCER_KEEP_H
#define RP_BALANCER_KEEP_H

#include "balancer/shared.h"

/** Slots of one balancer. */
typedef struct rp_kept_t {
    const char *key;
    rp_shm_balancer_t balancer;
    rp_shm_member_t *members;   /**< those that are used */
    int nmembers;
} rp_kept_t;

/** All that is kept. Flat: what it points to has no pointers, so that it can be written to a file. */
typedef struct rp_keep_t {
    apr_pool_t *pool;           /**< its own */
    apr_uint64_t generation;
    apr_array_header_t *balancers; /**< of rp_kept_t * */
    apr_array_header_t *events;    /**< of rp_shm_event_t: those that were whole, oldest first; `balancer` is an index of balancers */
} rp_keep_t;

/** Give each its key: server name and port, name of the balancer, and its number among those that would have the same key. */
void rp_keep_keys(apr_pool_t *pconf, apr_array_header_t *balancers);

/** What is kept in the process pool, or NULL. */
rp_keep_t *rp_keep_get(apr_pool_t *process_pool);

/** Keep the state of all (of rp_balancer_t *) instead of what was kept. The segment was found whole. */
void rp_keep_store(apr_pool_t *process_pool, const apr_array_header_t *balancers, apr_uint64_t generation);

/** A copy of the state of all, in a pool of its own below parent (NULL: below none); NULL: no memory. */
rp_keep_t *rp_keep_take(apr_pool_t *parent, const apr_array_header_t *balancers, apr_uint64_t generation);

/** Keep nothing. */
void rp_keep_drop(apr_pool_t *process_pool);

/** Take over what was kept into the slots of a new segment, which hold what the configuration says. Logs what stays and what does not. */
void rp_keep_apply(apr_pool_t *ptemp, server_rec *s, const rproxy_api_t *core, const rp_keep_t *kept, const rp_shm_map_t *map,
                   const apr_array_header_t *balancers);

#endif
