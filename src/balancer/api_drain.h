/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file api_drain.h
 * Draining with a deadline: a member gets no new sessions from now on, and at the deadline something is done about
 * those it still has.
 */
#ifndef RP_BALANCER_API_DRAIN_H
#define RP_BALANCER_API_DRAIN_H

#include "balancer/api_live.h"

/** deadline_s: from now, -1 none. then: "stopped", "disabled" or "removed". */
rp_done_t rp_drain_begin(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m,
                         int deadline_s, const char *then);

/** Not draining any more; the deadline is off. */
rp_done_t rp_drain_end(const rp_asker_t *asker, const rp_show_balancer_t *b, const rp_show_member_t *m);

/** 1: deadlines are watched (mod_watchdog is there). */
int rp_drain_ready(void);

/** Do what the deadlines that have passed ask for. The one that watches; pool is for messages. */
void rp_drain_look(apr_pool_t *pool, server_rec *s);

/** Parent, post_config: have one child at a time look after the deadlines, once a second. Without mod_watchdog:
 * nothing. */
apr_status_t rp_drain_configure(apr_pool_t *pconf, server_rec *main_server) RP_WARN_UNUSED;

/** Hooks of the children. */
void rp_drain_register_hooks(apr_pool_t *p);

#endif
