/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file balancing.h
 * One request on its way through a balancer: session, choice, attempts, what each try means for its member. The table that the core calls
 * (rproxy_balancer_api_t) is made here.
 */
#ifndef RP_BALANCER_BALANCING_H
#define RP_BALANCER_BALANCING_H

#include "balancer/shared.h"
#include "rproxy.h"

/** Set the balancers of the running configuration: of rp_balancer_t *. Parent, post_config. */
void rp_balancing_configure(const rproxy_api_t *core, apr_array_header_t *balancers);

/** The run-time side of a balancer's configuration, or NULL. */
rp_balancer_t *rp_balancing_of(const rp_balancer_conf_t *conf);

/** All that a server sees, its own and inherited ones: of rp_balancer_t *, from pool; empty in a child that serves none. */
apr_array_header_t *rp_balancing_visible(apr_pool_t *pool, const server_rec *s);

/** mod_rproxy's functions; NULL before post_config. */
const rproxy_api_t *rp_balancing_core(void);

/** BalancerPersist of a server: 1 On, 0 Off, -1 not written. */
int rp_balancing_persist(const server_rec *s);

/** Balancers that the server-status page of this server shows: of const rp_balancer_conf_t *, or NULL: ProxyStatus is Off. */
const apr_array_header_t *rp_balancing_shown(const server_rec *s);

extern const rproxy_balancer_api_t rp_balancing_api;

#endif
