/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file target.h
 * What the URL of a configuration line says before it is taken apart: which protocol, is it a
 * balancer, which part varies from request to request. Pure: libc + APR only.
 */
#ifndef RP_CONFIG_TARGET_H
#define RP_CONFIG_TARGET_H

#include <apr_pools.h>

#define RP_BALANCER_NAME_MAX 95 /**< longest "balancer://name" */

/** What kind of destination a URL names. */
typedef enum rp_target_e {
    RP_TARGET_DIRECT = 0, /**< http, https, ws, wss */
    RP_TARGET_BALANCER,   /**< balancer://name */
    RP_TARGET_UNSPOKEN,   /**< a protocol that mod_proxy has a module for and this one has not */
    RP_TARGET_UNKNOWN     /**< no scheme, or one that nobody knows */
} rp_target_e;

/** Protocols for messages. */
#define RP_TARGET_SPOKEN "http, https, ws, wss and balancer"

/**
 * The kind of a URL; a `unix:/path|` in front is skipped.
 * @param scheme  the scheme in lower case (at most 15 bytes), "" when there is none; may be NULL
 */
rp_target_e rp_target_kind(apr_pool_t *pool, const char *url, const char **scheme);

/** Which part of a URL is not fixed. */
typedef enum rp_varies_e {
    RP_VARIES_NOTHING = 0,
    RP_VARIES_PATH,      /**< behind scheme, host and port */
    RP_VARIES_AUTHORITY  /**< socket path, scheme, host, port, or directly behind the port */
} rp_varies_e;

/**
 * Where a URL varies first.
 * @param groups     "$0" to "$9" stand for what a regular expression matched; "\$" does not
 * @param variables  "${NAME}" stands for an environment variable
 * @param fixed      how many bytes in front are literal (all, when nothing varies)
 */
rp_varies_e rp_target_varies(const char *url, int groups, int variables, apr_size_t *fixed);

/**
 * Take "balancer://Name/path" apart.
 * @param name  "balancer://name" in lower case, from pool
 * @param rest  what follows the name, within url
 * @return NULL, or a sentence fragment: "has no name"
 */
const char *rp_target_balancer(apr_pool_t *pool, const char *url, const char **name,
                               const char **rest);

/** 1 when a pattern has wildcards for fnmatch. The brackets of an IPv6 address in a URL are none.
 * @param pattern  url for fnmatch: those brackets escaped; from pool, or url itself */
int rp_target_wild(apr_pool_t *pool, const char *url, const char **pattern);

#endif
