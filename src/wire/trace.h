/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file trace.h
 * Names that let a request be found in the logs of all servers on its way: a request id (X-Request-Id, by convention) and traceparent
 * (W3C Trace Context, level 1, 3.2). Pure: random bytes come in.
 */
#ifndef RP_WIRE_TRACE_H
#define RP_WIRE_TRACE_H

#include <apr.h>

#define RP_REQUEST_ID_MAX 128    /**< bytes of an id that is taken over */
#define RP_REQUEST_ID_RANDOM 16  /**< bytes that an id is made of */
#define RP_REQUEST_ID_SIZE 37    /**< with NUL: a UUID, version 4 (RFC 9562 5.4) */
#define RP_TRACE_RANDOM 24       /**< bytes that a traceparent is made of */
#define RP_TRACE_SIZE 56         /**< with NUL */

/** 1 when a client's id may stay: 1 to RP_REQUEST_ID_MAX letters, digits and -._~+/=:@ */
int rp_request_id_ok(const char *id);
/** Make one. random: RP_REQUEST_ID_RANDOM bytes; out: RP_REQUEST_ID_SIZE. */
void rp_request_id_make(char *out, const unsigned char *random);

/** 1 when a value can be continued; a later version than 00 may have more behind its first four fields. */
int rp_traceparent_ok(const char *value);
/** Begin a trace. random: RP_TRACE_RANDOM bytes; out: RP_TRACE_SIZE; sampled: others should record it. */
void rp_traceparent_make(char *out, const unsigned char *random, int sampled);

#endif
