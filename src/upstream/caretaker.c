/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that closes idle connections whose time is over. Requests do that too when they put a connection back, but where
 * none comes nobody would: backends kept sockets open for a proxy that had long forgotten them. A thread of our own needs no
 * other module and works with every MPM.
 */
#include "upstream/caretaker.h"

#include <pthread.h>

#include "upstream/clock.h"
#include "upstream/process.h"

typedef struct caretaker_t {
    rp_endpoints_t *eps;
    pthread_t thread;
    pthread_cond_t cond;
    struct {
        pthread_mutex_t mutex;
        int stop;
    } shared;
} caretaker_t;

static void *care(void *data)
{
    caretaker_t *me = data;

    (void)pthread_mutex_lock(&me->shared.mutex);
    while (!me->shared.stop) {
        struct timespec until = rp_clock_timespec(rp_clock_now_us() + apr_time_from_msec(RP_CARE_EVERY_MS));
        int err = 0;

        while (!me->shared.stop && err == 0) {
            err = pthread_cond_timedwait(&me->cond, &me->shared.mutex, &until);
        }
        if (!me->shared.stop) {
            (void)pthread_mutex_unlock(&me->shared.mutex);
            rp_pool_maintain(me->eps, rp_clock_now_us());
            (void)pthread_mutex_lock(&me->shared.mutex);
        }
    }
    (void)pthread_mutex_unlock(&me->shared.mutex);
    return NULL;
}

static apr_status_t stop(void *data)
{
    caretaker_t *me = data;

    (void)pthread_mutex_lock(&me->shared.mutex);
    me->shared.stop = 1;
    (void)pthread_cond_signal(&me->cond);
    (void)pthread_mutex_unlock(&me->shared.mutex);
    (void)pthread_join(me->thread, NULL);
    (void)pthread_cond_destroy(&me->cond);
    (void)pthread_mutex_destroy(&me->shared.mutex);
    return APR_SUCCESS;
}

apr_status_t rp_caretaker_start(apr_pool_t *pool, rp_endpoints_t *eps)
{
    caretaker_t *me = apr_pcalloc(pool, sizeof(*me));
    int err = rp_clock_cond_init(&me->cond);

    me->eps = eps;
    if (err != 0) {
        return err;
    }
    err = pthread_mutex_init(&me->shared.mutex, NULL);
    if (err == 0) {
        err = rp_thread_start(&me->thread, care, me);
        if (err == 0) {
            apr_pool_cleanup_register(pool, me, stop, apr_pool_cleanup_null);
            return APR_SUCCESS;
        }
        (void)pthread_mutex_destroy(&me->shared.mutex);
    }
    (void)pthread_cond_destroy(&me->cond);
    return err;
}
