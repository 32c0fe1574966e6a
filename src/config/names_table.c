/* SPDX-License-Identifier: Apache-2.0 */
#include "config/names_table.h"

#include <stddef.h>
#include <string.h>

#define CORE "mod_rproxy.c"
#define BALANCER "mod_rproxy_balancer.c"

const rp_name_t rp_names[] = {
    {"mod_proxy.c", "proxy_module", CORE, NULL},
    {"mod_proxy_http.c", "proxy_http_module", CORE, NULL},
    {"mod_proxy_wstunnel.c", "proxy_wstunnel_module", CORE, NULL},
    {"mod_proxy_balancer.c", "proxy_balancer_module", BALANCER, NULL},
    {"mod_proxy_hcheck.c", "proxy_hcheck_module", BALANCER, NULL},
    {"mod_lbmethod_byrequests.c", "lbmethod_byrequests_module", BALANCER, NULL},
    {"mod_lbmethod_bytraffic.c", "lbmethod_bytraffic_module", BALANCER, NULL},
    {"mod_lbmethod_bybusyness.c", "lbmethod_bybusyness_module", BALANCER, NULL},
    {"mod_lbmethod_heartbeat.c", "lbmethod_heartbeat_module", BALANCER, "heartbeat"},
    {"mod_proxy_http2.c", "proxy_http2_module", NULL, NULL},
    {"mod_proxy_ajp.c", "proxy_ajp_module", NULL, NULL},
    {"mod_proxy_fcgi.c", "proxy_fcgi_module", NULL, NULL},
    {"mod_proxy_scgi.c", "proxy_scgi_module", NULL, NULL},
    {"mod_proxy_uwsgi.c", "proxy_uwsgi_module", NULL, NULL},
    {"mod_proxy_ftp.c", "proxy_ftp_module", NULL, NULL},
    {"mod_proxy_connect.c", "proxy_connect_module", NULL, NULL},
    {"mod_proxy_express.c", "proxy_express_module", NULL, NULL},
    {"mod_proxy_fdpass.c", "proxy_fdpass_module", NULL, NULL},
    {NULL, NULL, NULL, NULL}};

const char *rp_name_answer(const char *name, rp_present_fn *module_there,
                           rp_present_fn *method_there, void *baton)
{
    for (const rp_name_t *row = rp_names; row->file; row++) {
        if (strcmp(name, row->file) != 0 && strcmp(name, row->symbol) != 0) {
            continue;
        }
        if (row->module == NULL || !module_there(baton, row->module)
            || (row->method && !method_there(baton, row->method))) {
            return NULL;
        }
        return row->module;
    }
    return NULL;
}

int rp_name_clashes(const char *file)
{
    for (const rp_name_t *row = rp_names; row->file; row++) {
        if (strcmp(file, row->file) == 0) {
            return 1;
        }
    }
    return 0;
}
