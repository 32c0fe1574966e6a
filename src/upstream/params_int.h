/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file params_int.h
 * What the two tables share: the parser of a value and the merge, driven by rows.
 */
#ifndef RP_UPSTREAM_PARAMS_INT_H
#define RP_UPSTREAM_PARAMS_INT_H

#include "upstream/params.h"

#define RP_SEC_US 1000000
#define RP_MSEC_US 1000

/** One table and the struct it fills. */
typedef struct rp_param_table_t {
    const char *thing;            /**< "worker" or "balancer", for messages */
    const rp_param_row_t *rows;
    int nrows;                    /**< at most 64: one bit each in `written` */
    apr_size_t written_offset;    /**< of the apr_uint64_t in the params struct */
} rp_param_table_t;

extern const rp_param_table_t rp_worker_param_table;
extern const rp_param_table_t rp_balancer_param_table;

/** Row of a key, or NULL. */
const rp_param_row_t *rp_param_find(const rp_param_table_t *t, const char *key);

/** Apply key=value to params. other: the table a misplaced key may belong to. NULL or a sentence.
 */
const char *rp_param_set(apr_pool_t *pool, const rp_param_table_t *t, const rp_param_table_t *other,
                         void *params, const char *key, const char *value);

/** Members written in add win. */
void rp_param_merge(const rp_param_table_t *t, void *base, const void *add);

/** Parse a time: digits and an optional suffix (ms, s, mi, min, h, any case). unit_us: of a number
 * without one. APR_SUCCESS, or APR_EINVAL (not a time, or too large for 64 bits). */
apr_status_t rp_param_time_parse(const char *s, apr_int64_t unit_us,
                                 apr_int64_t *out_us) RP_WARN_UNUSED;

/** Store a checked value in the member of a row. NULL, or APR_EINVAL's cause is the row's range. */
apr_status_t rp_param_value_parse(apr_pool_t *pool, const rp_param_row_t *row, const char *value,
                                  void *member) RP_WARN_UNUSED;

/** The value between quotation marks, control characters and bytes over 126 as \xNN, cut after 64
 * bytes. */
const char *rp_param_quote(apr_pool_t *pool, const char *value);

#endif
