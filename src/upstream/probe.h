/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file probe.h
 * What a probe of a backend is asked and what it answers: words between the balancer, which checks the health of its members, and
 * the core, which owns the connections (exchange/probe.h). And how a probe is called off.
 */
#ifndef RP_UPSTREAM_PROBE_H
#define RP_UPSTREAM_PROBE_H

#include <apr_tables.h>
#include <pthread.h>

#include "upstream/worker.h"

#define RP_PROBE_SLICE_US 250000 /**< how often a probe that waits looks whether it was called off */

/** Calls a probe off from another thread. rp_probe_cancel_init before use; belongs to who asks and outlives the probe. */
typedef struct rp_probe_cancel_t {
    pthread_mutex_t mutex;
    int cancelled;               /**< atomic */
    int fd;                      /**< socket that a handshake waits on, or -1; guarded by mutex */
} rp_probe_cancel_t;

void rp_probe_cancel_init(rp_probe_cancel_t *c);
/** Any thread; the probe ends within RP_PROBE_SLICE_US unless the system's resolver holds it. */
void rp_probe_cancel(rp_probe_cancel_t *c);
/** 1: it was called off. Any thread; c may be NULL. */
int rp_probe_cancelled(const rp_probe_cancel_t *c);
/** The probe's thread, around a handshake: the descriptor it waits on, -1 behind it. Not to be left set when the descriptor is closed,
 * as its number may be another one's then. c may be NULL. */
void rp_probe_cancel_expose(rp_probe_cancel_t *c, int fd);
void rp_probe_cancel_destroy(rp_probe_cancel_t *c);

/** What to ask whom; all borrowed until the probe is over. For rproxy_api_t.probe. */
typedef struct rp_probe_ask_t {
    const rp_worker_t *worker;       /**< whose URL, TLS settings, source address and limits apply */
    void *server;                    /**< server_rec * that defines it */
    const char *method;              /**< NULL: connect only, nothing is sent */
    const char *target;              /**< origin-form or "*" */
    const char *host;                /**< Host and, with TLS, the name of SNI and of the certificate; NULL: the worker's own */
    int http10;                      /**< HTTP/1.0 request line */
    apr_interval_time_t timeout_us;  /**< for all of it */
    apr_size_t body_max;             /**< bytes of the body that are read at most */
    rp_probe_cancel_t *cancel;       /**< or NULL */
} rp_probe_ask_t;

/** What came back, from the pool of the call. */
typedef struct rp_probe_result_t {
    int ok;                    /**< connected, and when something was asked the answer came whole (or as far as body_max) */
    int cancelled;             /**< called off: says nothing about the backend */
    int ours;                  /**< not ok for want of something on our side (descriptors, memory): says nothing about it either */
    const char *reason;        /**< not ok: why, a sentence without a full stop */
    int status;                /**< of the final answer, 0: none */
    apr_table_t *headers;      /**< fields of the final answer; empty without one */
    const char *body;          /**< NUL-terminated; NUL bytes in it are blanks here */
    apr_size_t body_len;
    int body_cut;              /**< there was more than body_max */
    char addr[64];             /**< printable address, "" while none was tried */
    apr_interval_time_t took_us;
} rp_probe_result_t;

#endif
