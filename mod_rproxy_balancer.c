/* SPDX-License-Identifier: Apache-2.0 */
/* mod_rproxy_balancer: module record; balancer:// destinations share requests among their members. */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <ap_provider.h>
#include <ap_slotmem.h>
#include <mpm_common.h>

#include "balancer/api.h"
#include "balancer/api_drain.h"
#include "balancer/balancing.h"
#include "balancer/keep.h"
#include "balancer/health_watchdog.h"
#include "balancer/lbmethods.h"
#include "balancer/manager.h"
#include "balancer/manager_samples.h"
#include "balancer/persist_live.h"
#include "balancer/select.h"
#include "balancer/status.h"

APLOG_USE_MODULE(rproxy_balancer);
RPROXY_VERSION_MARK("mod_rproxy_balancer");

extern module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rproxy_balancer_module;

static const rproxy_balancer_api_t *rproxy_balancer_api(int version)
{
    return version <= RPROXY_API_VERSION ? &rp_balancing_api : NULL;
}

static const rproxy_api_t *core_api(void)
{
    APR_OPTIONAL_FN_TYPE(rproxy_api) *get = APR_RETRIEVE_OPTIONAL_FN(rproxy_api);

    return get ? get(RPROXY_API_VERSION) : NULL;
}

static rp_balancer_t *balancer_make(apr_pool_t *pconf, const rp_balancer_conf_t *conf)
{
    rp_balancer_t *b = apr_pcalloc(pconf, sizeof(*b));
    int i;

    b->conf = conf;
    b->nconfigured = conf->members->nelts;
    b->nslots = b->nconfigured + (conf->params.growth > 0 ? conf->params.growth : 0);
    b->members = apr_pcalloc(pconf, sizeof(*b->members) * (apr_size_t)(b->nslots + 1));
    for (i = 0; i < b->nconfigured; i++) {
        b->members[i].configured = APR_ARRAY_IDX(conf->members, i, rp_worker_t *);
    }
    return b;
}

/* The balancers of all servers, each once: inherited ones are the same object. */
static apr_array_header_t *collect(apr_pool_t *pconf, server_rec *main_server)
{
    apr_array_header_t *all = apr_array_make(pconf, 8, sizeof(rp_balancer_t *));
    server_rec *s;
    int i, k;

    for (s = main_server; s != NULL; s = s->next) {
        const apr_array_header_t *visible = core_api()->balancers(s);
        for (i = 0; visible != NULL && i < visible->nelts; i++) {
            const rp_balancer_conf_t *conf = APR_ARRAY_IDX(visible, i, const rp_balancer_conf_t *);
            for (k = 0; k < all->nelts && APR_ARRAY_IDX(all, k, rp_balancer_t *)->conf != conf; k++) {
            }
            if (k == all->nelts) {
                APR_ARRAY_PUSH(all, rp_balancer_t *) = balancer_make(pconf, conf);
            }
        }
    }
    return all;
}

static int route_known(const rp_balancer_t *b, const char *route)
{
    int i;

    for (i = 0; i < b->nconfigured; i++) {
        const char *own = b->members[i].configured->params.route;
        if (own != NULL && strcmp(own, route) == 0) {
            return 1;
        }
    }
    return 0;
}

static void balancers_warn(const apr_array_header_t *all, server_rec *s)
{
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(all, i, rp_balancer_t *);

        if (b->nconfigured == 0) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "RP0724: %s: %s has no members: its requests are answered with 503 until it has; write BalancerMember lines",
                         b->conf->defined_at, b->conf->name);
        }
        for (k = 0; k < b->nconfigured; k++) {
            const rp_worker_t *w = b->members[k].configured;

            if (w->params.redirect != NULL && w->params.redirect[0] && !route_known(b, w->params.redirect)) {
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                             "RP0725: %s: %s: redirect=%s: no member of %s has that route; write route=%s on one of them",
                             w->defined_at, w->name, w->params.redirect, b->conf->name, w->params.redirect);
            }
        }
    }
}

/* How many things are wrong with the balancers. */
static int balancers_check(const apr_array_header_t *all, server_rec *s)
{
    int i, wrong = 0;

    if (all->nelts > 0 && ap_lookup_provider(AP_SLOTMEM_PROVIDER_GROUP, "shm", AP_SLOTMEM_PROVIDER_VERSION) == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "RP0700: balancers need mod_slotmem_shm, which is not loaded: add the line "
                     "\"LoadModule slotmem_shm_module modules/mod_slotmem_shm.so\"");
        wrong++;
    }
    for (i = 0; i < all->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(all, i, rp_balancer_t *);

        if (b->nslots > RP_MEMBERS_MAX) {
            ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                         "RP0712: %s: %s has %d members and room for %d more (growth); write at most %d in all", b->conf->defined_at,
                         b->conf->name, b->nconfigured, b->nslots - b->nconfigured, RP_MEMBERS_MAX);
            wrong++;
        }
    }
    return wrong;
}

/* Runs at `httpd -t` too, when all modules are loaded: their order does not matter. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_array_header_t *all;

    (void)pconf, (void)plog;
    if (APR_RETRIEVE_OPTIONAL_FN(rproxy_api) == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "RP0710: mod_rproxy_balancer needs mod_rproxy, which is not loaded: add the line "
                     "\"LoadModule rproxy_module modules/mod_rproxy.so\"");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (core_api() == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "RP0711: mod_rproxy is older than mod_rproxy_balancer " RPROXY_VERSION_STRING
                     ": install both from one release");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    all = collect(ptemp, s);
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        balancers_warn(all, s); /* else it is said when the log is open */
    }
    return balancers_check(all, s) ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_array_header_t *all;

    (void)plog, (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* the configuration is read twice at startup */
    }
    all = collect(pconf, s);
    balancers_warn(all, s);
    rp_keep_keys(pconf, all);
    rp_balancing_configure(core_api(), all);
    rp_persist_configure(pconf, s, core_api(), all);
    if (all->nelts > 0 && rp_shared_create(pconf, s, core_api(), all) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (all->nelts > 0) {
        rp_samples_configure(pconf, s, all);
        if (rp_drain_configure(pconf, s) != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return rp_health_configure(pconf, s, core_api(), all) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status status)
{
    (void)s, (void)generation, (void)slot;
    if (status == MPM_CHILD_EXITED || status == MPM_CHILD_LOST_SLOT) {
        rp_shared_child_gone(pid);
    }
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const after_core[] = {"mod_rproxy.c", NULL}; /* which fills in defaults */
    static const rproxy_lbmethod_t *const methods[] = {&rp_lb_byrequests, &rp_lb_bytraffic, &rp_lb_bybusyness};
    size_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        ap_register_provider(p, RPROXY_LBMETHOD_GROUP, methods[i]->name, RPROXY_LBMETHOD_VERSION, methods[i]);
    }
    APR_REGISTER_OPTIONAL_FN(rproxy_balancer_api);
    rp_balancer_status_register(p);
    rp_health_register_hooks(p);
    ap_hook_check_config(check_config, after_core, NULL, APR_HOOK_MIDDLE);
    /* before mod_slotmem_shm's own (LAST): its cleanup must be registered after the segment's to run before it */
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    rp_drain_register_hooks(p);
    ap_hook_handler(rp_manager_handler, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(rp_api_handler, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_child_init(rp_shared_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(rp_samples_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(rp_persist_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA rproxy_balancer_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0
};
