/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file location.h
 * Header fields whose value is a URL (Location, Content-Location, URI, Destination), or holds some
 * (Refresh, Link): what names the backend is made to name the proxy. Pure.
 */
#ifndef RP_REVERSE_LOCATION_H
#define RP_REVERSE_LOCATION_H

#include "reverse/pieces.h"
#include "reverse/rule.h"

/** Make an absolute URL of a path on this server; from pool. path starts with '/'. */
typedef const char *rp_reverse_absolute_fn(void *baton, apr_pool_t *pool, const char *path);

/** What a value is mapped with. */
typedef struct rp_reverse_map_t {
    const apr_array_header_t *rules; /**< of rp_reverse_rule_t *; the first that matches decides */
    rp_reverse_absolute_fn *absolute;
    void *baton;
} rp_reverse_map_t;

/** How the value of a field is read. */
typedef enum rp_reverse_kind_e {
    RP_REVERSE_KIND_URL = 0, /**< all of it is one URL reference */
    RP_REVERSE_KIND_REFRESH, /**< `5; url=URL` */
    RP_REVERSE_KIND_LINK     /**< `<URL>; rel=x, <URL>; rel=y` (RFC 8288) */
} rp_reverse_kind_e;

const char *rp_reverse_kind_str(rp_reverse_kind_e kind);

/** By the name of the field, in any case. */
rp_reverse_kind_e rp_reverse_kind_of(const char *name);

/**
 * Map one URL reference. Between the public side and what follows the matched part there is exactly
 * one '/': one of two is dropped unless the real side ends with '/' itself, a missing one is put
 * in. What follows is not changed otherwise.
 * @param pool pays for the result and for parsing
 * @param text text[0..n), need not be NUL-terminated
 * @param out  the absolute URL instead, or NULL
 * @return APR_SUCCESS; APR_NOTFOUND when it stays as it is; APR_EINVAL with *err. Any thread.
 */
apr_status_t rp_location_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *text,
                             apr_size_t n, const char **out, rp_reverse_err_e *err) RP_WARN_UNUSED;

/** The URL in a Refresh field, read as browsers read it (HTML, "shared declarative refresh steps").
 * Results as above. */
apr_status_t rp_refresh_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *value,
                            const char **out, rp_reverse_err_e *err) RP_WARN_UNUSED;

/** The targets of a Link field; its parameters stay (RFC 8288 3). From malformed text on it stays
 * as it is. */
apr_status_t rp_link_map(apr_pool_t *pool, const rp_reverse_map_t *map, const char *value,
                         const char **out, rp_reverse_err_e *err) RP_WARN_UNUSED;

/** Map a field's value as its kind asks. */
apr_status_t rp_reverse_map(apr_pool_t *pool, const rp_reverse_map_t *map, rp_reverse_kind_e kind,
                            const char *value, const char **out,
                            rp_reverse_err_e *err) RP_WARN_UNUSED;

#endif
