/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of closed connections. After the hook by which the event MPM gives a connection away its thread still writes to it once; a short-lived
 * connection may be closed before that. So its pool is cleared at once, which gives back descriptor, counts and memory, and destroyed when that
 * thread is known to be with another connection (visits.h): the first node, where that write goes, stays until then. Only the last connection
 * that a thread gave away can be one that it has not left, so that no more pools rest than there are threads.
 */
#include "engine/owned_int.h"

#include <stdlib.h>

#define LOOK_AFTER_US 1000000

static void destroy_dead(rp_engine_loop_t *el)
{
    while (el->ndead > 0) {
        apr_pool_destroy(el->dead[--el->ndead]);
    }
}

/* Nobody writes to it any more. Many at once: each gives a block back to the system, which holds up whoever asks it for one meanwhile. */
static void destroy(rp_engine_loop_t *el, apr_pool_t *pool)
{
    if (el->ndead == RP_DEAD_MOST) {
        destroy_dead(el);
    }
    el->dead[el->ndead++] = pool;
}

static void bury_if_left(rp_engine_loop_t *el, rp_grave_t *g)
{
    if (g->pool != NULL && rp_visit_is_over(&g->visit)) {
        destroy(el, g->pool);
        g->pool = NULL;
    }
}

/* The last ones of their threads may not be for ever. */
static void on_timer(rp_timer_t *t, apr_time_t now_us)
{
    rp_engine_loop_t *el = RP_ENGINE_LOOP_OF(t, grave_timer);
    unsigned i;

    (void)now_us;
    for (i = 0; i < el->ngraves; i++) {
        bury_if_left(el, &el->graves[i]);
    }
    destroy_dead(el);
}

static void set_timer(rp_engine_loop_t *el)
{
    if (!rp_timer_is_set(&el->grave_timer)) {
        el->grave_timer.fn = on_timer;
        if (rp_loop_timer(el->loop, &el->grave_timer, rp_loop_now_us(el->loop) + LOOK_AFTER_US) != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, el->server, "RP0310: no memory for a timer: closed connections are freed later");
        }
    }
}

/* The place of its thread, or NULL: no memory. */
static rp_grave_t *grave_of(rp_engine_loop_t *el, unsigned index)
{
    if (index >= el->ngraves) {
        unsigned n = index + 1 > 2 * el->ngraves ? index + 1 : 2 * el->ngraves;
        rp_grave_t *graves = realloc(el->graves, n * sizeof(*graves));

        if (graves == NULL) {
            return NULL;
        }
        memset(graves + el->ngraves, 0, (n - el->ngraves) * sizeof(*graves));
        el->graves = graves;
        el->ngraves = n;
    }
    return &el->graves[index];
}

void rp_grave_dig(rp_engine_loop_t *el, apr_pool_t *pool, const rp_visit_t *visit)
{
    rp_grave_t *g = visit->who != NULL ? grave_of(el, visit->who->index) : NULL;

    if (g != NULL) {
        bury_if_left(el, g);
    }
    if (rp_visit_is_over(visit)) {
        destroy(el, pool);
        set_timer(el);
        return;
    }
    if (g == NULL || g->pool != NULL) { /* a thread is in one place at a time: no memory, then */
        return;                         /* the cleared pool is lost, a few kilobytes */
    }
    g->pool = pool;
    g->visit = *visit;
    set_timer(el);
}

void rp_graves_clear(rp_engine_loop_t *el)
{
    unsigned i;

    rp_loop_timer_cancel(el->loop, &el->grave_timer);
    for (i = 0; i < el->ngraves; i++) {
        if (el->graves[i].pool != NULL) {
            destroy(el, el->graves[i].pool);
        }
    }
    destroy_dead(el);
    free(el->graves);
    el->graves = NULL;
    el->ngraves = 0;
}
