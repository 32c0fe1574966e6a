/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file permit_int.h
 * A waiter for a permit. Queued on the worker, oldest first; a released permit is handed to the
 * first one.
 */
#ifndef RP_UPSTREAM_PERMIT_INT_H
#define RP_UPSTREAM_PERMIT_INT_H

#include <apr_ring.h>

typedef struct rp_waiter_t rp_waiter_t;
struct rp_waiter_t {
    APR_RING_ENTRY(rp_waiter_t) link;
    int granted; /**< owns a permit; guarded by the worker's mutex, as all of this */
    void (*wake)(rp_waiter_t *self); /**< called with the worker's mutex held; MUST NOT call back */
};

#endif
