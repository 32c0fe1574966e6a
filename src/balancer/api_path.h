/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_path.h
 * What a request to the API names. Pure: libc and APR.
 */
#ifndef RP_BALANCER_API_PATH_H
#define RP_BALANCER_API_PATH_H

#include <apr_pools.h>
#include <apr_tables.h>

#define RP_API_ID_LEN 16 /**< hex digits of a member's id */
#define RP_API_NAME_MAX 255

typedef enum rp_api_resource_e {
    RP_API_NONE = 0,  /**< nothing of that name */
    RP_API_INDEX,     /**< /v1 */
    RP_API_BALANCERS, /**< /v1/balancers */
    RP_API_BALANCER,  /**< /v1/balancers/NAME */
    RP_API_MEMBERS,   /**< /v1/balancers/NAME/members */
    RP_API_MEMBER,    /**< /v1/balancers/NAME/members/ID */
    RP_API_DRAIN,     /**< /v1/balancers/NAME/members/ID/drain */
    RP_API_POOLS,     /**< /v1/pools */
    RP_API_LOOPS,     /**< /v1/loops */
    RP_API_HEALTH,    /**< /v1/health */
    RP_API_EVENTS,    /**< /v1/events */
    RP_API_IN_FLIGHT  /**< /v1/in-flight */
} rp_api_resource_e;

typedef struct rp_api_path_t {
    rp_api_resource_e resource;
    const char *balancer; /**< NAME, or NULL */
    const char *member;   /**< ID, or NULL */
} rp_api_path_t;

/** Methods that a resource has, for Allow: "GET, PATCH". */
const char *rp_api_resource_methods(rp_api_resource_e resource);

/** uri: the decoded path of a request. What stands before the first "/v1" that begins a resource is where the handler
 * is, and is not looked at. A '/' at the end is ignored. Strings from pool. */
rp_api_path_t rp_api_path_parse(apr_pool_t *pool, const char *uri);

/** Parameters of a query or of an urlencoded form: a table (names as written, values decoded, the last one of a name
 * counts), or NULL: malformed (a '%' without two hex digits, %00) or more than max parameters. NULL text is none. */
apr_table_t *rp_api_query_parse(apr_pool_t *pool, const char *text, int max);

/** The id of a member: RP_API_ID_LEN hex digits made of its URL; the same in every process and after every restart. */
const char *rp_api_member_id(apr_pool_t *pool, const char *url);

/** NULL, or a sentence why no member with this URL may be added at run time: another scheme than those that are spoken,
 * a socket, a user, a query, or no URL at all. */
const char *rp_api_member_url_refused(const char *url);

#endif
