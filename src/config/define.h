/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file define.h
 * Making, finding and setting workers and balancers while a configuration is read.
 */
#ifndef RP_CONFIG_DEFINE_H
#define RP_CONFIG_DEFINE_H

#include "config/conf_int.h"

/** A URL of the configuration, checked. */
typedef struct rp_dest_t {
    rp_url_t url;      /**< socket path made absolute */
    const char *name;  /**< normal form, "unix:/path|" in front for sockets */
    const char *text;  /**< normal form without the socket path */
} rp_dest_t;

/** Check the URL of a direct worker or a member. who: for the sentence, e.g. "ProxyPass". */
const char *rp_dest_parse(cmd_parms *cmd, const char *who, const char *url, rp_dest_t *out);

/** A URL as written, but the path of "unix:path|" made absolute (below DefaultRuntimeDir). */
const char *rp_socket_absolute(cmd_parms *cmd, const char *url);

/** Words of a directive's arguments, quotes removed; from cmd->pool. */
apr_array_header_t *rp_words(cmd_parms *cmd, const char *args);

/** Words from first on as parameters (rp_keyvalue_t); NULL or a sentence. */
const char *rp_words_params(cmd_parms *cmd, const apr_array_header_t *words, int first,
                            apr_array_header_t **params);

/**
 * The worker of a ProxyPass line. Without parameters an earlier worker whose URL is a prefix is
 * shared. With parameters the line gets its own, which starts from those of the worker it would
 * have shared.
 */
const char *rp_worker_define(cmd_parms *cmd, const char *who, const rp_dest_t *dest,
                             const apr_array_header_t *params, rp_worker_t **out);

/** A worker for the destinations of one rule whose host varies: dest is a name for them only. */
const char *rp_worker_any(cmd_parms *cmd, const char *who, const rp_dest_t *dest,
                          const apr_array_header_t *params, rp_rule_t *rule);

/** Set parameters on every worker of exactly this URL; *found says how many there are. */
const char *rp_worker_apply(cmd_parms *cmd, const char *who, apr_array_header_t *workers,
                            const char *name, const apr_array_header_t *params, int *found);

/** Set parameters on one worker. */
const char *rp_worker_params_apply(cmd_parms *cmd, const char *who, rp_worker_params_t *set,
                                   const apr_array_header_t *params);

/** The balancer of a name in lower case; made when make is 1, else NULL when there is none. */
rp_balancer_conf_t *rp_balancer_get(cmd_parms *cmd, const char *name, int make);

/** Set parameters on a balancer. */
const char *rp_balancer_apply(cmd_parms *cmd, const char *who, rp_balancer_conf_t *balancer,
                              const apr_array_header_t *params);

/** Add a member to a balancer, or set parameters on the one of the same URL. */
const char *rp_member_define(cmd_parms *cmd, rp_balancer_conf_t *balancer, const char *url,
                             const apr_array_header_t *params);

/**
 * A member that is added while the server runs: judged and made as rp_member_define would. See
 * rproxy_api_t; any thread.
 */
rp_worker_t *rp_member_make(apr_pool_t *pool, const void *balancer, const char *url, int flags,
                            const char **why);
/** What it needs in a child; see rproxy_api_t. */
apr_status_t rp_member_ready(rp_worker_t *worker, apr_pool_t *pool);

#endif
