/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file timer.h
 * Timers of a loop: a binary heap of intrusive timers, earliest first. Pure: knows no clock. A timer that is put off, which
 * happens with every byte that moves, costs one store: it stays where it is in the heap and is sorted in anew when its old place
 * comes up. One thread.
 */
#ifndef RP_ENGINE_TIMER_H
#define RP_ENGINE_TIMER_H

#include <apr_time.h>

#include "wire/slice.h"

#define RP_TIMER_NEVER APR_INT64_MAX /**< no timer is set */

typedef struct rp_timer_t rp_timer_t;
/** Called when it is due; the timer is not set any more and may be set again. */
typedef void (*rp_timer_fn)(rp_timer_t *timer, apr_time_t now_us);

struct rp_timer_t {
    apr_time_t due_us;     /**< when to call; RP_TIMER_NEVER: it rests */
    apr_time_t sorted_us;  /**< the time by which it stands in the heap, never later than due_us */
    apr_size_t place;      /**< 1 and up in the heap, 0: not set */
    rp_timer_fn fn;
};

typedef struct rp_timers_t {
    rp_timer_t **heap;     /**< heap[1..n] */
    apr_size_t n, room;
    apr_time_t running_us; /**< while rp_timers_run is at it: its time; else 0 */
} rp_timers_t;

/** Free what the heap took from malloc; timers are their owners'. */
void rp_timers_free(rp_timers_t *ts);

/** Call t->fn at due_us, in place of what was set before. APR_ENOMEM: it is not set. */
apr_status_t rp_timer_set(rp_timers_t *ts, rp_timer_t *t, apr_time_t due_us) RP_WARN_UNUSED;
/** It will not be called. Fine when it is not set. */
void rp_timer_cancel(rp_timers_t *ts, rp_timer_t *t);
/** As rp_timer_cancel, for one that will be set again soon: it keeps its place until that comes up, so that this costs a store and setting it
 * again mostly another. Before its memory goes it has to be cancelled nevertheless. */
static inline void rp_timer_rest(rp_timer_t *t) { t->due_us = RP_TIMER_NEVER; }
/** 1 while it is set. */
static inline int rp_timer_is_set(const rp_timer_t *t) { return t->place != 0 && t->due_us != RP_TIMER_NEVER; }

/** When to look again: never later than the first timer is due, perhaps earlier; RP_TIMER_NEVER when none is set. */
apr_time_t rp_timers_next(const rp_timers_t *ts);
/** Call what is due at now_us, at most so many timers, earliest first. What these calls set for now_us or before is left for the next run.
 * Returns how many were called: when it is most, more may be due. */
int rp_timers_run(rp_timers_t *ts, apr_time_t now_us, int most);

#endif
