/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file names.h
 * httpd's and other modules' way to ask "is there a proxy?": the names that configurations and
 * mod_rewrite look for.
 */
#ifndef RP_CONFIG_NAMES_H
#define RP_CONFIG_NAMES_H

#include <httpd.h>
#include <http_config.h>

/**
 * Take the names; they are given back when pconf is cleared. Called from the module's
 * register_hooks.
 */
void rp_names_register(apr_pool_t *pconf);

/** pre_config: refuse to run beside httpd's own proxy modules, or on an httpd that is too old. */
int rp_names_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp);

/** 1 when a load balancing method is provided by some module. */
int rp_lbmethod_provided(const char *name);

#endif
