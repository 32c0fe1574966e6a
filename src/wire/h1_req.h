/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file h1_req.h
 * Writer of request heads. It refuses to write what could be read as two requests: control
 * characters, bad names, a second framing header (RFC 9112 sections 3, 5, 6 and 11.2).
 */
#ifndef RP_WIRE_H1_REQ_H
#define RP_WIRE_H1_REQ_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "wire/slice.h"

typedef enum rp_req_framing_e {
    RP_REQ_NO_BODY = 0, /**< neither header */
    RP_REQ_LENGTH,      /**< Content-Length: length */
    RP_REQ_CHUNKED      /**< Transfer-Encoding: chunked */
} rp_req_framing_e;

typedef enum rp_req_conn_e {
    RP_REQ_CONN_KEEPALIVE = 0, /**< Connection: Keep-Alive */
    RP_REQ_CONN_CLOSE,         /**< Connection: close */
    RP_REQ_CONN_UPGRADE,       /**< Connection: Upgrade and Upgrade: upgrade */
    RP_REQ_CONN_NONE           /**< no Connection header (HTTP/1.0 mode) */
} rp_req_conn_e;

typedef struct rp_req_field_t {
    const char *name;    /**< NUL-terminated */
    const char *value;   /**< NUL-terminated */
    apr_size_t name_len; /**< strlen of name, or 0: not measured yet */
    int id;              /**< rp_hdr_id of name; only where name_len is not 0 */
} rp_req_field_t;

/** All that goes into a head. The caller has applied the header rules; fields must not hold Host,
 * Content-Length, Transfer-Encoding, Connection or Upgrade, nor Expect beside expect_100 (refused
 * with APR_EINVAL: these are written from the members below). No member may be NULL but fields with
 * nfields 0 and upgrade without RP_REQ_CONN_UPGRADE. */
typedef struct rp_req_head_t {
    const char *method;
    const char *target; /**< origin-form or "*" */
    const char
        *host;  /**< value of Host; required, may be "" only in HTTP/1.0 mode: no Host line then */
    int http10; /**< 1: HTTP/1.0 request line */
    const rp_req_field_t *fields;
    int nfields;
    rp_req_framing_e framing;
    apr_int64_t length; /**< with RP_REQ_LENGTH */
    int expect_100;     /**< write Expect: 100-continue */
    rp_req_conn_e conn;
    const char *upgrade; /**< with RP_REQ_CONN_UPGRADE */
} rp_req_head_t;

typedef enum rp_req_err_e {
    RP_REQ_OK = 0,
    RP_REQ_BAD_METHOD, /**< no token */
    RP_REQ_BAD_TARGET, /**< empty, or holds a control character or space */
    RP_REQ_BAD_HOST,
    RP_REQ_BAD_NAME,
    RP_REQ_BAD_VALUE,
    RP_REQ_OWN_FIELD,  /**< a field that only the writer may write */
    RP_REQ_TOO_LARGE,  /**< above RP_REQ_HEAD_MAX */
    RP_REQ_BAD_FRAMING /**< negative length, or chunked in HTTP/1.0 */
} rp_req_err_e;

#define RP_REQ_HEAD_MAX 1048576 /**< bytes */

const char *rp_req_err_str(rp_req_err_e err);

/**
 * Write the head into memory of pool: request line, Host first, fields in their order, framing,
 * Expect, Connection/Upgrade last, empty line.
 * @param out   the bytes, *out_len long (no terminator promised)
 * @param err   why, with APR_EINVAL
 * @param bad   with APR_EINVAL: index of the offending field, or -1
 */
apr_status_t rp_req_write(const rp_req_head_t *h, apr_pool_t *pool, const char **out,
                          apr_size_t *out_len, rp_req_err_e *err, int *bad) RP_WARN_UNUSED;

#endif
