/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/live.h"

#include <ap_provider.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <http_log.h>
#include <pthread.h>
#include <string.h>

#include "balancer/lbmethods.h"

APLOG_USE_MODULE(rproxy_balancer);

#define READ_AGAIN 8 /* a balancer that changes while we read it is read again; the next request looks anyway */

static const rproxy_api_t *core_api;
static struct {
    pthread_mutex_t mutex;
    apr_pool_t *pool; /**< under mutex; of no other pool, so that threads do not meet in a parent */
} child;

void rp_live_configure(const rproxy_api_t *core) { core_api = core; }
const rproxy_api_t *rp_live_core(void) { return core_api; }

/* ---- workers of added members ---- */

rp_worker_t *rp_live_worker_try(apr_pool_t *pool, const rp_balancer_t *b, const char *url, int flags, const char **why)
{
    return core_api->member_make(pool, b->conf, url, flags, why);
}

/* Kept by name as long as the child lives: idle connections refer to them, and a member that comes back finds its own. */
static rp_worker_t *grown_worker_locked(rp_balancer_t *b, const char *url)
{
    rp_worker_t *worker = apr_hash_get(b->grown, url, APR_HASH_KEY_STRING);
    const char *why = NULL;

    if (worker != NULL) {
        return worker;
    }
    worker = core_api->member_make(child.pool, b->conf, url, RPROXY_MEMBER_UNIX, &why);
    if (worker == NULL || core_api->member_ready(worker, child.pool) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, b->conf->server, "RP0721: %s: this child can not use the member %s that was added: %s",
                     b->conf->name, url, why ? why : "no memory for it");
        return NULL;
    }
    apr_hash_set(b->grown, worker->name, APR_HASH_KEY_STRING, worker);
    return worker;
}

/* ---- making a rp_live_t ---- */

/* What of a view stays until the next change. */
static void view_init(rp_member_view_t *v, const rp_live_member_t *m, int i)
{
    const rp_worker_params_t *p = &m->worker->params;

    memset(v, 0, sizeof(*v));
    v->lbset = m->settings.lbset;
    v->route = m->settings.route[0] ? m->settings.route : NULL;
    v->redirect = m->settings.redirect[0] ? m->settings.redirect : NULL;
    v->retry_us = apr_time_from_sec(p->retry_s >= 0 ? p->retry_s : 60);
    v->lb.index = i;
    v->lb.name = m->worker->name;
    v->lb.weight_x100 = m->settings.weight_x100;
}

static rp_calm_e calm_method(const rproxy_lbmethod_t *method)
{
    return method == &rp_lb_byrequests    ? RP_CALM_BYREQUESTS
           : method == &rp_lb_bytraffic   ? RP_CALM_BYTRAFFIC
           : method == &rp_lb_bybusyness ? RP_CALM_BYBUSYNESS : RP_CALM_NOT;
}

static int lowest_set(const rp_live_t *live)
{
    int i, set = live->n > 0 ? live->views[0].lbset : 0;

    for (i = 1; i < live->n; i++) {
        set = live->views[i].lbset < set ? live->views[i].lbset : set;
    }
    return set;
}

/* 1: a member in this state can not be chosen however long one waits. */
static int out_for_good(unsigned status)
{
    return (status & (RP_ST_DRAIN | RP_ST_IN_SHUTDOWN | RP_ST_DISABLED | RP_ST_STOPPED | RP_ST_HC_FAIL)) != 0;
}

/* Member i as the one at this place of the list. */
static void calm_put(rp_live_t *live, int at, int i)
{
    live->candidates[at] = i;
    live->places[at] = live->members[i].slot->place;
    live->weights[at] = live->views[i].lb.weight_x100;
    live->shms[at] = live->members[i].slot->shm;
}

/*
 * Whether the lowest set has candidates that are all well, and what is needed to choose among them. Other sets and standbys do not matter then.
 * One that is in error does, since it comes back by time; so do members that are out when there are spares for them.
 */
static void calm_fill(const rp_balancer_t *b, rp_live_t *live)
{
    int i, set = lowest_set(live), spares = 0, out = 0, doubtful = 0, others = live->n;

    live->states = __atomic_load_n(&b->shm->states, __ATOMIC_ACQUIRE);
    live->total = live->ncandidates = 0;
    for (i = 0; i < live->n; i++) {
        unsigned status = __atomic_load_n(&live->members[i].slot->shm->status, __ATOMIC_ACQUIRE);
        int plain = live->views[i].lbset == set && !(status & (RP_ST_HOT_SPARE | RP_ST_HOT_STANDBY));

        if (plain && (status & ~(unsigned)RP_ST_IGNORE_ERRORS) == RP_ST_INITIALIZED) {
            calm_put(live, live->ncandidates++, i);
            live->total += live->views[i].lb.weight_x100;
            continue;
        }
        calm_put(live, --others, i);
        out += plain && out_for_good(status);
        doubtful += plain && !out_for_good(status);
        spares += live->views[i].lbset == set && (status & RP_ST_HOT_SPARE) != 0;
    }
    live->alike = 1;
    for (i = 1; i < live->ncandidates; i++) {
        live->alike &= live->weights[i] == live->weights[0];
    }
    live->calm = live->ncandidates > 0 && doubtful == 0 && (out == 0 || spares == 0) ? calm_method(live->method) : RP_CALM_NOT;
}

/* APR_EAGAIN: it changed too often while it was read. */
static apr_status_t members_fill_locked(rp_balancer_t *b, rp_live_t *live)
{
    int i;

    live->n = 0;
    for (i = 0; i < b->nslots; i++) {
        rp_live_member_t *m = &live->members[live->n];

        m->slot = &b->members[i];
        if (rp_shm_member_read(m->slot->shm, &m->settings) != APR_SUCCESS) {
            return APR_EAGAIN;
        }
        if (m->settings.state != RP_SLOT_USED) {
            continue;
        }
        m->incarnation = m->settings.incarnation;
        m->worker = m->settings.added ? grown_worker_locked(b, m->settings.url) : m->slot->configured;
        if (m->worker != NULL) {
            view_init(&live->views[live->n], m, live->n);
            live->n++;
        }
    }
    return APR_SUCCESS;
}

static void settings_use(const rp_balancer_t *b, rp_live_t *live)
{
    const rp_balancer_settings_t *s = &live->settings;

    live->stickysession = s->stickysession[0] ? s->stickysession : NULL;
    memset(&live->sticky, 0, sizeof(live->sticky));
    if (live->stickysession != NULL) {
        rp_sticky_parse(&live->sticky, live->pool, live->stickysession);
        live->sticky.sep = s->stickysep;
        live->sticky.semicolon_ends = s->scolonpathdelim;
    }
    live->method = ap_lookup_provider(RPROXY_LBMETHOD_GROUP, s->lbmethod, RPROXY_LBMETHOD_VERSION);
    if (live->method == NULL) { /* its module went with a restart */
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, b->conf->server, "RP0713: %s: no module provides the lbmethod %s; byrequests is used",
                     b->conf->name, s->lbmethod);
        live->method = &rp_lb_byrequests;
    }
    live->method_wants_counts = live->method != &rp_lb_byrequests;
}

static void live_fill_locked(rp_balancer_t *b, rp_live_t *live)
{
    int i, whole = 0;

    apr_pool_clear(live->pool);
    live->members = apr_palloc(live->pool, sizeof(*live->members) * (apr_size_t)(b->nslots + 1));
    live->views = apr_palloc(live->pool, sizeof(*live->views) * (apr_size_t)(b->nslots + 1));
    live->weights = apr_palloc(live->pool, sizeof(*live->weights) * (apr_size_t)(b->nslots + 1));
    live->shms = apr_palloc(live->pool, sizeof(void *) * (apr_size_t)(b->nslots + 1));
    live->candidates = apr_palloc(live->pool, sizeof(*live->candidates) * (apr_size_t)(b->nslots + 1));
    live->places = apr_palloc(live->pool, sizeof(*live->places) * (apr_size_t)(b->nslots + 1));
    for (i = 0; i < READ_AGAIN && !whole; i++) {
        live->changes = __atomic_load_n(&b->shm->changes, __ATOMIC_ACQUIRE);
        whole = rp_shm_balancer_read(b->shm, &live->settings) == APR_SUCCESS && members_fill_locked(b, live) == APR_SUCCESS;
    }
    if (!whole) {
        live->changes = 0; /* never equal: the next request tries again */
    }
    settings_use(b, live);
    calm_fill(b, live);
}

/* One that nobody holds and that is not the current one; a new one when there is none. */
static rp_live_t *spare_locked(rp_balancer_t *b)
{
    rp_live_t *live;

    for (live = b->lives; live != NULL; live = live->next) {
        if (live != b->live && __atomic_load_n(&live->refs, __ATOMIC_SEQ_CST) == 0) {
            return live;
        }
    }
    live = apr_pcalloc(child.pool, sizeof(*live));
    if (apr_pool_create(&live->pool, child.pool) != APR_SUCCESS) {
        return NULL;
    }
    live->next = b->lives;
    b->lives = live;
    return live;
}

static void refresh(rp_balancer_t *b)
{
    rp_live_t *live;

    (void)pthread_mutex_lock(&child.mutex);
    if (b->live == NULL || b->live->changes != __atomic_load_n(&b->shm->changes, __ATOMIC_ACQUIRE)) {
        live = spare_locked(b);
        if (live != NULL) {
            live_fill_locked(b, live);
            __atomic_store_n(&b->live, live, __ATOMIC_SEQ_CST);
        }
    }
    (void)pthread_mutex_unlock(&child.mutex);
}

void rp_live_calm(rp_balancer_t *b, const rp_live_t *live)
{
    rp_live_t *now;

    (void)pthread_mutex_lock(&child.mutex);
    /* who else came here has done it already */
    now = b->live == live && live->states != __atomic_load_n(&b->shm->states, __ATOMIC_ACQUIRE) ? spare_locked(b) : NULL;
    if (now != NULL) {
        live_fill_locked(b, now);
        __atomic_store_n(&b->live, now, __ATOMIC_SEQ_CST);
    }
    (void)pthread_mutex_unlock(&child.mutex);
}

/* ---- users ---- */

/* The current one, held. Its memory stays, so that to count up one that is just being replaced does no harm: it is let go again. */
static rp_live_t *hold(rp_balancer_t *b)
{
    for (;;) {
        rp_live_t *live = __atomic_load_n(&b->live, __ATOMIC_ACQUIRE);

        __atomic_fetch_add(&live->refs, 1, __ATOMIC_SEQ_CST);
        if (live == __atomic_load_n(&b->live, __ATOMIC_SEQ_CST)) {
            return live;
        }
        rp_live_release(live);
    }
}

rp_live_t *rp_live_acquire(rp_balancer_t *b)
{
    rp_live_t *live = hold(b);

    if (live->changes != __atomic_load_n(&b->shm->changes, __ATOMIC_ACQUIRE)) {
        rp_live_release(live);
        refresh(b);
        live = hold(b);
    }
    return live;
}

void rp_live_release(rp_live_t *live)
{
    __atomic_fetch_sub(&live->refs, 1, __ATOMIC_RELEASE);
}

const rp_live_member_t *rp_live_find(const rp_live_t *live, const char *name)
{
    int i;

    for (i = 0; i < live->n; i++) {
        if (strcmp(live->members[i].worker->name, name) == 0) {
            return &live->members[i];
        }
    }
    return NULL;
}

/* ---- the child ---- */

apr_status_t rp_live_child_init(const apr_array_header_t *balancers)
{
    apr_status_t rv = apr_pool_create_unmanaged_ex(&child.pool, NULL, NULL);
    int i;

    /* it stays until the process ends: requests may outlive the pool of the child */
    if (rv == APR_SUCCESS) {
        rv = pthread_mutex_init(&child.mutex, NULL);
    }
    for (i = 0; rv == APR_SUCCESS && i < balancers->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(balancers, i, rp_balancer_t *);

        b->live = b->lives = NULL;
        b->grown = apr_hash_make(child.pool);
        refresh(b);
        rv = b->live != NULL ? APR_SUCCESS : APR_ENOMEM;
    }
    return rv;
}
