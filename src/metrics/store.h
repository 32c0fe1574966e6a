/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file store.h
 * Memory for the counters: one segment for each generation of children, anonymous and shared, with a row for each child and in it a
 * record for each worker. The parent makes it before it starts children; they inherit it. A child writes its own row alone; anybody
 * reads all rows. Counters of a row stay when its child is gone and the next one counts on; what says "now" is set to 0.
 *
 * After a graceful restart the children of the generation before go on counting in their segment: the new store reads it too,
 * matching workers by their labels. It must stay mapped, so a store lives in a pool of its own, not in that of a configuration.
 */
#ifndef RP_METRICS_STORE_H
#define RP_METRICS_STORE_H

#include "metrics/render.h"
#include "upstream/worker.h"

#define RP_STORE_BYTES_MAX 1073741824u /**< of one segment; what is never written takes no memory */
#define RP_STORE_GROWN_MAX 64 /**< workers that come at run time; what further ones do is not counted */
#define RP_STORE_OLDER_MAX 8 /**< generations that still end; what older ones count is lost */

typedef struct rp_store_t rp_store_t;

/** What is to be counted. */
typedef struct rp_target_t {
    rp_worker_t *worker;      /**< or NULL: it comes later, or never (nobody) */
    int nobody;               /**< a place for what no worker gets */
    const char *server, *balancer, *name; /**< as labels, not escaped */
} rp_target_t;

/** Parent: make the store of a new generation. targets: array of rp_target_t, copied. older: of the generation before, or NULL; it
 * belongs to the new store from now on, also after an error. nchildren: rows; fewer are made when they do not fit
 * RP_STORE_BYTES_MAX. @return APR_SUCCESS, or what the system said: *out NULL */
apr_status_t rp_store_create(rp_store_t **out, rp_store_t *older, const apr_array_header_t *targets,
                             int nchildren) RP_WARN_UNUSED;
/** Unmap it and the older ones. NULL is fine. */
void rp_store_destroy(rp_store_t *store);
/** 1: the memory at store was made by code that had these same structures. */
int rp_store_fits(const rp_store_t *store);

/** Child: a row of its own. pid: its own, to be told gone by. @return its number, or -1: none is free */
int rp_store_claim(rp_store_t *store, pid_t pid);
/** Record of a target by its place in the array, in a claimed row. */
rp_worker_stat_t *rp_store_stat(rp_store_t *store, int row, int target);
rp_child_stat_t *rp_store_child(rp_store_t *store, int row);
/** A worker that came at run time: its place, the same in all children. like: target (not a grown one) whose server and balancer it has.
 * It stays until the server stops, through restarts as long as there is a target with these. @return -1: there is no room, or its
 * name is too long. Any child, any thread. */
int rp_store_grow(rp_store_t *store, int like, const char *name);
/** The place of a record in a row, or -1: it is in none. */
int rp_store_target_of(const rp_store_t *store, int row, const rp_worker_stat_t *stat);
/** Tell of the record of a target in each child that lives, those of older generations too. */
typedef void rp_store_each_fn_t(void *ctx, pid_t pid, const rp_worker_stat_t *stat);
void rp_store_each(const rp_store_t *store, int target, rp_store_each_fn_t *tell, void *ctx);
/** The same of the children themselves. */
typedef void rp_store_child_fn_t(void *ctx, pid_t pid, const rp_child_stat_t *stat);
void rp_store_each_child(const rp_store_t *store, rp_store_child_fn_t *tell, void *ctx);
/** Parent: a child of any generation is gone. */
void rp_store_child_gone(rp_store_t *store, pid_t pid);

/** Sums at this moment; records from pool. Workers whose labels are equal are one record. version is borrowed.
 * @return by target, its record's place in page->workers, or -1 */
const int *rp_store_read(const rp_store_t *store, apr_pool_t *pool, const char *version, rp_metrics_page_t *page);

#endif
