/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits of a worker. The counter is one atomic; the queue of waiters has a mutex that nobody
 * takes while permits are free.
 *
 * No wake-up is lost: a waiter makes itself visible (waiters + 1) before it looks at the counter
 * once more, and a releaser lowers the counter before it looks for waiters. With sequentially
 * consistent operations one of the two sees the other.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "upstream/clock.h"
#include "upstream/permit_int.h"
#include "upstream/worker.h"

#define LOOK_MS 1000 /* how often a client without a descriptor is asked whether it is still there */

/* Raise the counter unless it is at max. */
static int count_up(rp_worker_t *w)
{
    apr_uint32_t max = w->params.max > 0 ? (apr_uint32_t)w->params.max : 0;
    apr_uint32_t n = __atomic_load_n(&w->stat->in_flight, __ATOMIC_SEQ_CST);

    do {
        if (max != 0 && n >= max) {
            return 0;
        }
    } while (!__atomic_compare_exchange_n(&w->stat->in_flight, &n, n + 1, 0, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    return 1;
}

apr_status_t rp_permit_try(rp_worker_t *w)
{
    if (__atomic_load_n(&w->stat->waiters, __ATOMIC_SEQ_CST) != 0) {
        return APR_EAGAIN; /* first come, first served */
    }
    return count_up(w) ? APR_SUCCESS : APR_EAGAIN;
}

static rp_waiter_t *pop_locked(rp_worker_t *w)
{
    rp_waiter_t *first;

    if (APR_RING_EMPTY(&w->shared.waiters, rp_waiter_t, link)) {
        return NULL;
    }
    first = APR_RING_FIRST(&w->shared.waiters);
    APR_RING_REMOVE(first, link);
    (void)__atomic_sub_fetch(&w->stat->waiters, 1, __ATOMIC_SEQ_CST);
    return first;
}

static void grant_locked(rp_waiter_t *first)
{
    first->granted = 1;
    first->wake(first);
}

/* Hand out what is free. */
static void serve_locked(rp_worker_t *w)
{
    while (!APR_RING_EMPTY(&w->shared.waiters, rp_waiter_t, link) && count_up(w)) {
        grant_locked(pop_locked(w));
    }
}

void rp_permit_release(rp_worker_t *w)
{
    if (__atomic_load_n(&w->stat->waiters, __ATOMIC_SEQ_CST) != 0) {
        rp_waiter_t *first;

        (void)pthread_mutex_lock(&w->shared.mutex);
        first = pop_locked(w);
        if (first != NULL) { /* the permit changes hands; the counter stays */
            grant_locked(first);
        }
        (void)pthread_mutex_unlock(&w->shared.mutex);
        if (first != NULL) {
            return;
        }
    }
    (void)__atomic_sub_fetch(&w->stat->in_flight, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->stat->waiters, __ATOMIC_SEQ_CST) != 0) { /* somebody came in between */
        (void)pthread_mutex_lock(&w->shared.mutex);
        serve_locked(w);
        (void)pthread_mutex_unlock(&w->shared.mutex);
    }
}

/* ---- a thread that waits ---- */

/* It sleeps in poll, so that it can look at its client at the same time: eventfd, made only by those who have to wait. */
typedef struct thread_waiter_t {
    rp_waiter_t base;
    int wakefd;
} thread_waiter_t;

static void wake_thread(rp_waiter_t *self)
{
    apr_uint64_t one = 1;
    ssize_t unused = write(((thread_waiter_t *)self)->wakefd, &one, sizeof(one));

    (void)unused;
}

static int milliseconds(apr_time_t left_us)
{
    apr_time_t ms = (left_us + 999) / 1000;

    return ms > LOOK_MS ? LOOK_MS : (int)ms;
}

/* Sleep until something may have happened. APR_SUCCESS, APR_TIMEUP, or APR_ECONNABORTED: nobody wants the permit any more. */
static apr_status_t doze(const thread_waiter_t *me, const rp_patience_t *patience, apr_time_t deadline_us)
{
    apr_time_t left_us = deadline_us - rp_clock_now_us();
    struct pollfd fds[2] = {{.fd = me->wakefd, .events = POLLIN}, {.fd = -1}};

    if (left_us <= 0) {
        return APR_TIMEUP;
    }
    if (patience != NULL) {
        fds[1].fd = patience->fd; /* poll looks away from -1 */
        fds[1].events = patience->events;
    }
    (void)poll(fds, 2, milliseconds(left_us));
    if (fds[1].revents != 0 || (patience != NULL && patience->gone != NULL && patience->gone(patience->ctx))) {
        return APR_ECONNABORTED;
    }
    return APR_SUCCESS;
}

/* Until granted, or the waiting is over. The queue is left either way. */
static apr_status_t wait_locked(rp_worker_t *w, thread_waiter_t *me, const rp_patience_t *patience, apr_time_t deadline_us)
{
    apr_status_t rv = APR_SUCCESS;

    while (!me->base.granted && rv == APR_SUCCESS) {
        (void)pthread_mutex_unlock(&w->shared.mutex);
        rv = doze(me, patience, deadline_us);
        (void)pthread_mutex_lock(&w->shared.mutex);
    }
    if (me->base.granted) {
        return APR_SUCCESS;
    }
    APR_RING_REMOVE(&me->base, link);
    (void)__atomic_sub_fetch(&w->stat->waiters, 1, __ATOMIC_SEQ_CST);
    return rv;
}

static void line_up_locked(rp_worker_t *w, rp_waiter_t *waiter)
{
    waiter->granted = 0;
    APR_RING_ELEM_INIT(waiter, link);
    APR_RING_INSERT_TAIL(&w->shared.waiters, waiter, rp_waiter_t, link);
    (void)__atomic_add_fetch(&w->stat->waiters, 1, __ATOMIC_SEQ_CST);
    serve_locked(w);
}

apr_status_t rp_permit_acquire(rp_worker_t *w, apr_time_t deadline_us, const rp_patience_t *patience)
{
    thread_waiter_t me = {.base = {.wake = wake_thread}, .wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    apr_status_t rv;

    if (me.wakefd < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    (void)pthread_mutex_lock(&w->shared.mutex);
    line_up_locked(w, &me.base);
    rv = wait_locked(w, &me, patience, deadline_us);
    (void)pthread_mutex_unlock(&w->shared.mutex);
    (void)close(me.wakefd);
    return rv;
}

void rp_permit_line_up(rp_worker_t *w, rp_waiter_t *waiter)
{
    (void)pthread_mutex_lock(&w->shared.mutex);
    line_up_locked(w, waiter);
    (void)pthread_mutex_unlock(&w->shared.mutex);
}

int rp_permit_leave(rp_worker_t *w, rp_waiter_t *waiter)
{
    int left;

    (void)pthread_mutex_lock(&w->shared.mutex);
    left = !waiter->granted;
    if (left) {
        APR_RING_REMOVE(waiter, link);
        (void)__atomic_sub_fetch(&w->stat->waiters, 1, __ATOMIC_SEQ_CST);
    }
    (void)pthread_mutex_unlock(&w->shared.mutex);
    return left;
}
