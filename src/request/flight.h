/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file flight.h
 * What is under way: each proxied request takes a place in shared memory (metrics/flights.h) from when its destination is known until its pool
 * goes, so that any child can show all of them.
 */
#ifndef RP_REQUEST_FLIGHT_H
#define RP_REQUEST_FLIGHT_H

#include "request/request.h"

void rp_flight_register_hooks(apr_pool_t *p);

/** The request has a route. Sets rq->flight. */
void rp_request_flight_begin(rp_request_t *rq);
/** rq->worker is where it goes: a member, or the one worker. */
void rp_request_flight_worker(rp_request_t *rq);
/** No member can take it now. */
void rp_request_flight_waits(rp_request_t *rq);
void rp_request_flight_end(rp_request_t *rq);

/** rproxy_api_t.flights */
int rp_request_flights(const server_rec *s, rproxy_flight_fn_t *tell, void *ctx);
/** register_hooks: the section of mod_status. flight_status.c */
void rp_flight_status_register(apr_pool_t *p);

#endif
