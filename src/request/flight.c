/* SPDX-License-Identifier: Apache-2.0 */
#include "request/flight.h"

#include <ap_mpm.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <mpm_common.h>
#include <unistd.h>

#include "metrics/flights.h"
#include "upstream/clock.h"

#define FLIGHTS_KEY "rproxy_flights" /* userdata of the process pool: children of all generations are seen */

/* Steps besides those of an exchange (rp_progress_e). */
enum { STEP_BEGINS = 100, STEP_CHOOSES, STEP_WAITS };

static rp_flights_t *all;        /* or NULL */
static rp_flight_row_t *own_row; /* of this child, or NULL */
#define ADDRESS_SIZE ((apr_ssize_t)sizeof(void *)) /* keys are addresses, not what is there */
static apr_hash_t *borrowers;    /* key_t of servers that have the configuration of another one, since they say nothing themselves */

/** What stands for a server. */
typedef struct key_of_t {
    const server_rec *server;
    apr_uint32_t key;
} key_of_t;

/* ---- who may see what ---- */

/* The same in each generation while the server is written where it was. */
static apr_uint32_t key_of(apr_pool_t *pool, const server_rec *s)
{
    const char *text = apr_psprintf(pool, "%s:%u %s:%u", s->server_hostname ? s->server_hostname : "", (unsigned)s->port,
                                    s->defn_name ? s->defn_name : "", s->defn_line_number);
    apr_ssize_t len = APR_HASH_KEY_STRING;
    apr_uint32_t key = apr_hashfunc_default(text, &len);

    return key ? key : 1;
}

/* Of any server, in a child. */
static apr_uint32_t view_key(const server_rec *s)
{
    const rp_server_conf_t *conf = rp_server_conf(s);
    const key_of_t *borrower = conf->server == s ? NULL : apr_hash_get(borrowers, &s, ADDRESS_SIZE);

    return borrower ? borrower->key : conf->view_key;
}

static void own_workers(const apr_array_header_t *workers, apr_uint32_t key)
{
    for (int i = 0; i < workers->nelts; i++) {
        rp_worker_t *w = APR_ARRAY_IDX(workers, i, rp_worker_t *);

        w->view_key = w->view_key ? w->view_key : key; /* the main server comes first, so that what others inherit is its own */
    }
}

static void borrower_add(apr_pool_t *pconf, const server_rec *s)
{
    key_of_t *borrower = apr_palloc(pconf, sizeof(*borrower));

    borrower->server = s;
    borrower->key = key_of(pconf, s);
    apr_hash_set(borrowers, &borrower->server, ADDRESS_SIZE, borrower);
}

static void keys_set(apr_pool_t *pconf, server_rec *main_server)
{
    borrowers = apr_hash_make(pconf);
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        if (rp_server_conf(s)->server == s) {
            rp_server_conf(s)->view_key = key_of(pconf, s);
        }
        else {
            borrower_add(pconf, s);
        }
    }
    for (server_rec *s = main_server; s != NULL; s = s->next) {
        const rp_server_conf_t *conf = rp_server_conf(s);

        for (int i = 0; i < conf->balancers->nelts; i++) {
            const rp_balancer_conf_t *b = APR_ARRAY_IDX(conf->balancers, i, const rp_balancer_conf_t *);
            own_workers(b->members, rp_server_conf(b->server)->view_key);
        }
        own_workers(conf->workers, conf->view_key);
        own_workers(conf->any_workers, conf->view_key);
    }
}

/* Servers whose workers and balancers this one has. */
static apr_array_header_t *owners_of(apr_pool_t *pool, const rp_server_conf_t *conf)
{
    apr_array_header_t *keys = apr_array_make(pool, 8, sizeof(apr_uint32_t));

    APR_ARRAY_PUSH(keys, apr_uint32_t) = conf->view_key;
    for (int i = 0; i < conf->balancers->nelts; i++) {
        const rp_balancer_conf_t *b = APR_ARRAY_IDX(conf->balancers, i, const rp_balancer_conf_t *);
        APR_ARRAY_PUSH(keys, apr_uint32_t) = rp_server_conf(b->server)->view_key;
    }
    for (int i = 0; i < conf->workers->nelts; i++) {
        APR_ARRAY_PUSH(keys, apr_uint32_t) = APR_ARRAY_IDX(conf->workers, i, const rp_worker_t *)->view_key;
    }
    return keys;
}

/* ---- parent and children ---- */

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_pool_t *process = s->process->pool;
    int children = 1, threads = 1;
    void *made = NULL;
    apr_status_t rv = APR_SUCCESS;

    (void)plog, (void)ptemp;
    all = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* the configuration is read twice at startup */
    }
    keys_set(pconf, s);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &children);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_THREADS, &threads);
    apr_pool_userdata_get(&made, FLIGHTS_KEY, process);
    all = made;
    if (all == NULL || !rp_flights_fit(all, children)) {
        rv = rp_flights_create(&all, process, children, threads);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "RP0790: no shared memory for the view of exchanges under way: pages show none; see "
                     "the limits of the system for shared memory");
    }
    (void)apr_pool_userdata_set(all, FLIGHTS_KEY, NULL, process); /* copies the key: this module may be loaded elsewhere next time */
    return OK;
}

static void child_init(apr_pool_t *p, server_rec *s)
{
    (void)p, (void)s;
    own_row = all != NULL ? rp_flights_claim(all, getpid()) : NULL;
}

static void child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot, mpm_child_status status)
{
    (void)s, (void)generation, (void)slot;
    if (all != NULL && (status == MPM_CHILD_EXITED || status == MPM_CHILD_LOST_SLOT)) {
        rp_flights_child_gone(all, pid);
    }
}

/* ---- requests ---- */

void rp_request_flight_begin(rp_request_t *rq)
{
    static const char scheme[] = "balancer://";
    const char *balancer = rq->route->balancer;
    rp_flight_words_t words = {rq->r->server->server_hostname, balancer ? balancer + sizeof(scheme) - 1 : NULL, NULL,
                               rq->r->the_request};

    rq->flight = rp_flight_begin(own_row, rq->owned ? rp_owned_now_us(rq->owned) : rp_clock_now_us(), &words, view_key(rq->r->server));
    rp_flight_step(rq->flight, balancer ? STEP_CHOOSES : STEP_BEGINS);
}

/* A worker that stands for all other destinations has no name that says something. */
static const char *worker_name(const rp_request_t *rq)
{
    return rq->worker == rp_child_unconfigured_worker() ? rp_url_str(rq->r->pool, &rq->route->url) : rq->worker->name;
}

void rp_request_flight_worker(rp_request_t *rq)
{
    const rp_balancer_conf_t *grown = rq->worker->added_to;

    rp_flight_worker(rq->flight, worker_name(rq), grown ? rp_server_conf(grown->server)->view_key : rq->worker->view_key);
}

void rp_request_flight_waits(rp_request_t *rq) { rp_flight_step(rq->flight, STEP_WAITS); }

void rp_request_flight_end(rp_request_t *rq)
{
    rp_flight_end(own_row, rq->flight);
    rq->flight = NULL;
}

/* ---- the view ---- */

/** For tell_one. */
typedef struct look_t {
    const apr_array_header_t *owners; /**< of apr_uint32_t; NULL: all may be seen */
    apr_uint32_t viewer;
    apr_time_t now_us;
    rproxy_flight_fn_t *tell;
    void *ctx;
} look_t;

static int may_see(const look_t *look, const rp_flight_t *f)
{
    if (look->owners == NULL || f->viewer == look->viewer) {
        return 1;
    }
    for (int i = 0; f->owner != 0 && i < look->owners->nelts; i++) {
        if (APR_ARRAY_IDX(look->owners, i, apr_uint32_t) == f->owner) {
            return 1;
        }
    }
    return 0;
}

static const char *step_str(apr_uint32_t step)
{
    switch (step) {
    case STEP_BEGINS: return "begins";
    case STEP_CHOOSES: return "chooses a member";
    case STEP_WAITS: return "waits for a member";
    default: return rp_progress_str((rp_progress_e)step);
    }
}

static void tell_one(void *ctx, const rp_flight_t *f, pid_t pid)
{
    const look_t *look = ctx;
    rproxy_flight_t out = {.age_us = look->now_us - f->began_us, .pid = (int)pid, .vhost = f->vhost, .request = f->request,
                           .balancer = f->balancer, .worker = f->worker, .step = step_str(f->step), .tries = f->tries};

    if (may_see(look, f)) {
        out.tries = f->balancer[0] ? f->tries : 0;
        out.worker = f->step == STEP_WAITS ? "" : f->worker;
        look->tell(look->ctx, &out);
    }
}

int rp_request_flights(const server_rec *s, rproxy_flight_fn_t *tell, void *ctx)
{
    look_t look = {NULL, 0, rp_clock_now_us(), tell, ctx};
    apr_pool_t *pool = NULL;
    int more = 0;

    if (all == NULL || (s != NULL && apr_pool_create(&pool, NULL) != APR_SUCCESS)) {
        return 0;
    }
    if (s != NULL) {
        look.viewer = view_key(s);
        look.owners = owners_of(pool, rp_server_conf(s));
    }
    more = rp_flights_read(all, tell_one, &look);
    if (pool != NULL) {
        apr_pool_destroy(pool);
    }
    return more;
}

void rp_flight_register_hooks(apr_pool_t *p)
{
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(child_status, NULL, NULL, APR_HOOK_MIDDLE);
    rp_flight_status_register(p);
}
