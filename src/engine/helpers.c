/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/helpers.h"

#include <apr_errno.h>
#include <apr_thread_mutex.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "upstream/clock.h"

#define QUEUE_PER_THREAD 64 /* jobs that may wait for each thread of the pool; more is overload, said at once */

#ifdef RP_HELPERS_PLAIN_THREADS
#define thread_create apr_thread_create /* unit tests link without httpd */
#else
#include <ap_mmn.h>
#include <httpd.h>
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 122)
#define thread_create ap_thread_create
#else
#define thread_create apr_thread_create
#endif
#endif

struct rp_helpers_t {
    apr_pool_t *threads; /* what APR needs for each thread comes from here; its allocator is locked: threads end by themselves */
    int max;
    pthread_mutex_t mutex;
    pthread_cond_t work, gone;
    struct {
        rp_job_t *first, **tail;
        int queued, threads, idle, stop;
        apr_uint64_t jobs, late;
    } shared;
};

/* Never freed: a thread that was counted out still has its own end to go through. */
static apr_status_t threads_pool(rp_helpers_t *hs)
{
    apr_thread_mutex_t *mutex = NULL;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&hs->threads, NULL, NULL);

    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, hs->threads);
    }
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(apr_pool_allocator_get(hs->threads), mutex);
    }
    return rv;
}

apr_status_t rp_helpers_create(rp_helpers_t **out, apr_pool_t *pool, int max)
{
    rp_helpers_t *hs = apr_pcalloc(pool, sizeof(*hs));
    int err = pthread_mutex_init(&hs->mutex, NULL);

    if (err == 0) {
        err = rp_clock_cond_init(&hs->work);
    }
    if (err == 0) {
        err = rp_clock_cond_init(&hs->gone);
    }
    if (err != 0) {
        return APR_FROM_OS_ERROR(err);
    }
    hs->max = max > 0 ? max : 1;
    hs->shared.tail = &hs->shared.first;
    *out = hs;
    return threads_pool(hs);
}

/* ---- a thread ---- */

static rp_job_t *pop_locked(rp_helpers_t *hs)
{
    rp_job_t *job = hs->shared.first;

    hs->shared.first = job->next;
    if (hs->shared.first == NULL) {
        hs->shared.tail = &hs->shared.first;
    }
    hs->shared.queued--;
    return job;
}

/* 1: there is a job or the end; 0: idle for too long. */
static int wait_locked(rp_helpers_t *hs)
{
    struct timespec ts = rp_clock_timespec(rp_clock_now_us() + RP_HELPERS_IDLE_US);
    int err = 0;

    hs->shared.idle++;
    while (hs->shared.first == NULL && !hs->shared.stop && err != ETIMEDOUT) {
        err = pthread_cond_timedwait(&hs->work, &hs->mutex, &ts);
    }
    hs->shared.idle--;
    return hs->shared.first != NULL || hs->shared.stop;
}

static void run_job(rp_helpers_t *hs, rp_job_t *job, apr_thread_t *thread)
{
    int late = hs->shared.stop || rp_clock_now_us() >= job->deadline_us;

    hs->shared.jobs++;
    hs->shared.late += late ? 1 : 0;
    (void)pthread_mutex_unlock(&hs->mutex);
    job->fn(job, thread, late);
    (void)pthread_mutex_lock(&hs->mutex);
}

static void *APR_THREAD_FUNC helper(apr_thread_t *thread, void *data)
{
    rp_helpers_t *hs = data;

    (void)pthread_mutex_lock(&hs->mutex);
    for (;;) {
        if (hs->shared.first != NULL) {
            run_job(hs, pop_locked(hs), thread);
        }
        else if (hs->shared.stop || !wait_locked(hs)) {
            break;
        }
    }
    hs->shared.threads--;
    (void)pthread_cond_broadcast(&hs->gone);
    (void)pthread_mutex_unlock(&hs->mutex);
    return NULL;
}

static apr_status_t start_thread(rp_helpers_t *hs)
{
    apr_threadattr_t *attr = NULL;
    apr_thread_t *thread = NULL;
    apr_status_t rv = apr_threadattr_create(&attr, hs->threads);

    if (rv == APR_SUCCESS) {
        (void)apr_threadattr_detach_set(attr, 1);
        rv = thread_create(&thread, attr, helper, hs, hs->threads);
    }
    return rv;
}

/* ---- callers ---- */

static int has_room_locked(const rp_helpers_t *hs)
{
    return !hs->shared.stop && hs->shared.queued < hs->max * QUEUE_PER_THREAD;
}

/* More jobs than idle threads: one more thread when there may be one. Without any thread nothing would ever run. */
static apr_status_t staff_locked(rp_helpers_t *hs)
{
    apr_status_t rv;

    if (hs->shared.idle > hs->shared.queued || hs->shared.threads >= hs->max) {
        return APR_SUCCESS;
    }
    rv = start_thread(hs);
    if (rv == APR_SUCCESS) {
        hs->shared.threads++;
        return APR_SUCCESS;
    }
    return hs->shared.threads > 0 ? APR_SUCCESS : APR_EAGAIN;
}

apr_status_t rp_helpers_submit(rp_helpers_t *hs, rp_job_t *job)
{
    apr_status_t rv = APR_EAGAIN;

    (void)pthread_mutex_lock(&hs->mutex);
    if (has_room_locked(hs)) {
        rv = staff_locked(hs);
    }
    if (rv == APR_SUCCESS) {
        job->next = NULL;
        *hs->shared.tail = job;
        hs->shared.tail = &job->next;
        hs->shared.queued++;
        (void)pthread_cond_signal(&hs->work);
    }
    (void)pthread_mutex_unlock(&hs->mutex);
    return rv;
}

/* Until all threads are gone, or the deadline. */
static void wait_gone_locked(rp_helpers_t *hs, apr_time_t deadline_us)
{
    int err = 0;

    while (hs->shared.threads > 0 && err == 0) {
        if (deadline_us == RP_HELPERS_FOREVER) {
            err = pthread_cond_wait(&hs->gone, &hs->mutex);
        }
        else {
            struct timespec ts = rp_clock_timespec(deadline_us);

            err = pthread_cond_timedwait(&hs->gone, &hs->mutex, &ts);
        }
    }
}

int rp_helpers_stop(rp_helpers_t *hs, apr_time_t deadline_us)
{
    int left;

    (void)pthread_mutex_lock(&hs->mutex);
    hs->shared.stop = 1;
    (void)pthread_cond_broadcast(&hs->work);
    wait_gone_locked(hs, deadline_us);
    left = hs->shared.threads;
    (void)pthread_mutex_unlock(&hs->mutex);
    return left;
}

void rp_helpers_stat(rp_helpers_t *hs, rp_helpers_stat_t *out)
{
    (void)pthread_mutex_lock(&hs->mutex);
    out->threads = hs->shared.threads;
    out->busy = hs->shared.threads - hs->shared.idle;
    out->queued = hs->shared.queued;
    out->jobs = hs->shared.jobs;
    out->late = hs->shared.late;
    (void)pthread_mutex_unlock(&hs->mutex);
}
