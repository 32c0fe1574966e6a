/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as a whole. check_config runs for `httpd -t` as well, post_config does not:
 * everything that can be wrong is judged here. What is only worth a log line is logged once, when
 * the log is open (or at once by `httpd -t`).
 */
#include "config/check.h"

#include <http_core.h>
#include <http_log.h>
#include <apr_hash.h>
#include <apr_strings.h>

#include "config/define.h"
#include "config/health.h"
#include "config/hosts.h"
#include "config/names.h"
#include "mapping/rules.h"
#include "rproxy.h"

APLOG_USE_MODULE(rproxy);

#define HEALTH_THREADS_DEFAULT 16

#define REFUSE(tag_and_format, ...)                                                                \
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, tag_and_format, __VA_ARGS__)

rp_worker_t *rp_rule_worker(const rp_server_conf_t *conf, const rp_rule_t *rule, const char *url,
                            const char *uds)
{
    rp_worker_t *found;

    if (rule && rule->worker && (rule->worker_own || !rule->worker->rivalled)) {
        return rule->worker;
    }
    found = rp_worker_index_find(conf->worker_index, url, uds);
    return found ? found : (rule ? rule->worker : NULL);
}

apr_array_header_t *rp_config_workers(apr_pool_t *pool, server_rec *main_server)
{
    return apr_array_copy(pool, rp_reading(main_server->process->pconf)->workers);
}

/* The first thing that needs the module that balances; 0 when nothing does. */
static int find_balancer_need(const rp_reading_t *reading, rp_need_t *need)
{
    if (reading->balancer_needs->nelts > 0) {
        *need = APR_ARRAY_IDX(reading->balancer_needs, 0, rp_need_t);
        return 1;
    }
    for (int i = 0; i < reading->confs->nelts; i++) {
        const rp_server_conf_t *conf = APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *);

        if (conf->balancers->nelts > 0) {
            const rp_balancer_conf_t *bal =
                APR_ARRAY_IDX(conf->balancers, 0, rp_balancer_conf_t *);

            *need = (rp_need_t){bal->name, bal->defined_at};
            return 1;
        }
    }
    return 0;
}

static int check_balancer_module(const rp_reading_t *reading)
{
    rp_need_t need;

    if (ap_find_linked_module("mod_rproxy_balancer.c") || !find_balancer_need(reading, &need)) {
        return 0;
    }
    REFUSE("RP0006: %s: %s needs mod_rproxy_balancer, which is not loaded: add the line "
           "\"LoadModule rproxy_balancer_module modules/mod_rproxy_balancer.so\"",
           need.defined_at, need.what);
    return 1;
}

static int check_lbmethods(const rp_server_conf_t *conf)
{
    int refused = 0;

    for (int i = 0; i < conf->balancers->nelts; i++) {
        const rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *);

        if (bal->params.lbmethod && !rp_lbmethod_provided(bal->params.lbmethod)) {
            REFUSE("RP0007: %s: %s: unknown lbmethod \"%s\": write byrequests, bytraffic or "
                   "bybusyness, or load the module that provides it",
                   bal->defined_at, bal->name, bal->params.lbmethod);
            refused++;
        }
    }
    return refused;
}

/*
 * A backend that ProxyRemote says must be reached through another proxy must not be reached
 * directly.
 */
static int check_remote(apr_pool_t *p, const rp_server_conf_t *conf, const rp_worker_t *worker)
{
    const rp_remote_t *remote;

    if (worker->url.uds || !worker->configured) {
        return 0; /* what varies is looked at when a request comes */
    }
    remote = rp_remote_of(p, conf, rp_url_str(p, &worker->url), worker->url.host);
    if (remote == NULL) {
        return 0;
    }
    REFUSE("RP0009: %s: %s is to be reached through another proxy according to %s, which is not "
           "supported: remove that line, or exempt the backend by \"NoProxy %s\"",
           worker->defined_at, worker->name, rp_remote_str(p, remote), worker->url.host);
    return 1;
}

void rp_worker_complete(const rp_server_conf_t *conf, rp_worker_t *worker)
{
    if (worker->params.receivebuffersize < 0 && conf->receive_buffer_size >= 0) {
        worker->params.receivebuffersize = conf->receive_buffer_size;
    }
    if (worker->params.upgrade == NULL
        && (strcmp(worker->url.scheme, "ws") == 0 || strcmp(worker->url.scheme, "wss") == 0)) {
        worker->params.upgrade = "WebSocket";
    }
    rp_worker_params_defaults(&worker->params);
}

static void notice_params(apr_pool_t *pconf, const rp_param_row_t *rows, int n,
                          apr_uint64_t written)
{
    for (int i = 0; i < n && i < 64; i++) {
        if (rows[i].later && (written & (APR_UINT64_C(1) << i))) {
            rp_notice_name(pconf, RP_NOTICE_LATER, rows[i].key);
        }
    }
}

static int check_workers(rp_reading_t *reading, apr_pool_t *ptemp, const rp_server_conf_t *own,
                         const apr_array_header_t *workers)
{
    const rp_server_conf_t *merged = rp_server_conf(own->server);
    int n;
    const rp_param_row_t *rows = rp_worker_param_rows(&n);
    int refused = 0;

    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_t *worker = APR_ARRAY_IDX(workers, i, rp_worker_t *);

        refused += rp_health_worker_check(ptemp, own, worker) + check_remote(ptemp, merged, worker);
        rp_worker_complete(merged, worker);
        notice_params(reading->pool, rows, n, worker->params.written);
    }
    return refused;
}

static void complete_balancers(const rp_server_conf_t *conf)
{
    for (int i = 0; i < conf->balancers->nelts; i++) {
        rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *);
        int growth = rp_server_conf(bal->server)->balancer_growth;

        if (bal->params.growth < 0 && growth >= 0) {
            bal->params.growth = growth < RP_GROWTH_MAX ? growth : RP_GROWTH_MAX;
        }
        rp_balancer_params_defaults(&bal->params);
    }
}

/* One server as written, before merging; merged things are seen through its server_rec. */
static int check_server(rp_reading_t *reading, apr_pool_t *ptemp, const rp_server_conf_t *conf)
{
    int n;
    const rp_param_row_t *rows = rp_balancer_param_rows(&n);
    int refused = check_workers(reading, ptemp, conf, conf->workers)
                  + check_workers(reading, ptemp, conf, conf->any_workers);

    for (int i = 0; i < conf->workers->nelts; i++) {
        rp_health_direct_check(reading, APR_ARRAY_IDX(conf->workers, i, rp_worker_t *));
    }
    for (int i = 0; i < conf->balancers->nelts; i++) {
        const rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *);

        refused += check_workers(reading, ptemp, conf, bal->members);
        notice_params(reading->pool, rows, n, bal->params.written);
    }
    if (ap_find_linked_module("mod_rproxy_balancer.c")) {
        refused += check_lbmethods(conf);
    }
    if (conf->express == RP_ON) {
        REFUSE("RP0030: ProxyExpressEnable On is not supported: it would leave the hosts of \"%s\" "
               "without their backends; map them by RewriteMap dbm: and RewriteRule ... [P]",
               conf->express_file ? conf->express_file : "ProxyExpressDBMFile");
        refused++;
    }
    return refused;
}

static int balancer_known(const rp_server_conf_t *conf, const char *name)
{
    for (int i = 0; i < conf->balancers->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *)->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Lines that lead to a balancer which their server does not have: taken, as it always was; once each. */
static void warn_undefined(rp_reading_t *reading, apr_pool_t *ptemp, server_rec *main_server)
{
    apr_hash_t *said = apr_hash_make(ptemp);

    for (server_rec *s = main_server; s; s = s->next) {
        const rp_server_conf_t *conf = rp_server_conf(s);

        for (int i = 0; i < conf->rules->nelts; i++) {
            const rp_rule_t *rule = APR_ARRAY_IDX(conf->rules, i, const rp_rule_t *);
            rp_message_t *message;

            if (rule->balancer == NULL || balancer_known(conf, rule->balancer)
                || apr_hash_get(said, rule->defined_at, APR_HASH_KEY_STRING)) {
                continue;
            }
            apr_hash_set(said, rule->defined_at, APR_HASH_KEY_STRING, rule);
            message = apr_array_push(reading->messages);
            message->level = APLOG_WARNING;
            message->text =
                apr_psprintf(reading->pool,
                             "RP0726: %s: %s is not defined in this server: requests are answered "
                             "with 503; write a <Proxy> section with BalancerMember lines",
                             rule->defined_at, rule->balancer);
        }
    }
}

static const char *join(apr_pool_t *p, const apr_array_header_t *names)
{
    const char *list = "";

    for (int i = 0; i < names->nelts; i++) {
        list = apr_pstrcat(p, list, i ? ", " : "", APR_ARRAY_IDX(names, i, const char *), NULL);
    }
    return list;
}

static void log_messages(const rp_reading_t *reading, apr_pool_t *p, server_rec *s)
{
    for (int i = 0; i < reading->messages->nelts; i++) {
        const rp_message_t *message = &APR_ARRAY_IDX(reading->messages, i, rp_message_t);

        ap_log_error(APLOG_MARK, message->level, 0, s, "%s", message->text);
    }
    if (reading->noticed[RP_NOTICE_LATER]->nelts > 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "RP0031: accepted and checked, but without effect in this version: %s",
                     join(p, reading->noticed[RP_NOTICE_LATER]));
    }
    if (reading->noticed[RP_NOTICE_FORWARD]->nelts > 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "RP0032: without effect, as they concern forward proxies and FTP: %s; the "
                     "lines may be removed",
                     join(p, reading->noticed[RP_NOTICE_FORWARD]));
    }
}

/* A rule that is inherited meets the workers of another server: they are all looked at together. */
static void mark_rivals(const rp_reading_t *reading, apr_pool_t *ptemp)
{
    rp_worker_index_t *all = rp_worker_index_make(ptemp);

    for (int i = 0; i < reading->confs->nelts; i++) {
        const rp_server_conf_t *conf = APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *);

        for (int k = 0; k < conf->workers->nelts; k++) {
            rp_worker_index_add(all, APR_ARRAY_IDX(conf->workers, k, rp_worker_t *));
        }
    }
    rp_worker_index_mark(all);
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    rp_reading_t *reading = rp_reading(pconf);
    int refused = rp_handlers_check(ptemp) + check_balancer_module(reading);

    (void)plog;
    for (int i = 0; i < reading->confs->nelts; i++) {
        refused +=
            check_server(reading, ptemp, APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *));
    }
    mark_rivals(reading, ptemp);
    refused += rp_health_watchdog_check(reading);
    for (server_rec *server = s; server; server = server->next) {
        rp_server_conf_t *conf = rp_server_conf(server);

        complete_balancers(conf);
        conf->rule_index = rp_rule_index_make(pconf, conf->rules);
    }
    rp_tls_check_config(reading, s);
    warn_undefined(reading, ptemp, s);
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        log_messages(reading, ptemp, s);
    }
    return refused ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/* ProxyBlock is about addresses too. Names that have none now are only words. */
static void resolve_blocked(apr_pool_t *pconf, server_rec *s)
{
    for (; s; s = s->next) {
        rp_server_conf_t *conf = rp_server_conf(s);

        conf->blocked = rp_blocked_addrs(pconf, conf->blocks);
    }
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    rp_reading_t *reading = rp_reading(pconf);
    int rv = rp_tls_post_config(reading, plog, ptemp);

    /* The configuration is read twice at startup; the first time nobody reads the log. */
    if (rv == OK && ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "RP0242: mod_rproxy " RPROXY_VERSION_STRING ", built with httpd " AP_SERVER_BASEREVISION ", is configured");
        log_messages(reading, ptemp, s);
        resolve_blocked(pconf, s);
    }
    return rv;
}

static int interpolate_env(request_rec *r)
{
    return rp_switch(rp_dir_conf(r->per_dir_config)->interpolate_env, 0);
}

static const apr_array_header_t *balancers(const server_rec *s)
{
    return rp_server_conf(s)->balancers;
}

static const apr_array_header_t *workers(const server_rec *s)
{
    return rp_server_conf(s)->workers;
}

static int proxy_status(const server_rec *s)
{
    return rp_switch(rp_server_conf(s)->status, 0);
}

static int balancer_persist(const server_rec *s)
{
    return rp_server_conf(s)->balancer_persist;
}

static int health_threads(const server_rec *s)
{
    int threads = rp_server_conf(s)->hc_threads;

    return threads >= 0 ? threads : HEALTH_THREADS_DEFAULT;
}

static apr_interval_time_t io_timeout(const server_rec *s)
{
    const rp_server_conf_t *conf = rp_server_conf(s);

    return conf->timeout_us > 0 ? conf->timeout_us : s->timeout;
}

static void paths_add(apr_array_header_t *out, const apr_array_header_t *rules, const char *name)
{
    for (int i = 0; i < rules->nelts; i++) {
        const rp_rule_t *rule = APR_ARRAY_IDX(rules, i, const rp_rule_t *);

        if (rule->balancer && strcmp(rule->balancer, name) == 0) {
            APR_ARRAY_PUSH(out, const char *) = rule->path;
        }
    }
}

static apr_array_header_t *balancer_paths(apr_pool_t *pool, const server_rec *s, const char *name)
{
    apr_array_header_t *out = apr_array_make(pool, 4, sizeof(const char *));

    paths_add(out, rp_server_conf(s)->rules, name);
    paths_add(out, rp_server_conf(s)->location_rules, name);
    return out;
}

static rproxy_api_t api_table = {.version = RPROXY_API_VERSION,
                           .interpolate_env = interpolate_env,
                           .balancers = balancers,
                           .proxy_status = proxy_status,
                           .balancer_persist = balancer_persist,
                           .member_make = rp_member_make,
                           .member_ready = rp_member_ready,
                           .health_threads = health_threads,
                           .health_expr = rp_health_expr,
                           .io_timeout = io_timeout,
                           .workers = workers,
                           .balancer_paths = balancer_paths};

void rp_config_provide_probe(rp_probe_fn_t *probe)
{
    api_table.probe = probe;
}

void rp_config_provide_views(const rp_views_t *views)
{
    api_table.flights = views->flights;
    api_table.pools = views->pools;
    api_table.loops = views->loops;
}

static const rproxy_api_t *rproxy_api(int version)
{
    return version <= RPROXY_API_VERSION ? &api_table : NULL;
}

/* What the balancer module says when it runs; before that, what is configured. */
static apr_array_header_t *members_now(apr_pool_t *pool, const server_rec *s, const char *name)
{
    APR_OPTIONAL_FN_TYPE(rproxy_balancer_api) *get = APR_RETRIEVE_OPTIONAL_FN(rproxy_balancer_api);
    const rproxy_balancer_api_t *api = get ? get(RPROXY_API_VERSION) : NULL;

    return api ? api->members(pool, s, name) : NULL;
}

/* For modules that only want to know the URLs of members. */
static apr_array_header_t *rproxy_balancer_members(apr_pool_t *pool, server_rec *s,
                                                   const char *name)
{
    const rp_server_conf_t *conf = rp_server_conf(s);
    apr_array_header_t *now = members_now(pool, s, name);

    if (now) {
        return now;
    }

    for (int i = 0; i < conf->balancers->nelts; i++) {
        const rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, i, rp_balancer_conf_t *);
        apr_array_header_t *urls;

        if (strcmp(bal->name, name) != 0) {
            continue;
        }
        urls = apr_array_make(pool, bal->members->nelts, sizeof(const char *));
        for (int k = 0; k < bal->members->nelts; k++) {
            APR_ARRAY_PUSH(urls, const char *) =
                APR_ARRAY_IDX(bal->members, k, const rp_worker_t *)->name;
        }
        return urls;
    }
    return NULL;
}

void rp_config_register_hooks(apr_pool_t *p)
{
    static const char *const after_ssl[] = {"mod_ssl.c", NULL};

    rp_names_register(p);
    APR_REGISTER_OPTIONAL_FN(rproxy_api);
    APR_REGISTER_OPTIONAL_FN(rproxy_balancer_members);
    ap_hook_pre_config(rp_names_pre_config, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, after_ssl, NULL, APR_HOOK_MIDDLE);
}
