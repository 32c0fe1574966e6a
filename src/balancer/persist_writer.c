/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main process goes on making children by fork() while this thread runs. So it uses no pool whose allocator others use: its mutex might be
 * held in the moment of a fork, and stay locked in the child for ever.
 */
#include "balancer/persist_writer.h"

#include <apr_shm.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "upstream/clock.h"
#include "upstream/process.h"

#define LOOK_US 2000 /* between two looks of a child that waits */

/** What writer and children tell each other. */
typedef struct shared_t {
    apr_uint64_t written; /**< changes that are in the file; atomic, as the next */
    apr_uint64_t failed;  /**< changes up to which the last write failed */
} shared_t;

static struct {
    int running;          /**< in this process: owner alone */
    pid_t owner;
    int asked;            /**< eventfd; -1 none */
    int end;              /**< atomic */
    pthread_t thread;
    shared_t *shared;
    rp_persist_write_fn_t *write;
    apr_interval_time_t every;
} writer = {.asked = -1};

int rp_persist_writer_runs(void) { return writer.running && writer.owner == getpid(); }

static void ask(void)
{
    apr_uint64_t one = 1;
    ssize_t n = write(writer.asked, &one, sizeof(one)); /* full: it was asked often enough */

    (void)n;
}

static void asked_close(void)
{
    if (writer.asked >= 0) {
        close(writer.asked);
    }
    writer.asked = -1;
}

static void write_once(apr_pool_t *pool)
{
    int failed = 0;
    apr_uint64_t changes = writer.write(pool, &failed);

    __atomic_store_n(failed ? &writer.shared->failed : &writer.shared->written, changes, __ATOMIC_RELEASE);
    apr_pool_clear(pool);
}

static void *run(void *data)
{
    apr_pool_t *pool = data;
    apr_uint64_t times;

    while (!__atomic_load_n(&writer.end, __ATOMIC_ACQUIRE)) {
        struct pollfd fd = {writer.asked, POLLIN, 0};

        if (poll(&fd, 1, (int)apr_time_as_msec(writer.every)) > 0) {
            ssize_t n = read(writer.asked, &times, sizeof(times));
            (void)n;
        }
        if (!__atomic_load_n(&writer.end, __ATOMIC_ACQUIRE)) {
            write_once(pool);
        }
    }
    return NULL;
}

static apr_status_t stop(void *data)
{
    if (rp_persist_writer_runs()) { /* children come here too, at their exit */
        __atomic_store_n(&writer.end, 1, __ATOMIC_RELEASE);
        ask();
        (void)pthread_join(writer.thread, NULL);
        apr_pool_destroy(data);
    }
    asked_close();
    writer.running = 0;
    return APR_SUCCESS;
}

apr_status_t rp_persist_writer_start(apr_pool_t *pconf, rp_persist_write_fn_t *write_fn, apr_interval_time_t every)
{
    apr_shm_t *shm = NULL;
    apr_pool_t *pool = NULL;
    apr_status_t rv = apr_shm_create(&shm, sizeof(shared_t), NULL, pconf);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    writer.shared = apr_shm_baseaddr_get(shm);
    writer.shared->written = writer.shared->failed = 0;
    writer.write = write_fn;
    writer.every = every;
    writer.owner = getpid();
    writer.end = 0;
    writer.asked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rv = writer.asked < 0 ? errno : rp_thread_start(&writer.thread, run, pool);
    writer.running = rv == APR_SUCCESS;
    if (rv == APR_SUCCESS) {
        apr_pool_pre_cleanup_register(pconf, pool, stop);
        return rv;
    }
    apr_pool_destroy(pool);
    asked_close();
    return rv;
}

apr_status_t rp_persist_writer_wait(apr_uint64_t changes, apr_interval_time_t limit)
{
    apr_time_t until = rp_clock_now_us() + limit;

    if (writer.asked < 0) {
        return APR_ENOTIMPL;
    }
    ask();
    while (__atomic_load_n(&writer.shared->written, __ATOMIC_ACQUIRE) < changes) {
        if (__atomic_load_n(&writer.shared->failed, __ATOMIC_ACQUIRE) >= changes) {
            return APR_EGENERAL;
        }
        if (rp_clock_now_us() >= until) {
            return APR_TIMEUP;
        }
        (void)poll(NULL, 0, LOOK_US / 1000);
    }
    return APR_SUCCESS;
}
