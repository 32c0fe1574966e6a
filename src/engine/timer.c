/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/timer.h"

#include <apr_errno.h>
#include <stdlib.h>

#define ROOM_FIRST 256

void rp_timers_free(rp_timers_t *ts)
{
    free(ts->heap);
    ts->heap = NULL;
    ts->n = ts->room = 0;
}

static void put(rp_timers_t *ts, apr_size_t place, rp_timer_t *t)
{
    ts->heap[place] = t;
    t->place = place;
}

static void sift_up(rp_timers_t *ts, rp_timer_t *t)
{
    apr_size_t i = t->place;

    while (i > 1 && ts->heap[i / 2]->sorted_us > t->sorted_us) {
        put(ts, i, ts->heap[i / 2]);
        i /= 2;
    }
    put(ts, i, t);
}

static void sift_down(rp_timers_t *ts, rp_timer_t *t)
{
    apr_size_t i = t->place;

    for (;;) {
        apr_size_t child = i * 2;

        if (child > ts->n) {
            break;
        }
        if (child < ts->n && ts->heap[child + 1]->sorted_us < ts->heap[child]->sorted_us) {
            child++;
        }
        if (ts->heap[child]->sorted_us >= t->sorted_us) {
            break;
        }
        put(ts, i, ts->heap[child]);
        i = child;
    }
    put(ts, i, t);
}

static apr_status_t grow(rp_timers_t *ts)
{
    apr_size_t room = ts->room ? ts->room * 2 : ROOM_FIRST;
    rp_timer_t **heap;

    if (ts->n + 1 < ts->room) {
        return APR_SUCCESS;
    }
    heap = realloc(ts->heap, room * sizeof(void *));
    if (heap == NULL) {
        return APR_ENOMEM;
    }
    ts->heap = heap;
    ts->room = room;
    return APR_SUCCESS;
}

apr_status_t rp_timer_set(rp_timers_t *ts, rp_timer_t *t, apr_time_t due_us)
{
    apr_status_t rv;

    if (due_us <= ts->running_us) {
        due_us = ts->running_us + 1; /* for the next run: nobody keeps others from their turn */
    }
    t->due_us = due_us;
    if (t->place != 0) {
        if (due_us < t->sorted_us) {
            t->sorted_us = due_us;
            sift_up(ts, t);
        }
        return APR_SUCCESS;
    }
    rv = grow(ts);
    if (rv == APR_SUCCESS) {
        t->sorted_us = due_us;
        put(ts, ++ts->n, t);
        sift_up(ts, t);
    }
    return rv;
}

void rp_timer_cancel(rp_timers_t *ts, rp_timer_t *t)
{
    apr_size_t place = t->place;
    rp_timer_t *last;

    if (place == 0) {
        return;
    }
    t->place = 0;
    last = ts->heap[ts->n--];
    if (last != t) {
        put(ts, place, last);
        sift_up(ts, last);
        sift_down(ts, last);
    }
}

apr_time_t rp_timers_next(const rp_timers_t *ts)
{
    return ts->n > 0 ? ts->heap[1]->sorted_us : RP_TIMER_NEVER;
}

int rp_timers_run(rp_timers_t *ts, apr_time_t now_us, int most)
{
    int called = 0;

    ts->running_us = now_us;
    while (called < most && ts->n > 0 && ts->heap[1]->sorted_us <= now_us) {
        rp_timer_t *t = ts->heap[1];

        if (t->due_us == RP_TIMER_NEVER) { /* it rests */
            rp_timer_cancel(ts, t);
            continue;
        }
        if (t->due_us > now_us) { /* was put off */
            t->sorted_us = t->due_us;
            sift_down(ts, t);
            continue;
        }
        rp_timer_cancel(ts, t);
        called++;
        t->fn(t, now_us);
    }
    ts->running_us = 0;
    return called;
}
