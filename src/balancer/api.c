/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/api.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <string.h>

#include "balancer/api_drain.h"
#include "balancer/api_json.h"
#include "balancer/api_live.h"
#include "balancer/api_path.h"
#include "balancer/api_pools.h"

APLOG_USE_MODULE(rproxy_balancer);

#define OWN_HEADER "X-RProxy-API" /* no form of another site can send it, and a script of another site must ask first */
#define PARAMETERS_MAX 8

/** One request. */
typedef struct call_t {
    request_rec *r;
    rp_api_path_t path;
    int dry_run;
    const char *url;            /**< parameter, or NULL */
    apr_uint64_t after;         /**< parameter */
    apr_uint64_t changes;       /**< the balancer's counter before the view was made */
    rp_show_t *show;
    rp_show_balancer_t *b;      /**< that the path names, or NULL */
    rp_show_member_t *m;
    rp_api_wish_t wish;
} call_t;

/* ---- answers ---- */

void rp_api_headers(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->err_headers_out, "X-Frame-Options", "DENY");
    apr_table_setn(r->err_headers_out, "Referrer-Policy", "same-origin");
}

static int answer(const call_t *c, int status, json_t *value)
{
    request_rec *r = c->r;
    const char *text = rp_json_text(r->pool, value);

    if (text == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    rp_api_headers(r);
    r->status = status;
    ap_set_content_type(r, "application/json");
    ap_rputs(text, r);
    return OK;
}

static int wrong(const call_t *c, int status, const char *code, const char *field, const char *message)
{
    rp_field_error_t error = {field, message, NULL};

    return answer(c, status, rp_json_error(status, code, &error));
}

static int not_done(const call_t *c, const rp_done_t *done)
{
    return answer(c, done->status, rp_json_error(done->status, done->code, &done->error));
}

/* ---- what was asked ---- */

int rp_api_is_type(const request_rec *r, const char *type)
{
    const char *is = apr_table_get(r->headers_in, "Content-Type");
    apr_size_t n = strlen(type);

    return is != NULL && ap_cstr_casecmpn(is, type, n) == 0
           && (is[n] == '\0' || is[n] == ';' || is[n] == ' ' || is[n] == '\t');
}

int rp_api_body(request_rec *r, apr_size_t max, char **body, apr_size_t *n)
{
    int rv = ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK);
    long got;

    *n = 0;
    *body = apr_palloc(r->pool, max + 2);
    if (rv == OK && ap_should_client_block(r)) {
        while (*n <= max && (got = ap_get_client_block(r, *body + *n, max + 1 - *n)) != 0) {
            if (got < 0) {
                return HTTP_BAD_REQUEST;
            }
            *n += (apr_size_t)got;
        }
        rv = *n > max ? HTTP_REQUEST_ENTITY_TOO_LARGE : OK;
    }
    (*body)[*n] = '\0';
    return rv;
}

static int parameter(void *data, const char *name, const char *value)
{
    call_t *c = data;
    char *end;

    if (strcmp(name, "dry-run") == 0 && (strcmp(value, "1") == 0 || strcmp(value, "0") == 0)) {
        c->dry_run = *value == '1';
        return 1;
    }
    if (strcmp(name, "url") == 0) {
        c->url = value;
        return 1;
    }
    if (strcmp(name, "after") == 0 && *value >= '0' && *value <= '9') {
        c->after = (apr_uint64_t)apr_strtoi64(value, &end, 10);
        return *end == '\0';
    }
    return 0;
}

static int query_read(call_t *c)
{
    const apr_table_t *all = rp_api_query_parse(c->r->pool, c->r->args, PARAMETERS_MAX);

    return all != NULL && apr_table_do(parameter, c, all, NULL);
}

/* The balancer and member of the path. OK, or the answer was given. */
static int resolve(call_t *c)
{
    const char *which = c->path.member;

    if (c->path.balancer == NULL) {
        return OK;
    }
    c->b = rp_view_balancer(c->show, c->path.balancer);
    if (c->b == NULL) {
        (void)wrong(c, HTTP_NOT_FOUND, "no_such_balancer", NULL, "this virtual host has no balancer of that name");
        return DONE;
    }
    if (which == NULL) {
        return OK;
    }
    which = strcmp(which, "-") == 0 && c->url != NULL ? c->url : which;
    c->m = rp_view_member(c->b, which);
    if (c->m == NULL) {
        (void)wrong(c, HTTP_NOT_FOUND, "no_such_member", NULL,
                    "the balancer has no member with that id (or with that URL, for the id - and the parameter url)");
        return DONE;
    }
    return OK;
}

static const char *etag_of(const call_t *c)
{
    return c->m != NULL ? c->m->etag : c->b != NULL ? c->b->etag : NULL;
}

/* If-Match: a list of etags, or *. */
static int precondition_ok(const call_t *c)
{
    const char *list = apr_table_get(c->r->headers_in, "If-Match"), *etag = etag_of(c), *at;

    if (list == NULL || etag == NULL || strcmp(list, "*") == 0) {
        return 1;
    }
    for (at = list; (at = strstr(at, etag)) != NULL; at++) {
        if (at == list || at[-1] == ' ' || at[-1] == ',' || at[-1] == '\t') {
            return 1; /* W/"..." is a weak one, which does not match */
        }
    }
    return 0;
}

/* May this request change something? OK, or the answer was given. */
static int may_change(call_t *c)
{
    const char *own = apr_table_get(c->r->headers_in, OWN_HEADER);

    if (!rp_api_is_type(c->r, "application/json")) {
        (void)wrong(c, HTTP_UNSUPPORTED_MEDIA_TYPE, "content_type", "Content-Type",
                    "write Content-Type: application/json, also without a body");
        return DONE;
    }
    if (own == NULL || *own == '\0') {
        (void)wrong(c, HTTP_FORBIDDEN, "header_missing", OWN_HEADER,
                    "what changes something needs the header " OWN_HEADER ": 1");
        return DONE;
    }
    if (*c->b->nonce == '\0') {
        (void)wrong(c, HTTP_FORBIDDEN, "not_allowed", NULL,
                    "the nonce of this balancer is None: nothing of it can be changed at run time");
        return DONE;
    }
    if (!precondition_ok(c)) {
        (void)wrong(c, HTTP_PRECONDITION_FAILED, "changed_meanwhile", "If-Match",
                    "it is not as it was when you read it; read it again");
        return DONE;
    }
    return OK;
}

static int body_read(call_t *c, rp_api_body_e kind)
{
    rp_field_error_t error = {0};
    char *body;
    apr_size_t n;
    int rv = rp_api_body(c->r, RP_API_BODY_MAX, &body, &n);

    if (rv == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        (void)wrong(c, rv, "too_large", NULL, apr_psprintf(c->r->pool, "a body has at most %d bytes", RP_API_BODY_MAX));
        return DONE;
    }
    if (rv != OK) {
        return rv;
    }
    if (!rp_json_wish(c->r->pool, kind, body, n, &c->wish, &error)) {
        (void)answer(c, HTTP_BAD_REQUEST, rp_json_error(HTTP_BAD_REQUEST, "bad_value", &error));
        return DONE;
    }
    return OK;
}

/* ---- methods ---- */

static int do_get(call_t *c)
{
    const char *etag = etag_of(c);

    if (etag != NULL) {
        apr_table_setn(c->r->headers_out, "ETag", etag);
    }
    switch (c->path.resource) {
    case RP_API_BALANCERS:
        return answer(c, HTTP_OK, rp_json_balancers(c->show));
    case RP_API_BALANCER:
        return answer(c, HTTP_OK, rp_json_balancer(c->show, c->b));
    case RP_API_MEMBERS:
        return answer(c, HTTP_OK, rp_json_members(c->show, c->b));
    case RP_API_MEMBER:
        return answer(c, HTTP_OK, rp_json_member(c->show, c->b, c->m));
    case RP_API_HEALTH:
        return answer(c, HTTP_OK, rp_json_health(c->show));
    case RP_API_EVENTS:
        return answer(c, HTTP_OK, rp_json_events(c->show, c->after));
    case RP_API_IN_FLIGHT:
        return answer(c, HTTP_OK, rp_json_flights(c->show));
    case RP_API_POOLS:
        return answer(c, HTTP_OK, rp_pools_json(c->r));
    case RP_API_LOOPS:
        return answer(c, HTTP_OK, rp_loops_json());
    default:
        return answer(c, HTTP_OK, rp_json_index(c->show));
    }
}

static rp_asker_t asker_of(call_t *c)
{
    rp_asker_t asker = {c->r, "API", c->wish.reason, c->dry_run, NULL};

    if (apr_table_get(c->r->headers_in, "If-Match") != NULL) {
        asker.unchanged_since = &c->changes;
    }
    return asker;
}

/* "saved": a client that gets true may pull the plug. */
static void saved_add(call_t *c, json_t *out)
{
    int saved = c->dry_run ? -1 : rp_live_saved(c->r, c->b);

    if (saved >= 0) {
        json_object_set_new(out, "saved", json_boolean(saved));
    }
}

/* What it is now, what was changed, and whether it really was. before: of the view that was made first. */
static int show_result(call_t *c, int status, const rp_show_value_t *before)
{
    const char *b = c->b->name, *url = c->m != NULL ? c->m->url : NULL;
    json_t *out;

    c->show = rp_view_make(c->r, 0);
    c->b = rp_view_balancer(c->show, b);
    c->m = c->b != NULL && url != NULL ? rp_view_member(c->b, url) : NULL;
    out = c->m != NULL                  ? rp_json_member(c->show, c->b, c->m)
          : c->b != NULL && url == NULL ? rp_json_balancer(c->show, c->b)
                                        : json_object();
    if (before != NULL) {
        rp_json_add_changes(c->r->pool, out, c->wish.changes, before);
    }
    json_object_set_new(out, "dry_run", json_boolean(c->dry_run));
    if (c->b != NULL) {
        saved_add(c, out);
    }
    if (etag_of(c) != NULL) {
        apr_table_setn(c->r->headers_out, "ETag", etag_of(c));
    }
    return answer(c, status, out);
}

static int do_patch(call_t *c)
{
    const rp_show_value_t *before = c->m != NULL ? c->m->fields : c->b->fields;
    int rv = body_read(c, c->m != NULL ? RP_BODY_MEMBER : RP_BODY_BALANCER);
    rp_asker_t asker;
    rp_done_t done;

    if (rv != OK) {
        return rv == DONE ? OK : rv;
    }
    asker = asker_of(c);
    done = rp_live_change(&asker, c->b, c->m, c->wish.changes);
    return done.status == HTTP_OK ? show_result(c, HTTP_OK, before) : not_done(c, &done);
}

static int do_add(call_t *c)
{
    int rv = body_read(c, RP_BODY_NEW_MEMBER);
    rp_asker_t asker;
    rp_done_t done;
    const char *url, *id;

    if (rv != OK) {
        return rv == DONE ? OK : rv;
    }
    asker = asker_of(c);
    url = c->wish.url;
    done = rp_live_add(&asker, c->b, &url, RP_ST_DISABLED, c->wish.changes);
    if (done.status != HTTP_OK) {
        return not_done(c, &done);
    }
    id = rp_api_member_id(c->r->pool, url);
    if (!c->dry_run) {
        c->m = apr_pcalloc(c->r->pool, sizeof(*c->m));
        c->m->url = url;
        apr_table_setn(c->r->headers_out, "Location",
                       apr_pstrcat(c->r->pool, ap_escape_uri(c->r->pool, c->r->uri),
                                   c->r->uri[strlen(c->r->uri) - 1] == '/' ? "" : "/", id, NULL));
        return show_result(c, HTTP_CREATED, NULL);
    }
    return answer(c, HTTP_OK, json_pack("{s:s, s:s, s:b}", "url", url, "id", id, "dry_run", 1));
}

static int do_remove(call_t *c)
{
    rp_asker_t asker = asker_of(c);
    rp_done_t done = rp_live_remove(&asker, c->b, c->m);
    json_t *out;

    if (done.status != HTTP_OK) {
        return not_done(c, &done);
    }
    out = json_pack("{s:s, s:b}", "removed", c->m->url, "dry_run", c->dry_run);
    saved_add(c, out);
    return answer(c, HTTP_OK, out);
}

static int do_drain(call_t *c, int begin)
{
    int rv = begin ? body_read(c, RP_BODY_DRAIN) : OK;
    rp_asker_t asker;
    rp_done_t done;

    if (rv != OK) {
        return rv == DONE ? OK : rv;
    }
    asker = asker_of(c);
    done =
        begin ? rp_drain_begin(&asker, c->b, c->m, c->wish.deadline_s, c->wish.then) : rp_drain_end(&asker, c->b, c->m);
    return done.status == HTTP_OK ? show_result(c, HTTP_OK, NULL) : not_done(c, &done);
}

static int do_change(call_t *c)
{
    int method = c->r->method_number;

    if (method == M_PATCH) {
        return do_patch(c);
    }
    if (c->path.resource == RP_API_DRAIN) {
        return do_drain(c, method == M_POST);
    }
    return method == M_POST ? do_add(c) : do_remove(c);
}

/* 1: the resource has this method. */
static int has_method(const call_t *c)
{
    const char *all = rp_api_resource_methods(c->path.resource), *at = strstr(all, c->r->method);

    return at != NULL && (at == all || at[-1] == ' ')
           && (at[strlen(c->r->method)] == ',' || at[strlen(c->r->method)] == '\0');
}

int rp_api_handler(request_rec *r)
{
    call_t c = {.r = r};
    int parts;

    if (r->handler == NULL || strcmp(r->handler, "rproxy-api") != 0) {
        return DECLINED;
    }
    c.path = rp_api_path_parse(r->pool, r->uri);
    if (c.path.resource == RP_API_NONE) {
        return wrong(&c, HTTP_NOT_FOUND, "no_such_resource", NULL,
                     "there are /v1/balancers, /v1/pools, /v1/loops, /v1/health, /v1/events, /v1/in-flight");
    }
    if (!has_method(&c)) {
        apr_table_setn(r->err_headers_out, "Allow", rp_api_resource_methods(c.path.resource));
        return wrong(&c, HTTP_METHOD_NOT_ALLOWED, "method", NULL,
                     apr_pstrcat(r->pool, "it has the methods ", rp_api_resource_methods(c.path.resource), NULL));
    }
    if (!query_read(&c)) {
        return wrong(&c, HTTP_BAD_REQUEST, "bad_parameter", NULL,
                     "the parameters are dry-run=0|1, url=URL and after=NUMBER");
    }
    parts = c.path.resource == RP_API_EVENTS      ? RP_VIEW_EVENTS
            : c.path.resource == RP_API_IN_FLIGHT ? RP_VIEW_FLIGHTS
                                                  : 0;
    c.changes = c.path.balancer != NULL ? rp_view_changes(r, c.path.balancer) : 0;
    c.show = rp_view_make(r, parts);
    if (resolve(&c) != OK) {
        return OK;
    }
    if (r->method_number == M_GET) {
        return do_get(&c);
    }
    return may_change(&c) == OK ? do_change(&c) : OK;
}
