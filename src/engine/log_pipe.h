/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log_pipe.h
 * Pipes to log programs, written without waiting. A line that a pipe does not take goes into memory, behind those that wait there
 * already, and a thread of the child writes it when the program reads on. What waits is limited; lines beyond that are lost, counted and told.
 *
 * The pipe itself must stay one that waits: its open file is shared with httpd's parent and all children. So each pipe is opened a second time,
 * by which the kernel gives it flags of its own.
 */
#ifndef RP_ENGINE_LOG_PIPE_H
#define RP_ENGINE_LOG_PIPE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "upstream/stat.h"
#include "wire/slice.h"

#define RP_LOG_STALL_US 5000000   /**< a program that took nothing for so long, while lines wait, is told of */
#define RP_LOG_REPORT_US 10000000 /**< lines lost are told of at once, then once in so long */

typedef struct rp_log_pipes_t rp_log_pipes_t;
typedef struct rp_log_pipe_t rp_log_pipe_t;

/** What there is to tell of a pipe. */
typedef enum rp_log_event_e {
    RP_LOG_STALLED = 0, /**< n bytes wait, and the program took nothing for RP_LOG_STALL_US */
    RP_LOG_LOST,        /**< n lines were lost because the limit of what may wait was reached */
    RP_LOG_BROKEN,      /**< n lines that waited were lost because the pipe can not be written (rv) */
    RP_LOG_GIVEN_UP     /**< n lines that still waited at the end were lost */
} rp_log_event_e;

/** Called by the thread that writes, which holds no lock: it may block. name: as given to rp_log_pipes_add. */
typedef void rp_log_report_fn(void *ctx, const char *name, rp_log_event_e event, apr_uint64_t n, apr_status_t rv);

typedef struct rp_log_pipes_conf_t {
    apr_size_t limit;        /**< bytes that may wait for each pipe */
    rp_child_stat_t *stat;   /**< lines that waited and that were lost are counted here; outlives the pipes */
    rp_log_report_fn *report;
    void *ctx;
} rp_log_pipes_conf_t;

/** The pipe whose writing end is fd by an open file of its own, which does not wait; fd stays the caller's, *own is his, too. Any thread; as a user who
 * may open it: who made it. Another program that is started does not get it.
 * @return APR_SUCCESS, or why it can not be opened a second time (no /proc) */
apr_status_t rp_log_pipe_open_again(int fd, int *own) RP_WARN_UNUSED;

/** No pipes yet; they are closed with the pool. */
rp_log_pipes_t *rp_log_pipes_create(apr_pool_t *pool);
/** A pipe whose writing end is fd, which stays the caller's. Before rp_log_pipes_start. name is borrowed.
 * @return APR_SUCCESS, or as rp_log_pipe_open_again */
apr_status_t rp_log_pipes_add(rp_log_pipes_t *ps, int fd, const char *name, rp_log_pipe_t **out) RP_WARN_UNUSED;
/** How many there are. */
int rp_log_pipes_count(const rp_log_pipes_t *ps);

/** In a child, once, before its other threads: start the thread that writes. An error: there is none, and rp_log_pipe_write loses what a pipe does not take. */
apr_status_t rp_log_pipes_start(rp_log_pipes_t *ps, const rp_log_pipes_conf_t *conf) RP_WARN_UNUSED;
/** Write what waits until deadline_us (monotonic), give up the rest, end the thread. Afterwards lines are written or lost at once. May be called again,
 * or without rp_log_pipes_start. One thread; others may write meanwhile. */
void rp_log_pipes_end(rp_log_pipes_t *ps, apr_time_t deadline_us);

/**
 * Write a line, given in n pieces with the sum of their lengths, or keep it for the thread. Does not wait. Any thread; lines of one thread keep their order.
 * @return APR_SUCCESS also when it was lost because too much waits: that is counted and told; or the error of the pipe (its program is gone)
 */
apr_status_t rp_log_pipe_write(rp_log_pipe_t *p, const char **pieces, const int *lengths, int n, apr_size_t len);

#endif
