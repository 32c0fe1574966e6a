/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file manager_samples.h
 * Requests and failures of each member in the last minutes, for its chart. The main process takes a sample every ten
 * seconds from the counters there are; requests know nothing of it.
 */
#ifndef RP_BALANCER_MANAGER_SAMPLES_H
#define RP_BALANCER_MANAGER_SAMPLES_H

#include "balancer/api_view.h"
#include "balancer/shared.h"

#define RP_SAMPLE_EVERY_US apr_time_from_sec(10)

/** Parent, post_config: room for the samples of all members of these (of rp_balancer_t *). Without memory there are no
 * charts; logged. */
void rp_samples_configure(apr_pool_t *pconf, server_rec *s, const apr_array_header_t *balancers);

/** Hook of the main process. */
int rp_samples_monitor(apr_pool_t *p, server_rec *s);

/** The last samples of a member, oldest first; RP_SHOW_SAMPLES at most. @return how many */
int rp_samples_read(const rp_member_t *m, rp_show_sample_t *out);

#endif
