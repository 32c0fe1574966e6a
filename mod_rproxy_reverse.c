/* SPDX-License-Identifier: Apache-2.0 */
/* mod_rproxy_reverse: module record. */
#include <httpd.h>
#include <http_config.h>

module AP_MODULE_DECLARE_DATA __attribute__((visibility("default"))) rproxy_reverse_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, NULL, 0
};
