/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file check.h
 * Judging the whole configuration once it was read. Each check logs what it refuses and answers how
 * many refusals.
 */
#ifndef RP_CONFIG_CHECK_H
#define RP_CONFIG_CHECK_H

#include "config/conf_int.h"

/** Bind workers and balancers to the SSLProxy* settings that hold for them. */
void rp_tls_check_config(rp_reading_t *reading, server_rec *main_server);
/** Let mod_ssl prepare the settings of sections; after its own post_config. OK or an error. */
int rp_tls_post_config(rp_reading_t *reading, apr_pool_t *plog, apr_pool_t *ptemp);

/** What a worker did not say and its server, its protocol or the defaults do. */
void rp_worker_complete(const rp_server_conf_t *conf, rp_worker_t *worker);

/** SetHandler, AddHandler and RewriteRule lines with a protocol that is not spoken here. */
int rp_handlers_check(apr_pool_t *ptemp);

#endif
