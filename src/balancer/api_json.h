/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_json.h
 * JSON of the API: views in, text out; bodies in, wishes out. Pure: libc, APR and jansson.
 */
#ifndef RP_BALANCER_API_JSON_H
#define RP_BALANCER_API_JSON_H

#include <jansson.h>

#include "balancer/api_view.h"

#define RP_API_BODY_MAX 65536    /**< bytes of a request body */
#define RP_API_DRAIN_MAX 604800  /**< seconds: a week */

/* Each makes a new value that the caller owns (rp_json_text frees it). Text that is no UTF-8 is shown with \xNN in
 * place of its bytes. */
json_t *rp_json_balancers(const rp_show_t *show);
json_t *rp_json_balancer(const rp_show_t *show, const rp_show_balancer_t *b);
json_t *rp_json_members(const rp_show_t *show, const rp_show_balancer_t *b);
json_t *rp_json_member(const rp_show_t *show, const rp_show_balancer_t *b, const rp_show_member_t *m);
json_t *rp_json_health(const rp_show_t *show);
/** after: only events with higher numbers. */
json_t *rp_json_events(const rp_show_t *show, apr_uint64_t after);
json_t *rp_json_flights(const rp_show_t *show);
json_t *rp_json_index(const rp_show_t *show);
json_t *rp_json_error(int status, const char *code, const rp_field_error_t *error);

/** Add what `changes` (of rp_change_t) would set or have set, compared with fields: "changes": [{field, from, to,
 * origin}]. */
void rp_json_add_changes(apr_pool_t *pool, json_t *to, const apr_array_header_t *changes,
                         const rp_show_value_t *fields);

/** As text from pool, with a newline behind it; value is freed. NULL: no memory. */
const char *rp_json_text(apr_pool_t *pool, json_t *value);

/** What a body asks for. */
typedef struct rp_api_wish_t {
    apr_array_header_t *changes; /**< of rp_change_t */
    const char *url;             /**< POST of a member: "url" */
    int deadline_s;              /**< drain: -1 none */
    const char *then;            /**< drain: "stopped", "disabled" or "removed" */
    const char *reason;          /**< for log and events, or NULL */
} rp_api_wish_t;

typedef enum rp_api_body_e {
    RP_BODY_BALANCER = 0,        /**< fields of a balancer */
    RP_BODY_MEMBER,              /**< fields of a member */
    RP_BODY_NEW_MEMBER,          /**< those and "url" */
    RP_BODY_DRAIN                /**< "deadline_s", "then" */
} rp_api_body_e;

/** Read a body of n bytes. 0: *error says what is wrong; nothing of the body counts then. Strings from pool. */
int rp_json_wish(apr_pool_t *pool, rp_api_body_e kind, const char *body, apr_size_t n, rp_api_wish_t *out,
                 rp_field_error_t *error);

#endif
