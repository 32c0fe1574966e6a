/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_flight.h
 * Requests on their way through a balancer, of all children: a table in shared memory with a row of places for each
 * child. A request takes a place of its own child by one atomic exchange; when none of the few it looks at is free it
 * is only counted.
 */
#ifndef RP_BALANCER_API_FLIGHT_H
#define RP_BALANCER_API_FLIGHT_H

#include "balancer/api_view.h"
#include "balancer/shared.h"

typedef struct rp_flight_t rp_flight_t;

typedef enum rp_flight_step_e {
    RP_FLIGHT_CHOOSING = 0, RP_FLIGHT_AT_MEMBER, RP_FLIGHT_WAITING, RP_FLIGHT_ENDED
} rp_flight_step_e;

/** Words for a step. Static. */
const char *rp_flight_step_str(rp_flight_step_e step);

/** Parent, post_config. Without memory there is no such view; logged. */
void rp_flights_configure(apr_pool_t *pconf, server_rec *s);
/** Child: claim a row. */
void rp_flights_child_init(apr_pool_t *pchild, server_rec *s);
/** Parent: a child is gone. */
void rp_flights_child_gone(pid_t pid);

/** A request begins; its place until rp_flight_end, or NULL: there was none. Any thread. */
rp_flight_t *rp_flight_begin(const request_rec *r, const rp_balancer_t *b);
/** What it does now. member: the slot, or -1 none. flight may be NULL. The request's thread. */
void rp_flight_step(rp_flight_t *flight, rp_flight_step_e step, int member);
void rp_flight_end(rp_flight_t *flight);

/** Those under way to the balancers in visible (of rp_balancer_t *), oldest first, into show. */
void rp_flights_read(apr_pool_t *pool, const apr_array_header_t *visible, rp_show_t *show);

#endif
