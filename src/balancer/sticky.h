/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sticky.h
 * Finding the route of a session: in the URL (path or query parameter), then in a cookie. Names match at boundaries. Pure.
 */
#ifndef RP_BALANCER_STICKY_H
#define RP_BALANCER_STICKY_H

#include <apr_pools.h>

/** How sessions are recognised: `stickysession=COOKIE|PARAM`, separator, path delimiter. */
typedef struct rp_sticky_t {
    const char *cookie;   /**< name of the cookie */
    const char *param;    /**< name of the URL parameter; the same as cookie when one name was written */
    int sep;              /**< separator before the route; 0: the whole value is the route */
    int semicolon_ends;   /**< scolonpathdelim: ';' ends a value in the path */
} rp_sticky_t;

/** Take `A|B` or `A` apart. */
void rp_sticky_parse(rp_sticky_t *out, apr_pool_t *pool, const char *stickysession);

/**
 * The route in a URL and in Cookie header values.
 * @param url     path and query as they go to the backend
 * @param cookie  value of the Cookie header, or NULL
 * @param name    set to the name that hit
 * @return route text from pool, or NULL: no session
 */
const char *rp_sticky_route(const rp_sticky_t *s, apr_pool_t *pool, const char *url, const char *cookie, const char **name);

#endif
