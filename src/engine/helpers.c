/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/helpers.h"

#include <apr_errno.h>
#include <apr_thread_mutex.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "upstream/clock.h"

#define QUEUE_PER_THREAD 64 /* jobs that may wait for each thread of the pool; more is overload, said at once */
#define SHARE 8             /* 1/8 of the threads: most of a group, and what is kept for groups that are known to be good */
#define STACK_SIZE 524288   /* of a thread; what it does not use costs address space only */

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
    int fresh_most, group_most;
    struct {
        struct rp_job_ring_t ready, fresh; /* jobs that may run; fresh: nothing good is known of their groups */
        int runnable;                      /* in these two */
        int fresh_running;
        int queued;                        /* all that wait, the parked ones too */
        int threads, idle, stop;
        int waking;                        /* an idle thread was called and has not come yet */
        apr_thread_t *ended;               /* the last thread that was counted out: the next one, or rp_helpers_stop, joins it */
        apr_uint64_t jobs, late;
    } shared;
};

/* Never freed: threads that a stop does not wait for go on to use it. */
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
    hs->group_most = hs->max > SHARE ? hs->max / SHARE : 1;
    hs->fresh_most = hs->max > 1 ? hs->max - hs->group_most : 1;
    APR_RING_INIT(&hs->shared.ready, rp_job_t, link);
    APR_RING_INIT(&hs->shared.fresh, rp_job_t, link);
    *out = hs;
    return threads_pool(hs);
}

/* ---- threads ---- */

static void *APR_THREAD_FUNC helper(apr_thread_t *thread, void *data);

static apr_status_t start_thread(rp_helpers_t *hs)
{
    apr_threadattr_t *attr = NULL;
    apr_thread_t *thread = NULL;
    apr_status_t rv = apr_threadattr_create(&attr, hs->threads);

    if (rv == APR_SUCCESS) {
        (void)apr_threadattr_stacksize_set(attr, STACK_SIZE);
        rv = thread_create(&thread, attr, helper, hs, hs->threads);
    }
    return rv;
}

/* More jobs than idle threads: one more thread when there may be one. Without any thread nothing would ever run. */
static apr_status_t staff_locked(rp_helpers_t *hs)
{
    apr_status_t rv;

    if (hs->shared.idle > hs->shared.runnable || hs->shared.threads >= hs->max) {
        return APR_SUCCESS;
    }
    rv = start_thread(hs);
    if (rv == APR_SUCCESS) {
        hs->shared.threads++;
        return APR_SUCCESS;
    }
    return hs->shared.threads > 0 ? APR_SUCCESS : APR_EAGAIN;
}

/* ---- groups ---- */

static int is_good(const rp_dial_group_t *g) { return __atomic_load_n(&g->good, __ATOMIC_RELAXED); }

static int has_room(const rp_helpers_t *hs, const rp_dial_group_t *g)
{
    return hs->shared.stop || g->running < (is_good(g) ? hs->group_most : 1);
}

/* There is a job. Whoever was called and is on his way takes it, or calls the next: a burst of short jobs does not wake a thread for each. */
static void call_locked(rp_helpers_t *hs)
{
    if (hs->shared.idle > 0 && !hs->shared.waking) {
        hs->shared.waking = 1;
        (void)pthread_cond_signal(&hs->work);
    }
}

/* It may run. */
static void make_runnable_locked(rp_helpers_t *hs, rp_job_t *job)
{
    if (job->group != NULL) {
        job->group->running++;
    }
    if (job->group == NULL || is_good(job->group)) {
        job->place = RP_JOB_READY;
        APR_RING_INSERT_TAIL(&hs->shared.ready, job, rp_job_t, link);
    }
    else {
        job->place = RP_JOB_FRESH;
        APR_RING_INSERT_TAIL(&hs->shared.fresh, job, rp_job_t, link);
    }
    hs->shared.runnable++;
    call_locked(hs);
}

static void enqueue_locked(rp_helpers_t *hs, rp_job_t *job)
{
    rp_dial_group_t *g = job->group;

    APR_RING_ELEM_INIT(job, link);
    job->fresh = 0;
    hs->shared.queued++;
    if (g != NULL && APR_RING_FIRST(&g->parked) == NULL) { /* all zero */
        APR_RING_INIT(&g->parked, rp_job_t, link);
    }
    if (g == NULL || has_room(hs, g)) {
        make_runnable_locked(hs, job);
        return;
    }
    job->place = RP_JOB_PARKED;
    APR_RING_INSERT_TAIL(&g->parked, job, rp_job_t, link);
}

/* A job of this group is over, or was taken back: who is next. */
static void leave_group_locked(rp_helpers_t *hs, rp_dial_group_t *g)
{
    g->running--;
    while (!APR_RING_EMPTY(&g->parked, rp_job_t, link) && has_room(hs, g)) {
        rp_job_t *job = APR_RING_FIRST(&g->parked);

        APR_RING_REMOVE(job, link);
        (void)staff_locked(hs); /* else a thread that is busy comes to it later */
        make_runnable_locked(hs, job);
    }
}

/* Out of its queue. */
static void take_out_locked(rp_helpers_t *hs, rp_job_t *job)
{
    APR_RING_REMOVE(job, link);
    hs->shared.runnable -= job->place != RP_JOB_PARKED;
    hs->shared.queued--;
    job->place = RP_JOB_NOWHERE;
}

/* ---- a thread ---- */

/* The job to run now, or NULL. Groups of which nothing is known come first: there are few such jobs at a time. */
static rp_job_t *next_locked(const rp_helpers_t *hs)
{
    if (!APR_RING_EMPTY(&hs->shared.fresh, rp_job_t, link) && (hs->shared.stop || hs->shared.fresh_running < hs->fresh_most)) {
        return APR_RING_FIRST(&hs->shared.fresh);
    }
    return APR_RING_EMPTY(&hs->shared.ready, rp_job_t, link) ? NULL : APR_RING_FIRST(&hs->shared.ready);
}

/* 1: there is a job or the end; 0: idle for too long. */
static int wait_locked(rp_helpers_t *hs)
{
    struct timespec ts = rp_clock_timespec(rp_clock_now_us() + RP_HELPERS_IDLE_US);
    int err = 0;

    hs->shared.idle++;
    while (next_locked(hs) == NULL && !hs->shared.stop && err != ETIMEDOUT) {
        err = pthread_cond_timedwait(&hs->work, &hs->mutex, &ts);
        hs->shared.waking = 0;
    }
    hs->shared.idle--;
    return next_locked(hs) != NULL || hs->shared.stop;
}

static void run_job(rp_helpers_t *hs, rp_job_t *job, apr_thread_t *thread)
{
    int late = hs->shared.stop || rp_clock_now_us() >= job->deadline_us;

    job->fresh = job->place == RP_JOB_FRESH;
    take_out_locked(hs, job);
    hs->shared.fresh_running += job->fresh;
    hs->shared.jobs++;
    hs->shared.late += late ? 1 : 0;
    if (next_locked(hs) != NULL) {
        call_locked(hs);
    }
    (void)pthread_mutex_unlock(&hs->mutex);
    job->fn(job, thread, late);
    (void)pthread_mutex_lock(&hs->mutex);
    hs->shared.fresh_running -= job->fresh;
    if (job->group != NULL) {
        leave_group_locked(hs, job->group);
    }
    if (job->done != NULL) {
        (void)pthread_mutex_unlock(&hs->mutex);
        job->done(job); /* and it may be gone */
        (void)pthread_mutex_lock(&hs->mutex);
    }
}

/* Whoever was counted out still runs code of this module for a moment, which may be unloaded after rp_helpers_stop. */
static void join_ended_locked(rp_helpers_t *hs)
{
    while (hs->shared.ended != NULL) {
        apr_thread_t *ended = hs->shared.ended;
        apr_status_t rv;

        hs->shared.ended = NULL;
        (void)pthread_mutex_unlock(&hs->mutex);
        (void)apr_thread_join(&rv, ended);
        (void)pthread_mutex_lock(&hs->mutex);
    }
}

static void *APR_THREAD_FUNC helper(apr_thread_t *thread, void *data)
{
    rp_helpers_t *hs = data;

    (void)pthread_mutex_lock(&hs->mutex);
    for (;;) {
        rp_job_t *job = next_locked(hs);

        if (job != NULL) {
            run_job(hs, job, thread);
        }
        else if (hs->shared.stop || !wait_locked(hs)) {
            break;
        }
    }
    join_ended_locked(hs);
    hs->shared.ended = thread;
    hs->shared.threads--;
    (void)pthread_cond_broadcast(&hs->gone);
    (void)pthread_mutex_unlock(&hs->mutex);
    return NULL;
}

/* ---- callers ---- */

static int takes_more_locked(const rp_helpers_t *hs)
{
    return !hs->shared.stop && hs->shared.queued < hs->max * QUEUE_PER_THREAD;
}

apr_status_t rp_helpers_submit(rp_helpers_t *hs, rp_job_t *job)
{
    apr_status_t rv = APR_EAGAIN;

    (void)pthread_mutex_lock(&hs->mutex);
    if (takes_more_locked(hs)) {
        rv = staff_locked(hs);
    }
    if (rv == APR_SUCCESS) {
        enqueue_locked(hs, job);
    }
    (void)pthread_mutex_unlock(&hs->mutex);
    return rv;
}

int rp_helpers_cancel(rp_helpers_t *hs, rp_job_t *job)
{
    int waits, parked;

    (void)pthread_mutex_lock(&hs->mutex);
    waits = job->place != RP_JOB_NOWHERE;
    parked = job->place == RP_JOB_PARKED;
    if (waits) {
        take_out_locked(hs, job);
    }
    if (waits && !parked && job->group != NULL) {
        leave_group_locked(hs, job->group);
    }
    (void)pthread_mutex_unlock(&hs->mutex);
    return waits;
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
    join_ended_locked(hs);
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
