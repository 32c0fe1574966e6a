/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file persist_live.h
 * BalancerPersist On: the state of balancers over stop and start. Only the main process reads and writes the file, so
 * that nothing a child does to it is believed by one that may be root; no request ever waits for it.
 */
#ifndef RP_BALANCER_PERSIST_LIVE_H
#define RP_BALANCER_PERSIST_LIVE_H

#include "balancer/keep.h"

/** Parent, post_config: remember whose state is written (of rp_balancer_t *), and where. */
void rp_persist_configure(apr_pool_t *pconf, server_rec *s, const rproxy_api_t *core,
                          const apr_array_header_t *balancers);

/** What the file holds of balancers that have BalancerPersist On, from pool; NULL: nothing. A file that is damaged is
 * refused as a whole, put aside, and a line of the log says so. */
rp_keep_t *rp_persist_load(apr_pool_t *pool);

/** Write the state as it is, if it is another one than was written last. Parent only; the segment was found whole. */
void rp_persist_save(void);

/** Hook of the main process, every few seconds: write when something was changed at run time, and counters once a
 * minute. */
int rp_persist_monitor(apr_pool_t *p, server_rec *s);

#endif
