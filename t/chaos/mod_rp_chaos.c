/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into httpd by t/chaos/chaos.pl: a thread that gives a connection away loses the processor for a millisecond, behind the hook by
 * which a loop takes it. RP_CHAOS_COUNT: a file of 8 bytes, how often. RP_CHAOS_CREATE_MS: so long it rests between taking an accepted connection
 * out of the MPM's queue and counting it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <mpm_common.h>

#define ONE_IN 3

static uint64_t *count; /* shared by all children; atomic */
static uint64_t calls;  /* atomic */

static void rest(conn_rec *c, request_rec *r)
{
    struct timespec ms = {.tv_nsec = 1000000};

    (void)c;
    (void)r;
    if (count != NULL && __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % ONE_IN == 0) {
        (void)__atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
        (void)nanosleep(&ms, NULL);
    }
}

static conn_rec *rest_before(apr_pool_t *p, server_rec *s, apr_socket_t *sock, long id, void *sbh, apr_bucket_alloc_t *ba)
{
    const char *ms = getenv("RP_CHAOS_CREATE_MS");
    struct timespec ts = {.tv_nsec = ms != NULL ? strtol(ms, NULL, 10) * 1000000 : 0};

    (void)p, (void)s, (void)sock, (void)id, (void)sbh, (void)ba;
    if (ts.tv_nsec > 0) {
        (void)nanosleep(&ts, NULL);
    }
    return NULL; /* declined */
}

static void child_init(apr_pool_t *p, server_rec *s)
{
    const char *name = getenv("RP_CHAOS_COUNT");
    int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    (void)p;
    (void)s;
    count = map == MAP_FAILED ? NULL : map;
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const after[] = {"mod_rproxy.c", NULL};

    (void)p;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_create_connection(rest_before, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_suspend_connection(rest, after, NULL, APR_HOOK_REALLY_LAST);
}

extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rp_chaos_module;
AP_DECLARE_MODULE(rp_chaos) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0};
