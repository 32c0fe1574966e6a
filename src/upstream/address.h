/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file address.h
 * The addresses of a backend name. Look-up blocks (the system's resolver), so it is a request to a driver; reading the
 * cached result does not. A list handed out stays valid for as long as the holder keeps its reference.
 */
#ifndef RP_UPSTREAM_ADDRESS_H
#define RP_UPSTREAM_ADDRESS_H

#include <apr_network_io.h>
#include <apr_thread_mutex.h>

#include "wire/slice.h"

typedef struct rp_addrset_t rp_addrset_t;  /**< reference-counted list of apr_sockaddr_t */

typedef struct rp_address_t {
    const char *host;
    int port;
    const char *uds;
    struct {
        apr_thread_mutex_t *mutex;
        rp_addrset_t *set;          /**< newest result, or NULL */
        apr_time_t resolved_us;     /**< monotonic */
    } shared;
} rp_address_t;

/** Literal addresses and unix sockets are resolved here at once, without the resolver. */
apr_status_t rp_address_init(rp_address_t *a, const char *host, int port, const char *uds, apr_pool_t *pool) RP_WARN_UNUSED;

/** The cached set when it is not older than max_age_us (-1: any age). Adds a reference. APR_SUCCESS or APR_EAGAIN (look up). */
apr_status_t rp_address_cached(rp_address_t *a, apr_time_t now_us, apr_interval_time_t max_age_us, rp_addrset_t **out) RP_WARN_UNUSED;

/** Driver only, blocks: ask the resolver, replace the cached set, hand it out with a reference. Concurrent callers of one
 * address share one look-up result. */
apr_status_t rp_address_resolve(rp_address_t *a, apr_time_t now_us, rp_addrset_t **out) RP_WARN_UNUSED;

int rp_addrset_count(const rp_addrset_t *set);
apr_sockaddr_t *rp_addrset_at(const rp_addrset_t *set, int i);
void rp_addrset_unref(rp_addrset_t *set);
void rp_address_destroy(rp_address_t *a);

#endif
