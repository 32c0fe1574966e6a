/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_rproxy_balancer: balancer:// destinations. In this version the core parses and validates balancers, and a request
 * to one is answered with 503; this module holds the place of its sister modules' checks.
 */
#include <httpd.h>
#include <http_config.h>

#include "rproxy.h"

module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rproxy_balancer_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};
