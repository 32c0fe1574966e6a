/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file metrics.h
 * Counting requests, and the page of metrics.
 */
#ifndef RP_REQUEST_METRICS_H
#define RP_REQUEST_METRICS_H

#include "request/request.h"

void rp_metrics_register_hooks(apr_pool_t *p);

/** Child: where it counts what is of no worker; its own memory when there is none that is shared. Never NULL. */
rp_child_stat_t *rp_metrics_child_stat(void);

/** rproxy_api_t.pools and .loops */
void rp_metrics_pools(const rp_worker_t *w, rproxy_pool_fn_t *tell, void *ctx);
void rp_metrics_loops(rproxy_loops_fn_t *tell, void *ctx);

/** A request that is ours has its answer: status is what the handler returns. rq may be NULL: it never got a destination. */
void rp_metrics_answered(const request_rec *r, const rp_request_t *rq, int status);

#endif
