/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pieces.h
 * A field value being put together from runs of bytes that others own. Nothing is copied before the
 * join, and the join knows the length beforehand. Pure.
 */
#ifndef RP_REVERSE_PIECES_H
#define RP_REVERSE_PIECES_H

#include "reverse/reverse.h"

typedef struct rp_pieces_t {
    apr_pool_t *pool;
    apr_array_header_t *slices; /**< of rp_slice_t */
    apr_size_t len;             /**< of all of them, bytes */
} rp_pieces_t;

/** Start with none. @param pool pays for the list and the joined text */
void rp_pieces_init(rp_pieces_t *pieces, apr_pool_t *pool);

/** Append p[0..n), which must live until the join. Empty runs are not kept. */
void rp_pieces_add(rp_pieces_t *pieces, const char *p, apr_size_t n);

/**
 * One NUL-terminated string from the pool.
 * @return APR_SUCCESS; APR_EINVAL with *err RP_REVERSE_TOO_LONG and *out NULL
 */
apr_status_t rp_pieces_join(const rp_pieces_t *pieces, const char **out,
                            rp_reverse_err_e *err) RP_WARN_UNUSED;

#endif
