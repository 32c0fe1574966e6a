/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api_pools.h"

#include "balancer/balancing.h"

/** One pool in all children. */
typedef struct sum_t {
    rproxy_pool_t all;
    json_t *processes;
} sum_t;

static json_t *number(apr_uint64_t n) { return json_integer((json_int_t)n); }

static void numbers_set(json_t *to, const rproxy_pool_t *pool)
{
    json_object_set_new(to, "connections", number(pool->connections));
    json_object_set_new(to, "in_flight", number(pool->in_flight));
    json_object_set_new(to, "waiting", number(pool->waiting));
    json_object_set_new(to, "opened", number(pool->opened));
    json_object_set_new(to, "reused", number(pool->reused));
    json_object_set_new(to, "closed", number(pool->closed));
}

static void add_child(void *ctx, const rproxy_pool_t *pool)
{
    sum_t *sum = ctx;
    json_t *one = json_object();

    sum->all.connections += pool->connections;
    sum->all.in_flight += pool->in_flight;
    sum->all.waiting += pool->waiting;
    sum->all.opened += pool->opened;
    sum->all.reused += pool->reused;
    sum->all.closed += pool->closed;
    json_object_set_new(one, "pid", json_integer(pool->pid));
    numbers_set(one, pool);
    json_array_append_new(sum->processes, one);
}

/* balancer: NULL for a worker that is no member. */
static json_t *pool_of(const rproxy_api_t *core, const char *balancer, const rp_worker_t *w)
{
    sum_t sum = {{0}, json_array()};
    json_t *out = json_object();

    core->pools(w, add_child, &sum);
    json_object_set_new(out, "balancer", balancer != NULL ? json_string(balancer) : json_null());
    json_object_set_new(out, balancer != NULL ? "member" : "worker", json_string(w->name));
    json_object_set_new(out, "max", w->params.max > 0 ? json_integer(w->params.max) : json_null());
    numbers_set(out, &sum.all);
    json_object_set_new(out, "processes", sum.processes);
    return out;
}

json_t *rp_pools_json(request_rec *r)
{
    const rproxy_api_t *core = rp_balancing_core();
    const apr_array_header_t *visible = rp_balancing_visible(r->pool, r->server);
    const apr_array_header_t *workers = core->workers(r->server);
    json_t *out = json_object(), *list = json_array();
    int i, k;

    for (i = 0; i < visible->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        rp_live_t *live = rp_live_acquire(b);

        for (k = 0; k < live->n; k++) {
            json_array_append_new(list, pool_of(core, b->conf->name + sizeof("balancer://") - 1, live->members[k].worker));
        }
        rp_live_release(live);
    }
    for (i = 0; i < workers->nelts; i++) {
        json_array_append_new(list, pool_of(core, NULL, APR_ARRAY_IDX(workers, i, const rp_worker_t *)));
    }
    json_object_set_new(out, "pools", list);
    return out;
}

static void add_loops(void *ctx, const rproxy_loops_t *loops)
{
    json_t *one = json_object();

    json_object_set_new(one, "pid", json_integer(loops->pid));
    json_object_set_new(one, "connections", number(loops->connections));
    json_object_set_new(one, "adopted", number(loops->adopted));
    json_object_set_new(one, "turns", number(loops->turns));
    json_object_set_new(one, "slow_turns", number(loops->slow_turns));
    json_object_set_new(one, "busy_s", json_real((double)loops->busy_us / APR_USEC_PER_SEC));
    json_array_append_new(ctx, one);
}

json_t *rp_loops_json(void)
{
    json_t *out = json_object(), *list = json_array();

    rp_balancing_core()->loops(add_loops, list);
    json_object_set_new(out, "loops", list);
    return out;
}
