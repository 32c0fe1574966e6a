/* SPDX-License-Identifier: Apache-2.0 */
/* Views of the running balancers: everything is copied, nothing is locked. */
#include <apr_strings.h>
#include <http_core.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/admin.h"
#include "balancer/api_live.h"
#include "balancer/api_path.h"
#include "balancer/balancing.h"
#include "balancer/late.h"
#include "balancer/manager_samples.h"
#include "upstream/clock.h"

#define LOAD(p) __atomic_load_n(&(p), __ATOMIC_RELAXED)

static const char *const admin_keys[RP_FIELD_COUNT] = { [RP_FIELD_LOADFACTOR] = "loadfactor",
                                                        [RP_FIELD_LBSET] = "lbset",
                                                        [RP_FIELD_ROUTE] = "route",
                                                        [RP_FIELD_REDIRECT] = "redirect",
                                                        [RP_FIELD_HCMETHOD] = "hcmethod",
                                                        [RP_FIELD_HCEXPR] = "hcexpr",
                                                        [RP_FIELD_HCINTERVAL] = "hcinterval",
                                                        [RP_FIELD_HCTIMEOUT] = "hctimeout",
                                                        [RP_FIELD_HCPASSES] = "hcpasses",
                                                        [RP_FIELD_HCFAILS] = "hcfails",
                                                        [RP_FIELD_HCURI] = "hcuri",
                                                        [RP_FIELD_HCHOST] = "hchost",
                                                        [RP_FIELD_LBMETHOD] = "lbmethod",
                                                        [RP_FIELD_TIMEOUT] = "timeout",
                                                        [RP_FIELD_MAXATTEMPTS] = "maxattempts",
                                                        [RP_FIELD_NOFAILOVER] = "nofailover",
                                                        [RP_FIELD_STICKYSESSION] = "stickysession" };

static rp_show_origin_e origin_of(rp_origin_e origin)
{
    return origin == RP_ORIGIN_RUNTIME ? RP_SHOW_RUNTIME : RP_SHOW_CONFIGURATION;
}

static void number(rp_show_value_t *fields, rp_field_e id, apr_int64_t n)
{
    fields[id].known = 1;
    fields[id].value.number = n;
}

static void words(rp_show_value_t *fields, rp_field_e id, apr_pool_t *pool, const char *s)
{
    fields[id].known = 1;
    fields[id].value.text = apr_pstrdup(pool, s);
}

/* ---- members ---- */

static void member_fields(apr_pool_t *pool, rp_show_member_t *out, const rp_live_member_t *m)
{
    const rp_member_settings_t *s = &m->settings;
    rp_show_value_t *f = out->fields;
    int i;

    number(f, RP_FIELD_LOADFACTOR, s->weight_x100);
    number(f, RP_FIELD_LBSET, s->lbset);
    words(f, RP_FIELD_ROUTE, pool, s->route);
    words(f, RP_FIELD_REDIRECT, pool, s->redirect);
    words(f, RP_FIELD_HCMETHOD, pool, s->hcmethod);
    words(f, RP_FIELD_HCEXPR, pool, s->hcexpr);
    words(f, RP_FIELD_HCURI, pool, s->hcuri);
    number(f, RP_FIELD_HCINTERVAL, s->hcinterval_us / 1000);
    words(f, RP_FIELD_HCHOST, pool, s->hchost);
    number(f, RP_FIELD_HCTIMEOUT, s->hctimeout_us / 1000);
    number(f, RP_FIELD_HCPASSES, s->hcpasses);
    number(f, RP_FIELD_HCFAILS, s->hcfails);
    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);

        if (row->flag != 0) {
            char key[] = "status=?";
            key[sizeof(key) - 2] = row->letter;
            number(f, row->id, (out->status & row->flag) != 0);
            f[i].origin = origin_of(rp_admin_member_origin(m, key));
        }
        else if (!row->of_balancer) {
            f[i].origin = origin_of(rp_admin_member_origin(m, admin_keys[i]));
        }
    }
}

static void histogram(rp_show_histogram_t *out, const rp_shm_histogram_t *h)
{
    int i;

    for (i = 0; i < RP_SHM_BUCKETS && i < RP_SHOW_BUCKETS; i++) {
        out->count[i] = LOAD(h->count[i]);
        out->upper_us[i] = i < RP_SHM_BUCKETS - 1 ? rp_shm_bucket_us(i) : 0;
    }
    out->sum_us = LOAD(h->sum_us);
}

static void member_counters(rp_show_member_t *out, const rp_shm_member_t *shm)
{
    int i;

    out->retries = LOAD(shm->retries);
    out->elected = LOAD(shm->elected);
    out->sent = LOAD(shm->sent);
    out->received = LOAD(shm->received);
    out->failed = LOAD(shm->failed);
    out->timeouts = LOAD(shm->timeouts);
    out->closes = LOAD(shm->closes);
    out->connect_errors = LOAD(shm->connect_errors);
    out->errors_set = LOAD(shm->errors_set);
    for (i = 0; i < 5; i++) {
        out->responses[i] = LOAD(shm->responses[i]);
    }
    out->latency_us = LOAD(shm->latency_us);
    histogram(&out->first_byte, &shm->times[RP_TIMES_FIRST_BYTE]);
    histogram(&out->total, &shm->times[RP_TIMES_TOTAL]);
    out->checks = LOAD(shm->checks);
    out->checks_failed = LOAD(shm->checks_failed);
}

static const char *error_str(apr_pool_t *pool, const rp_shm_member_t *shm)
{
    switch (LOAD(shm->error_why)) {
    case RP_WHY_UNREACHABLE:
        return "it could not be reached";
    case RP_WHY_TIMEOUT:
        return "it did not answer in time";
    case RP_WHY_CLOSED:
        return "it closed the connection without an answer";
    case RP_WHY_STATUS:
        return apr_psprintf(pool, "it answered with status %u (failonstatus)", LOAD(shm->error_status));
    case RP_WHY_CONFIGURED:
        return "it was said so";
    default:
        return NULL;
    }
}

static void member_state(apr_pool_t *pool, rp_show_member_t *out, const rp_shm_member_t *shm)
{
    rp_health_settings_t health;
    apr_time_t error_us = LOAD(shm->error_us);
    char text[RP_STATUS_TEXT_MAX];

    out->status = __atomic_load_n(&shm->status, __ATOMIC_ACQUIRE);
    rp_status_text(out->status, text, sizeof(text));
    out->status_text = apr_pstrdup(pool, text);
    out->error_age_us = -1;
    out->drain_left_us = -1;
    out->check_result = "";
    if (out->status & RP_ST_IN_ERROR) {
        out->error_age_us = error_us > 0 ? rp_clock_now_us() - error_us : 0;
        out->error_why = error_str(pool, shm);
    }
    if (rp_shm_health_read(shm, &health) == APR_SUCCESS) {
        out->check_passes = health.passes;
        out->check_fails = health.fails;
        out->check_status = health.status;
        out->checked_at = health.checked_at;
        out->check_result = apr_pstrdup(pool, health.result);
    }
}

static void member_make(apr_pool_t *pool, rp_show_member_t *out, const rp_balancer_t *b, const rp_live_member_t *m)
{
    const rp_worker_t *w = m->worker;

    out->id = rp_api_member_id(pool, w->name);
    out->url = w->name;
    out->scheme = w->url.scheme;
    out->host = w->url.host;
    out->port = w->url.port;
    out->uds = w->url.uds;
    out->params = &w->params;
    out->added = m->settings.added != 0;
    out->leaving = m->settings.state == RP_SLOT_LEAVING;
    out->busy = rp_shared_busy_of(m->slot);
    out->changed_at = m->settings.changed_at;
    out->changed_why = apr_pstrdup(pool, m->settings.changed_why);
    member_state(pool, out, m->slot->shm);
    if (m->settings.drain_until != 0 && (out->status & RP_ST_DRAIN)) {
        apr_interval_time_t left = m->settings.drain_until - apr_time_now();
        out->drain_left_us = left > 0 ? left : 0;
    }
    out->lbstatus = rp_shm_credit(b->shm, m->slot->shm, m->settings.weight_x100);
    member_counters(out, m->slot->shm);
    member_fields(pool, out, m);
    out->nsamples = rp_samples_read(m->slot, out->samples);
}

/* ---- balancers ---- */

static void balancer_fields(apr_pool_t *pool, rp_show_balancer_t *out, const rp_live_t *live)
{
    const rp_balancer_settings_t *s = &live->settings;
    rp_show_value_t *f = out->fields;
    int i;

    words(f, RP_FIELD_LBMETHOD, pool, s->lbmethod);
    number(f, RP_FIELD_TIMEOUT, apr_time_sec(s->timeout_us));
    number(f, RP_FIELD_MAXATTEMPTS, s->maxattempts);
    number(f, RP_FIELD_NOFAILOVER, s->nofailover);
    words(f, RP_FIELD_STICKYSESSION, pool, s->stickysession);
    for (i = 0; i < RP_FIELD_COUNT; i++) {
        if (rp_field_row((rp_field_e)i)->of_balancer) {
            f[i].origin = origin_of(rp_admin_balancer_origin(live, admin_keys[i]));
        }
    }
    out->scolonpathdelim = s->scolonpathdelim;
    out->changed_at = s->changed_at;
    out->changed_why = apr_pstrdup(pool, s->changed_why);
}

/* A request without a session could go to it now, be it as a spare or standby. */
static int takes_requests(const rp_live_t *live, int i, unsigned status, apr_time_t now_us)
{
    rp_member_view_t view = live->views[i];

    view.status = status;
    view.error_us = LOAD(live->members[i].slot->shm->error_us);
    return !(status & RP_ST_DRAIN) && rp_member_usable(&view, now_us);
}

static void balancer_make(apr_pool_t *pool, const server_rec *s, rp_show_balancer_t *out, rp_balancer_t *b)
{
    apr_time_t now_us = rp_clock_now_us();
    rp_live_t *live = rp_live_acquire(b);
    int i;

    out->full_name = b->conf->name;
    out->name = b->conf->name + strlen("balancer://");
    out->nonce = b->changes_allowed ? apr_pstrndup(pool, b->shm->nonce, sizeof(b->shm->nonce)) : "";
    out->defined_at = b->conf->defined_at;
    out->nslots = b->nslots;
    out->nused = b->nslots - rp_admin_places_free(b);
    out->unanswered = LOAD(b->shm->unanswered);
    out->forced_recoveries = LOAD(b->shm->forced_recoveries);
    balancer_fields(pool, out, live);
    out->paths = rp_balancing_core()->balancer_paths(pool, s, b->conf->name);
    out->members = apr_pcalloc(pool, sizeof(*out->members) * (apr_size_t)(live->n + 1));
    out->nmembers = live->n;
    for (i = 0; i < live->n; i++) {
        member_make(pool, &out->members[i], b, &live->members[i]);
        out->usable += takes_requests(live, i, out->members[i].status, now_us);
    }
    rp_live_release(live);
    rp_show_etags(pool, out);
}

/* ---- events ---- */

static const rp_balancer_t *shown(const apr_array_header_t *visible, apr_uint32_t index)
{
    int i;

    for (i = 0; i < visible->nelts; i++) {
        if (APR_ARRAY_IDX(visible, i, rp_balancer_t *)->index == (int)index) {
            return APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        }
    }
    return NULL;
}

/* The URL of the member that has this slot now, or NULL. */
static const char *slot_url(apr_pool_t *pool, const rp_balancer_t *b, int index)
{
    rp_member_settings_t s;
    int i;

    for (i = 0; i < b->nslots; i++) {
        if (b->members[i].index == index && rp_shm_member_read(b->members[i].shm, &s) == APR_SUCCESS
            && s.state != RP_SLOT_FREE) {
            return apr_pstrdup(pool, s.url);
        }
    }
    return NULL;
}

static void events_make(apr_pool_t *pool, rp_show_t *show, const apr_array_header_t *visible)
{
    const rp_shm_map_t *map = rp_shared_map();
    apr_uint64_t last, number_of;
    rp_shm_event_t e;

    if (map->header == NULL) {
        return;
    }
    show->events = apr_pcalloc(pool, sizeof(*show->events) * RP_SHM_EVENTS);
    last = __atomic_load_n(&map->header->events, __ATOMIC_ACQUIRE);
    for (number_of = last; number_of > 0 && last - number_of < RP_SHM_EVENTS; number_of--) {
        const rp_balancer_t *b = rp_shm_event_read(map, number_of, &e) ? shown(visible, e.balancer) : NULL;
        rp_show_event_t *out = &show->events[show->nevents];

        if (b == NULL) {
            continue;
        }
        out->number = number_of;
        out->at = e.at;
        out->balancer = b->conf->name + strlen("balancer://");
        out->member = e.member >= 0 ? slot_url(pool, b, e.member) : NULL;
        out->text = apr_pstrdup(pool, e.text);
        show->nevents++;
    }
}

/* ---- what is under way ---- */

static const char *or_null(apr_pool_t *pool, const char *text) { return text[0] ? apr_pstrdup(pool, text) : NULL; }

static void flight_keep(void *ctx, const rproxy_flight_t *f)
{
    apr_array_header_t *all = ctx;
    rp_show_flight_t *out = apr_array_push(all);

    out->age_us = f->age_us;
    out->pid = f->pid;
    out->vhost = apr_pstrdup(all->pool, f->vhost);
    out->request = apr_pstrdup(all->pool, f->request);
    out->balancer = or_null(all->pool, f->balancer);
    out->worker = or_null(all->pool, f->worker);
    out->step = f->tries > 1 ? apr_psprintf(all->pool, "%s (try %u)", f->step, f->tries) : f->step;
}

static int by_age(const void *a, const void *b)
{
    apr_interval_time_t x = ((const rp_show_flight_t *)a)->age_us, y = ((const rp_show_flight_t *)b)->age_us;

    return x < y ? 1 : x > y ? -1 : 0;
}

static void flights_make(request_rec *r, rp_show_t *show)
{
    const rproxy_api_t *core = rp_balancing_core();
    apr_array_header_t *all = apr_array_make(r->pool, 32, sizeof(rp_show_flight_t));

    show->flights_lost = core != NULL && core->flights != NULL ? core->flights(r->server, flight_keep, all) : 0;
    qsort(all->elts, (size_t)all->nelts, sizeof(rp_show_flight_t), by_age);
    show->flights = (rp_show_flight_t *)all->elts;
    show->nflights = all->nelts;
}

rp_show_t *rp_view_make(request_rec *r, int parts)
{
    const apr_array_header_t *visible = rp_balancing_visible(r->pool, r->server);
    rp_show_t *show = apr_pcalloc(r->pool, sizeof(*show));
    int i;

    rp_late_collect();
    show->vhost = ap_get_server_name(r);
    show->software = ap_get_server_description();
    show->built = ap_get_server_built();
    show->now = apr_time_now();
    show->persist = rp_balancing_persist(r->server);
    show->balancers = apr_pcalloc(r->pool, sizeof(*show->balancers) * (apr_size_t)(visible->nelts + 1));
    show->sample_every_us = RP_SAMPLE_EVERY_US;
    for (i = 0; i < visible->nelts; i++) {
        rp_balancer_t *b = APR_ARRAY_IDX(visible, i, rp_balancer_t *);
        balancer_make(r->pool, r->server, &show->balancers[show->nbalancers++], b);
        show->inherited |= b->conf->server != r->server;
    }
    if (parts & RP_VIEW_EVENTS) {
        events_make(r->pool, show, visible);
    }
    if (parts & RP_VIEW_FLIGHTS) {
        flights_make(r, show);
    }
    return show;
}
