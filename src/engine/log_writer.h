/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log_writer.h
 * Logs that go to programs, in children with event loops: no request waits for a program that does not read. See log_pipe.h.
 */
#ifndef RP_ENGINE_LOG_WRITER_H
#define RP_ENGINE_LOG_WRITER_H

#include <httpd.h>

#include "upstream/stat.h"

#define RP_LOG_BUFFER_DEFAULT 1048576 /**< RProxyLogBuffer */

/** Register hooks. */
void rp_log_writer_register_hooks(apr_pool_t *p);
/** Parent, directives are read and no log is open: bytes that may wait for each program in each child. 0: requests wait, as httpd's own writer lets them. */
void rp_log_writer_limit(apr_size_t bytes);
/** Child, before it has threads of its own: from now on lines for programs are written without waiting. s and stat outlive the child's threads. */
void rp_log_writer_child_init(server_rec *s, rp_child_stat_t *stat);
/** The child's requests are over, or it will not wait for them: what waits is written for a bounded time. Lines that come later are written at once, or lost. May be
 * called again. */
void rp_log_writer_child_end(int graceful);

#endif
