/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange/count.h"

_Static_assert(RP_FAIL_COUNT <= RP_STAT_REASONS, "room for every reason");
_Static_assert(RP_REFUSE_COUNT <= RP_STAT_REFUSALS, "room for every refusal");

void rp_count_attempt_begin(const rp_attempt_t *at)
{
    (void)__atomic_add_fetch(&at->worker->stat->attempts, 1, __ATOMIC_RELAXED);
}

void rp_count_attempt_end(const rp_attempt_t *at)
{
    rp_worker_stat_t *stat = at->worker->stat;

    (void)__atomic_sub_fetch(&stat->attempts, 1, __ATOMIC_RELAXED);
    rp_stat_add(&stat->failed[at->reason], 1);
    if (at->sent > 0) {
        rp_stat_add(&stat->sent, (apr_uint64_t)at->sent);
    }
    if (at->waited) {
        rp_histogram_add(&stat->waited, (at->taken_us > 0 ? at->taken_us : at->end_us) - at->start_us);
    }
    if (at->connected_us > 0 && !at->reused) {
        rp_histogram_add(&stat->connect, at->connected_us - at->taken_us);
    }
    if (at->first_byte_us > 0) {
        rp_stat_add(&stat->received, (apr_uint64_t)at->received);
        rp_histogram_add(&stat->first_byte, at->first_byte_us - at->connected_us);
    }
    if (at->status > 0) {
        rp_histogram_add(&stat->total, at->end_us - at->start_us);
    }
}

void rp_count_resend(const rp_attempt_t *at)
{
    rp_stat_add(&at->worker->stat->resent[at->reason], 1);
}

void rp_count_failover(const rp_worker_t *left, rp_reason_e reason)
{
    rp_stat_add(&left->stat->left[reason], 1);
}

void rp_count_answer(rp_worker_stat_t *stat, int status)
{
    if (status >= 100 && status <= 599) {
        rp_stat_add(&stat->answered[status / 100 - 1], 1);
    }
}
