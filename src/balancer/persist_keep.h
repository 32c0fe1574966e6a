/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file persist_keep.h
 * What is kept of the balancers (keep.h) as rows of the state file (persist.h), and back. Pure but for the types it
 * shares.
 */
#ifndef RP_BALANCER_PERSIST_KEEP_H
#define RP_BALANCER_PERSIST_KEEP_H

#include "balancer/keep.h"
#include "balancer/persist.h"

/** Monotonic and wall clock at one moment: the first begins anew with the machine, the second is what a file can hold.
 */
typedef struct rp_persist_now_t {
    apr_time_t mono_us, wall;
} rp_persist_now_t;

/** Rows of one balancer, appended to rows (of rp_persist_row_t); strings from pool. name: "balancer://name". */
void rp_persist_rows(apr_pool_t *pool, const rp_kept_t *kept, const char *name, rp_persist_now_t now,
                     apr_array_header_t *rows);

/** The reverse: everything from pool. NULL: *why says which row can not be. Keys that are not known are left out, since
 * a newer version may have written them. */
rp_keep_t *rp_persist_keep(apr_pool_t *pool, const apr_array_header_t *rows, rp_persist_now_t now, const char **why);

#endif
