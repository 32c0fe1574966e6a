/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cookie.h
 * The Domain and Path attributes of a Set-Cookie field (RFC 6265 4.1, read as browsers read
 * it: 5.2). Pure.
 */
#ifndef RP_REVERSE_COOKIE_H
#define RP_REVERSE_COOKIE_H

#include "reverse/reverse.h"

/** One ProxyPassReverseCookieDomain or ProxyPassReverseCookiePath line. */
typedef struct rp_cookie_map_t {
    const char *internal;     /**< what the backend writes; empty matches nothing */
    const char *public_value; /**< what the client shall see instead of the whole attribute value */
} rp_cookie_map_t;

/**
 * Replace the values of Domain and Path attributes. The first line of its kind that matches
 * decides; each occurrence of an attribute is mapped, so whichever of them counts has a mapped
 * value. A domain matches when it is the same but for case and one leading dot (a line that is the
 * same with its dot goes first); a path when it is the same or below it. Quotes around a value
 * stay. The cookie's own name and value are never touched, whatever they are called.
 * @param domains, paths arrays of const rp_cookie_map_t *; may be empty
 * @param value the field, NUL-terminated
 * @param out   the new value from pool, or NULL
 * @return APR_SUCCESS; APR_NOTFOUND when it stays as it is; APR_EINVAL with *err. Any thread.
 */
apr_status_t rp_cookie_map(apr_pool_t *pool, const apr_array_header_t *domains,
                           const apr_array_header_t *paths, const char *value, const char **out,
                           rp_reverse_err_e *err) RP_WARN_UNUSED;

#endif
