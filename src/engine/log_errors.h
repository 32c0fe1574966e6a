/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log_errors.h
 * Error logs that go to programs (ErrorLog "|program"), in children with event loops: nobody waits for a program that does not read.
 */
#ifndef RP_ENGINE_LOG_ERRORS_H
#define RP_ENGINE_LOG_ERRORS_H

#include <httpd.h>

/** Parent, all logs are open: open the pipes of error logs a second time, as large as the system allows up to so many bytes. pool: pconf. 0 bytes: not at all. */
void rp_log_errors_open(apr_pool_t *pool, server_rec *main_server, apr_size_t bytes);
/** Child, before it has threads of its own: from now on its servers write there. */
void rp_log_errors_child_init(server_rec *main_server);
/** Register hooks. */
void rp_log_errors_register_hooks(apr_pool_t *p);

#endif
