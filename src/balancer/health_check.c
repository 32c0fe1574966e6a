/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/health_check.h"

#include <apr_escape.h>
#include <apr_strings.h>

static int has_text(const char *s)
{
    return s != NULL && *s != '\0';
}

static rp_health_result_e by_status(const rp_probe_result_t *answer, apr_pool_t *pool, const char **reason)
{
    *reason = apr_psprintf(pool, "status %d", answer->status);
    return answer->status >= 200 && answer->status < 400 ? RP_HEALTH_GOOD : RP_HEALTH_BAD;
}

/* What can not be evaluated is bad: the administrator must see it, and the member did not pass. */
static rp_health_result_e by_expr(const rproxy_api_t *core, const rp_health_plan_t *plan, const rp_probe_result_t *answer,
                                  apr_pool_t *pool, const char **reason)
{
    const ap_expr_info_t *expr = core->health_expr(plan->server, plan->expr);
    const char *why = "this server has no ProxyHCExpr of that name";
    int holds = expr != NULL ? rp_health_judge(expr, plan, answer, pool, &why) : -1;

    if (holds < 0) {
        *reason = apr_psprintf(pool, "hcexpr=%s can not be evaluated: %s", plan->expr, why);
        return RP_HEALTH_BAD;
    }
    *reason = apr_psprintf(pool, "hcexpr=%s is %s (status %d)", plan->expr, holds ? "true" : "false", answer->status);
    return holds ? RP_HEALTH_GOOD : RP_HEALTH_BAD;
}

void rp_health_check(const rproxy_api_t *core, const rp_health_plan_t *plan, rp_probe_cancel_t *cancel, apr_pool_t *pool,
                     rp_health_outcome_t *out)
{
    rp_probe_ask_t ask = {0};
    rp_probe_result_t answer;

    ask.worker = plan->worker;
    ask.server = plan->server;
    ask.method = rp_health_verb(plan->method);
    ask.target = rp_health_target(pool, plan->method, plan->worker->url.path, plan->uri);
    ask.host = has_text(plan->host) ? plan->host : NULL;
    ask.http10 = rp_health_http10(plan->method);
    ask.timeout_us = plan->timeout_us;
    ask.body_max = RP_HEALTH_BODY_MAX;
    ask.cancel = cancel;
    core->probe(&ask, pool, &answer);
    out->status = answer.status;
    out->took_us = answer.took_us;
    if (!answer.ok) {
        out->result = answer.cancelled || answer.ours ? RP_HEALTH_UNKNOWN : RP_HEALTH_BAD;
        out->reason = answer.reason;
    }
    else if (ask.method == NULL) {
        out->result = RP_HEALTH_GOOD;
        out->reason = "connected";
    }
    else if (has_text(plan->expr)) {
        out->result = by_expr(core, plan, &answer, pool, &out->reason);
    }
    else {
        out->result = by_status(&answer, pool, &out->reason);
    }
    out->reason = apr_pescape_echo(pool, out->reason, 0); /* words of the backend may be in it */
}
