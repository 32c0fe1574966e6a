/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_pools.h
 * Connections to the members, for the API.
 */
#ifndef RP_BALANCER_API_POOLS_H
#define RP_BALANCER_API_POOLS_H

#include <httpd.h>
#include <jansson.h>

/** Pools of the members of all balancers that the server of r shows. The caller owns the value. */
json_t *rp_pools_json(request_rec *r);

#endif
