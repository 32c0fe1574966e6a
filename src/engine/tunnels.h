/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tunnels.h
 * How long tunnels live on in a child that ends gracefully: without a limit, as administrators know it, but for
 * RProxyTunnelShutdownTimeout, and but for the places of processes, which must not run out. Any thread.
 */
#ifndef RP_ENGINE_TUNNELS_H
#define RP_ENGINE_TUNNELS_H

#include <httpd.h>

/** Child, before its threads. timeout_us: RProxyTunnelShutdownTimeout, -1: none. */
void rp_tunnels_child_init(server_rec *s, apr_interval_time_t timeout_us);
/** The child ends: the time begins. Twice is harmless. */
void rp_tunnels_stopping(void);
/** A tunnel was opened; it is counted until r's pool goes. */
void rp_tunnels_count(request_rec *r);
/** 1: all tunnels of this child have to end now; why is logged, once. Cheap: the scoreboard is looked at four times a second at most. */
int rp_tunnels_must_end(apr_time_t now_us);

#endif
