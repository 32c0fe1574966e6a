/* SPDX-License-Identifier: Apache-2.0 */
/* What a child process owns: its endpoints (idle connections) and the per-child part of every worker. */
#include "request/metrics.h"

#include <ap_mpm.h>
#include <http_core.h>

#include "engine/head_time.h"
#include "engine/limits.h"
#include "engine/log_writer.h"
#include "engine/tunnels.h"
#include "upstream/caretaker.h"

static rp_endpoints_t *child_endpoints;
static rp_worker_t *child_unconfigured;
static rp_sisters_t sisters;

rp_endpoints_t *rp_child_endpoints(void) { return child_endpoints; }
rp_worker_t *rp_child_unconfigured_worker(void) { return child_unconfigured; }
const rp_sisters_t *rp_child_sisters(void) { return &sisters; }

/* All modules are loaded and there is one thread. */
static void find_sisters(void)
{
    APR_OPTIONAL_FN_TYPE(rproxy_balancer_api) *balancer = APR_RETRIEVE_OPTIONAL_FN(rproxy_balancer_api);

    sisters.reverse_headers = APR_RETRIEVE_OPTIONAL_FN(rproxy_reverse_headers);
    sisters.balancer = balancer != NULL ? balancer(RPROXY_API_VERSION) : NULL;
}

static apr_status_t init_workers(apr_pool_t *p, server_rec *main_server)
{
    apr_array_header_t *all = rp_config_workers(p, main_server);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < all->nelts && rv == APR_SUCCESS; i++) {
        rv = rp_worker_child_init(APR_ARRAY_IDX(all, i, rp_worker_t *), p);
    }
    return rv;
}

static rp_worker_t *make_unconfigured(apr_pool_t *p)
{
    rp_url_t url;
    rp_url_err_e err;
    rp_worker_t *w;

    if (rp_url_parse(p, "http://reverse/", 0, &url, &err) != APR_SUCCESS) {
        return NULL;
    }
    w = rp_worker_create(p, &url, "proxy:reverse");
    w->ignore_errors = 1;
    return rp_worker_child_init(w, p) == APR_SUCCESS ? w : NULL;
}

/* Connections and requests may outlive the child's pool (one process, prefork's last moments): they find nothing then. */
static apr_status_t child_exit(void *unused)
{
    (void)unused;
    child_endpoints = NULL;
    child_unconfigured = NULL;
    return APR_SUCCESS;
}

static void start_caretaker(apr_pool_t *p, server_rec *main_server)
{
    apr_status_t rv = rp_caretaker_start(p, child_endpoints);

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, main_server,
                     "RP0250: this child has no thread that closes old idle connections to backends: they are closed only when other "
                     "requests end; raise the limit of threads or processes (ulimit -u)");
    }
}

static rp_lane_e lane_of(const server_rec *s)
{
    return (rp_lane_e)rp_dir_conf(s->lookup_defaults)->lane;
}

static rp_engine_conf_t engine_conf(server_rec *main_server)
{
    const rp_server_conf_t *conf = rp_server_conf(main_server);
    rp_engine_conf_t engine = {.mode = RP_EVENT_AUTO, .loops = 1, .unconfigured_max = RP_UNCONFIGURED_MAX_DEFAULT, .lane_of = lane_of,
                               .needs_helper = rp_lane_needs_helper, .slow_call = rp_lane_slow_call};

    if (conf->event_mode >= 0) {
        engine.mode = (rp_event_mode_e)conf->event_mode;
    }
    if (conf->event_threads > 0) {
        engine.loops = conf->event_threads;
    }
    if (conf->unconfigured_max >= 0) {
        engine.unconfigured_max = conf->unconfigured_max;
    }
    engine.helpers = conf->handoff_threads;
    if (engine.helpers < 0 && ap_mpm_query(AP_MPMQ_MAX_THREADS, &engine.helpers) != APR_SUCCESS) {
        engine.helpers = 1;
    }
    return engine;
}

/* Without max= a worker had as many connections as the child has threads; on loops it has as many as there are clients. */
static void announce_ceilings(apr_pool_t *p, server_rec *main_server)
{
    apr_array_header_t *all = rp_config_workers(p, main_server);
    int threads = 0, free_ones = 0, i;

    (void)ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    for (i = 0; i < all->nelts; i++) {
        const rp_worker_t *w = APR_ARRAY_IDX(all, i, rp_worker_t *);

        free_ones += w->params.max <= 0;
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, main_server, "RP0344: worker %s: at most %d connections a child; with a thread for each request "
                     "it would be %d", w->name, w->params.max > 0 ? w->params.max : rp_limits_connections(),
                     w->params.max > 0 && w->params.max < threads ? w->params.max : threads);
    }
    if (free_ones > 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server, "RP0343: %d workers have no max=: each takes up to %d connections a child; with a thread for "
                     "each request it would be %d. Write max= for backends that bear fewer", free_ones, rp_limits_connections(), threads);
    }
}

/* The MPM's own post_config comes first: it is asked what it can do. */
static int announce_engine(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    rp_engine_conf_t engine = engine_conf(main_server);

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (engine.mode != RP_EVENT_OFF && rp_engine_obstacle() == NULL) {
        rp_lane_look_around(main_server);
        announce_ceilings(ptemp, main_server);
    }
    rp_limits_announce(main_server, &engine);
    rp_head_time_read(pconf, main_server, ap_conftree);
    return rp_engine_announce(main_server, &engine);
}

static int raise_limits(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main_server)
{
    rp_engine_conf_t engine = engine_conf(main_server);
    int log_buffer = rp_server_conf(main_server)->log_buffer;
    int loops = engine.mode != RP_EVENT_OFF && rp_engine_obstacle() == NULL;

    (void)plog;
    (void)ptemp;
    rp_limits_raise(pconf, main_server, &engine);
    rp_log_writer_limit(!loops ? 0 : log_buffer < 0 ? RP_LOG_BUFFER_DEFAULT : (apr_size_t)log_buffer);
    return OK;
}

static void child_init(apr_pool_t *p, server_rec *main_server)
{
    rp_engine_conf_t engine = engine_conf(main_server);
    apr_status_t rv = rp_endpoints_create(&child_endpoints, p, engine.unconfigured_max);

    find_sisters();
    if (rv == APR_SUCCESS) {
        rv = init_workers(p, main_server);
    }
    if (rv == APR_SUCCESS) {
        start_caretaker(p, main_server);
    }
    child_unconfigured = rv == APR_SUCCESS ? make_unconfigured(p) : NULL;
    if (child_unconfigured == NULL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main_server,
                     "RP0290: this child can not set up its connection pools and answers proxied requests with 503");
        child_endpoints = NULL;
    }
    apr_pool_cleanup_register(p, NULL, child_exit, apr_pool_cleanup_null);
    rp_tunnels_child_init(main_server, rp_server_conf(main_server)->tunnel_shutdown_us);
    if (child_endpoints != NULL) {
        engine.stat = rp_metrics_child_stat();
        rp_engine_child_init(p, main_server, &engine);
    }
}

void rp_child_register_hooks(apr_pool_t *p)
{
    (void)p;
    rp_conn_tls_register_filters();
    rp_engine_register_hooks(p);
    ap_hook_check_config(raise_limits, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(announce_engine, NULL, NULL, APR_HOOK_LAST);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
}
