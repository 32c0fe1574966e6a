/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSLProxy* settings: mod_ssl reads them into the configuration of the server or of a <Proxy>
 * section; here each worker gets the one that holds for it, and mod_ssl gets to prepare those of
 * the sections.
 */
#include "config/check.h"

#include <http_log.h>
#include <apr_optional_hooks.h>

APLOG_USE_MODULE(rproxy);

/* mod_ssl registers a function for this optional hook; such hooks are found by name alone. */
#define RPROXY_DECLARE(type) type
APR_DECLARE_EXTERNAL_HOOK(rproxy, RPROXY, int, section_post_config,
                          (apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                           server_rec *s, ap_conf_vector_t *section))
APR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(rproxy, RPROXY, int, section_post_config,
                                    (apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                                     server_rec *s, ap_conf_vector_t *section),
                                    (p, plog, ptemp, s, section), OK, DECLINED)

ap_conf_vector_t *rp_ssl_conf_find(const server_rec *s, const char *url)
{
    const rp_server_conf_t *conf = rp_server_conf(s);

    /* mod_ssl prepared each section on top of its server's settings: the last one decides. */
    for (int i = conf->ssl_sections->nelts - 1; i >= 0; i--) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(conf->ssl_sections, i, ap_conf_vector_t *);

        if (rp_section_matches(rp_dir_conf(section), url)) {
            return section;
        }
    }
    return s->lookup_defaults;
}

ap_conf_vector_t *rp_ssl_conf_find_member(const server_rec *s, const char *balancer_url,
                                          const char *url)
{
    ap_conf_vector_t *found = rp_ssl_conf_find(s, balancer_url);

    return found != s->lookup_defaults ? found : rp_ssl_conf_find(s, url);
}

/* balancer: its name, or NULL for direct workers. */
static void workers_bind(const server_rec *s, const apr_array_header_t *workers,
                         const char *balancer, apr_pool_t *p)
{
    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_t *worker = APR_ARRAY_IDX(workers, i, rp_worker_t *);

        const char *url = rp_url_str(p, &worker->url);

        worker->ssl_conf = balancer ? rp_ssl_conf_find_member(s, balancer, url)
                                    : rp_ssl_conf_find(s, url);
    }
}

void rp_tls_check_config(rp_reading_t *reading, server_rec *main_server)
{
    for (int i = 0; i < reading->confs->nelts; i++) {
        const rp_server_conf_t *conf = APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *);

        workers_bind(conf->server, conf->workers, NULL, reading->pool);
        for (int b = 0; b < conf->balancers->nelts; b++) {
            const rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, b, rp_balancer_conf_t *);

            workers_bind(conf->server, bal->members, bal->name, reading->pool);
        }
    }
    for (server_rec *s = main_server; s; s = s->next) {
        const rp_server_conf_t *conf = rp_server_conf(s);

        for (int b = 0; b < conf->balancers->nelts; b++) {
            rp_balancer_conf_t *bal = APR_ARRAY_IDX(conf->balancers, b, rp_balancer_conf_t *);
            ap_conf_vector_t *found = rp_ssl_conf_find(s, bal->name);

            if (bal->section_conf == NULL && found != s->lookup_defaults) {
                bal->section_conf = found;
            }
        }
    }
}

int rp_tls_post_config(rp_reading_t *reading, apr_pool_t *plog, apr_pool_t *ptemp)
{
    for (int i = 0; i < reading->confs->nelts; i++) {
        rp_server_conf_t *conf = APR_ARRAY_IDX(reading->confs, i, rp_server_conf_t *);

        for (int k = 0; k < conf->own_sections->nelts; k++) {
            ap_conf_vector_t *section = APR_ARRAY_IDX(conf->own_sections, k, ap_conf_vector_t *);
            int rv = rproxy_run_section_post_config(reading->pool, plog, ptemp, conf->server,
                                                    section);

            if (rv != OK) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, conf->server,
                             "RP0004: the SSLProxy settings of <Proxy \"%s\"> can not be used; the "
                             "lines above say why",
                             rp_dir_conf(section)->section_url);
                return rv;
            }
        }
    }
    return OK;
}
