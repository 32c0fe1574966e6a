/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file live.h
 * Per child: what holds now of each balancer (rp_live_t of shared.h), and the workers of members that were added at run time. Both are
 * made when a request finds that the balancer's counter of changes moved, under one mutex of this child. A rp_live_t is never freed while
 * the child lives, but used again when nobody holds it: so readers need no lock to get hold of the current one.
 */
#ifndef RP_BALANCER_LIVE_H
#define RP_BALANCER_LIVE_H

#include "balancer/shared.h"

/** The functions of mod_rproxy; post_config. */
void rp_live_configure(const rproxy_api_t *core);
/** The same; NULL before. Any thread. */
const rproxy_api_t *rp_live_core(void);

/** Child: make the mutex and the first rp_live_t of each (of rp_balancer_t *). */
apr_status_t rp_live_child_init(const apr_array_header_t *balancers) RP_WARN_UNUSED;

/** Judge a URL as that of a new member of b: a worker from pool (not made ready), or NULL and *why. Any thread. */
rp_worker_t *rp_live_worker_try(apr_pool_t *pool, const rp_balancer_t *b, const char *url, int flags, const char **why);

#endif
