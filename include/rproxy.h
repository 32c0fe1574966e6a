/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rproxy.h
 * The only header that the three modules and third parties share: one versioned table of functions, fetched as an
 * optional function, and the hooks that the sister modules provide. Nothing here is called by symbol across modules.
 */
#ifndef RPROXY_H
#define RPROXY_H

#include <apr_optional.h>
#include <apr_tables.h>
#include <httpd.h>

#define RPROXY_VERSION_STRING "0.1.0"
#define RPROXY_API_VERSION 1

/** Functions of mod_rproxy. Fields are only ever appended; `version` says how many there are. */
typedef struct rproxy_api_t {
    int version;
    /** Value of ProxyPassInterpolateEnv in effect for this request. */
    int (*interpolate_env)(request_rec *r);
} rproxy_api_t;

/** mod_rproxy: the table, or NULL when version is newer than what this mod_rproxy has. */
APR_DECLARE_OPTIONAL_FN(const rproxy_api_t *, rproxy_api, (int version));

/** mod_rproxy_reverse: map the header fields in r->headers_out of a response that came from a backend (final responses only,
 * before ErrorDocument handling, after hop-by-hop fields are gone). Called for r->proxyreq == PROXYREQ_REVERSE. */
APR_DECLARE_OPTIONAL_FN(void, rproxy_reverse_headers, (request_rec *r));

/** mod_rproxy: URLs of the members of a balancer ("balancer://name", lower case) visible to this server, as configured; an
 * array of const char * from pool, or NULL when there is no such balancer. */
APR_DECLARE_OPTIONAL_FN(apr_array_header_t *, rproxy_balancer_members, (apr_pool_t *pool, server_rec *s, const char *name));

#endif
