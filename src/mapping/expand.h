/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file expand.h
 * Fill in the variable parts of a rule's target: `$0`..`$9` (what the regular expression captured,
 * that is the client's text) and `${NAME}` (request environment). One pass: text that was filled in
 * is never looked at again. It is remembered which bytes came from the client, so that these can be
 * kept out of places that only the configuration may decide. Pure: libc and APR only.
 */
#ifndef RP_MAPPING_EXPAND_H
#define RP_MAPPING_EXPAND_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "wire/slice.h"

#define RP_CAPTURES         10    /**< $0..$9 */
#define RP_EXPAND_MAX       65536 /**< longest expanded text, bytes */
#define RP_EXPAND_SPANS_MAX 32    /**< most references and variables in one target */

/** Why a rule could not be applied. */
typedef enum rp_map_err_e {
    RP_MAP_OK = 0,
    RP_MAP_TOO_LONG,      /**< expanded text over RP_EXPAND_MAX */
    RP_MAP_TOO_MANY_REFS, /**< more than RP_EXPAND_SPANS_MAX references */
    RP_MAP_NO_SLASH,      /**< the rest of the path would run into host or port */
    RP_MAP_CLIENT_HOST, /**< captured text prolongs the configured host, or has '@' and the like */
    RP_MAP_CLIENT_SOCKET, /**< filled in text leaves its place in a unix socket's path */
    RP_MAP_CLIENT_SCHEME  /**< captured text makes up a scheme other than http, https, ws, wss */
} rp_map_err_e;

/** A sentence fragment: "is longer than 65536 bytes when filled in" ... */
const char *rp_map_err_str(rp_map_err_e err);

/** A capture as offsets into the subject; start < 0: took no part. */
typedef struct rp_capture_t {
    int start, end;
} rp_capture_t;

/** Value of a variable, or NULL (taken as empty). The result must live as long as the call. */
typedef const char *rp_lookup_fn(void *baton, const char *name);

/** What to fill in. */
typedef struct rp_expand_t {
    const char *subject;          /**< text that the regular expression matched */
    const rp_capture_t *captures; /**< RP_CAPTURES; or NULL: "$n" and '\' are ordinary text */
    rp_lookup_fn *lookup;         /**< or NULL: "${NAME}" is ordinary text */
    void *baton;
} rp_expand_t;

/** Bytes [start, end) of the expanded text that were filled in. */
typedef struct rp_span_t {
    apr_size_t start, end;
    int captured; /**< 1: from the client's URL; 0: from a variable */
} rp_span_t;

typedef struct rp_expansion_t {
    const char *text; /**< NUL-terminated, from the pool */
    apr_size_t len;
    int refs; /**< how many "$n" the template has, empty ones too */
    int nspans;
    rp_span_t spans[RP_EXPAND_SPANS_MAX];
} rp_expansion_t;

/**
 * Expand tmpl. With captures a backslash makes the next byte ordinary. "${" without '}' is ordinary
 * text.
 * @param pool pays for the text
 * @return APR_SUCCESS; APR_EINVAL with *err set. Any thread.
 */
apr_status_t rp_expand(apr_pool_t *pool, const char *tmpl, const rp_expand_t *in,
                       rp_expansion_t *out, rp_map_err_e *err) RP_WARN_UNUSED;

/**
 * Keep the client's text where the template put it. Captured text may be a host, a label of one or
 * a whole port (`http://$1/`, `http://www.$1.example/`, `http://h:$1/`), but it must not carry '@'
 * or other bytes no host has, must not prolong a configured host or port (`http://h$1`,
 * `http://h:81$1`: there it is empty or starts with '/'), must not end a socket's path nor climb in
 * it, and must not make up a scheme beyond plain HTTP. A variable's value is the administrator's
 * but for the socket: there it is checked in the same way.
 * @param tmpl the template that gave ex
 * @return RP_MAP_OK or what is wrong
 */
rp_map_err_e rp_expansion_check(const char *tmpl, const rp_expansion_t *ex);

#endif
