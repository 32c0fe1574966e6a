/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_pools.h
 * Connections to members and workers, and event loops, for the API: of all children.
 */
#ifndef RP_BALANCER_API_POOLS_H
#define RP_BALANCER_API_POOLS_H

#include <httpd.h>
#include <jansson.h>

/** Pools of the members of all balancers that the server of r shows, and of its other workers. The caller owns the value, as below. */
json_t *rp_pools_json(request_rec *r);
/** The event loops of each child. */
json_t *rp_loops_json(void);

#endif
