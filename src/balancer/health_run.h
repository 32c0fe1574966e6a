/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file health_run.h
 * The checker: which members are due, a bounded number of threads that check them, and what the results do to the members. There is
 * one on the machine for one server (health_watchdog.h sees to that), so it is the only writer of the members' health.
 */
#ifndef RP_BALANCER_HEALTH_RUN_H
#define RP_BALANCER_HEALTH_RUN_H

#include "balancer/shared.h"
#include "rproxy.h"

#define RP_HEALTH_THREADS_MAX 1024 /**< as ProxyHCTPsize allows */

/** Begin; threads are made when there is something to check. Child, one thread; balancers (of rp_balancer_t *) live as long as the child. A second call without a stop between
 * is harmless. */
void rp_health_run_start(const rproxy_api_t *core, server_rec *main_server, const apr_array_header_t *balancers);

/** Hand what is due to the threads; does nothing unless started. Never waits for a check. */
void rp_health_run_tick(apr_time_t now_us);

/** Call off what is under way and end the threads: within RP_PROBE_SLICE_US, unless the system's resolver holds one. Any thread; twice
 * too. */
void rp_health_run_stop(void);

#endif
