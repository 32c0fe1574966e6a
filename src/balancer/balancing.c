/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/balancing.h"

#include "balancer/metrics.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "balancer/select.h"
#include "balancer/sticky.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

/* A request that makes members close their connection must not walk over all of them. */
#define CLOSE_FAILOVERS_MAX 2
/* How often in a row the chosen member may be removed in just that moment. */
#define REMOVED_RETRIES_MAX 8
#define RETRY_S_DEFAULT 60

struct rproxy_balancing_t {
    request_rec *r;
    rp_balancer_t *bal;
    const char *target;
    unsigned char *tried;  /**< by place */
    int ntried;
    int closes;            /**< tries that ended by a close after bytes were sent */
    rp_member_t *current;  /**< under way, or NULL */
    rp_worker_t *worker;   /**< of the last choice */
    rp_member_t *closed;   /**< closed after bytes were sent, by the last try, or NULL */
    const char *route;     /**< of the session, or NULL */
    const char *sticky_name;
    int looked_for_session;
    int nobody;            /**< the last choice failed because no member could be used */
    apr_time_t give_up_us; /**< monotonic; when waiting for a member ends, 0: it has not begun */
    rp_balancer_view_t view;  /**< room for one view of each place, made when it is needed and used again by each choice */
    rp_live_t *live;       /**< only while a choice is made */
    struct {               /**< what the end of a try needs of the balancer's settings as they were at its choice */
        unsigned char failonstatus[RP_SHM_CODES_SIZE];
        int failontimeout;
        apr_interval_time_t timeout_us;
        int nmembers;
    } then;
};

static const rproxy_api_t *core_api;
#define ADDRESS_SIZE ((apr_ssize_t)sizeof(void *)) /* keys are addresses, not what is there */
static apr_hash_t *by_conf; /* rp_balancer_t * by the address of its configuration; const after post_config */

void rp_balancing_configure(const rproxy_api_t *core, apr_array_header_t *balancers)
{
    int i;

    core_api = core;
    by_conf = apr_hash_make(balancers->pool);
    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);

        apr_hash_set(by_conf, &b->conf, ADDRESS_SIZE, b);
    }
}

/* ---- finding the balancer ---- */

rp_balancer_t *rp_balancing_of(const rp_balancer_conf_t *conf)
{
    return conf != NULL && by_conf != NULL ? apr_hash_get(by_conf, &conf, ADDRESS_SIZE) : NULL;
}

const apr_array_header_t *rp_balancing_shown(const server_rec *s)
{
    return core_api != NULL && core_api->proxy_status(s) ? core_api->balancers(s) : NULL;
}

const rproxy_api_t *rp_balancing_core(void) { return core_api; }

int rp_balancing_persist(const server_rec *s) { return core_api != NULL ? core_api->balancer_persist(s) : -1; }

apr_array_header_t *rp_balancing_visible(apr_pool_t *pool, const server_rec *s)
{
    const apr_array_header_t *visible = core_api != NULL ? core_api->balancers(s) : NULL;
    apr_array_header_t *out = apr_array_make(pool, 8, sizeof(rp_balancer_t *));
    int i;

    for (i = 0; rp_shared_ready() && visible != NULL && i < visible->nelts; i++) {
        rp_balancer_t *b = rp_balancing_of(APR_ARRAY_IDX(visible, i, const rp_balancer_conf_t *));
        if (b != NULL) {
            APR_ARRAY_PUSH(out, rp_balancer_t *) = b;
        }
    }
    return out;
}

static rp_balancer_t *find_balancer(const server_rec *s, const char *name)
{
    const apr_array_header_t *visible = core_api->balancers(s);
    const rp_balancer_conf_t *conf = NULL;
    int i;

    for (i = 0; visible != NULL && i < visible->nelts && conf == NULL; i++) {
        const rp_balancer_conf_t *c = APR_ARRAY_IDX(visible, i, const rp_balancer_conf_t *);
        conf = strcmp(c->name, name) ? NULL : c;
    }
    return rp_balancing_of(conf);
}

static void leave_member(rproxy_balancing_t *b)
{
    if (b->current != NULL) {
        rp_shared_busy(b->current, -1);
        b->current = NULL;
    }
}

static apr_status_t balancing_gone(void *data)
{
    leave_member(data);
    return APR_SUCCESS;
}

static rproxy_balancing_t *begin(request_rec *r, const char *name, const char *target)
{
    rp_balancer_t *bal = rp_shared_ready() ? find_balancer(r->server, name) : NULL;
    rproxy_balancing_t *b;

    if (bal == NULL) {
        return NULL;
    }
    b = apr_pcalloc(r->pool, sizeof(*b));
    b->r = r;
    b->bal = bal;
    b->target = target;
    b->tried = apr_pcalloc(r->pool, (apr_size_t)bal->nslots + 1);
    apr_pool_cleanup_register(r->pool, b, balancing_gone, apr_pool_cleanup_null);
    return b;
}

/* URLs of the members there are now. */
static apr_array_header_t *members(apr_pool_t *pool, const server_rec *s, const char *name)
{
    rp_balancer_t *bal = rp_shared_ready() ? find_balancer(s, name) : NULL;
    apr_array_header_t *urls;
    rp_live_t *live;
    int i;

    if (bal == NULL) {
        return NULL;
    }
    live = rp_live_acquire(bal);
    urls = apr_array_make(pool, live->n, sizeof(const char *));
    for (i = 0; i < live->n; i++) {
        APR_ARRAY_PUSH(urls, const char *) = live->members[i].worker->name;
    }
    rp_live_release(live);
    return urls;
}

/* ---- the view ---- */

static apr_uint32_t load32(const apr_uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static apr_uint64_t load64(const apr_uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void add64(apr_uint64_t *p, apr_uint64_t n) { __atomic_fetch_add(p, n, __ATOMIC_RELAXED); }

/* What methods other than the plainest look at. */
static void snapshot_counts(const rp_member_t *m, rproxy_lbmember_t *lb)
{
    const rp_shm_member_t *shm = m->shm;

    lb->busy = rp_shared_busy_of(m);
    lb->sent = load64(&shm->sent);
    lb->received = load64(&shm->received);
    lb->elected = load64(&shm->elected);
    lb->latency_us = __atomic_load_n(&shm->latency_us, __ATOMIC_RELAXED);
    lb->usable_since_us = __atomic_load_n(&shm->usable_since_us, __ATOMIC_RELAXED);
}

/* What holds, and on top of it the state of this moment. */
static void view_take(rproxy_balancing_t *b)
{
    const rp_live_t *live = b->live;
    rp_balancer_view_t *v = &b->view;
    int i;

    if (v->members == NULL) {
        v->members = apr_palloc(b->r->pool, sizeof(*v->members) * (apr_size_t)(b->bal->nslots + 1));
    }
    v->n = live->n;
    v->now_us = rp_clock_now_us();
    memcpy(v->members, live->views, sizeof(*v->members) * (apr_size_t)v->n);
    for (i = 0; i < v->n; i++) {
        const rp_member_t *m = live->members[i].slot;
        rp_member_view_t *out = &v->members[i];

        out->status = load32(&m->shm->status);
        if (out->status & RP_ST_IN_ERROR) {
            out->error_us = __atomic_load_n(&m->shm->error_us, __ATOMIC_RELAXED);
        }
        out->lb.lbstatus = rp_shm_credit(b->bal->shm, m->shm, out->lb.weight_x100);
        out->tried = b->tried[m->place];
        if (live->method_wants_counts) {
            snapshot_counts(m, &out->lb);
        }
    }
    if (live->states != load64(&b->bal->shm->states)) {
        rp_live_calm(b->bal, live); /* for the next request */
    }
}

/*
 * When every member is in error the balancer may as well try them: forcerecovery. A new request clears all errors. One that lost its
 * member on the way may only try the others itself: what it learns is said by the entry of the member it gets.
 */
static void force_recovery(rproxy_balancing_t *b)
{
    rp_balancer_view_t *v = &b->view;
    int i;

    if (!b->live->settings.forcerecovery || !rp_all_in_error(v)) {
        return;
    }
    for (i = 0; i < v->n; i++) {
        v->members[i].status &= ~(unsigned)RP_ST_IN_ERROR;
        if (b->ntried == 0) {
            __atomic_fetch_and(&b->live->members[i].slot->shm->status, ~(apr_uint32_t)RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
        }
    }
    if (b->ntried == 0) {
        add64(&b->bal->shm->states, 1);
        add64(&b->bal->shm->forced_recoveries, 1);
        rp_shared_event(b->bal, NULL, "all members were in error and are tried again (forcerecovery)");
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, b->r,
                      "RP0703: %s: all %d members are in error; all are tried again (forcerecovery)", b->bal->conf->name, v->n);
    }
}

/* ---- sessions ---- */

static void find_session(rproxy_balancing_t *b)
{
    b->looked_for_session = 1;
    if (b->live->stickysession == NULL) {
        return;
    }
    b->route = rp_sticky_route(&b->live->sticky, b->r->pool, b->target, apr_table_get(b->r->headers_in, "Cookie"), &b->sticky_name);
    if (b->route != NULL) {
        b->sticky_name = apr_pstrdup(b->r->pool, b->sticky_name);
        apr_table_setn(b->r->subprocess_env, "BALANCER_SESSION_STICKY", b->sticky_name);
        apr_table_setn(b->r->subprocess_env, "BALANCER_SESSION_ROUTE", b->route);
        apr_table_setn(b->r->notes, "session-sticky", b->sticky_name);
        apr_table_setn(b->r->notes, "session-route", b->route);
    }
}

/* 1: the session decided, well or not. */
static int choose_by_session(rproxy_balancing_t *b, rp_choice_t *choice, const char **why)
{
    int redirected = 0;
    rp_route_result_e found = b->route ? rp_select_route(&b->view, b->route, choice, &redirected) : RP_ROUTE_NONE;

    if (b->live->stickysession != NULL && (found != RP_ROUTE_FOUND || redirected)) {
        apr_table_setn(b->r->subprocess_env, "BALANCER_ROUTE_CHANGED", "1");
    }
    if (found == RP_ROUTE_FOUND) {
        return 1;
    }
    if (found == RP_ROUTE_UNUSABLE && b->live->settings.nofailover) {
        *why = apr_psprintf(b->r->pool, "the member of route %s can not be used, and nofailover is On", b->route);
        return 1;
    }
    return 0;
}

/* ---- errors of members ---- */

/* Of the member of the last choice. */
static void set_error(rproxy_balancing_t *b, rp_member_t *m, rp_error_why_e reason, const char *why)
{
    rp_shm_member_t *shm = m->shm;
    const char *name = b->worker->name;
    apr_uint32_t before;

    if (load32(&shm->status) & RP_ST_IGNORE_ERRORS) {
        return;
    }
    __atomic_store_n(&shm->error_us, rp_clock_now_us(), __ATOMIC_RELAXED);
    __atomic_store_n(&shm->error_why, reason, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shm->retries, 1, __ATOMIC_RELAXED);
    before = __atomic_fetch_or(&shm->status, RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
    if (before & RP_ST_IN_ERROR) {
        return;
    }
    add64(&b->bal->shm->states, 1);
    add64(&shm->errors_set, 1);
    __atomic_store_n(&shm->state_changed_at, apr_time_now(), __ATOMIC_RELAXED);
    rp_shared_event(b->bal, m, apr_psprintf(b->r->pool, "%s: in error: %s", name, why));
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, b->r, "RP0704: %s: member %s is in error for %d s: %s", b->bal->conf->name, name,
                  b->worker->params.retry_s >= 0 ? b->worker->params.retry_s : RETRY_S_DEFAULT, why);
}

/* ---- the choice ---- */

static void publish(rproxy_balancing_t *b, const rp_live_member_t *m)
{
    apr_table_t *env = b->r->subprocess_env;

    apr_table_setn(env, "BALANCER_NAME", b->bal->conf->name);
    apr_table_setn(env, "BALANCER_WORKER_NAME", m->worker->name);
    apr_table_setn(env, "BALANCER_WORKER_ROUTE", m->settings.route[0] ? apr_pstrdup(b->r->pool, m->settings.route) : "");
}

/* 1: the member of this choice is ours until leave_member. 0: it was removed since the view was taken, and may be gone any moment. */
static int claim_member(rproxy_balancing_t *b, const rp_live_member_t *m)
{
    rp_shared_busy(m->slot, 1);
    b->current = m->slot;
    if (__atomic_load_n(&m->slot->shm->lease, __ATOMIC_SEQ_CST) == m->incarnation) {
        return 1;
    }
    leave_member(b);
    return 0;
}

static rp_worker_t *entered(rproxy_balancing_t *b, const rp_live_member_t *m)
{
    add64(&m->slot->shm->elected, 1);
    b->ntried++;
    b->worker = m->worker;
    publish(b, m);
    return m->worker;
}

static rp_worker_t *enter_member(rproxy_balancing_t *b, const rp_choice_t *choice)
{
    const rp_live_member_t *m = &b->live->members[choice->member];
    rp_shm_member_t *shm = m->slot->shm;
    int i;

    for (i = 0; i < choice->ncandidates; i++) {
        __atomic_fetch_add(&b->live->members[choice->candidates[i]].slot->shm->lbstatus, choice->lbstatus_delta[i], __ATOMIC_RELAXED);
    }
    if (load32(&shm->status) & RP_ST_IN_ERROR) { /* its retry time is over: this request finds out */
        __atomic_fetch_and(&shm->status, ~(apr_uint32_t)RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
        add64(&b->bal->shm->states, 1);
    }
    return entered(b, m);
}

/* 1: the limits allow one more try. */
static int may_try(const rproxy_balancing_t *b, const char **why)
{
    int max = b->live->settings.maxattempts;

    if (max < 0) {
        max = b->live->n > 1 ? b->live->n - 1 : 0;
    }
    if (b->ntried > max) {
        *why = "as many members were tried as maxattempts allows";
        return 0;
    }
    if (b->closes > CLOSE_FAILOVERS_MAX) {
        *why = "members keep closing the connection of this request";
        return 0;
    }
    return 1;
}

/* Who gets it, by what holds at this moment. 1: b->current is claimed, or nobody can be chosen; 0: the chosen one just went, try again. */
static int choose_once(rproxy_balancing_t *b, const char **why, rp_worker_t **worker)
{
    rproxy_lbcontext_t context = {0};
    rp_choice_t choice;

    view_take(b);
    force_recovery(b);
    if (!b->looked_for_session) {
        find_session(b);
    }
    choice.member = -1;
    if (!choose_by_session(b, &choice, why)) {
        context.now_us = b->view.now_us;
        rp_select(&b->view, b->live->method, &context, &choice);
        b->nobody = choice.member < 0;
    }
    if (choice.member < 0) {
        return 1;
    }
    b->tried[b->live->members[choice.member].slot->place] = 1;
    if (!claim_member(b, &b->live->members[choice.member])) {
        return 0;
    }
    *worker = enter_member(b, &choice);
    return 1;
}

/* ---- the choice when all is well ---- */

/** Copies of what candidates are compared by, so that a loop over a hundred of them reads each once. */
typedef struct terms_t {
    rp_shm_member_t *const *shms;
    const int *weights, *places;
    const apr_uint32_t *busy; /**< requests under way, by place; only of bybusyness */
    apr_uint32_t rounds;      /**< in which everybody earned its weight */
    int n;
} terms_t;

typedef apr_uint64_t key_fn(const terms_t *t, int i, int weight);

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* As byrequests has it: the richest after everybody earned. Its credit is counted down from the largest there is. */
ALWAYS_INLINE apr_uint64_t credit_key(const terms_t *t, int i, int weight)
{
    apr_uint32_t credit = __atomic_load_n(&t->shms[i]->lbstatus, __ATOMIC_RELAXED) + t->rounds * (apr_uint32_t)weight;

    return APR_INT32_MAX - credit;
}

/* As bybusyness has it: fewest under way; of those the richest. */
ALWAYS_INLINE apr_uint64_t busy_key(const terms_t *t, int i, int weight)
{
    return (apr_uint64_t)t->busy[t->places[i]] << 32 | (apr_uint32_t)credit_key(t, i, weight);
}

/* As bytraffic has it: least bytes for its weight. */
ALWAYS_INLINE apr_uint64_t traffic_key(const terms_t *t, int i, int weight)
{
    apr_uint64_t share = weight > 0 ? (apr_uint64_t)weight : 1;

    return load64(&t->shms[i]->sent) / share + load64(&t->shms[i]->received) / share;
}

/* The lowest key, the first of equals. key and alike are constants where this is called: members of one weight cost no look at it. */
ALWAYS_INLINE int lowest(const terms_t *t, key_fn *key, int alike)
{
    apr_uint64_t least = APR_UINT64_MAX;
    int weight = t->weights[0];
    int i, best = 0;

#pragma GCC unroll 4 /* less bookkeeping for each of many members */
    for (i = 0; i < t->n; i++) {
        apr_uint64_t one = key(t, i, alike ? weight : t->weights[i]);

        if (one < least) {
            least = one;
            best = i;
        }
    }
    return best;
}

#define LOWEST(t, key, alike) ((alike) ? lowest(t, key, 1) : lowest(t, key, 0))

/* Of a session: its member, or -1. */
static int calm_route(rproxy_balancing_t *b)
{
    int i;

    if (!b->looked_for_session) {
        find_session(b);
    }
    for (i = 0; b->route != NULL && i < b->live->n; i++) {
        if (b->live->views[i].route != NULL && strcmp(b->live->views[i].route, b->route) == 0) {
            return i;
        }
    }
    if (b->live->stickysession != NULL) {
        apr_table_setn(b->r->subprocess_env, "BALANCER_ROUTE_CHANGED", "1");
    }
    return -1;
}

/* By method, among candidates. */
static int calm_best(const rproxy_balancing_t *b, apr_uint32_t rounds)
{
    const rp_live_t *live = b->live;
    apr_uint32_t busy[RP_MEMBERS_MAX] __attribute__((aligned(8)));
    terms_t t = {live->shms, live->weights, live->places, busy, rounds, live->ncandidates};

    switch (live->calm) {
    case RP_CALM_BYTRAFFIC: return LOWEST(&t, traffic_key, live->alike);
    case RP_CALM_BYBUSYNESS: rp_shared_busy_all(b->bal, busy); return LOWEST(&t, busy_key, live->alike);
    default: return LOWEST(&t, credit_key, live->alike);
    }
}

/* Each candidate earns its weight, the chosen one pays for all. That all members earn is one number; the others give it back. */
static void calm_pay(const rproxy_balancing_t *b, int best)
{
    const rp_live_t *live = b->live;
    int i;

    if (live->calm == RP_CALM_BYTRAFFIC) {
        return;
    }
    __atomic_fetch_add(&b->bal->shm->rounds, 1, __ATOMIC_RELAXED);
    for (i = live->ncandidates; i < live->n; i++) {
        __atomic_fetch_sub(&live->shms[i]->lbstatus, live->weights[i], __ATOMIC_RELAXED);
    }
    __atomic_fetch_sub(&live->shms[best]->lbstatus, live->total, __ATOMIC_RELAXED);
}

/*
 * The same choice as choose_once, when all candidates are well: one look at what the method needs of them does. A session of a balancer where some
 * members are no candidates, or that goes to another method than byrequests, is looked at in full, as is whatever changed meanwhile: NULL.
 */
static rp_worker_t *choose_calm(rproxy_balancing_t *b)
{
    rp_live_t *live = b->live;
    rp_shm_balancer_t *shm = b->bal->shm;
    const rp_live_member_t *m;
    int best = -1, whole = live->ncandidates == live->n && live->calm == RP_CALM_BYREQUESTS;

    if (live->calm == RP_CALM_NOT || b->ntried > 0 || live->states != load64(&shm->states)) {
        return NULL;
    }
    if (live->stickysession != NULL) {
        best = calm_route(b);
        if (b->route != NULL && !whole) {
            return NULL;
        }
    }
    if (best < 0) {
        best = calm_best(b, __atomic_load_n(&shm->rounds, __ATOMIC_RELAXED) + 1);
    }
    m = &live->members[live->candidates[best]];
    if ((load32(&m->slot->shm->status) & ~(unsigned)RP_ST_IGNORE_ERRORS) != RP_ST_INITIALIZED || !claim_member(b, m)) {
        return NULL;
    }
    calm_pay(b, best);
    b->tried[m->slot->place] = 1;
    return entered(b, m);
}

static void settings_remember(rproxy_balancing_t *b)
{
    const rp_balancer_settings_t *s = &b->live->settings;

    memcpy(b->then.failonstatus, s->failonstatus, sizeof(b->then.failonstatus));
    b->then.failontimeout = s->failontimeout;
    b->then.timeout_us = s->timeout_us;
    b->then.nmembers = b->live->n;
}

static rp_worker_t *choose(rproxy_balancing_t *b, const char **why)
{
    rp_worker_t *worker = NULL;
    int settled = 0, i;

    leave_member(b);
    b->nobody = 0;
    for (i = 0; !settled && i < REMOVED_RETRIES_MAX; i++) {
        b->live = rp_live_acquire(b->bal);
        settings_remember(b);
        *why = b->live->n == 0 ? "the balancer has no members" : "no member can be used";
        worker = choose_calm(b);
        settled = worker != NULL || b->live->n == 0 || !may_try(b, why) || choose_once(b, why, &worker);
        rp_live_release(b->live);
        b->live = NULL;
    }
    return worker;
}

/* As choose(), and when nobody is left the client gets a 502 for the close of the last member: failonstatus may list that. */
static rp_worker_t *next(rproxy_balancing_t *b, const char **why)
{
    rp_worker_t *worker = choose(b, why);

    if (worker == NULL && b->closed != NULL && rp_shm_codes_has(b->then.failonstatus, HTTP_BAD_GATEWAY)) {
        set_error(b, b->closed, RP_WHY_CLOSED, "it closed the connection without an answer (502 in failonstatus)");
    }
    return worker;
}

/* ---- the end of a try ---- */

/* The weight of a new value is an eighth. A lost update between two threads is no harm. */
static void average(apr_uint32_t *avg, apr_interval_time_t us)
{
    apr_uint32_t now = us < APR_UINT32_MAX / 8 ? (apr_uint32_t)us : APR_UINT32_MAX / 8;
    apr_uint32_t old = __atomic_load_n(avg, __ATOMIC_RELAXED);

    __atomic_store_n(avg, old == 0 ? now : old - old / 8 + now / 8, __ATOMIC_RELAXED);
}

static void count(rp_shm_member_t *shm, const rproxy_result_t *result)
{
    add64(&shm->sent, (apr_uint64_t)result->sent);
    add64(&shm->received, (apr_uint64_t)result->received);
    if (result->from_member && result->status >= 100 && result->status <= 599) {
        add64(&shm->responses[result->status / 100 - 1], 1);
    }
    if (result->connect_us >= 0) {
        rp_shm_observe(&shm->times[RP_TIMES_CONNECT], result->connect_us);
    }
    if (result->first_byte_us >= 0) {
        rp_shm_observe(&shm->times[RP_TIMES_FIRST_BYTE], result->first_byte_us);
        average(&shm->latency_us, result->first_byte_us);
    }
    if (result->total_us >= 0) {
        rp_shm_observe(&shm->times[RP_TIMES_TOTAL], result->total_us);
    }
    add64(&shm->connect_errors, (apr_uint64_t)(result->unreachable != 0));
    add64(&shm->timeouts, (apr_uint64_t)(result->timed_out != 0));
    add64(&shm->closes, (apr_uint64_t)(result->after_sending != 0));
}

static void report(rproxy_balancing_t *b, const rproxy_result_t *result)
{
    rp_member_t *m = b->current;

    if (m == NULL) {
        return;
    }
    count(m->shm, result);
    b->closes += result->after_sending;
    b->closed = result->after_sending && result->status == 0 ? m : NULL;
    if (result->unreachable) {
        add64(&m->shm->failed, 1);
        set_error(b, m, RP_WHY_UNREACHABLE, "it can not be reached");
    }
    else if (result->timed_out && (b->then.failontimeout || rp_shm_codes_has(b->then.failonstatus, HTTP_BAD_GATEWAY))) {
        set_error(b, m, RP_WHY_TIMEOUT, "it did not answer in time (failontimeout, or 502 in failonstatus)");
    }
    else if (result->status > 0 && rp_shm_codes_has(b->then.failonstatus, result->status)) {
        __atomic_store_n(&m->shm->error_status, (apr_uint32_t)result->status, __ATOMIC_RELAXED);
        set_error(b, m, RP_WHY_STATUS, apr_psprintf(b->r->pool, "a status of %d (failonstatus)", result->status));
    }
    else if (result->status > 0) {
        __atomic_store_n(&m->shm->retries, 0, __ATOMIC_RELAXED);
    }
    leave_member(b);
}

/* One deadline for the request, kept here: nobody else's waiting depends on it. */
static apr_interval_time_t patience(rproxy_balancing_t *b, apr_time_t now_us)
{
    if (!b->nobody || b->then.timeout_us <= 0 || b->ntried >= b->then.nmembers) {
        return 0;
    }
    if (b->give_up_us == 0) {
        b->give_up_us = now_us + b->then.timeout_us;
    }
    return b->give_up_us > now_us ? b->give_up_us - now_us : 0;
}

static int others(rproxy_balancing_t *b)
{
    const char *why;
    int i, found = 0;

    b->live = rp_live_acquire(b->bal);
    if (may_try(b, &why)) {
        view_take(b);
        for (i = 0; i < b->view.n && !found; i++) {
            const rp_member_view_t *m = &b->view.members[i];

            found = !m->tried && !(m->status & RP_ST_DRAIN) && rp_member_usable(m, b->view.now_us);
        }
    }
    rp_live_release(b->live);
    b->live = NULL;
    return found;
}

const rproxy_balancer_api_t rp_balancing_api = {RPROXY_API_VERSION, begin, next, report, patience, members, rp_balancer_facts, others};
