/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file mapping_int.h
 * What the phases of the mapping hand to each other. Lives on r->request_config.
 */
#ifndef RP_MAPPING_MAPPING_INT_H
#define RP_MAPPING_MAPPING_INT_H

#include "mapping/mapping.h"
#include "mapping/target.h"

#define RP_HANDLER_NAME "proxy-server"

typedef struct rp_mapping_t {
    const rp_rule_t *rule; /**< rule that translated, while r->filename is still `filename` */
    const char *filename;  /**< r->filename as this module left it last */
    int noencode;          /**< this module set the note proxy-noencode */
    const char *seen;  /**< r->filename at map_to_storage: what is there later and differs was made
                          in fixups */
    rp_route_t *route; /**< NULL before fixups */
    void *attached;    /**< the handler's */
} rp_mapping_t;

/** The request's record, made when it has none. */
rp_mapping_t *rp_mapping_of(request_rec *r);

/** 1 when r->filename is a proxied URL. */
int rp_mapping_is_proxied(const request_rec *r);

/** Hook functions, registered by rp_mapping_register_hooks. */
int rp_translate_encoded(request_rec *r);
int rp_translate_decoded(request_rec *r);
int rp_section_walk(request_rec *r);
int rp_route_fixups(request_rec *r);

/** post_config: how does this httpd's mod_rewrite treat a per-directory [P]? */
int rp_route_post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

#endif
