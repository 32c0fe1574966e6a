/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file count.h
 * What attempts leave in the counters of their worker (upstream/stat.h). All here is safe from any thread and takes no lock.
 */
#ifndef RP_EXCHANGE_COUNT_H
#define RP_EXCHANGE_COUNT_H

#include "exchange/attempt.h"

/** An attempt begins: it is under way until rp_count_attempt_end. */
void rp_count_attempt_begin(const rp_attempt_t *at);
/** It has ended, at at->end_us; once for each. */
void rp_count_attempt_end(const rp_attempt_t *at);
/** After its end: it goes to the same worker again, or to another member. */
void rp_count_resend(const rp_attempt_t *at);
void rp_count_failover(const rp_worker_t *left, rp_reason_e reason);
/** A request was answered with an HTTP status; others than 100 to 599 do not count. */
void rp_count_answer(rp_worker_stat_t *stat, int status);

#endif
