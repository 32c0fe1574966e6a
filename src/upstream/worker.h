/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file worker.h
 * A worker: the normalised URL of a destination with its path and socket path; its parameters, and
 * per child its permits and counters. Idle connections are not here but on endpoints (endpoint.h),
 * so that all workers of one server share them.
 */
#ifndef RP_UPSTREAM_WORKER_H
#define RP_UPSTREAM_WORKER_H

#include <pthread.h>

#include <apr_pools.h>
#include <apr_hash.h>
#include <apr_ring.h>
#include <apr_tables.h>

#include "upstream/params.h"
#include "upstream/stat.h"
#include "wire/url.h"

#define RP_WORKER_NAME_MAX 383

struct rp_endpoint_t;
struct rp_waiter_t;

typedef struct rp_worker_t {
    const char *name;                   /**< normal form: URL, "unix:/path|" before it */
    rp_url_t url;
    rp_worker_params_t params;          /**< const after the configuration was checked */
    const char *defined_at;             /**< "file:line" */
    void *ssl_conf;                     /**< ap_conf_vector_t * that SSLProxy* come from */
    int is_tls;                         /**< https, wss */
    int configured;                     /**< 0: for destinations outside the configuration */
    int rivalled;                       /**< another worker's URL begins with this one's: see
                                             rp_worker_index_mark */
    int ignore_errors;                  /**< direct workers never enter the error state */
    const void *added_to;               /**< rp_balancer_conf_t * that it was added to at run time, or NULL */
    apr_uint32_t view_key;              /**< of the server that defines it (rp_server_conf_t), 0: none does */
    /** Per child, set by rp_worker_child_init. */
    rp_worker_stat_t *stat;             /**< shared with other children, or own_stat; never NULL */
    rp_worker_stat_t own_stat;
    struct rp_endpoint_t *endpoint[2];  /**< atomic: when SNI and source do not vary per request, that of the child [0] and that of the
                                             event loop that used it first [1], which others may not use: see its owner */
    const char *authority;              /**< rp_url_authority of url: the Host header */
    const char *match;                  /**< rp_url_str of url: what rp_worker_index_find compares */
    struct {
        pthread_mutex_t mutex;          /**< not taken while permits are free and nobody waits */
        APR_RING_HEAD(rp_waiter_ring_t, rp_waiter_t) waiters; /**< oldest first */
        int ready;                      /**< rp_worker_child_init was here */
    } shared;
} rp_worker_t;

/** Make a worker from a parsed URL; strings are copied to pool. params at their sentinels.
 * Configuration time. */
rp_worker_t *rp_worker_create(apr_pool_t *pool, const rp_url_t *url, const char *name);

/** Name of a worker: rp_url_str with the socket path in front. */
const char *rp_worker_name(apr_pool_t *pool, const rp_url_t *url);

/** Per child: mutexes. pool: the child's; the mutex is destroyed with it. Permits work only after
 * this. A second call is harmless. */
apr_status_t rp_worker_child_init(rp_worker_t *w, apr_pool_t *pool) RP_WARN_UNUSED;

/** After rp_worker_child_init, before its first use: count in stat, which outlives the worker's use. */
void rp_worker_count_in(rp_worker_t *w, rp_worker_stat_t *stat);

/** Workers by URL. Built while the configuration is read; const and for any thread after that. */
typedef struct rp_worker_index_t rp_worker_index_t;
/** An empty one; pool pays for all that is added. */
rp_worker_index_t *rp_worker_index_make(apr_pool_t *pool);
/** Add a worker; of several with one URL and socket the first is found. */
void rp_worker_index_add(rp_worker_index_t *ix, rp_worker_t *w);
/** Set `rivalled` of all workers whose URL begins, or is, the URL of another one: only for these a
 * look-up can find something else than the worker that a URL was made for. */
void rp_worker_index_mark(const rp_worker_index_t *ix);
/** The worker whose URL is the longest prefix of url (rp_url_str form), covers at least scheme, host
 * and port and has the same socket path (NULL = none). No path boundary, as administrators know it.
 * NULL when none does. The cost is that of the URL's length, however many workers there are. */
rp_worker_t *rp_worker_index_find(const rp_worker_index_t *ix, const char *url, const char *uds);

/*
 * Permits: the right to have a connection of w in use. At most `max` of them are out (0 or unset:
 * any number). Idle connections hold none, but together with the busy ones never number more than
 * `max`: rp_pool_take sees to that. Waiters are queued objects, first come first served: a released
 * permit is handed to the oldest one, so that nobody who comes later can take it away.
 */

/** Take a permit without waiting. APR_SUCCESS, or APR_EAGAIN: none is free, or others wait already.
 * Thread-safe. */
apr_status_t rp_permit_try(rp_worker_t *w) RP_WARN_UNUSED;
/** Give it back, to the oldest waiter when there is one. Thread-safe. */
void rp_permit_release(rp_worker_t *w);
/** Who waits for a permit, and how it is seen that nobody wants it any more. */
typedef struct rp_patience_t {
    int fd;                 /**< of the client, or -1 */
    short events;           /**< of poll, besides errors: what it means that the client has left */
    int (*gone)(void *ctx); /**< asked once a second; or NULL */
    void *ctx;
} rp_patience_t;
/** Blocking driver only: wait in line for a permit until deadline_us (monotonic). patience: may be
 * NULL. APR_SUCCESS: the caller owns a permit, to be passed to rp_pool_take with RP_TAKE_GRANTED or
 * given back by rp_permit_release. Otherwise the line was left: APR_TIMEUP, APR_ECONNABORTED (the
 * client has left), or the error for want of a descriptor. */
apr_status_t rp_permit_acquire(rp_worker_t *w, apr_time_t deadline_us,
                               const rp_patience_t *patience) RP_WARN_UNUSED;

/** Event loops: join the line. The waiter (permit_int.h) stays where it is until it was woken, which
 * means that it owns a permit, or rp_permit_leave said 1. It may be woken at once. */
void rp_permit_line_up(rp_worker_t *w, struct rp_waiter_t *waiter);
/** Leave the line. 1: left; 0: it has a permit already, its wake was called. */
int rp_permit_leave(rp_worker_t *w, struct rp_waiter_t *waiter) RP_WARN_UNUSED;

#endif
