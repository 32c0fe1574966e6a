/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_pools.h"

#include <unistd.h>

#include "balancer/balancing.h"

static json_t *pool_of(const rp_balancer_t *b, const rp_live_member_t *m)
{
    const rp_worker_t *w = m->worker;
    json_t *out = json_object();

    json_object_set_new(out, "balancer", json_string(b->conf->name + sizeof("balancer://") - 1));
    json_object_set_new(out, "member", json_string(w->name));
    json_object_set_new(out, "max", w->params.max > 0 ? json_integer(w->params.max) : json_null());
    json_object_set_new(out, "connections", json_integer(__atomic_load_n(&w->stat->permits, __ATOMIC_RELAXED)));
    json_object_set_new(out, "in_flight", json_integer(__atomic_load_n(&w->stat->in_flight, __ATOMIC_RELAXED)));
    json_object_set_new(out, "waiting", json_integer(__atomic_load_n(&w->stat->waiters, __ATOMIC_RELAXED)));
    json_object_set_new(out, "opened", json_integer((json_int_t)__atomic_load_n(&w->stat->opened, __ATOMIC_RELAXED)));
    json_object_set_new(out, "reused", json_integer((json_int_t)__atomic_load_n(&w->stat->reused, __ATOMIC_RELAXED)));
    json_object_set_new(out, "closed", json_integer((json_int_t)__atomic_load_n(&w->stat->closed, __ATOMIC_RELAXED)));
    return out;
}

json_t *rp_pools_json(request_rec *r)
{
    const apr_array_header_t *visible = rp_balancing_visible(r->pool, r->server);
    json_t *out = json_object(), *list = json_array();
    int i, k;

    for (i = 0; i < visible->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        rp_live_t *live = rp_live_acquire(b);

        for (k = 0; k < live->n; k++) {
            json_array_append_new(list, pool_of(b, &live->members[k]));
        }
        rp_live_release(live);
    }
    json_object_set_new(out, "process", json_integer(getpid()));
    json_object_set_new(out, "pools", list);
    return out;
}
