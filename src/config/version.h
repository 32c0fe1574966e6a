/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file version.h
 * The oldest httpd that these modules run on. Pure.
 */
#ifndef RP_CONFIG_VERSION_H
#define RP_CONFIG_VERSION_H

#include <apr_pools.h>

#define RP_HTTPD_MAJOR 2
#define RP_HTTPD_MINOR 4
#define RP_HTTPD_PATCH 52

/** NULL, or a sentence from pool when the running httpd is too old or of another series. */
const char *rp_version_refuse(apr_pool_t *pool, int major, int minor, int patch);

#endif
