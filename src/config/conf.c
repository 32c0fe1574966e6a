/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating and merging what a configuration says. Each member has its unset value, and its line in
 * a merge, here.
 */
#include "config/conf.h"
#include "config/conf_int.h"

#include <apr_strings.h>

APLOG_USE_MODULE(rproxy);

#define MERGE(member, unset) conf->member = (add->member != (unset)) ? add->member : base->member

rp_server_conf_t *rp_server_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &rproxy_module);
}

rp_dir_conf_t *rp_dir_conf(const ap_conf_vector_t *per_dir)
{
    return ap_get_module_config(per_dir, &rproxy_module);
}

void *rp_server_conf_create(apr_pool_t *p, server_rec *s)
{
    rp_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->server = s;
    conf->rules = apr_array_make(p, 8, sizeof(rp_rule_t *));
    conf->location_rules = apr_array_make(p, 2, sizeof(rp_rule_t *));
    conf->sections = apr_array_make(p, 4, sizeof(ap_conf_vector_t *));
    conf->ssl_sections = apr_array_make(p, 2, sizeof(ap_conf_vector_t *));
    conf->own_sections = apr_array_make(p, 4, sizeof(ap_conf_vector_t *));
    conf->workers = apr_array_make(p, 8, sizeof(rp_worker_t *));
    conf->worker_index = rp_worker_index_make(p);
    conf->any_workers = apr_array_make(p, 2, sizeof(rp_worker_t *));
    conf->balancers = apr_array_make(p, 2, sizeof(rp_balancer_conf_t *));
    conf->blocks = apr_array_make(p, 2, sizeof(const char *));
    conf->remotes = apr_array_make(p, 2, sizeof(rp_remote_t *));
    conf->noproxies = apr_array_make(p, 2, sizeof(const char *));
    conf->hc_templates = apr_array_make(p, 2, sizeof(rp_hc_name_t));
    conf->hc_exprs = apr_array_make(p, 2, sizeof(rp_hc_name_t));
    conf->timeout_us = -1;
    conf->via = RP_VIA_UNSET;
    conf->max_forwards = -1;
    conf->bad_header = -1;
    conf->io_buffer_size = -1;
    conf->receive_buffer_size = -1;
    conf->status = RP_UNSET;
    conf->pass_inherit = RP_UNSET;
    conf->balancer_inherit = RP_UNSET;
    conf->unconfigured_max = -1;
    conf->event_mode = conf->event_threads = conf->handoff_threads = -1;
    conf->log_buffer = -1;
    conf->tunnel_shutdown_us = -1;
    conf->timeout_status = -1;
    conf->balancer_growth = -1;
    conf->balancer_persist = RP_UNSET;
    conf->hc_threads = -1;
    conf->express = RP_UNSET;
    conf->log_fields = RP_UNSET;
    APR_ARRAY_PUSH(rp_reading(p)->confs, rp_server_conf_t *) = conf;
    return conf;
}

/* Index of a balancer in an array, or -1. */
static int balancer_index(const apr_array_header_t *balancers, const char *name)
{
    for (int i = 0; i < balancers->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(balancers, i, rp_balancer_conf_t *)->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/*
 * The same balancer in main server and virtual host: the members are the main server's, parameters
 * that the virtual host wrote win, lists of codes add up.
 */
static rp_balancer_conf_t *balancer_merge(apr_pool_t *p, const rp_balancer_conf_t *base,
                                          const rp_balancer_conf_t *add)
{
    rp_balancer_conf_t *conf = apr_pmemdup(p, add, sizeof(*add));
    const char *codes = add->params.failonstatus;

    conf->params = base->params;
    rp_balancer_params_merge(&conf->params, &add->params);
    if (codes && base->params.failonstatus) {
        conf->params.failonstatus = apr_pstrcat(p, base->params.failonstatus, ",", codes, NULL);
    }
    if (base->members->nelts > 0) {
        conf->members = base->members;
    }
    if (!add->section_conf) {
        conf->section_conf = base->section_conf;
    }
    return conf;
}

static apr_array_header_t *balancers_merge(apr_pool_t *p, const apr_array_header_t *base,
                                           const apr_array_header_t *add)
{
    apr_array_header_t *out = apr_array_copy(p, base);

    for (int i = 0; i < add->nelts; i++) {
        rp_balancer_conf_t *mine = APR_ARRAY_IDX(add, i, rp_balancer_conf_t *);
        int at = balancer_index(out, mine->name);

        if (at >= 0) {
            APR_ARRAY_IDX(out, at, rp_balancer_conf_t *) =
                balancer_merge(p, APR_ARRAY_IDX(out, at, rp_balancer_conf_t *), mine);
        }
        else {
            APR_ARRAY_PUSH(out, rp_balancer_conf_t *) = mine;
        }
    }
    return out;
}

/* Own workers first: a look-up takes the first of several with one name. */
static apr_array_header_t *workers_merge(apr_pool_t *p, const apr_array_header_t *base,
                                         const apr_array_header_t *add)
{
    apr_array_header_t *out = apr_array_copy(p, add);
    apr_hash_t *own = apr_hash_make(p);

    for (int i = 0; i < add->nelts; i++) {
        apr_hash_set(own, APR_ARRAY_IDX(add, i, rp_worker_t *)->name, APR_HASH_KEY_STRING, "");
    }
    for (int i = 0; i < base->nelts; i++) {
        rp_worker_t *inherited = APR_ARRAY_IDX(base, i, rp_worker_t *);

        if (apr_hash_get(own, inherited->name, APR_HASH_KEY_STRING) == NULL) {
            APR_ARRAY_PUSH(out, rp_worker_t *) = inherited;
        }
    }
    return out;
}

static rp_worker_index_t *workers_index(apr_pool_t *p, const apr_array_header_t *workers)
{
    rp_worker_index_t *index = rp_worker_index_make(p);

    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_index_add(index, APR_ARRAY_IDX(workers, i, rp_worker_t *));
    }
    return index;
}

void *rp_server_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const rp_server_conf_t *base = basev;
    const rp_server_conf_t *add = addv;
    rp_server_conf_t *conf = apr_pmemdup(p, add, sizeof(*add));
    int inherit;

    MERGE(pass_inherit, RP_UNSET);
    MERGE(balancer_inherit, RP_UNSET);
    inherit = rp_switch(conf->pass_inherit, 1) || rp_switch(conf->balancer_inherit, 1);

    /*
     * Rules, sections and blocks of the main server always come first, whatever the switches say.
     */
    conf->rules = apr_array_append(p, base->rules, add->rules);
    conf->location_rules = apr_array_append(p, base->location_rules, add->location_rules);
    conf->sections = apr_array_append(p, base->sections, add->sections);
    conf->ssl_sections = apr_array_append(p, base->ssl_sections, add->ssl_sections);
    conf->blocks = apr_array_append(p, base->blocks, add->blocks);
    conf->noproxies = apr_array_append(p, base->noproxies, add->noproxies);
    if (inherit) {
        conf->workers = workers_merge(p, base->workers, add->workers);
        conf->worker_index = workers_index(p, conf->workers);
        conf->balancers = balancers_merge(p, base->balancers, add->balancers);
    }
    if (rp_switch(conf->pass_inherit, 1)) {
        conf->remotes = apr_array_append(p, base->remotes, add->remotes);
    }

    MERGE(timeout_us, -1);
    MERGE(via, RP_VIA_UNSET);
    MERGE(max_forwards, -1);
    MERGE(bad_header, -1);
    MERGE(io_buffer_size, -1);
    MERGE(receive_buffer_size, -1);
    MERGE(source_address, NULL);
    MERGE(status, RP_UNSET);
    MERGE(unconfigured_max, -1);
    MERGE(event_mode, -1);
    MERGE(event_threads, -1);
    MERGE(handoff_threads, -1);
    MERGE(log_buffer, -1);
    MERGE(tunnel_shutdown_us, -1);
    MERGE(timeout_status, -1);
    MERGE(balancer_growth, -1);
    MERGE(hc_threads, -1);
    MERGE(express, RP_UNSET);
    MERGE(express_file, NULL);
    MERGE(express_type, NULL);
    MERGE(heartbeat_storage, NULL);
    MERGE(log_fields, RP_UNSET);
    /*
     * Not inherited: server, slow_calls, rule_index, blocked and view_key (made at the end), any_workers, own_sections, hc_templates, hc_exprs, and
     * balancer_persist, which a virtual host says for itself.
     */
    return conf;
}

void *rp_dir_conf_create(apr_pool_t *p, char *dir)
{
    rp_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)dir;
    conf->preserve_host = RP_UNSET;
    conf->add_headers = RP_UNSET;
    conf->interpolate_env = RP_UNSET;
    conf->forward_100 = RP_UNSET;
    conf->ws_fallback = RP_UNSET;
    conf->error_override = RP_UNSET;
    conf->forwarded_proto = -1;
    conf->request_id = -1;
    conf->traceparent = -1;
    conf->lane = -1;
    return conf;
}

void *rp_dir_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const rp_dir_conf_t *base = basev;
    const rp_dir_conf_t *add = addv;
    /*
     * Not inherited: section_url, section_normal, section_wild, section_pattern, section_regex, section_refs: a
     * merged configuration is no section.
     */
    rp_dir_conf_t *conf = apr_pmemdup(p, add, sizeof(*add));

    MERGE(rule, NULL);
    MERGE(preserve_host, RP_UNSET);
    MERGE(add_headers, RP_UNSET);
    MERGE(interpolate_env, RP_UNSET);
    MERGE(forward_100, RP_UNSET);
    MERGE(ws_fallback, RP_UNSET);
    MERGE(error_override, RP_UNSET);
    MERGE(forwarded_proto, -1);
    MERGE(request_id, -1);
    MERGE(traceparent, -1);
    MERGE(lane, -1);
    if (base->error_codes && add->error_codes) {
        conf->error_codes = apr_array_append(p, base->error_codes, add->error_codes);
    }
    else {
        MERGE(error_codes, NULL);
    }
    return conf;
}
