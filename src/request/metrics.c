/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: what is counted of which worker, where children find their counters, and the page (SetHandler rproxy-metrics). The counters
 * themselves are written where things happen: upstream/pool.c, exchange/count.c, and rp_metrics_answered here.
 */
#include "request/metrics.h"

#include <ap_mpm.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <unistd.h>

#include "exchange/count.h"
#include "metrics/store.h"

#define STORE_KEY "rproxy_metrics_store" /* userdata of the process pool: the store goes from generation to generation */
#define HANDLER "rproxy-metrics"
#define NO_WORKER "-"
#define ADDRESS_SIZE ((apr_ssize_t)sizeof(void *)) /* keys are addresses, not what is there */

/** Places of the targets in the store. */
enum { TARGET_NOBODY = 0, TARGET_UNCONFIGURED, TARGET_FIRST };

/** Where requests to a balancer are counted that no member got. */
typedef struct nobody_t {
    const rp_balancer_conf_t *conf;
    int target;
} nobody_t;

static rp_store_t *store;                 /* of this generation, or NULL */
static apr_array_header_t *targets;       /* of rp_target_t */
static apr_array_header_t *nobodies;      /* of nobody_t */
static int own_row = -1;                  /* of this child */

/* ---- what there is to count ---- */

static const char *server_label(apr_pool_t *p, const server_rec *s)
{
    const char *host = s->server_hostname ? s->server_hostname : "";
    apr_port_t port = s->port ? s->port : s->addrs ? s->addrs->host_port : 0;

    return port ? apr_psprintf(p, "%s:%u", host, (unsigned)port) : host;
}

static void add_target(rp_worker_t *w, const char *server, const char *balancer, const char *name)
{
    rp_target_t *t = apr_array_push(targets);

    *t = (rp_target_t){w, !strcmp(name, NO_WORKER), server, balancer, name};
}

/* Each worker once: what a virtual host inherits is the main server's. */
static void add_workers(const apr_array_header_t *workers, apr_hash_t *seen, const char *server, const char *balancer)
{
    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_t *w = APR_ARRAY_IDX(workers, i, rp_worker_t *);
        rp_worker_t **key = &APR_ARRAY_IDX(workers, i, rp_worker_t *);

        if (apr_hash_get(seen, key, ADDRESS_SIZE) == NULL) {
            apr_hash_set(seen, key, ADDRESS_SIZE, w);
            add_target(w, server, balancer, w->name);
        }
    }
}

static const char *balancer_label(const rp_balancer_conf_t *b)
{
    static const char scheme[] = "balancer://";

    return strncmp(b->name, scheme, sizeof(scheme) - 1) ? b->name : b->name + sizeof(scheme) - 1;
}

static void add_balancer(const rp_balancer_conf_t *b, apr_hash_t *seen, const char *server)
{
    for (int i = 0; i < nobodies->nelts; i++) {
        if (APR_ARRAY_IDX(nobodies, i, nobody_t).conf == b) {
            return; /* inherited */
        }
    }
    APR_ARRAY_PUSH(nobodies, nobody_t) = (nobody_t){b, targets->nelts};
    add_target(NULL, server, balancer_label(b), NO_WORKER);
    add_workers(b->members, seen, server, balancer_label(b));
}

static void collect(apr_pool_t *pconf, server_rec *main_server)
{
    apr_hash_t *seen = apr_hash_make(pconf);

    targets = apr_array_make(pconf, 32, sizeof(rp_target_t));
    nobodies = apr_array_make(pconf, 8, sizeof(nobody_t));
    add_target(NULL, "", "", NO_WORKER);
    add_target(NULL, "", "", "proxy:reverse"); /* made when a child starts */
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const rp_server_conf_t *conf = rp_server_conf(s);
        const char *server = server_label(pconf, s);

        add_workers(conf->workers, seen, server, "");
        add_workers(conf->any_workers, seen, server, "");
        for (int i = 0; i < conf->balancers->nelts; i++) {
            add_balancer(APR_ARRAY_IDX(conf->balancers, i, const rp_balancer_conf_t *), seen, server);
        }
    }
}

/* ---- parent and children ---- */

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_pool_t *process = s->process->pool;
    void *older = NULL;
    int children = 0;
    apr_status_t rv;

    (void)plog, (void)ptemp;
    store = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* the configuration is read twice at startup */
    }
    collect(pconf, s);
    apr_pool_userdata_get(&older, STORE_KEY, process);
    if (older != NULL && !rp_store_fits(older)) {
        older = NULL; /* of another release of this module; its memory can not be read */
    }
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    rv = rp_store_create(&store, older, targets, children < 1 ? 1 : children);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "RP0770: no shared memory for metrics of %d workers and %d children: "
                     "SetHandler " HANDLER " will answer 503; see the limits of the system for shared memory", targets->nelts,
                     children);
    }
    (void)apr_pool_userdata_set(store, STORE_KEY, NULL, process);
    return OK;
}

/* A member that was added at run time: its balancer's other requests say what it is like. */
static void count_added(rp_worker_t *w)
{
    int target = -1;

    for (int i = 0; own_row >= 0 && i < nobodies->nelts && target < 0; i++) {
        if (APR_ARRAY_IDX(nobodies, i, nobody_t).conf == w->added_to) {
            target = rp_store_grow(store, APR_ARRAY_IDX(nobodies, i, nobody_t).target, w->name);
        }
    }
    if (target >= 0) {
        rp_worker_count_in(w, rp_store_stat(store, own_row, target));
    }
    else if (own_row >= 0) {
        const rp_balancer_conf_t *b = w->added_to;

        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, b->server, "RP0773: %s: there is no place for the metrics of %s, a member added at run "
                     "time: %d are counted, until the server is stopped; write members that stay into the configuration", b->name,
                     w->name, RP_STORE_GROWN_MAX);
    }
}

/* Before workers can be added. */
static void claim_row(apr_pool_t *p, server_rec *s)
{
    (void)p;
    own_row = -1;
    if (store == NULL) {
        return;
    }
    own_row = rp_store_claim(store, getpid());
    if (own_row < 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "RP0771: no place for the metrics of this child: what it does is not counted; "
                     "fewer workers or a smaller ServerLimit make room");
    }
}

static void child_init(apr_pool_t *p, server_rec *s)
{
    (void)p, (void)s;
    if (own_row < 0) {
        return;
    }
    APR_ARRAY_IDX(targets, TARGET_UNCONFIGURED, rp_target_t).worker = rp_child_unconfigured_worker();
    for (int i = TARGET_UNCONFIGURED; i < targets->nelts; i++) {
        rp_worker_t *w = APR_ARRAY_IDX(targets, i, rp_target_t).worker;

        if (w != NULL) {
            rp_worker_count_in(w, rp_store_stat(store, own_row, i));
        }
    }
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status status)
{
    (void)s, (void)generation, (void)slot;
    if (store != NULL && (status == MPM_CHILD_EXITED || status == MPM_CHILD_LOST_SLOT)) {
        rp_store_child_gone(store, pid);
    }
}

rp_child_stat_t *rp_metrics_child_stat(void)
{
    static rp_child_stat_t nowhere;

    return own_row >= 0 ? rp_store_child(store, own_row) : &nowhere;
}

/* ---- requests ---- */

static int nobody_of(const request_rec *r, const char *balancer)
{
    const apr_array_header_t *visible = rp_server_conf(r->server)->balancers;

    for (int i = 0; i < visible->nelts; i++) {
        const rp_balancer_conf_t *b = APR_ARRAY_IDX(visible, i, const rp_balancer_conf_t *);

        for (int k = 0; !strcmp(b->name, balancer) && k < nobodies->nelts; k++) {
            if (APR_ARRAY_IDX(nobodies, k, nobody_t).conf == b) {
                return APR_ARRAY_IDX(nobodies, k, nobody_t).target;
            }
        }
    }
    return TARGET_NOBODY;
}

_Static_assert(RP_LANE_BLOCKING == 0 && RP_LANE_INLINE == 1 && RP_LANE_HANDOFF == 2 && RP_STAT_LANES == 3, "the order of the lanes' names");

void rp_metrics_answered(const request_rec *r, const rp_request_t *rq, int status)
{
    int answer = status >= 100 && status <= 599 ? status : r->status;

    if (r->main == NULL && r->prev == NULL) {
        rp_stat_add(&rp_metrics_child_stat()->lane[rp_engine_lane(r)], 1);
    }
    if (rq != NULL && rq->worker != NULL && (rq->balancing == NULL || rq->worker != rp_child_unconfigured_worker())) {
        rp_count_answer(rq->worker->stat, answer);
    }
    else if (own_row >= 0) {
        int target = rq != NULL && rq->route->balancer != NULL ? nobody_of(r, rq->route->balancer) : TARGET_NOBODY;

        rp_count_answer(rp_store_stat(store, own_row, target), answer);
    }
}

/* ---- the page ---- */

/** For tell_member. */
typedef struct gather_t {
    rp_metrics_page_t *page;
    const int *place; /**< by target */
} gather_t;

static void tell_member(void *ctx, const rproxy_member_facts_t *facts)
{
    gather_t *g = ctx;
    int target = rp_store_target_of(store, own_row, facts->worker->stat);
    rp_worker_record_t *r;

    if (target < 0 || g->place[target] < 0) {
        return;
    }
    r = &g->page->workers[g->place[target]];
    r->known = 1;
    r->member.status = facts->status;
    r->member.usable = (apr_uint32_t)facts->usable;
    r->member.weight_x100 = facts->weight_x100;
    r->member.lbset = facts->lbset;
    r->member.elected = facts->elected;
    r->member.errors = facts->errors;
    r->member.checks = facts->checks;
    r->member.checks_failed = facts->checks_failed;
}

static void read_page(apr_pool_t *pool, rp_metrics_page_t *page)
{
    const rproxy_balancer_api_t *balancer = rp_child_sisters()->balancer;
    gather_t g = {page, rp_store_read(store, pool, RPROXY_VERSION_STRING, page)};

    if (balancer != NULL) {
        balancer->facts(tell_member, &g);
    }
}

static void write_page(void *ctx, const char *bytes, apr_size_t n)
{
    (void)ap_rwrite(bytes, (int)n, ctx);
}

static int handler(request_rec *r)
{
    rp_metrics_format_e format;
    rp_metrics_page_t page;

    if (r->handler == NULL || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    if (r->method_number != M_GET) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (own_row < 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "RP0772: there is no memory with metrics: the log says why where this child "
                      "or the server started (RP0770, RP0771)");
        return HTTP_SERVICE_UNAVAILABLE;
    }
    (void)ap_discard_request_body(r);
    format = rp_metrics_format(apr_table_get(r->headers_in, "Accept"));
    ap_set_content_type(r, rp_metrics_type(format));
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    rp_stat_add(&rp_store_child(store, own_row)->scrapes, 1);
    if (!r->header_only) {
        read_page(r->pool, &page);
        rp_metrics_render(&page, format, write_page, r);
    }
    return OK;
}

/* ---- child by child ---- */

/** For tell_pool. */
typedef struct pool_look_t {
    rproxy_pool_fn_t *tell;
    void *ctx;
} pool_look_t;

static void tell_pool(void *ctx, pid_t pid, const rp_worker_stat_t *stat)
{
    const pool_look_t *look = ctx;
    rproxy_pool_t out = {.pid = (int)pid,
                         .connections = __atomic_load_n(&stat->permits, __ATOMIC_RELAXED),
                         .in_flight = __atomic_load_n(&stat->in_flight, __ATOMIC_RELAXED),
                         .waiting = __atomic_load_n(&stat->waiters, __ATOMIC_RELAXED),
                         .opened = __atomic_load_n(&stat->opened, __ATOMIC_RELAXED),
                         .reused = __atomic_load_n(&stat->reused, __ATOMIC_RELAXED),
                         .closed = __atomic_load_n(&stat->closed, __ATOMIC_RELAXED)};

    look->tell(look->ctx, &out);
}

/* Without shared memory there is this child alone. */
void rp_metrics_pools(const rp_worker_t *w, rproxy_pool_fn_t *tell, void *ctx)
{
    int target = own_row >= 0 ? rp_store_target_of(store, own_row, w->stat) : -1;
    pool_look_t look = {tell, ctx};

    if (target < 0) {
        tell_pool(&look, getpid(), w->stat);
        return;
    }
    rp_store_each(store, target, tell_pool, &look);
}

/** For tell_loops. */
typedef struct loops_look_t {
    rproxy_loops_fn_t *tell;
    void *ctx;
} loops_look_t;

static void tell_loops(void *ctx, pid_t pid, const rp_child_stat_t *stat)
{
    const loops_look_t *look = ctx;
    rproxy_loops_t out = {.pid = (int)pid,
                          .connections = __atomic_load_n(&stat->connections, __ATOMIC_RELAXED),
                          .adopted = __atomic_load_n(&stat->adopted, __ATOMIC_RELAXED),
                          .turns = rp_histogram_times(&stat->turn),
                          .slow_turns = __atomic_load_n(&stat->slow_turns, __ATOMIC_RELAXED),
                          .busy_us = __atomic_load_n(&stat->turn.sum_us, __ATOMIC_RELAXED)};

    look->tell(look->ctx, &out);
}

void rp_metrics_loops(rproxy_loops_fn_t *tell, void *ctx)
{
    loops_look_t look = {tell, ctx};

    if (own_row >= 0) {
        rp_store_each_child(store, tell_loops, &look);
    }
}

void rp_metrics_register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    rp_member_on_ready(count_added);
    ap_hook_child_init(claim_row, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_LAST); /* when all workers are there */
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
