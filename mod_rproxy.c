/* SPDX-License-Identifier: Apache-2.0 */
/* mod_rproxy: module record of the core. */
#include "config/conf.h"
#include "mapping/mapping.h"
#include "request/request.h"

RPROXY_VERSION_MARK("mod_rproxy");

static void register_hooks(apr_pool_t *p)
{
    rp_config_register_hooks(p);
    rp_mapping_register_hooks(p);
    rp_request_register_hooks(p);
}

module AP_MODULE_DECLARE_DATA rproxy_module = {
    STANDARD20_MODULE_STUFF, rp_dir_conf_create, rp_dir_conf_merge, rp_server_conf_create, rp_server_conf_merge,
    rp_directives, register_hooks, 0
};
