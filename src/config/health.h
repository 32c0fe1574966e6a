/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file health.h
 * What a configuration says about health checks. All of it while the configuration is read or checked, but for rp_health_expr.
 */
#ifndef RP_CONFIG_HEALTH_H
#define RP_CONFIG_HEALTH_H

#include "config/conf_int.h"
#include "rproxy.h"

/**
 * Take over the worker's template and judge its health check parameters; before defaults are filled in. own: the server that defines
 * it, whose names it may use. @return number of refusals, which are logged
 */
int rp_health_worker_check(apr_pool_t *ptemp, const rp_server_conf_t *own, rp_worker_t *worker);

/** A line for a worker that is checked by nobody, since it is no member. */
void rp_health_direct_check(rp_reading_t *reading, const rp_worker_t *worker);

/** 1: the worker asks for health checks. */
int rp_health_wanted(const rp_worker_t *worker);

/** 1 (and a logged refusal): a member asks for health checks and mod_watchdog is not there. After rp_health_worker_check of all. */
int rp_health_watchdog_check(const rp_reading_t *reading);

/** The parsed ProxyHCExpr of this very server (they are not inherited), or NULL. Const after the configuration was read. */
ap_expr_info_t *rp_health_expr(const server_rec *s, const char *name);

#endif
