/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine.h
 * The event engine as the rest of mod_rproxy sees it: client connections that a loop owns, and what a handler does when
 * its request runs on one. All of it is for the thread that runs the request, unless it says otherwise.
 */
#ifndef RP_ENGINE_ENGINE_H
#define RP_ENGINE_ENGINE_H

#include <httpd.h>

#include "exchange/exchange.h"
#include "upstream/endpoint.h"

/** RProxyEventLoop */
typedef enum rp_event_mode_e {
    RP_EVENT_UNSET = -1,
    RP_EVENT_OFF = 0,
    RP_EVENT_ON,
    RP_EVENT_AUTO
} rp_event_mode_e;

/** Where a request runs. */
typedef enum rp_lane_e {
    RP_LANE_UNSET = -1,
    RP_LANE_BLOCKING = 0, /**< on the thread of the MPM that read it */
    RP_LANE_INLINE,       /**< on the loop that owns its connection */
    RP_LANE_HANDOFF,      /**< on a helper, while a loop owns the connection */
    RP_LANE_AUTO          /**< by what modules and settings allow */
} rp_lane_e;
/** Its word in RProxyLane; never NULL. */
const char *rp_lane_str(rp_lane_e lane);

/** What the administrator chose for this process. */
typedef struct rp_engine_conf_t {
    rp_event_mode_e mode;
    int loops;            /**< RProxyEventThreads */
    int helpers;          /**< RProxyHandoffThreads */
    int unconfigured_max; /**< endpoints outside the configuration, per loop */
    rp_lane_e (*lane_of)(const server_rec *s); /**< RProxyLane of a server outside of sections */
    rp_child_stat_t *stat;/**< of this child: where connections and turns are counted; never NULL in a child */
    int (*needs_helper)(request_rec *r);       /**< 1: no hook of this request may run on a loop */
    void (*slow_call)(request_rec *r, apr_interval_time_t us); /**< the hooks of a request held the loop that long */
} rp_engine_conf_t;

/** A client connection that a loop owns; lives in the connection's pool. */
typedef struct rp_owned_t rp_owned_t;

/** What a handler leaves behind when it returns SUSPENDED: the loop steps the exchange and calls ended(). */
typedef struct rp_suspended_t {
    rp_exchange_t *ex;
    void *ctx;
    /** The exchange has ended with step. 1: it was pointed at another member, go on stepping; 0: *status is for httpd, as if the
     * handler had returned it. */
    int (*ended)(void *ctx, rp_step_e step, int *status);
    int eof_is_gone; /**< the end of the client's bytes means that it has left (else it may have closed its half only) */
} rp_suspended_t;

/** Register hooks and filters. */
void rp_engine_register_hooks(apr_pool_t *p);
/** Child: start loops when conf and the server allow. Why not is logged by the parent at startup. */
void rp_engine_child_init(apr_pool_t *pchild, server_rec *s, const rp_engine_conf_t *conf);
/** Parent, post_config: one line that says whether the loops run and why. HTTP_INTERNAL_SERVER_ERROR: RProxyEventLoop is on, and they can not. */
int rp_engine_announce(server_rec *s, const rp_engine_conf_t *conf);
/** NULL: this server and configuration can run the engine; else a sentence that says why not. Const text. */
const char *rp_engine_obstacle(void);

/** The owner when this request may wait on its loop: it runs on the loop's thread, is no subrequest and no internal redirect. Else NULL: block. */
rp_owned_t *rp_owned_inline(const request_rec *r);
/** The handler is about to return SUSPENDED: what to do then. The exchange is not stepped before httpd has left the request. */
void rp_owned_suspend(rp_owned_t *o, const rp_suspended_t *what);
/** The handler is about to return SUSPENDED: run the handlers of this request again on a helper, where they may block. */
void rp_owned_handoff(rp_owned_t *o);
/** The owner when this request, whose hooks ran on a helper, may go back to its loop to be handled there: first thing of its handlers, no
 * subrequest and no internal redirect, nothing of its body read. Else NULL. */
rp_owned_t *rp_owned_at_helper(const request_rec *r);
/** The handler is about to return SUSPENDED on a helper: run the handlers of this request on its loop. */
void rp_owned_handback(rp_owned_t *o);
/** 1: the request's hooks ran on a helper, and its handlers run on its loop. */
int rp_owned_was_handed_back(const rp_owned_t *o);
/** Of the loop that owns a client connection, or NULL. While the connection is cleaned up, too. */
rp_endpoints_t *rp_engine_endpoints(const conn_rec *c);
/** The loop's clock: when its turn began, or the last of its requests. Monotonic, microseconds; the loop's thread. */
apr_time_t rp_owned_now_us(const rp_owned_t *o);
/** Idle connections of the loop. */
rp_endpoints_t *rp_owned_endpoints(const rp_owned_t *o);
/** The loop's, for what does not outlive a step. */
rp_scratch_t *rp_owned_scratch(const rp_owned_t *o);
/** 1: bytes for the client are stuck here; tell the exchange to wait until it is writable. */
int rp_owned_backlog(const rp_owned_t *o);
/** Send the end of our bytes (FIN) behind those that are still here. */
void rp_owned_shutdown_write(rp_owned_t *o);

/** 1: nothing of this proxied request, whose filters are in place, is known to block: it may run inline. chosen: RProxyLane of its place. */
int rp_lane_inline_ok(const request_rec *r, rp_lane_e chosen);

/** A request on an owned connection was logged: it counts in the scoreboard, where neither loops nor helpers have a place of their own. Any thread. */
void rp_engine_count(const request_rec *r);
/** Lane that this request runs on, for logs. */
rp_lane_e rp_engine_lane(const request_rec *r);

#endif
