/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file settings.h
 * What of a balancer and of a member can be changed while the server runs: one row for each, with its key as in the configuration.
 * Filling slots from parameters, comparing, copying and naming single settings go by these rows. Pure.
 */
#ifndef RP_BALANCER_SETTINGS_H
#define RP_BALANCER_SETTINGS_H

#include <apr_pools.h>

#include "balancer/layout.h"
#include "upstream/params.h"

typedef enum rp_setting_kind_e {
    RP_SETTING_INT = 0, RP_SETTING_X100, RP_SETTING_TIME, RP_SETTING_SWITCH, RP_SETTING_CHAR, RP_SETTING_TEXT, RP_SETTING_CODES
} rp_setting_kind_e;

typedef struct rp_setting_t {
    const char *key;             /**< as in the configuration: "loadfactor" */
    int field;                   /**< rp_member_field_e or rp_balancer_field_e */
    rp_setting_kind_e kind;
    apr_size_t offset, size;     /**< in the settings struct */
} rp_setting_t;

/** The rows, *n of them; static. */
const rp_setting_t *rp_member_setting_rows(int *n);
const rp_setting_t *rp_balancer_setting_rows(int *n);

/** The row of a key (case does not matter), or NULL: not changed at run time. */
const rp_setting_t *rp_member_setting(const char *key);
const rp_setting_t *rp_balancer_setting(const char *key);

/** What the parameters of a configuration say; out is zeroed first. params: with their defaults. */
void rp_member_settings_fill(rp_member_settings_t *out, const rp_worker_params_t *params, const char *url);
void rp_balancer_settings_fill(rp_balancer_settings_t *out, const rp_balancer_params_t *params);

/** Status of a member by its parameters. */
unsigned rp_member_status_fill(const rp_worker_params_t *params);

/** One setting of two structs of the same kind. */
int rp_setting_equal(const rp_setting_t *row, const void *a, const void *b);
void rp_setting_copy(const rp_setting_t *row, void *to, const void *from);
apr_uint32_t rp_setting_hash(const rp_setting_t *row, const void *settings);

/** Its value as text, "3.00", "On", "none"; from pool. */
const char *rp_setting_str(apr_pool_t *pool, const rp_setting_t *row, const void *settings);

/** Text into a field of size bytes: cut, and zeros behind it. */
void rp_setting_text(char *to, apr_size_t size, const char *text);

#endif
