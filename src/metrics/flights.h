/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file flights.h
 * Exchanges under way, of all children: memory that all share, with a row for each child and in it a place for each exchange. Taking a place
 * and giving it back are one atomic exchange each; when none is free the exchange is only counted. The parent makes the memory once: children of
 * all generations use the same.
 */
#ifndef RP_METRICS_FLIGHTS_H
#define RP_METRICS_FLIGHTS_H

#include <apr.h>
#include <apr_pools.h>
#include <sys/types.h>

#include "wire/slice.h"

#define RP_FLIGHT_VHOST_SIZE 64    /**< with NUL; what is longer is cut, as are the others */
#define RP_FLIGHT_BALANCER_SIZE 64
#define RP_FLIGHT_WORKER_SIZE 128
#define RP_FLIGHT_REQUEST_SIZE 152
#define RP_FLIGHT_PLACES_MAX 2048  /**< of one child that serves many connections with each thread */
#define RP_FLIGHT_BYTES_MAX 268435456u /**< of all; what is never used takes no memory */

/** One exchange. Its texts are written by its owner between two counts of `version`; the rest are single atomics. */
typedef struct rp_flight_t {
    apr_uint32_t version;      /**< odd: texts are being written */
    apr_uint32_t next;         /**< of the free ones: place behind this one, from 1 */
    apr_int64_t began_us;      /**< monotonic; 0: the place is free */
    apr_uint32_t step;         /**< what it does; the caller's numbers */
    apr_uint32_t tries;        /**< members so far */
    apr_uint32_t viewer;       /**< who may look at it: the caller's numbers; 0 nobody */
    apr_uint32_t owner;        /**< and who else */
    char vhost[RP_FLIGHT_VHOST_SIZE], balancer[RP_FLIGHT_BALANCER_SIZE], worker[RP_FLIGHT_WORKER_SIZE];
    char request[RP_FLIGHT_REQUEST_SIZE];
} rp_flight_t;

typedef struct rp_flights_t rp_flights_t;
typedef struct rp_flight_row_t rp_flight_row_t;

/** Parent: make the memory. nchildren, nthreads: limits of the MPM. @return APR_SUCCESS, or what the system said: *out NULL */
apr_status_t rp_flights_create(rp_flights_t **out, apr_pool_t *pool, int nchildren, int nthreads) RP_WARN_UNUSED;
/** 1: the memory was made by code that had these same structures, for at least so many children. */
int rp_flights_fit(const rp_flights_t *all, int nchildren);

/** Child: a row of its own, or NULL: none is free. */
rp_flight_row_t *rp_flights_claim(rp_flights_t *all, pid_t pid);
/** Parent: a child is gone, and with it what it had under way. */
void rp_flights_child_gone(rp_flights_t *all, pid_t pid);

/** What the texts of an exchange say at its beginning; NULL is "". */
typedef struct rp_flight_words_t {
    const char *vhost, *balancer, *worker, *request;
} rp_flight_words_t;

/** An exchange begins. Never NULL: without a place it is only counted, and what is written to it goes nowhere. Any thread of the row's
 * process, as the next three. row NULL: it is not even counted. */
rp_flight_t *rp_flight_begin(rp_flight_row_t *row, apr_time_t now_us, const rp_flight_words_t *words, apr_uint32_t viewer);
/** It goes to this worker. */
void rp_flight_worker(rp_flight_t *flight, const char *worker, apr_uint32_t owner);
/** It does something else. */
static inline void rp_flight_step(rp_flight_t *flight, apr_uint32_t step)
{
    __atomic_store_n(&flight->step, step, __ATOMIC_RELAXED);
}
/** It ended; flight may belong to somebody else now. NULL is fine. */
void rp_flight_end(rp_flight_row_t *row, rp_flight_t *flight);

/** Called with a whole copy. */
typedef void rp_flight_fn_t(void *ctx, const rp_flight_t *flight, pid_t pid);
/** Tell of all exchanges of children that live. Any process. @return how many more there are without a place */
int rp_flights_read(const rp_flights_t *all, rp_flight_fn_t *tell, void *ctx);

#endif
