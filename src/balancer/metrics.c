/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/metrics.h"

#include "balancer/late.h"
#include "balancer/shared.h"
#include "upstream/clock.h"

static apr_uint64_t load64(const apr_uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

static void tell_member(const rp_live_t *live, int i, apr_time_t now_us, rproxy_member_fn_t *tell, void *ctx)
{
    const rp_live_member_t *m = &live->members[i];
    const rp_shm_member_t *shm = m->slot->shm;
    rp_member_view_t view = live->views[i];
    rproxy_member_facts_t facts = {0};

    view.status = __atomic_load_n(&shm->status, __ATOMIC_ACQUIRE);
    view.error_us = __atomic_load_n(&shm->error_us, __ATOMIC_RELAXED);
    facts.worker = m->worker;
    facts.status = view.status;
    facts.usable = rp_member_usable(&view, now_us);
    facts.weight_x100 = (apr_uint32_t)m->settings.weight_x100;
    facts.lbset = (apr_uint32_t)m->settings.lbset;
    facts.elected = load64(&shm->elected);
    facts.errors = load64(&shm->errors_set);
    facts.checks = load64(&shm->checks);
    facts.checks_failed = load64(&shm->checks_failed);
    tell(ctx, &facts);
}

void rp_balancer_facts(rproxy_member_fn_t *tell, void *ctx)
{
    const apr_array_header_t *all = rp_shared_ready() ? rp_shared_balancers() : NULL;
    apr_time_t now_us = rp_clock_now_us();

    rp_late_collect();
    for (int i = 0; all != NULL && i < all->nelts; i++) {
        rp_live_t *live = rp_live_acquire(APR_ARRAY_IDX(all, i, rp_balancer_t *));

        for (int k = 0; k < live->n; k++) {
            tell_member(live, k, now_us, tell, ctx);
        }
        rp_live_release(live);
    }
}
