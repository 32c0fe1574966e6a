/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file attempt.h
 * What one try to get an answer from a backend was like. Filled from the first step on; logs, the balancer and metrics read it.
 */
#ifndef RP_EXCHANGE_ATTEMPT_H
#define RP_EXCHANGE_ATTEMPT_H

#include <apr_time.h>

#include "exchange/failure.h"
#include "upstream/endpoint.h"

typedef struct rp_attempt_t {
    const rp_worker_t *worker;
    char addr[64];              /**< printable address, "" while none was tried */
    int local_port;             /**< of the backend connection, 0 when unknown */
    int waited;                 /**< 1: for a permit of the worker */
    int reused;                 /**< 1: on a connection that had served a request before */
    apr_time_t start_us;        /**< monotonic; the others too, 0 = did not happen */
    apr_time_t taken_us;        /**< a place for the connection, or an idle one, was there */
    apr_time_t connected_us;    /**< connection (with TLS) ready */
    apr_time_t sent_us;         /**< last byte of the request handed over */
    apr_time_t first_byte_us;   /**< first byte of the response read */
    apr_time_t end_us;
    apr_off_t sent;             /**< request bytes handed to the socket */
    apr_off_t received;         /**< response bytes read */
    int status;                 /**< of the final response, 0 = none */
    rp_reason_e reason;         /**< RP_FAIL_NONE: ended well */
    rp_refuse_e refused;        /**< why the connection was not kept */
    apr_status_t os_error;      /**< with a reason from the system */
} rp_attempt_t;

#endif
