/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file persist_live.h
 * BalancerPersist On: the state of balancers over stop and start. Only the main process reads and writes the file, so
 * that nothing a child does to it is believed by one that may be root. A thread of it writes when something was changed (persist_writer.h); who
 * changed it may wait for that, other requests never do.
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

/** Parent, when the segment is there: from now on changes are written at once. Without the thread the monitor writes them; logged. */
void rp_persist_start(apr_pool_t *pconf);

/** Child, after a change of b that is to be answered: until it is in the file, for two seconds at most.
 * @return 1: it is there; 0: not in that time, and the log says why when it could not be written; -1: no BalancerPersist On */
int rp_persist_wait(const rp_balancer_t *b);

/** Hook of the main process, every few seconds: write when something was changed at run time, and counters once a
 * minute. */
int rp_persist_monitor(apr_pool_t *p, server_rec *s);

#endif
