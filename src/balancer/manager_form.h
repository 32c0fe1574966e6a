/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manager_form.h
 * What a form of the manager asks for. Pure: libc and APR.
 */
#ifndef RP_BALANCER_MANAGER_FORM_H
#define RP_BALANCER_MANAGER_FORM_H

#include "balancer/api_view.h"

#define RP_FORM_BYTES_MAX 65536
#define RP_FORM_FIELDS_MAX 64

/** What was asked, and what of it can not be. */
typedef struct rp_form_t {
    apr_array_header_t *changes; /**< of rp_change_t: those that differ from what is */
    apr_array_header_t *wrong;   /**< of const char *: sentences about values that count for nothing */
} rp_form_t;

/** Read the fields of a member (m) or balancer (m NULL) from the parameters. A number without a value is left as it is.
 */
rp_form_t rp_form_read(apr_pool_t *pool, const apr_table_t *params, const rp_show_balancer_t *b,
                       const rp_show_member_t *m);

/** What of it drops traffic, as sentences (of const char *), or NULL: nothing. */
apr_array_header_t *rp_form_drops(apr_pool_t *pool, const rp_form_t *form, const rp_show_member_t *m);

/** 1: the Referer names this host, whatever its port. Letters of either case; NULL is no host. */
int rp_form_referer_ok(apr_pool_t *pool, const char *referer, const char *host);

/** 1: the nonce is that of the balancer, which has one. Takes the same time wherever they differ. */
int rp_form_nonce_ok(const char *given, const char *nonce);

#endif
