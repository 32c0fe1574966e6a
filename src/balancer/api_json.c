/* SPDX-License-Identifier: Apache-2.0 */
/* Views as JSON. */
#include "balancer/api_json.h"

#include <apr_strings.h>
#include <string.h>

/* Any text of the configuration or of a backend: jansson takes UTF-8 only. */
static json_t *text(const char *s)
{
    json_t *out = json_string(s != NULL ? s : "");

    if (out == NULL) {
        size_t n = strlen(s), room = 4 * n + 1, at = 0;
        char *safe = malloc(room);

        for (; safe != NULL && *s != '\0'; s++) {
            at += (unsigned char)*s < 0x80 ? (size_t)apr_snprintf(safe + at, room - at, "%c", *s)
                                           : (size_t)apr_snprintf(safe + at, room - at, "\\x%02x", (unsigned char)*s);
        }
        out = safe != NULL ? json_string(safe) : NULL;
        free(safe);
    }
    return out;
}

static json_t *text_or_null(const char *s) { return s != NULL && *s != '\0' ? text(s) : json_null(); }

static json_t *count(apr_uint64_t n) { return json_integer((json_int_t)(n & APR_UINT64_C(0x7fffffffffffffff))); }

static json_t *seconds(apr_interval_time_t us) { return json_real((double)us / 1e6); }

/* Wall clock as RFC 3339, UTC. */
static json_t *when(apr_time_t at)
{
    apr_time_exp_t t;
    char buf[40];

    if (at <= 0 || apr_time_exp_gmt(&t, at) != APR_SUCCESS) {
        return json_null();
    }
    apr_snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                 t.tm_hour, t.tm_min, t.tm_sec, t.tm_usec / 1000);
    return json_string(buf);
}

static json_t *value_of(const rp_field_row_t *row, const rp_field_value_t *v)
{
    switch (row->kind) {
    case RP_FIELD_SWITCH:
        return json_boolean(v->number != 0);
    case RP_FIELD_DECIMAL_X100:
        return v->number % 100 == 0 ? json_integer(v->number / 100) : json_real((double)v->number / 100);
    case RP_FIELD_TEXT:
    case RP_FIELD_WORD:
        return text_or_null(v->text);
    case RP_FIELD_NUMBER:
        break;
    }
    return v->number < row->min ? json_null() : json_integer(v->number);
}

/* The fields by name; flags in an object "status" of their own; "origin" has those that the configuration does not say.
 */
static void add_fields(json_t *to, const rp_show_value_t *fields, json_t *status)
{
    json_t *origin = json_object();
    int i;

    for (i = 0; i < RP_FIELD_COUNT; i++) {
        const rp_field_row_t *row = rp_field_row((rp_field_e)i);

        if (!fields[i].known) {
            continue;
        }
        json_object_set_new(row->flag && status ? status : to, row->json, value_of(row, &fields[i].value));
        if (fields[i].origin != RP_SHOW_CONFIGURATION) {
            json_object_set_new(origin, row->json, json_string(rp_show_origin_str(fields[i].origin)));
        }
    }
    json_object_set_new(to, "origin", origin);
}

/* Quantile q of a histogram as the upper end of its bucket, in seconds; null: nothing was seen or it is in the last
 * one. */
static json_t *quantile(const rp_show_histogram_t *h, double q)
{
    apr_uint64_t all = 0, seen = 0;
    int i;

    for (i = 0; i < RP_SHOW_BUCKETS; i++) {
        all += h->count[i];
    }
    for (i = 0; i < RP_SHOW_BUCKETS && all > 0; i++) {
        seen += h->count[i];
        if ((double)seen >= q * (double)all) {
            return h->upper_us[i] > 0 ? seconds(h->upper_us[i]) : json_null();
        }
    }
    return json_null();
}

static json_t *histogram(const rp_show_histogram_t *h)
{
    json_t *out = json_object();
    apr_uint64_t all = 0;
    int i;

    for (i = 0; i < RP_SHOW_BUCKETS; i++) {
        all += h->count[i];
    }
    json_object_set_new(out, "count", count(all));
    json_object_set_new(out, "sum_s", seconds((apr_interval_time_t)h->sum_us));
    json_object_set_new(out, "p50_s_at_most", quantile(h, 0.5));
    json_object_set_new(out, "p90_s_at_most", quantile(h, 0.9));
    json_object_set_new(out, "p99_s_at_most", quantile(h, 0.99));
    return out;
}

static json_t *traffic(const rp_show_member_t *m)
{
    static const char *const classes[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    json_t *out = json_object(), *responses = json_object();
    int i;

    json_object_set_new(out, "busy", count(m->busy));
    json_object_set_new(out, "elected", count(m->elected));
    json_object_set_new(out, "sent_bytes", count(m->sent));
    json_object_set_new(out, "received_bytes", count(m->received));
    json_object_set_new(out, "failed", count(m->failed));
    json_object_set_new(out, "connect_errors", count(m->connect_errors));
    json_object_set_new(out, "timeouts", count(m->timeouts));
    json_object_set_new(out, "closes", count(m->closes));
    json_object_set_new(out, "lbstatus", json_integer(m->lbstatus));
    for (i = 0; i < 5; i++) {
        json_object_set_new(responses, classes[i], count(m->responses[i]));
    }
    json_object_set_new(out, "responses", responses);
    json_object_set_new(out, "first_byte_average_s", m->latency_us ? seconds(m->latency_us) : json_null());
    json_object_set_new(out, "first_byte", histogram(&m->first_byte));
    json_object_set_new(out, "total", histogram(&m->total));
    return out;
}

static json_t *health(const rp_show_member_t *m)
{
    json_t *out = json_object();

    json_object_set_new(out, "checks", count(m->checks));
    json_object_set_new(out, "checks_failed", count(m->checks_failed));
    json_object_set_new(out, "passes_in_a_row", count(m->check_passes));
    json_object_set_new(out, "fails_in_a_row", count(m->check_fails));
    json_object_set_new(out, "checked_at", when(m->checked_at));
    json_object_set_new(out, "result", text_or_null(m->check_result));
    json_object_set_new(out, "status", m->check_status ? count(m->check_status) : json_null());
    return out;
}

static json_t *status_of(const rp_show_member_t *m)
{
    json_t *status = json_object();

    json_object_set_new(status, "in_error", json_boolean((m->status & RP_ST_IN_ERROR) != 0));
    return status;
}

static json_t *etag_of(const char *etag)
{
    return json_stringn(etag, strlen(etag));
}

static json_t *changed(apr_time_t at, const char *why)
{
    json_t *out;

    if (at <= 0) {
        return json_null();
    }
    out = json_object();
    json_object_set_new(out, "at", when(at));
    json_object_set_new(out, "why", text_or_null(why));
    return out;
}

json_t *rp_json_member(const rp_show_t *show, const rp_show_balancer_t *b, const rp_show_member_t *m)
{
    json_t *out = json_object(), *status = status_of(m);

    (void)show;
    json_object_set_new(out, "id", text(m->id));
    json_object_set_new(out, "url", text(m->url));
    json_object_set_new(out, "balancer", text(b->name));
    json_object_set_new(out, "etag", etag_of(m->etag));
    json_object_set_new(out, "state", text(m->leaving ? "leaving" : rp_state_word(m->status)));
    json_object_set_new(out, "status", status);
    add_fields(out, m->fields, status);
    json_object_set_new(out, "added_at_run_time", json_boolean(m->added));
    json_object_set_new(out, "error", text_or_null(m->error_why));
    json_object_set_new(out, "error_for_s", m->error_age_us >= 0 ? seconds(m->error_age_us) : json_null());
    json_object_set_new(out, "retries", count(m->retries));
    json_object_set_new(out, "drain_left_s", m->drain_left_us >= 0 ? seconds(m->drain_left_us) : json_null());
    json_object_set_new(out, "changed", changed(m->changed_at, m->changed_why));
    json_object_set_new(out, "traffic", traffic(m));
    json_object_set_new(out, "health", health(m));
    return out;
}

json_t *rp_json_members(const rp_show_t *show, const rp_show_balancer_t *b)
{
    json_t *out = json_object(), *list = json_array();
    int i;

    for (i = 0; i < b->nmembers; i++) {
        json_array_append_new(list, rp_json_member(show, b, &b->members[i]));
    }
    json_object_set_new(out, "members", list);
    return out;
}

static json_t *texts(const apr_array_header_t *all)
{
    json_t *list = json_array();

    for (int i = 0; all != NULL && i < all->nelts; i++) {
        json_array_append_new(list, text(APR_ARRAY_IDX(all, i, const char *)));
    }
    return list;
}

json_t *rp_json_balancer(const rp_show_t *show, const rp_show_balancer_t *b)
{
    json_t *out = json_object(), *list = rp_json_members(show, b);

    json_object_set_new(out, "name", text(b->name));
    json_object_set_new(out, "etag", etag_of(b->etag));
    json_object_set_new(out, "defined_at", text_or_null(b->defined_at));
    add_fields(out, b->fields, NULL);
    json_object_set_new(out, "paths", texts(b->paths));
    json_object_set_new(out, "usable", json_integer(b->usable));
    json_object_set_new(out, "places", json_integer(b->nslots));
    json_object_set_new(out, "places_used", json_integer(b->nused));
    json_object_set_new(out, "changes_allowed", json_boolean(*b->nonce != '\0'));
    json_object_set_new(out, "unanswered", count(b->unanswered));
    json_object_set_new(out, "forced_recoveries", count(b->forced_recoveries));
    json_object_set_new(out, "changed", changed(b->changed_at, b->changed_why));
    json_object_set(out, "members", json_object_get(list, "members"));
    json_decref(list);
    return out;
}

json_t *rp_json_balancers(const rp_show_t *show)
{
    json_t *out = json_object(), *list = json_array();
    int i;

    for (i = 0; i < show->nbalancers; i++) {
        json_array_append_new(list, rp_json_balancer(show, &show->balancers[i]));
    }
    json_object_set_new(out, "vhost", text(show->vhost));
    json_object_set_new(out, "persist", json_string(show->persist == RP_ON    ? "on"
                                                    : show->persist == RP_OFF ? "off"
                                                                              : "over graceful restarts"));
    json_object_set_new(out, "balancers", list);
    return out;
}

json_t *rp_json_health(const rp_show_t *show)
{
    json_t *out = json_object(), *list = json_array();
    int i, k;

    for (i = 0; i < show->nbalancers; i++) {
        const rp_show_balancer_t *b = &show->balancers[i];
        for (k = 0; k < b->nmembers; k++) {
            const rp_show_member_t *m = &b->members[k];
            json_t *one = health(m);
            json_object_set_new(one, "balancer", text(b->name));
            json_object_set_new(one, "member", text(m->url));
            json_object_set_new(one, "id", text(m->id));
            json_object_set_new(one, "state", text(rp_state_word(m->status)));
            if (m->fields[RP_FIELD_HCMETHOD].known) {
                json_object_set_new(one, "hcmethod", text_or_null(m->fields[RP_FIELD_HCMETHOD].value.text));
            }
            json_array_append_new(list, one);
        }
    }
    json_object_set_new(out, "health", list);
    return out;
}

json_t *rp_json_events(const rp_show_t *show, apr_uint64_t after)
{
    json_t *out = json_object(), *list = json_array();
    int i;

    for (i = 0; i < show->nevents; i++) {
        const rp_show_event_t *e = &show->events[i];
        json_t *one;

        if (e->number <= after) {
            continue;
        }
        one = json_object();
        json_object_set_new(one, "number", count(e->number));
        json_object_set_new(one, "at", when(e->at));
        json_object_set_new(one, "balancer", text(e->balancer));
        json_object_set_new(one, "member", text_or_null(e->member));
        json_object_set_new(one, "text", text(e->text));
        json_array_append_new(list, one);
    }
    json_object_set_new(out, "events", list);
    return out;
}

json_t *rp_json_flights(const rp_show_t *show)
{
    json_t *out = json_object(), *list = json_array();
    int i;

    for (i = 0; i < show->nflights; i++) {
        const rp_show_flight_t *f = &show->flights[i];
        json_t *one = json_object();

        json_object_set_new(one, "age_s", seconds(f->age_us));
        json_object_set_new(one, "pid", json_integer(f->pid));
        json_object_set_new(one, "vhost", text(f->vhost));
        json_object_set_new(one, "request", text(f->request));
        json_object_set_new(one, "balancer", text_or_null(f->balancer));
        json_object_set_new(one, "member", text_or_null(f->balancer != NULL ? f->worker : NULL));
        json_object_set_new(one, "worker", text_or_null(f->worker));
        json_object_set_new(one, "step", text_or_null(f->step));
        json_array_append_new(list, one);
    }
    json_object_set_new(out, "in_flight", list);
    json_object_set_new(out, "not_listed", json_integer(show->flights_lost));
    return out;
}

json_t *rp_json_index(const rp_show_t *show)
{
    static const char *const names[] = {"balancers", "pools", "loops", "health", "events", "in-flight"};
    json_t *out = json_object(), *list = json_array();
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_array_append_new(list, json_string(names[i]));
    }
    json_object_set_new(out, "api", json_string("rproxy"));
    json_object_set_new(out, "version", json_integer(1));
    json_object_set_new(out, "vhost", text(show->vhost));
    json_object_set_new(out, "resources", list);
    return out;
}

json_t *rp_json_error(int status, const char *code, const rp_field_error_t *error)
{
    json_t *out = json_object(), *inner = json_object();

    json_object_set_new(inner, "status", json_integer(status));
    json_object_set_new(inner, "code", text(code));
    json_object_set_new(inner, "field", text_or_null(error->field));
    json_object_set_new(inner, "message", text(error->message));
    json_object_set_new(inner, "legal", text_or_null(error->legal));
    json_object_set_new(out, "error", inner);
    return out;
}

void rp_json_add_changes(apr_pool_t *pool, json_t *to, const apr_array_header_t *changes, const rp_show_value_t *fields)
{
    json_t *list = json_array();
    int i;

    (void)pool;
    for (i = 0; i < changes->nelts; i++) {
        const rp_change_t *c = &APR_ARRAY_IDX(changes, i, rp_change_t);
        const rp_show_value_t *now = &fields[c->row->id];
        json_t *one;

        if (now->known && rp_field_equal(c->row, &now->value, &c->value)) {
            continue;
        }
        one = json_object();
        json_object_set_new(one, "field", json_string(c->row->json));
        json_object_set_new(one, "from", now->known ? value_of(c->row, &now->value) : json_null());
        json_object_set_new(one, "to", value_of(c->row, &c->value));
        json_object_set_new(one, "origin_before", json_string(rp_show_origin_str(now->origin)));
        json_array_append_new(list, one);
    }
    json_object_set_new(to, "changes", list);
}

const char *rp_json_text(apr_pool_t *pool, json_t *value)
{
    char *dump = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    const char *out = dump != NULL ? apr_pstrcat(pool, dump, "\n", NULL) : NULL;

    json_decref(value);
    free(dump);
    return out;
}
