/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file loop.h
 * A loop: one thread that waits for descriptors, timers and messages of other threads, and calls what belongs to them. Everything here
 * but rp_loop_post and rp_loop_stop is for its own thread alone.
 */
#ifndef RP_ENGINE_LOOP_H
#define RP_ENGINE_LOOP_H

#include <apr_pools.h>
#include <apr_thread_proc.h>

#include "engine/epoll.h"
#include "engine/timer.h"
#include "upstream/stat.h"

typedef struct rp_loop_t rp_loop_t;
typedef struct rp_watch_t rp_watch_t;

/** A message: embedded in what it is about, so that sending one takes no memory. It may be sent again once fn was called. */
typedef struct rp_post_t rp_post_t;
struct rp_post_t {
    rp_post_t *next;
    void (*fn)(rp_post_t *self); /**< on the loop's thread */
};

/**
 * To whom a watched descriptor leads. Of what a turn finds ready, all backends come first: their answers go out while clients' requests
 * are worked on, and the requests follow together at the turn's end, so that whoever sleeps is woken once for several of them.
 */
typedef enum rp_watch_side_e { RP_WATCH_BACKEND, RP_WATCH_CLIENT } rp_watch_side_e;

/** Events of a descriptor: RP_EV_* bits. */
typedef void (*rp_watch_fn)(void *baton, unsigned events);

/** A turn that takes longer is a slow one: everybody else on the loop waited meanwhile. */
#define RP_LOOP_SLOW_US 20000
/** So long may messages, and so long may timers, take in a turn (what is called first may take longer): the rest waits for the next turn,
 * behind what descriptors have meanwhile. */
#define RP_LOOP_SHARE_US 1000

/** Make a loop; nothing runs yet. pool: the child's, outlives it. */
apr_status_t rp_loop_create(rp_loop_t **out, apr_pool_t *pool, int index) RP_WARN_UNUSED;
/** Run until rp_loop_stop; called by the loop's own thread. */
void rp_loop_run(rp_loop_t *loop);
/** Let rp_loop_run return after the turn under way. Any thread, also twice. */
void rp_loop_stop(rp_loop_t *loop);
/** Where turns are counted; before the thread runs. Without it they are not. stat outlives the loop. */
void rp_loop_count_in(rp_loop_t *loop, rp_child_stat_t *stat);
/** Its thread is gone: call what was posted or deferred and came too late for it. */
void rp_loop_drain(rp_loop_t *loop);
/** Free it; its thread is gone. */
void rp_loop_destroy(rp_loop_t *loop);

/** Send a message; FIFO for each sender. Any thread; wakes the loop. */
void rp_loop_post(rp_loop_t *loop, rp_post_t *post);
/** As rp_loop_post, but by the loop's own thread for later in this or the next turn: what descriptors have comes first. */
void rp_loop_defer(rp_loop_t *loop, rp_post_t *post);

/** Watch fd until rp_loop_unwatch: fn gets each change once (edge-triggered), beginning with the present state. NULL: no memory or the kernel
 * refuses (*rv). */
rp_watch_t *rp_loop_watch(rp_loop_t *loop, rp_watch_side_e side, int fd, rp_watch_fn fn, void *baton, apr_status_t *rv);
/** Stop; fn is not called any more, not even for events taken already. Before fd is closed; NULL is fine. */
void rp_loop_unwatch(rp_loop_t *loop, rp_watch_t *watch);

/** Set and cancel timers of this loop. APR_ENOMEM is possible. */
apr_status_t rp_loop_timer(rp_loop_t *loop, rp_timer_t *timer, apr_time_t due_us) RP_WARN_UNUSED;
void rp_loop_timer_cancel(rp_loop_t *loop, rp_timer_t *timer);

/** Monotonic time read once a turn, microseconds. */
apr_time_t rp_loop_now_us(const rp_loop_t *loop);
/** Read the clock again: after something that took long. */
apr_time_t rp_loop_clock(rp_loop_t *loop);
/** Number given to rp_loop_create. */
int rp_loop_index(const rp_loop_t *loop);
/** 1 on the thread that runs it. */
int rp_loop_is_current(const rp_loop_t *loop);

#endif
