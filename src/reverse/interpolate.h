/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file interpolate.h
 * `${NAME}` in the text of a directive, filled in for one request. Pure.
 */
#ifndef RP_REVERSE_INTERPOLATE_H
#define RP_REVERSE_INTERPOLATE_H

#include "reverse/reverse.h"

/** Value of a variable, or NULL when it has none (then empty). It must live as long as the pool of
 * the call. */
typedef const char *rp_variable_fn(void *baton, const char *name);

/**
 * Fill in each `${NAME}` once: what was filled in is not looked at again. "${" without '}' is
 * ordinary text.
 * @param forbidden bytes, besides control characters, that no variable may bring in (variables
 * often hold what a client sent); NULL: any byte may come
 * @param out the text; tmpl itself when it names no variable
 * @return APR_SUCCESS; APR_EINVAL with *err RP_REVERSE_TOO_LONG or RP_REVERSE_BAD_PUBLIC, and *out
 * NULL. Any thread.
 */
apr_status_t rp_interpolate(apr_pool_t *pool, const char *tmpl, rp_variable_fn *variable,
                            void *baton, const char *forbidden, const char **out,
                            rp_reverse_err_e *err) RP_WARN_UNUSED;

#endif
