/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file mapping.h
 * From a request to a destination: ProxyPass rules (translate), `<Proxy>` sections (map_to_storage), canonical URL (fixups).
 * Result: r->filename = "proxy:URL" in canonical form, r->handler = "proxy-server", r->proxyreq = PROXYREQ_REVERSE, and an
 * rp_route_t on the request.
 */
#ifndef RP_MAPPING_MAPPING_H
#define RP_MAPPING_MAPPING_H

#include "config/conf.h"

/** Where a request goes; lives in r->pool, found by rp_route_of. Filled by fixups. */
typedef struct rp_route_t {
    const rp_rule_t *rule;     /**< the ProxyPass line, or NULL ([P], SetHandler) */
    rp_worker_t *worker;       /**< configured worker, or NULL (a balancer, or a destination outside the configuration) */
    const char *balancer;      /**< "balancer://name", or NULL */
    rp_url_t url;              /**< canonical destination; for balancers: host is the balancer's name */
    const char *target;        /**< path and query for the request line, as it goes on the wire; checked by rp_target_ok */
} rp_route_t;

rp_route_t *rp_route_of(request_rec *r);

/** Hooks pre_translate_name, translate_name (both after mod_rewrite), map_to_storage, fixups (after mod_rewrite). */
void rp_mapping_register_hooks(apr_pool_t *p);

/**
 * For the handler, when fixups did not see the URL (SetHandler "proxy:URL", or a filename set later): make the route now.
 * @return OK, or an HTTP status
 */
int rp_route_make(request_rec *r, const char *url, rp_route_t **out);

#endif
