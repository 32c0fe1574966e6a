/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file late.h
 * What children of earlier generations count after the restart. They go on in their own segment, which is gone from the main process when its
 * configuration goes; so that process maps it a second time and keeps that, and what is counted there is moved to the same members of the running
 * generation: whenever a child ends, and before somebody looks.
 */
#ifndef RP_BALANCER_LATE_H
#define RP_BALANCER_LATE_H

#include "balancer/shared.h"

#define RP_LATE_MAX 8 /**< generations that still end; what older ones count is lost */

/** Parent, the end of a generation, rp_keep_store is done: mem is the segment of the balancers (of rp_balancer_t *). What was kept of their
 * counters is noted beside them, so that all that they have above it is late; they themselves go on, as children of that generation show them. */
void rp_late_keep(apr_pool_t *process_pool, void *mem, apr_size_t size, const rp_shm_map_t *map, const apr_array_header_t *balancers);

/** Parent, the next generation's members are what they will be: find for each old one where it goes on. forgotten: balancers that take nothing
 * over. Segments that no child uses any more are unmapped. */
void rp_late_aim(apr_pool_t *process_pool, const apr_array_header_t *balancers, int (*forgotten)(const rp_balancer_t *b));

/** Any process: move what was counted. Several may do so at once. */
void rp_late_collect(void);

#endif
