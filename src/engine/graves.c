/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of closed connections. After the hook by which the event MPM gives a connection away it still writes to it once; a short-lived
 * connection may be closed before that. So its pool is cleared at once, which gives back descriptor, counts and memory, and destroyed a
 * second later: the first node, where that write goes, stays until then.
 */
#include "engine/owned_int.h"

#include <stdlib.h>

#define REST_US 1000000
#define KEEP_FREE 8192 /* bytes that the allocator of a cleared pool keeps */

static void set_timer(rp_engine_loop_t *el, apr_time_t due_us)
{
    if (rp_loop_timer(el->loop, &el->grave_timer, due_us) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, el->server, "RP0310: no memory for a timer: closed connections are freed later");
    }
}

static void empty(rp_engine_loop_t *el, apr_time_t now_us)
{
    rp_grave_t *g = APR_RING_FIRST(&el->graves);

    while (g != APR_RING_SENTINEL(&el->graves, rp_grave_t, link)) {
        rp_grave_t *next = APR_RING_NEXT(g, link);

        if (g->due_us > now_us) {
            set_timer(el, g->due_us);
            return;
        }
        APR_RING_REMOVE(g, link);
        apr_pool_destroy(g->pool);
        free(g);
        g = next;
    }
}

static void on_timer(rp_timer_t *t, apr_time_t now_us)
{
    rp_engine_loop_t *el = RP_ENGINE_LOOP_OF(t, grave_timer);

    empty(el, now_us);
}

void rp_grave_dig(rp_engine_loop_t *el, apr_pool_t *pool, apr_time_t adopted_us)
{
    apr_time_t now_us = rp_loop_now_us(el->loop);
    rp_grave_t *g;

    apr_allocator_max_free_set(apr_pool_allocator_get(pool), KEEP_FREE);
    if (now_us - adopted_us > REST_US) {
        apr_pool_destroy(pool);
        return;
    }
    apr_pool_clear(pool);
    g = malloc(sizeof(*g));
    if (g == NULL) {
        return; /* the cleared pool is lost, a few kilobytes */
    }
    g->pool = pool;
    g->due_us = now_us + REST_US;
    APR_RING_ELEM_INIT(g, link);
    APR_RING_INSERT_TAIL(&el->graves, g, rp_grave_t, link);
    if (!rp_timer_is_set(&el->grave_timer)) {
        el->grave_timer.fn = on_timer;
        set_timer(el, g->due_us);
    }
}

void rp_graves_clear(rp_engine_loop_t *el)
{
    rp_loop_timer_cancel(el->loop, &el->grave_timer);
    empty(el, RP_TIMER_NEVER);
}
