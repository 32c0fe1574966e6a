/* SPDX-License-Identifier: Apache-2.0 */
#include "config/version.h"

#include <apr_strings.h>

const char *rp_version_refuse(apr_pool_t *pool, int major, int minor, int patch)
{
    if (major == RP_HTTPD_MAJOR && minor == RP_HTTPD_MINOR && patch >= RP_HTTPD_PATCH) {
        return NULL;
    }
    return apr_psprintf(pool,
                        "mod_rproxy needs httpd %d.%d.%d or a later %d.%d; this one is %d.%d.%d: "
                        "update httpd, or remove the LoadModule line of rproxy_module",
                        RP_HTTPD_MAJOR, RP_HTTPD_MINOR, RP_HTTPD_PATCH, RP_HTTPD_MAJOR,
                        RP_HTTPD_MINOR, major, minor, patch);
}
