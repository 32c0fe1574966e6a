/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file metrics.h
 * Counting requests, and the page of metrics.
 */
#ifndef RP_REQUEST_METRICS_H
#define RP_REQUEST_METRICS_H

#include "request/request.h"

void rp_metrics_register_hooks(apr_pool_t *p);

/** A request that is ours has its answer: status is what the handler returns. rq may be NULL: it never got a destination. */
void rp_metrics_answered(const request_rec *r, const rp_request_t *rq, int status);

#endif
