/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file caretaker.h
 * Idle connections grow old although no request comes: a thread of each child closes them.
 */
#ifndef RP_UPSTREAM_CARETAKER_H
#define RP_UPSTREAM_CARETAKER_H

#include "upstream/endpoint.h"

#define RP_CARE_EVERY_MS 1000 /**< how often rp_pool_maintain is called, milliseconds */

/**
 * Start the thread that calls rp_pool_maintain once a second. It takes no signals, and ends with pool, before what was
 * registered there earlier (so call it behind rp_endpoints_create with the same pool).
 * @param eps outlives the thread
 * @return APR_SUCCESS, or why there is no thread; then connections age only when others are put back
 */
apr_status_t rp_caretaker_start(apr_pool_t *pool, rp_endpoints_t *eps) RP_WARN_UNUSED;

#endif
