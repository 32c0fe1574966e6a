/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file mapping.h
 * From a request to a destination: ProxyPass rules (translate), `<Proxy>` sections
 * (map_to_storage), canonical URL (fixups). Result: r->filename = "proxy:URL" in canonical form,
 * r->handler = "proxy-server", r->proxyreq = PROXYREQ_REVERSE, and an rp_route_t on the request.
 */
#ifndef RP_MAPPING_MAPPING_H
#define RP_MAPPING_MAPPING_H

#include "config/conf.h"

/** Where a request goes; lives in r->pool. */
typedef struct rp_route_t {
    const rp_rule_t *rule; /**< the ProxyPass line, or NULL ([P], SetHandler) */
    rp_worker_t *worker;  /**< configured worker, or NULL (balancer, or not in the configuration) */
    const char *balancer; /**< "balancer://name", lower case, or NULL */
    rp_url_t url;         /**< canonical destination; for balancers: host is the balancer's name */
    const char *target;   /**< path and query as they go on the wire; rp_target_ok */
} rp_route_t;

/**
 * The route that fixups or rp_route_make made, while r->filename is still what they left there.
 * @return NULL when there is none. The request's thread.
 */
rp_route_t *rp_route_of(request_rec *r);

/**
 * What the rule's line alone decides about its destinations, so that no request needs to find it
 * out again. Call it when the rule is complete.
 * @param pool the configuration's
 * @return NULL when a request has a say in it (`$1` or `${NAME}` before the path), or the URL is
 *         faulty
 */
const struct rp_base_t *rp_rule_base(apr_pool_t *pool, const rp_rule_t *rule);

/** Remember the handler's record of a request, for those who come when it was answered. NULL until then. */
void rp_mapping_attach(request_rec *r, void *record);
void *rp_mapping_attached(const request_rec *r);

/** Hooks: pre_translate_name, translate_name and fixups behind mod_rewrite, map_to_storage, and
 * post_config. */
void rp_mapping_register_hooks(apr_pool_t *p);

/**
 * For the handler, when fixups did not see the URL: SetHandler "proxy:URL", a result that mod_dir
 * moved here from a subrequest, or a filename set later. Sets r->filename to the canonical URL, and
 * r->proxyreq for SetHandler, whose URL is the handler's text with the file name behind it.
 * @param out in r->pool; NULL when refused
 * @return OK, or an HTTP status; the reason is in the error log
 */
int rp_route_make(request_rec *r, rp_route_t **out);

#endif
