/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file endpoint_int.h
 * The owner of endpoints, shared by endpoint.c and pool.c. Lock order: the owner's mutex, then an
 * endpoint's.
 */
#ifndef RP_UPSTREAM_ENDPOINT_INT_H
#define RP_UPSTREAM_ENDPOINT_INT_H

#include <apr_hash.h>

#include "upstream/endpoint.h"

struct rp_endpoints_t {
    apr_pool_t *pool;             /**< own; only used under the mutex */
    apr_thread_mutex_t *mutex;
    int unconfigured_max;
    apr_uint32_t stopping;        /**< atomic: nothing is kept any more */
    apr_uint32_t npinned;         /**< atomic: idle pinned connections */
    apr_uint32_t nunconfigured;   /**< atomic; changed under the mutex */
    rp_dispose_fn dispose;        /**< or NULL: any thread may close idle connections */
    rp_endpoints_t *next_owner;   /**< guarded by rp_owners_lock */
    apr_time_t maintained_us;     /**< atomic: last turn of rp_pool_maintain */
    struct {
        apr_hash_t *by_id;        /**< rp_endpoint_t * */
        APR_RING_HEAD(rp_lru_ring_t, rp_endpoint_t)
        lru; /**< unconfigured ones, most recently used first */
    } shared;
};

/** All owners of this process, linked by next_owner; they stay while the lock is held. Taken before an owner's mutex. */
rp_endpoints_t *rp_owners_lock(void);
void rp_owners_unlock(void);

/** Idle connections that were taken out of their lists to be closed without a lock held. */
typedef struct rp_doomed_t {
    rp_conn_t *conn[64];
    rp_refuse_e why[64];
    int n;
} rp_doomed_t;

/** Take conn out of its endpoint's list. The endpoint's mutex is held. */
void rp_pool_detach_locked(rp_endpoint_t *ep, rp_conn_t *conn);
/** Close a connection that is in no list: destroy it, count it, lower its worker's connections. */
void rp_pool_close(rp_conn_t *conn, rp_refuse_e why);
/** Close every idle connection of an endpoint. */
void rp_pool_drain(rp_endpoint_t *ep, rp_refuse_e why);

#endif
