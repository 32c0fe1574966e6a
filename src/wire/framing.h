/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file framing.h
 * The one place that decides where a response body ends (RFC 9112 section 6.3). Unsure means:
 * reject.
 */
#ifndef RP_WIRE_FRAMING_H
#define RP_WIRE_FRAMING_H

#include "wire/h1_resp.h"

typedef enum rp_framing_e {
    RP_FRAMING_NONE = 0, /**< no body: HEAD, 204, 304, 1xx */
    RP_FRAMING_LENGTH,   /**< Content-Length bytes */
    RP_FRAMING_CHUNKED,  /**< chunked, exactly and only */
    RP_FRAMING_CLOSE,    /**< until the backend closes */
    RP_FRAMING_TUNNEL,   /**< 101 to a request that asked for an upgrade */
    RP_FRAMING_REJECT    /**< contradictory or not understood: 502 and close */
} rp_framing_e;

/** Why RP_FRAMING_REJECT. */
typedef enum rp_framing_err_e {
    RP_FRAMING_OK = 0,
    RP_FRAMING_TE_AND_CL,    /**< Transfer-Encoding with Content-Length */
    RP_FRAMING_CL_DIFFER,    /**< several Content-Lengths that differ (equal ones are one) */
    RP_FRAMING_CL_INVALID,   /**< not 1*DIGIT below 2^63 */
    RP_FRAMING_TE_UNKNOWN,   /**< anything but exactly one "chunked" */
    RP_FRAMING_TE_HTTP10,    /**< Transfer-Encoding in an HTTP/1.0 response */
    RP_FRAMING_TE_FORBIDDEN, /**< Transfer-Encoding in a 1xx or 204 (RFC 9112 6.1) */
    RP_FRAMING_101_UNASKED   /**< 101 although no upgrade was asked for */
} rp_framing_err_e;

const char *rp_framing_err_str(rp_framing_err_e err);

typedef struct rp_framing_t {
    rp_framing_e kind;
    rp_framing_err_e err; /**< with RP_FRAMING_REJECT */
    apr_int64_t length;   /**< with RP_FRAMING_LENGTH, and for RP_FRAMING_NONE what Content-Length
                             said, or -1 */
    int keepalive;        /**< 1: the connection may be used again once the body is read whole */
    apr_int32_t keepalive_timeout_s; /**< from `Keep-Alive: timeout=`, or -1 */
} rp_framing_t;

/**
 * Choose the framing of a response. What is wrong with the framing fields is refused in responses
 * without a body (HEAD, 204, 304, 1xx) too: they are never passed on. A 1xx or 204 that announces a
 * body has none, but its connection is not kept; nor is one that said HTTP/1.0, "close", or
 * something in Connection that is no list of tokens.
 * @param head_request  1 when the request was HEAD
 * @param upgrade_asked 1 when the request carried Connection: Upgrade
 */
void rp_framing_decide(rp_framing_t *out, const rp_h1_resp_t *resp, int head_request,
                       int upgrade_asked);

/** Parse 1*DIGIT, nothing else (no sign, no blank, no list). @return APR_SUCCESS or APR_EINVAL
 * (also above 2^63-1). */
apr_status_t rp_content_length_parse(const char *s, apr_size_t n, apr_int64_t *out) RP_WARN_UNUSED;

#endif
