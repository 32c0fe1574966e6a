/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file limits.h
 * How many connections the event MPM lets a child have. Parent, while it reads its configuration.
 */
#ifndef RP_ENGINE_LIMITS_H
#define RP_ENGINE_LIMITS_H

#include "engine/engine.h"

/** AsyncRequestWorkerFactor for a child of so many threads that may open so many files: with all threads idle it takes as many connections
 * as it can open a backend connection for each. 0: the MPM's own default is no less. Pure. */
int rp_limits_factor(long files, int threads);

/** check_config, after the MPM's: raise AsyncRequestWorkerFactor where the administrator wrote none and loops run. p: the configuration's. */
void rp_limits_raise(apr_pool_t *p, server_rec *s, const rp_engine_conf_t *conf);
/** post_config: the line that says what was raised, or which line would. */
void rp_limits_announce(server_rec *s, const rp_engine_conf_t *conf);
/** How many client connections a child takes while its threads are idle. After rp_limits_raise. */
int rp_limits_connections(void);
/** How many of `most` child processes the MPM keeps when all of their threads look idle to it: StartServers, but at least what MinSpareThreads asks for
 * and at most what MaxSpareThreads bears. threads: of each, > 0. Pure. */
int rp_limits_processes(int most, int start, int min_spare, int max_spare, int threads);

#endif
