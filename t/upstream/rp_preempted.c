/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into httpd by a test: the listener of the event MPM loses the processor at a bad moment, as it does now and then on a busy machine. It
 * hears of many connections at once, and once it had to wait for a worker it rests after each connection that it hands over: the workers
 * have all come to their end before it goes on to what it heard last.
 */
#include <apr_poll.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <dlfcn.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))
#define GATHER_MS 50
#define REST_MS 3

static __thread int listens; /* this thread polls: it is the listener */
static __thread int waited;  /* for a worker, since it polled */
static __thread int handed;  /* a connection to a worker, which sees it once the mutex is free */

/* fn: a pointer to a function pointer; what the next library has by this name. */
static void find(void *fn, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(fn, &found, sizeof(found));
}

static void rest(long ms)
{
    struct timespec ts = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&ts, NULL);
}

EXPORT apr_status_t apr_pollset_poll(apr_pollset_t *set, apr_interval_time_t timeout, apr_int32_t *n, const apr_pollfd_t **found)
{
    static apr_status_t (*real)(apr_pollset_t *, apr_interval_time_t, apr_int32_t *, const apr_pollfd_t **);
    apr_status_t rv;

    if (real == NULL) {
        find(&real, "apr_pollset_poll");
    }
    listens = 1;
    waited = 0;
    rv = real(set, timeout, n, found);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rest(GATHER_MS);
    return real(set, 0, n, found);
}

EXPORT apr_status_t apr_thread_cond_wait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex)
{
    static apr_status_t (*real)(apr_thread_cond_t *, apr_thread_mutex_t *);

    if (real == NULL) {
        find(&real, "apr_thread_cond_wait");
    }
    waited = listens;
    return real(cond, mutex);
}

EXPORT apr_status_t apr_thread_cond_signal(apr_thread_cond_t *cond)
{
    static apr_status_t (*real)(apr_thread_cond_t *);

    if (real == NULL) {
        find(&real, "apr_thread_cond_signal");
    }
    handed = waited;
    return real(cond);
}

EXPORT apr_status_t apr_thread_mutex_unlock(apr_thread_mutex_t *mutex)
{
    static apr_status_t (*real)(apr_thread_mutex_t *);
    apr_status_t rv;

    if (real == NULL) {
        find(&real, "apr_thread_mutex_unlock");
    }
    rv = real(mutex);
    if (handed) {
        handed = 0;
        rest(REST_MS);
    }
    return rv;
}
