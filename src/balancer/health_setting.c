/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of health checks that are changed at run time. */
#include "balancer/health_check.h"

#include <apr_cstr.h>
#include <apr_escape.h>
#include <apr_strings.h>

const char *rp_health_setting_check(const rproxy_api_t *core, const server_rec *s, apr_pool_t *pool, const char *key, const char *value)
{
    if (apr_cstr_casecmp(key, "hcexpr") == 0 && *value != '\0' && core != NULL && core->health_expr(s, value) == NULL) {
        return apr_psprintf(pool, "hcexpr: the server that defines the balancer has no ProxyHCExpr \"%s\"",
                            apr_pescape_echo(pool, value, 1));
    }
    return rp_health_request_wrong(pool, apr_cstr_casecmp(key, "hcuri") == 0 ? value : NULL,
                                   apr_cstr_casecmp(key, "hchost") == 0 ? value : NULL);
}
