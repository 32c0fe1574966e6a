/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file conf.h
 * What the directives of mod_rproxy_reverse say, per directory, and their effect on a request.
 * Everything here is glue; the strings are mapped in location.h and cookie.h.
 */
#ifndef RP_REVERSE_CONF_H
#define RP_REVERSE_CONF_H

#include <httpd.h>
#include <http_config.h>

#include "reverse/cookie.h"
#include "reverse/rule.h"
#include "rproxy.h"

/** One ProxyPassReverse, ProxyPassReverseCookieDomain or -Path line. Const once read. */
typedef struct rp_reverse_line_t {
    const char *internal;    /**< what the backend writes, as in the configuration */
    const char *public_text; /**< what the client shall see */
    int interpolate;         /**< 1: both may name variables */
    rp_reverse_rule_t rule;  /**< ProxyPassReverse: both sides as written, taken apart */
    rp_cookie_map_t cookie;  /**< the others: both sides as written */
    const char *defined_at;  /**< "file:line" */
} rp_reverse_line_t;

typedef struct rp_reverse_conf_t {
    apr_array_header_t
        *urls; /**< of const rp_reverse_line_t *: outer sections first, then in order of the file */
    apr_array_header_t *domains; /**< the same, ProxyPassReverseCookieDomain */
    apr_array_header_t *paths;   /**< the same, ProxyPassReverseCookiePath */
    apr_array_header_t *headers; /**< of const char *: RProxyReverseHeaders; NULL: not written */
} rp_reverse_conf_t;

/** What the sister modules offer; filled when the configuration was read, const afterwards. */
typedef struct rp_reverse_sisters_t {
    const rproxy_api_t *api; /**< mod_rproxy; not NULL while requests run */
    APR_OPTIONAL_FN_TYPE(rproxy_balancer_members) * members; /**< or NULL */
} rp_reverse_sisters_t;

void *rp_reverse_conf_create(apr_pool_t *p, char *dir);
void *rp_reverse_conf_merge(apr_pool_t *p, void *base, void *add);
extern const command_rec rp_reverse_directives[];

/** Log what the directives had to say while they were read from pconf. Once, when all was read. */
void rp_reverse_messages_log(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s,
                             const rp_reverse_sisters_t *sisters);

/**
 * Map the fields of r->headers_out. Values are replaced in place by ones from r->pool; a field that
 * can not be mapped is logged and stays. On the thread that owns the request.
 */
void rp_reverse_apply(request_rec *r, const rp_reverse_conf_t *conf,
                      const rp_reverse_sisters_t *sisters);

extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rproxy_reverse_module;

#endif
