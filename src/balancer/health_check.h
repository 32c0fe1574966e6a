/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file health_check.h
 * One health check of one member: what its settings ask for, the probe, and the judgement. Blocks for as long as the check may take.
 */
#ifndef RP_BALANCER_HEALTH_CHECK_H
#define RP_BALANCER_HEALTH_CHECK_H

#include "balancer/health.h"
#include "rproxy.h"
#include "upstream/probe.h"

/** What a check of a member asks for; borrowed while it runs. */
typedef struct rp_health_plan_t {
    const rp_worker_t *worker;
    server_rec *server;              /**< that defines the balancer: its log, timeouts and expressions */
    rp_health_method_e method;
    const char *uri, *host, *expr;   /**< hcuri, hchost, hcexpr; NULL or "": none */
    apr_interval_time_t interval_us, timeout_us;
    rp_health_rules_t rules;
} rp_health_plan_t;

typedef enum rp_health_result_e {
    RP_HEALTH_GOOD = 0,
    RP_HEALTH_BAD,
    RP_HEALTH_UNKNOWN /**< called off, or not possible for want of something on this side: says nothing about the member */
} rp_health_result_e;

/** How a check ended; texts from the pool of the call. */
typedef struct rp_health_outcome_t {
    rp_health_result_e result;
    int status;                      /**< of the answer, 0: none */
    const char *reason;              /**< fragment of a sentence, printable: "status 503", "no answer within 5000 ms" */
    apr_interval_time_t took_us;
} rp_health_outcome_t;

/** What of a health check setting can be judged only here, when it is changed at run time: hcexpr must be a ProxyHCExpr of the server
 * that defines the balancer, and hcuri and hchost must be able to stand in a request. core may be NULL. @return NULL, or a sentence from pool */
const char *rp_health_setting_check(const rproxy_api_t *core, const server_rec *s, apr_pool_t *pool, const char *key, const char *value);

/** Make the check on the calling thread. cancel: may be NULL. */
void rp_health_check(const rproxy_api_t *core, const rp_health_plan_t *plan, rp_probe_cancel_t *cancel, apr_pool_t *pool,
                     rp_health_outcome_t *out);

/**
 * Judge an answer by an expression, as if it were the answer to a request of nobody: REQUEST_STATUS, the fields of the answer, hc('body').
 * @return 1 true, 0 false, -1 it can not be evaluated (*why)
 */
int rp_health_judge(const ap_expr_info_t *expr, const rp_health_plan_t *plan, const rp_probe_result_t *answer, apr_pool_t *pool,
                    const char **why);

#endif
