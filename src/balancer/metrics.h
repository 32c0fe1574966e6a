/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file metrics.h
 * What mod_rproxy's page of metrics shows of members.
 */
#ifndef RP_BALANCER_METRICS_H
#define RP_BALANCER_METRICS_H

#include "rproxy.h"

/** rproxy_balancer_api_t.facts. Child, any thread. */
void rp_balancer_facts(rproxy_member_fn_t *tell, void *ctx);

#endif
