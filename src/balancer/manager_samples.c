/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/manager_samples.h"

#include <apr_shm.h>
#include <http_config.h>
#include <http_log.h>
#include <string.h>

#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

/** Of one member slot. Written by the main process alone. */
typedef struct ring_t {
    apr_uint32_t lease;   /**< of the member that the samples are of */
    apr_uint32_t taken;   /**< how many ever; the next one goes to taken % RP_SHOW_SAMPLES; atomic */
    apr_uint64_t requests, errors; /**< counters at the last sample */
    rp_show_sample_t samples[RP_SHOW_SAMPLES];
} ring_t;

static struct {
    ring_t *rings;        /**< by member slot, or NULL */
    const apr_array_header_t *balancers;
    apr_time_t last_us;   /**< monotonic */
} all;

static apr_uint64_t errors_of(const rp_shm_member_t *m)
{
    return __atomic_load_n(&m->failed, __ATOMIC_RELAXED) + __atomic_load_n(&m->responses[4], __ATOMIC_RELAXED);
}

static void begin_anew(ring_t *ring, const rp_shm_member_t *m, apr_uint32_t lease)
{
    __atomic_store_n(&ring->taken, 0, __ATOMIC_RELEASE);
    ring->requests = __atomic_load_n(&m->elected, __ATOMIC_RELAXED);
    ring->errors = errors_of(m);
    __atomic_store_n(&ring->lease, lease, __ATOMIC_RELEASE);
}

void rp_samples_configure(apr_pool_t *pconf, server_rec *s, const apr_array_header_t *balancers)
{
    apr_size_t size = rp_shared_slots(balancers) * sizeof(ring_t);
    apr_shm_t *shm = NULL;
    apr_status_t rv = size > 0 ? apr_shm_create(&shm, size, NULL, pconf) : APR_SUCCESS;
    int i, k;

    all.rings = NULL;
    all.balancers = balancers;
    all.last_us = rp_clock_now_us();
    if (rv != APR_SUCCESS || size == 0) {
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                         "RP0789: no shared memory for the charts of the balancer manager");
        }
        return;
    }
    all.rings = apr_shm_baseaddr_get(shm);
    memset(all.rings, 0, size);
    for (i = 0; i < balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        for (k = 0; k < b->nslots; k++) {
            begin_anew(&all.rings[b->members[k].index], b->members[k].shm, b->members[k].shm->lease);
        }
    }
}

static apr_uint32_t difference(apr_uint64_t now, apr_uint64_t before)
{
    apr_uint64_t d = now >= before ? now - before : now;

    return d > 0xffffffffu ? 0xffffffffu : (apr_uint32_t)d;
}

static void sample(const rp_member_t *m)
{
    ring_t *ring = &all.rings[m->index];
    apr_uint32_t lease = __atomic_load_n(&m->shm->lease, __ATOMIC_ACQUIRE);
    apr_uint64_t requests = __atomic_load_n(&m->shm->elected, __ATOMIC_RELAXED), errors = errors_of(m->shm);
    rp_show_sample_t *to = &ring->samples[ring->taken % RP_SHOW_SAMPLES];

    if (ring->lease != lease) { /* another member has this slot */
        begin_anew(ring, m->shm, lease);
        return;
    }
    to->requests = difference(requests, ring->requests);
    to->errors = difference(errors, ring->errors);
    ring->requests = requests;
    ring->errors = errors;
    __atomic_store_n(&ring->taken, ring->taken + 1, __ATOMIC_RELEASE);
}

int rp_samples_monitor(apr_pool_t *p, server_rec *s)
{
    apr_time_t now = rp_clock_now_us();
    int i, k;

    (void)p, (void)s;
    if (all.rings == NULL || rp_shared_map()->header == NULL
        || now - all.last_us < RP_SAMPLE_EVERY_US - apr_time_from_sec(1)) {
        return DECLINED;
    }
    all.last_us = now;
    for (i = 0; i < all.balancers->nelts; i++) {
        const rp_balancer_t *b = APR_ARRAY_IDX(all.balancers, i, rp_balancer_t *);
        for (k = 0; k < b->nslots; k++) {
            sample(&b->members[k]);
        }
    }
    return DECLINED;
}

int rp_samples_read(const rp_member_t *m, rp_show_sample_t *out)
{
    const ring_t *ring = all.rings != NULL ? &all.rings[m->index] : NULL;
    apr_uint32_t taken, n, i;

    if (ring == NULL
        || __atomic_load_n(&ring->lease, __ATOMIC_ACQUIRE) != __atomic_load_n(&m->shm->lease, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    taken = __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE);
    n = taken < RP_SHOW_SAMPLES ? taken : RP_SHOW_SAMPLES;
    for (i = 0; i < n; i++) {
        out[i] = ring->samples[(taken - n + i) % RP_SHOW_SAMPLES];
    }
    return (int)n;
}
