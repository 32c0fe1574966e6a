/* SPDX-License-Identifier: Apache-2.0 */
/* Who looks after the deadlines: one child at a time, by mod_watchdog; when it dies another one goes on. */
#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <mod_watchdog.h>

#include "balancer/api_drain.h"

APLOG_USE_MODULE(rproxy_balancer);

static server_rec *main_server_rec;
static int watched;      /* 1: the watchdog has been asked */
static int child_ready;  /* atomic: what a look needs is there */

int rp_drain_ready(void) { return watched; }

static apr_status_t look(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    if (state == AP_WATCHDOG_STATE_RUNNING && __atomic_load_n(&child_ready, __ATOMIC_ACQUIRE)) {
        rp_drain_look(pool, main_server_rec);
    }
    return APR_SUCCESS;
}

static apr_status_t child_ends(void *data)
{
    (void)data;
    __atomic_store_n(&child_ready, 0, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    (void)s;
    if (watched) {
        apr_pool_pre_cleanup_register(pchild, NULL, child_ends);
        __atomic_store_n(&child_ready, 1, __ATOMIC_RELEASE);
    }
}

apr_status_t rp_drain_configure(apr_pool_t *pconf, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add = APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *instance = NULL;
    apr_status_t rv;

    main_server_rec = main_server;
    watched = child_ready = 0;
    if (get == NULL || add == NULL) {
        return APR_SUCCESS;
    }
    rv = get(&instance, "_rproxy_drain_", 0, 1, pconf);
    if (rv == APR_SUCCESS) {
        rv = add(instance, apr_time_from_sec(1), NULL, look);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                     "RP0784: mod_watchdog does not take the watch over draining members");
        return rv;
    }
    watched = 1;
    return APR_SUCCESS;
}

void rp_drain_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_LAST); /* behind the one that opens the mutex */
}
