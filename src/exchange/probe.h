/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file probe.h
 * One question to a backend outside of any client's request, for health checks: connect, or send a request without a body and
 * gather the answer. It is an exchange like any other, with the same distrust of what comes back, but with one deadline for all of
 * it, a bound for the body, and it can be called off by another thread. Blocks; the connection is never kept.
 */
#ifndef RP_EXCHANGE_PROBE_H
#define RP_EXCHANGE_PROBE_H

#include "exchange/exchange.h"
#include "upstream/probe.h"

/** Settings of rp_probe_run; borrowed. */
typedef struct rp_probe_conf_t {
    rp_worker_t *worker;             /**< one of its own: its permits are free and its counters are shown nowhere */
    rp_endpoint_t *endpoint;         /**< held by the caller */
    rp_h1_limits_t limits;
    apr_interval_time_t dns_max_age_us;
    const rp_req_head_t *head;       /**< NULL: connect only */
    const rp_probe_ask_t *ask;
} rp_probe_conf_t;

/** Make the probe on the calling thread. out is filled in any case. */
void rp_probe_run(const rp_probe_conf_t *conf, apr_pool_t *pool, rp_probe_result_t *out);

#endif
