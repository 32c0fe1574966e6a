/* SPDX-License-Identifier: Apache-2.0 */
/* mod_rproxy_reverse: module record; header fields that name the backend are made to name the
 * proxy. */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "reverse/conf.h"

APLOG_USE_MODULE(rproxy_reverse);
RPROXY_VERSION_MARK("mod_rproxy_reverse");

#define API_NEEDED 1 /* the first that has interpolate_env */

static rp_reverse_sisters_t sisters; /* set by check_config, before there are threads */

static void rproxy_reverse_headers(request_rec *r)
{
    rp_reverse_apply(r, ap_get_module_config(r->per_dir_config, &rproxy_reverse_module), &sisters);
}

/* Runs at `httpd -t` too, when all modules are loaded: their order does not matter. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(rproxy_api) *api = APR_RETRIEVE_OPTIONAL_FN(rproxy_api);

    (void)plog;
    if (!api) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "RP0600: mod_rproxy_reverse needs mod_rproxy, which is not "
                     "loaded: add the line \"LoadModule rproxy_module modules/mod_rproxy.so\"");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    sisters.api = api(API_NEEDED);
    sisters.members = APR_RETRIEVE_OPTIONAL_FN(rproxy_balancer_members);
    if (!sisters.api) {
        ap_log_error(APLOG_MARK, APLOG_ERR | APLOG_STARTUP, 0, s,
                     "RP0601: mod_rproxy is older than mod_rproxy_reverse " RPROXY_VERSION_STRING
                     ": install both from one release");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        rp_reverse_messages_log(pconf, ptemp, s, &sisters);
    }
    return OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    /* The configuration is read twice at startup; the first time nobody reads the log. */
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        rp_reverse_messages_log(pconf, ptemp, s, &sisters);
    }
    return OK;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    APR_REGISTER_OPTIONAL_FN(rproxy_reverse_headers);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA
rproxy_reverse_module = { STANDARD20_MODULE_STUFF,
                          rp_reverse_conf_create,
                          rp_reverse_conf_merge,
                          NULL,
                          NULL,
                          rp_reverse_directives,
                          register_hooks,
                          0 };
