/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stat.h
 * What is counted of a worker. One record for each worker and child, and one for each child itself, in memory that all children share, so that any of them can
 * tell the sums; only its own child writes it, by atomics. All zero is a good beginning. Raise RP_STAT_LAYOUT with every change but a
 * counter that takes its place from room.
 */
#ifndef RP_UPSTREAM_STAT_H
#define RP_UPSTREAM_STAT_H

#include <apr.h>
#include <apr_time.h>

#define RP_STAT_LAYOUT 3u
#define RP_STAT_REASONS 32   /**< room for rp_reason_e */
#define RP_STAT_REFUSALS 16  /**< room for rp_refuse_e */
#define RP_STAT_CLASSES 5    /**< 1xx to 5xx */
#define RP_STAT_LANES 3      /**< rp_lane_e: blocking, inline, handoff */
#define RP_HISTOGRAM_BOUNDS 17

/** Times by size. */
typedef struct rp_histogram_t {
    apr_uint64_t sum_us;
    apr_uint64_t count[RP_HISTOGRAM_BOUNDS + 1]; /**< by bound, not cumulative; the last: beyond all bounds */
} rp_histogram_t;

/** In the order of use: what every request counts stands together, because a processor takes it from others by the cache line. */
typedef struct rp_worker_stat_t {
    /* now */
    apr_uint32_t permits;               /**< connections, busy and idle; at most `max` */
    apr_uint32_t in_flight;             /**< permits that are out; at most `max` */
    apr_uint32_t waiters;               /**< threads or exchanges that wait for a permit */
    apr_uint32_t attempts;              /**< attempts under way */
    /* since the server started */
    apr_uint64_t opened, reused, closed;
    apr_uint64_t sent, received;              /**< bytes of ended attempts */
    apr_uint64_t answered[RP_STAT_CLASSES];   /**< requests by the status that the client got; [1]: 2xx */
    rp_histogram_t first_byte;                /**< connection ready to first byte of the response */
    rp_histogram_t total;                     /**< attempts that were answered, begin to end */
    apr_uint64_t failed[RP_STAT_REASONS];     /**< attempts that ended for an rp_reason_e; [0] did not fail */
    apr_uint64_t resent[RP_STAT_REASONS];     /**< of those, how many were tried again here */
    apr_uint64_t left[RP_STAT_REASONS];       /**< how many made another member the next */
    apr_uint64_t refused[RP_STAT_REFUSALS];   /**< by rp_refuse_e */
    rp_histogram_t waited;                    /**< for a permit; attempts that had to wait alone */
    rp_histogram_t connect;                   /**< connect and TLS of new connections */
} rp_worker_stat_t;

/** What one child counts besides its workers. New counters take their place from room. */
typedef struct rp_child_stat_t {
    apr_uint64_t connections;      /**< now: client connections that its event loops own */
    apr_uint64_t adopted;          /**< client connections that they have taken */
    apr_uint64_t slow_turns;       /**< of its event loops: those over RP_LOOP_SLOW_US */
    apr_uint64_t scrapes;          /**< pages of metrics written */
    rp_histogram_t turn;           /**< turns of its event loops, from wake-up to the next wait */
    apr_uint64_t log_waited;       /**< lines of logs to programs that their pipe did not take at once */
    apr_uint64_t log_lost;         /**< lines of logs to programs that were lost */
    apr_uint64_t lane[RP_STAT_LANES]; /**< proxied requests by the lane that they took */
    apr_uint64_t room[5];
} rp_child_stat_t;

/** Upper bounds in microseconds, ascending; a time that equals one is below it. */
extern const apr_uint32_t rp_histogram_bounds_us[RP_HISTOGRAM_BOUNDS];

/** Any thread, no lock; less than 0 counts as 0. */
void rp_histogram_add(rp_histogram_t *h, apr_interval_time_t us);
/** How many times it has counted. Any thread. */
apr_uint64_t rp_histogram_times(const rp_histogram_t *h);

static inline void rp_stat_add(apr_uint64_t *counter, apr_uint64_t n)
{
    (void)__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

#endif
