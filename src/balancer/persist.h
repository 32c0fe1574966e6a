/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file persist.h
 * The state file of BalancerPersist: rows of text with a checksum over all of them. Pure: text in, rows out, and the
 * reverse; and the two functions that put such a text on a disk and take it from there. libc and APR only.
 *
 *     rproxy-state 1
 *     r SCOPE BALANCER MEMBER KEY CONFIGURED VALUE
 *     end ROWS SHA1
 *
 * Fields have one blank between them; bytes other than visible ASCII, and '%', are %XX; "%" alone stands for an empty
 * field and "-" for one that is not there. What is not exactly so is refused as a whole: half a state is worse than
 * none.
 */
#ifndef RP_BALANCER_PERSIST_H
#define RP_BALANCER_PERSIST_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "wire/slice.h"

#define RP_PERSIST_BYTES_MAX (32 * 1024 * 1024) /**< of a file */
#define RP_PERSIST_ROWS_MAX 200000
#define RP_PERSIST_FIELD_MAX 1024               /**< bytes of one field, as it is in memory */

/** One value of a balancer or member. */
typedef struct rp_persist_row_t {
    const char *scope;      /**< which server defines the balancer */
    const char *balancer;   /**< "balancer://name" */
    const char *member;     /**< URL, or NULL: a value of the balancer itself */
    const char *key;
    const char *configured; /**< what the configuration said when the value was set; NULL: it says nothing of it */
    const char *value;
} rp_persist_row_t;

/** Rows (rp_persist_row_t) as the text of a file, from pool. APR_ENOSPC: a limit above is passed. Any thread. */
apr_status_t rp_persist_encode(apr_pool_t *pool, const apr_array_header_t *rows, const char **out,
                               apr_size_t *len) RP_WARN_UNUSED;

/** The reverse. rows: of rp_persist_row_t, all from pool. APR_EINVAL: refused; *why is a sentence for the log. Any
 * thread. */
apr_status_t rp_persist_decode(apr_pool_t *pool, const char *text, apr_size_t len, apr_array_header_t **rows,
                               const char **why) RP_WARN_UNUSED;

/**
 * Replace the file at path: written beside it, forced to the disk, renamed over it, and the folder forced to the disk
 * too. Whoever reads it, after whatever happened, finds the old text or this one. One writer at a time. Blocks on the
 * disk; never on a request's path. Errors are those of the system; the old file is then still there.
 */
apr_status_t rp_persist_write(apr_pool_t *pool, const char *path, const char *text, apr_size_t len) RP_WARN_UNUSED;

/** The text of the file, from pool. APR_ENOENT: there is none. APR_EACCES: it is no regular file of this user (or root)
 * that nobody else may write. APR_ENOSPC: larger than RP_PERSIST_BYTES_MAX. */
apr_status_t rp_persist_read(apr_pool_t *pool, const char *path, const char **text, apr_size_t *len) RP_WARN_UNUSED;

#endif
