/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/balancing.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "balancer/select.h"
#include "balancer/sticky.h"
#include "upstream/clock.h"

APLOG_USE_MODULE(rproxy_balancer);

/* A request that makes members close their connection must not walk over all of them. */
#define CLOSE_FAILOVERS_MAX 2

struct rproxy_balancing_t {
    request_rec *r;
    rp_balancer_t *bal;
    const char *target;
    int *tried;            /**< by member */
    int ntried;
    int closes;            /**< tries that ended by a close after bytes were sent */
    rp_member_t *current;  /**< under way, or NULL */
    rp_member_t *closed;   /**< closed after bytes were sent, by the last try, or NULL */
    const char *route;     /**< of the session, or NULL */
    const char *sticky_name;
    int looked_for_session;
    int nobody;            /**< the last choice failed because no member could be used */
    apr_time_t give_up_us; /**< monotonic; when waiting for a member ends, 0: it has not begun */
    rp_balancer_view_t *view; /**< room, used again by each choice */
};

static const rproxy_api_t *core_api;
#define ADDRESS_SIZE ((apr_ssize_t)sizeof(void *)) /* keys are addresses, not what is there */
static apr_hash_t *balancers_by_conf; /**< rp_balancer_t * by the address of its configuration */

void rp_balancing_configure(const rproxy_api_t *core, apr_array_header_t *balancers)
{
    int i;

    core_api = core;
    balancers_by_conf = apr_hash_make(balancers->pool);
    for (i = 0; i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);
        apr_hash_set(balancers_by_conf, &b->conf, ADDRESS_SIZE, b);
    }
}

/* ---- finding the balancer ---- */

rp_balancer_t *rp_balancing_of(const rp_balancer_conf_t *conf)
{
    return conf != NULL && balancers_by_conf != NULL ? apr_hash_get(balancers_by_conf, &conf, ADDRESS_SIZE) : NULL;
}

const apr_array_header_t *rp_balancing_shown(const server_rec *s)
{
    return core_api != NULL && core_api->proxy_status(s) ? core_api->balancers(s) : NULL;
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
    rp_balancer_t *bal = find_balancer(r->server, name);
    rproxy_balancing_t *b;

    if (bal == NULL) {
        return NULL;
    }
    b = apr_pcalloc(r->pool, sizeof(*b));
    b->r = r;
    b->bal = bal;
    b->target = target;
    b->tried = apr_pcalloc(r->pool, sizeof(int) * (apr_size_t)(bal->nmembers + 1));
    apr_pool_cleanup_register(r->pool, b, balancing_gone, apr_pool_cleanup_null);
    return b;
}

/* ---- the view ---- */

static apr_uint32_t load32(const apr_uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static apr_uint64_t load64(const apr_uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }

static void snapshot(const rp_member_t *m, rp_member_view_t *out)
{
    const rp_shm_member_t *shm = m->shm;
    const rp_worker_params_t *p = &m->worker->params;

    out->status = load32(&shm->status);
    out->lbset = __atomic_load_n(&shm->lbset, __ATOMIC_RELAXED);
    out->route = p->route;
    out->redirect = p->redirect;
    out->error_us = __atomic_load_n(&shm->error_us, __ATOMIC_RELAXED);
    out->retry_us = apr_time_from_sec(p->retry_s >= 0 ? p->retry_s : 60);
    out->lb.name = m->worker->name;
    out->lb.weight_x100 = __atomic_load_n(&shm->weight_x100, __ATOMIC_RELAXED);
    out->lb.lbstatus = __atomic_load_n(&shm->lbstatus, __ATOMIC_RELAXED);
    out->lb.busy = load32(&shm->busy);
    out->lb.sent = load64(&shm->sent);
    out->lb.received = load64(&shm->received);
    out->lb.elected = load64(&shm->elected);
}

static rp_balancer_view_t *view_take(rproxy_balancing_t *b)
{
    rp_balancer_view_t *v = b->view;
    int i;

    if (v == NULL) {
        v = b->view = apr_palloc(b->r->pool, sizeof(*v));
        v->n = b->bal->nmembers;
        v->members = apr_pcalloc(b->r->pool, sizeof(*v->members) * (apr_size_t)(v->n + 1));
    }
    v->now_us = rp_clock_now_us();
    for (i = 0; i < v->n; i++) {
        snapshot(&b->bal->members[i], &v->members[i]);
        v->members[i].lb.index = i;
        v->members[i].tried = b->tried[i];
    }
    return v;
}

/*
 * When every member is in error the balancer may as well try them: forcerecovery. A new request clears all errors. One that lost its
 * member on the way may only try the others itself: what it learns is said by the entry of the member it gets.
 */
static void force_recovery(rproxy_balancing_t *b, rp_balancer_view_t *v)
{
    int i;

    if (b->bal->conf->params.forcerecovery == RP_OFF || !rp_all_in_error(v)) {
        return;
    }
    for (i = 0; i < v->n; i++) {
        v->members[i].status &= ~(unsigned)RP_ST_IN_ERROR;
        if (b->ntried == 0) {
            __atomic_fetch_and(&b->bal->members[i].shm->status, ~(apr_uint32_t)RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
        }
    }
    if (b->ntried == 0) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, b->r,
                      "RP0703: %s: all %d members are in error; all are tried again (forcerecovery)", b->bal->conf->name, v->n);
    }
}

/* ---- sessions ---- */

static void find_session(rproxy_balancing_t *b)
{
    const rp_balancer_params_t *p = &b->bal->conf->params;
    rp_sticky_t sticky = {0};

    b->looked_for_session = 1;
    if (p->stickysession == NULL) {
        return;
    }
    rp_sticky_parse(&sticky, b->r->pool, p->stickysession);
    sticky.sep = p->stickysep >= 0 ? p->stickysep : '.';
    sticky.semicolon_ends = p->scolonpathdelim == RP_ON;
    b->route = rp_sticky_route(&sticky, b->r->pool, b->target, apr_table_get(b->r->headers_in, "Cookie"), &b->sticky_name);
    if (b->route != NULL) {
        apr_table_setn(b->r->subprocess_env, "BALANCER_SESSION_STICKY", b->sticky_name);
        apr_table_setn(b->r->subprocess_env, "BALANCER_SESSION_ROUTE", b->route);
        apr_table_setn(b->r->notes, "session-sticky", b->sticky_name);
        apr_table_setn(b->r->notes, "session-route", b->route);
    }
}

/* 1: the session decided, well or not. */
static int choose_by_session(rproxy_balancing_t *b, const rp_balancer_view_t *v, rp_choice_t *choice, const char **why)
{
    int redirected = 0;
    rp_route_result_e found = b->route ? rp_select_route(v, b->route, choice, &redirected) : RP_ROUTE_NONE;

    if (b->bal->conf->params.stickysession != NULL && (found != RP_ROUTE_FOUND || redirected)) {
        apr_table_setn(b->r->subprocess_env, "BALANCER_ROUTE_CHANGED", "1");
    }
    if (found == RP_ROUTE_FOUND) {
        return 1;
    }
    if (found == RP_ROUTE_UNUSABLE && b->bal->conf->params.nofailover == RP_ON) {
        *why = apr_psprintf(b->r->pool, "the member of route %s can not be used, and nofailover is On", b->route);
        return 1;
    }
    return 0;
}

/* ---- errors of members ---- */

static void set_error(rproxy_balancing_t *b, rp_member_t *m, const char *why)
{
    apr_uint32_t before;

    if (load32(&m->shm->status) & RP_ST_IGNORE_ERRORS) {
        return;
    }
    __atomic_store_n(&m->shm->error_us, rp_clock_now_us(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&m->shm->retries, 1, __ATOMIC_RELAXED);
    before = __atomic_fetch_or(&m->shm->status, RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
    if (!(before & RP_ST_IN_ERROR)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, b->r, "RP0704: %s: member %s is in error for %d s: %s", b->bal->conf->name,
                      m->worker->name, m->worker->params.retry_s >= 0 ? m->worker->params.retry_s : 60, why);
    }
}

/* 1: the list of codes ("500,503 504") holds the status. */
static int code_listed(const char *list, int status)
{
    char code[8];
    const char *p = list;

    apr_snprintf(code, sizeof(code), "%d", status);
    while (p != NULL && (p = strstr(p, code)) != NULL) {
        if ((p == list || !apr_isdigit(p[-1])) && !apr_isdigit(p[strlen(code)])) {
            return 1;
        }
        p++;
    }
    return 0;
}

/* ---- the choice ---- */

static void publish(rproxy_balancing_t *b, const rp_member_t *m)
{
    apr_table_t *env = b->r->subprocess_env;

    apr_table_setn(env, "BALANCER_NAME", b->bal->conf->name);
    apr_table_setn(env, "BALANCER_WORKER_NAME", m->worker->name);
    apr_table_setn(env, "BALANCER_WORKER_ROUTE", m->worker->params.route ? m->worker->params.route : "");
}

static rp_worker_t *enter_member(rproxy_balancing_t *b, const rp_choice_t *choice)
{
    rp_member_t *m = &b->bal->members[choice->member];
    int i;

    for (i = 0; i < choice->ncandidates; i++) {
        __atomic_fetch_add(&b->bal->members[choice->candidates[i]].shm->lbstatus, choice->lbstatus_delta[i], __ATOMIC_RELAXED);
    }
    if (load32(&m->shm->status) & RP_ST_IN_ERROR) { /* its retry time is over: this request finds out */
        __atomic_fetch_and(&m->shm->status, ~(apr_uint32_t)RP_ST_IN_ERROR, __ATOMIC_ACQ_REL);
    }
    __atomic_fetch_add(&m->shm->elected, 1, __ATOMIC_RELAXED);
    b->tried[choice->member] = 1;
    b->ntried++;
    b->current = m;
    rp_shared_busy(m, 1);
    publish(b, m);
    return m->worker;
}

/* 1: the limits allow one more try. */
static int may_try(const rproxy_balancing_t *b, const char **why)
{
    int max = b->bal->conf->params.maxattempts;

    if (max < 0) {
        max = b->bal->nmembers > 1 ? b->bal->nmembers - 1 : 0;
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

static rp_worker_t *choose(rproxy_balancing_t *b, const char **why)
{
    rproxy_lbcontext_t context = {0};
    rp_choice_t choice;
    rp_balancer_view_t *v;

    *why = b->bal->nmembers == 0 ? "the balancer has no members" : "no member can be used";
    leave_member(b);
    b->nobody = 0;
    if (b->bal->nmembers == 0 || !may_try(b, why)) {
        return NULL;
    }
    v = view_take(b);
    force_recovery(b, v);
    if (!b->looked_for_session) {
        find_session(b);
    }
    choice.member = -1;
    if (!choose_by_session(b, v, &choice, why)) {
        context.now_us = v->now_us;
        rp_select(v, b->bal->method, &context, &choice);
        b->nobody = choice.member < 0;
    }
    return choice.member >= 0 ? enter_member(b, &choice) : NULL;
}

/* As choose(), and when nobody is left the client gets a 502 for the close of the last member: failonstatus may list that. */
static rp_worker_t *next(rproxy_balancing_t *b, const char **why)
{
    rp_worker_t *worker = choose(b, why);

    if (worker == NULL && b->closed != NULL && code_listed(b->bal->conf->params.failonstatus, HTTP_BAD_GATEWAY)) {
        set_error(b, b->closed, "it closed the connection without an answer (502 in failonstatus)");
    }
    return worker;
}

/* ---- the end of a try ---- */

static void report(rproxy_balancing_t *b, const rproxy_result_t *result)
{
    const rp_balancer_params_t *p = &b->bal->conf->params;
    rp_member_t *m = b->current;

    if (m == NULL) {
        return;
    }
    __atomic_fetch_add(&m->shm->sent, (apr_uint64_t)result->sent, __ATOMIC_RELAXED);
    __atomic_fetch_add(&m->shm->received, (apr_uint64_t)result->received, __ATOMIC_RELAXED);
    b->closes += result->after_sending;
    b->closed = result->after_sending && result->status == 0 ? m : NULL;
    if (result->unreachable) {
        __atomic_fetch_add(&m->shm->failed, 1, __ATOMIC_RELAXED);
        set_error(b, m, "it can not be reached");
    }
    else if (result->timed_out && (p->failontimeout == RP_ON || code_listed(p->failonstatus, HTTP_BAD_GATEWAY))) {
        set_error(b, m, "it did not answer in time (failontimeout, or 502 in failonstatus)");
    }
    else if (result->status > 0 && code_listed(p->failonstatus, result->status)) {
        set_error(b, m, apr_psprintf(b->r->pool, "a status of %d (failonstatus)", result->status));
    }
    else if (result->status > 0) {
        __atomic_store_n(&m->shm->retries, 0, __ATOMIC_RELAXED);
    }
    leave_member(b);
}

/* One deadline for the request, kept here: nobody else's waiting depends on it. */
static apr_interval_time_t patience(rproxy_balancing_t *b, apr_time_t now_us)
{
    apr_interval_time_t timeout_us = b->bal->conf->params.timeout_us;

    if (!b->nobody || timeout_us <= 0 || b->ntried >= b->bal->nmembers) {
        return 0;
    }
    if (b->give_up_us == 0) {
        b->give_up_us = now_us + timeout_us;
    }
    return b->give_up_us > now_us ? b->give_up_us - now_us : 0;
}

const rproxy_balancer_api_t rp_balancing_api = {RPROXY_API_VERSION, begin, next, report, patience};
