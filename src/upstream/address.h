/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file address.h
 * The addresses of a backend name. Look-up blocks (the system's resolver), so it is a request to a
 * driver; reading the cached result does not. A list handed out stays valid for as long as the
 * holder keeps its reference.
 */
#ifndef RP_UPSTREAM_ADDRESS_H
#define RP_UPSTREAM_ADDRESS_H

#include <apr_network_io.h>
#include <apr_thread_mutex.h>

#include "wire/slice.h"

#define RP_ADDRESS_MAX                                                                            \
    32 /**< addresses of one name that are kept; what the resolver lists behind them is not tried \
        */

typedef struct rp_addrset_t
    rp_addrset_t; /**< reference-counted list of apr_sockaddr_t, immutable */

typedef struct rp_address_t {
    const char *host;                 /**< own copy; NULL with uds */
    int port;
    const char *uds;                  /**< own copy, or NULL */
    int literal;                      /**< IP literal or unix socket: resolved once, never again */
    apr_thread_mutex_t *resolving; /**< held while the resolver is asked: one question at a time */
    struct {
        apr_thread_mutex_t *mutex;
        rp_addrset_t *set;            /**< newest result, or NULL; the cache holds one reference */
        apr_time_t resolved_us;       /**< monotonic */
        apr_uint32_t lookups;         /**< how often the resolver was asked */
    } shared;
} rp_address_t;

/**
 * Literal addresses and unix sockets are resolved here at once, without the resolver.
 * @param a     filled; its mutexes and copies come from pool, the cached set does not
 * (rp_address_destroy frees it)
 * @param host  name or literal, without brackets; not looked at when uds is given
 * @param port  1..65535
 * @param uds   path of a unix socket, or NULL
 * @return APR_SUCCESS, APR_ENAMETOOLONG for a socket path that does not fit, or an error of APR
 */
apr_status_t rp_address_init(rp_address_t *a, const char *host, int port, const char *uds,
                             apr_pool_t *pool) RP_WARN_UNUSED;

/** The cached set when it is not older than max_age_us (-1: any age; literals never age). Adds a
 * reference for the caller. APR_SUCCESS or APR_EAGAIN (look up). Thread-safe. */
apr_status_t rp_address_cached(rp_address_t *a, apr_time_t now_us, apr_interval_time_t max_age_us,
                               rp_addrset_t **out) RP_WARN_UNUSED;

/** Driver only, blocks: ask the resolver, replace the cached set, hand it out with a reference. A
 * caller that had to wait for another one's look-up of the same address gets its result. now_us:
 * monotonic, before the call. A failed look-up leaves the cached set. */
apr_status_t rp_address_resolve(rp_address_t *a, apr_time_t now_us,
                                rp_addrset_t **out) RP_WARN_UNUSED;

/** How often the resolver has answered so far: a number that changes tells a caller that another one asked. Thread-safe. */
apr_uint32_t rp_address_lookups(rp_address_t *a);

/** Is addr (port and all) one of the name's addresses, as known for at most max_age_us?
 * APR_SUCCESS, APR_NOTFOUND, APR_EAGAIN (nothing that young is known). Literals: always
 * APR_SUCCESS. Thread-safe. */
apr_status_t rp_address_has(rp_address_t *a, const apr_sockaddr_t *addr, apr_time_t now_us,
                            apr_interval_time_t max_age_us);

/** Number of addresses; 0 for NULL. */
int rp_addrset_count(const rp_addrset_t *set);
/** Address i (0-based), or NULL. Valid while the reference is held; not to be changed. */
apr_sockaddr_t *rp_addrset_at(const rp_addrset_t *set, int i);
/** One more reference. Any thread. */
void rp_addrset_ref(rp_addrset_t *set);
/** Drop a reference (NULL is fine); the last one frees the set. Any thread. */
void rp_addrset_unref(rp_addrset_t *set);
/** Drop the cached set. The mutexes go with the pool of rp_address_init. */
void rp_address_destroy(rp_address_t *a);

#endif
