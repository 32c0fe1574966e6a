/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file health_watchdog.h
 * Sees to it that there is one checker for all children: mod_watchdog calls in each child ten times a second, and the child that holds a
 * lock of the kernel runs the checker. The kernel frees the lock the moment its holder ends, however that comes about. The lock is the
 * same for all generations of the server, so that two generations never check at the same time either.
 */
#ifndef RP_BALANCER_HEALTH_WATCHDOG_H
#define RP_BALANCER_HEALTH_WATCHDOG_H

#include "balancer/shared.h"
#include "rproxy.h"

/** Hooks of the checker. From register_hooks. */
void rp_health_register_hooks(apr_pool_t *p);

/** Parent, post_config, behind rp_shared_create: members that wait for their first check are out, and the watchdog is set up. balancers:
 * of rp_balancer_t *, as long as the generation. Errors are logged. */
apr_status_t rp_health_configure(apr_pool_t *pconf, server_rec *main_server, const rproxy_api_t *core,
                                 const apr_array_header_t *balancers) RP_WARN_UNUSED;

#endif
