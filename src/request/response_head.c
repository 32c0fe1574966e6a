/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes out of a response head: end-to-end fields into r->headers_out, status, content type, Via, ProxyErrorOverride;
 * interim responses. Hop-by-hop fields and those that Connection names stay here.
 */
#include "request/request.h"

#include <apr_date.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <strings.h>

#include "wire/headers.h"

/* "Mon, 23 Nov 2026 10:00:00 GMT", by its shape: most servers write dates like that. */
static int date_is_canonical(const char *v)
{
    return strlen(v) == APR_RFC822_DATE_LEN - 1 && v[3] == ',' && v[7] == ' ' && v[11] == ' ' && v[16] == ' '
           && v[19] == ':' && v[22] == ':' && !strcmp(v + 25, " GMT");
}

/* Dates are sent on in the one form of RFC 9110 5.6.7 when they can be understood. */
static const char *date_canon(apr_pool_t *p, const char *value)
{
    apr_time_t t;
    char *buf;

    if (date_is_canonical(value)) {
        return value;
    }
    t = apr_date_parse_http(value);
    if (t == APR_DATE_BAD) {
        return value;
    }
    buf = apr_palloc(p, APR_RFC822_DATE_LEN);
    return apr_rfc822_date(buf, t) == APR_SUCCESS ? buf : value;
}

static int is_date(rp_hdr_e id)
{
    return id == RP_HDR_DATE || id == RP_HDR_EXPIRES || id == RP_HDR_LAST_MODIFIED;
}

/* Field names that Connection nominates. Members that are no names are passed over (the connection is closed for them). */
static apr_status_t nominate(rp_conntok_t *set, const char *value)
{
    rp_slice_t m;

    while (rp_list_next(&value, &m)) {
        if (!rp_hdr_name_ok(m.p, m.n)) {
            continue;
        }
        if (set->n == RP_CONNTOK_MAX) {
            return APR_EINVAL;
        }
        set->tok[set->n++] = m;
    }
    return APR_SUCCESS;
}

static const char *field_value(const rp_h1_resp_t *resp, rp_hdr_e id)
{
    int i;

    for (i = 0; i < resp->nfields; i++) {
        if (resp->fields[i].id == (int)id) {
            return resp->fields[i].value;
        }
    }
    return NULL;
}

/* The date in quotes that a warning may end with; APR_DATE_BAD: none. */
static apr_time_t warning_date(apr_pool_t *p, const rp_slice_t *m)
{
    apr_size_t start = m->n;

    if (m->n < 2 || m->p[m->n - 1] != '"') {
        return APR_DATE_BAD;
    }
    do {
        start--;
    } while (start > 0 && m->p[start - 1] != '"');
    return apr_date_parse_http(apr_pstrmemdup(p, m->p + start, m->n - 1 - start));
}

/* Warnings that are about another response than this one, by their date, are dropped (RFC 7234 5.5). NULL: none is left. */
static const char *warnings(apr_pool_t *p, const rp_h1_resp_t *resp, const char *value)
{
    const char *date = field_value(resp, RP_HDR_DATE);
    apr_time_t own = date ? apr_date_parse_http(date) : APR_DATE_BAD;
    const char *left = NULL;
    rp_slice_t m;

    while (rp_list_next(&value, &m)) {
        apr_time_t t = warning_date(p, &m);

        if (t == APR_DATE_BAD || t == own) {
            const char *one = apr_pstrmemdup(p, m.p, m.n);
            left = left ? apr_pstrcat(p, left, ", ", one, NULL) : one;
        }
    }
    return left;
}

/* The form in which a field goes on; NULL: not at all. */
static const char *passed_value(apr_pool_t *p, const rp_h1_resp_t *resp, const rp_h1_field_t *f)
{
    if (is_date(f->id)) {
        return date_canon(p, f->value);
    }
    return f->id == RP_HDR_WARNING ? warnings(p, resp, f->value) : f->value;
}

apr_status_t rp_response_fields(rp_request_t *rq, const rp_h1_resp_t *resp, apr_table_t *out)
{
    rp_conntok_t nominated;
    int i;

    nominated.n = 0;
    for (i = 0; i < resp->nfields; i++) {
        if (resp->fields[i].id == RP_HDR_CONNECTION && nominate(&nominated, resp->fields[i].value) != APR_SUCCESS) {
            return APR_EINVAL;
        }
    }
    for (i = 0; i < resp->nfields; i++) {
        const rp_h1_field_t *f = &resp->fields[i];
        const char *value;

        if (rp_hdr_resp_dropped(f->id) || rp_conntok_has(&nominated, f->name, f->name_len)) {
            continue;
        }
        value = passed_value(rq->r->pool, resp, f);
        if (value != NULL) {
            apr_table_addn(out, f->name, value);
        }
    }
    return APR_SUCCESS;
}

/*
 * A 426 must say what to upgrade to (RFC 9110 15.5.22): those protocols that `upgrade=` lets through. HTTP/2 knows no Upgrade,
 * and an earlier version gets none (RFC 9113 8.2.2, RFC 9110 7.8).
 */
static void offer_upgrade(rp_request_t *rq, const rp_h1_resp_t *resp)
{
    request_rec *r = rq->r;
    const char *list = NULL;

    if (resp->status == HTTP_UPGRADE_REQUIRED && r->proto_num == HTTP_VERSION(1, 1)) {
        list = rp_request_upgrades_of(rq, field_value(resp, RP_HDR_UPGRADE));
    }
    if (list != NULL) {
        apr_table_setn(r->headers_out, "Upgrade", list);
        apr_table_setn(r->headers_out, "Connection", "Upgrade");
    }
}

void rp_response_trailers(void *ctx, const rp_h1_resp_t *trailers)
{
    rp_request_t *rq = ctx;
    int i;

    for (i = 0; i < trailers->nfields; i++) {
        const rp_h1_field_t *f = &trailers->fields[i];

        if (rp_hdr_trailer_ok(f->name, f->name_len)) {
            apr_table_addn(rq->r->trailers_out, f->name, f->value);
        }
    }
}

/* Content types of a backend must never choose a local handler. */
static void set_content_type(request_rec *r)
{
    const char *type = apr_table_get(r->headers_out, "Content-Type");

    if (type == NULL) {
        return;
    }
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 133)
    ap_set_content_type_ex(r, type, 0);
#else
    ap_set_content_type(r, type);
#endif
}

static void add_via(rp_request_t *rq)
{
    if (rq->sconf->via == RP_VIA_ON || rq->sconf->via == RP_VIA_FULL) {
        apr_table_addn(rq->r->headers_out, "Via", rp_request_via(rq, HTTP_VERSION(1, 1)));
    }
}

static void map_reverse(request_rec *r)
{
    const rp_sisters_t *sisters = rp_child_sisters();

    if (sisters->reverse_headers != NULL && r->proxyreq == PROXYREQ_REVERSE) {
        sisters->reverse_headers(r);
    }
}

static int code_listed(const apr_array_header_t *codes, int status)
{
    int i;

    if (codes == NULL || codes->nelts == 0) {
        return ap_is_HTTP_ERROR(status);
    }
    for (i = 0; i < codes->nelts; i++) {
        if (APR_ARRAY_IDX(codes, i, int) == status) {
            return 1;
        }
    }
    return 0;
}

static int add_field(void *to, const char *name, const char *value)
{
    apr_table_addn(to, name, value);
    return 1;
}

/* Copy the fields of that name, each on a line of its own. */
static void copy_fields(apr_table_t *to, const apr_table_t *from, const char *name)
{
    (void)apr_table_do(add_field, to, from, name, NULL);
}

/* httpd's own constant where the backend says the same. */
static const char *status_line(apr_pool_t *p, const rp_h1_resp_t *resp)
{
    const char *known = ap_get_status_line(resp->status);

    if (known[0] == '0' + resp->status / 100 && !strcmp(known + 4, resp->reason)
        && known[1] == '0' + resp->status / 10 % 10 && known[2] == '0' + resp->status % 10) {
        return known;
    }
    return apr_psprintf(p, "%d %s", resp->status, resp->reason);
}

/* status is 100 to 999. */
static const char *status_digits(apr_pool_t *p, int status)
{
    char *text = apr_palloc(p, 4);

    text[0] = (char)('0' + status / 100);
    text[1] = (char)('0' + status / 10 % 10);
    text[2] = (char)('0' + status % 10);
    text[3] = '\0';
    return text;
}

/* The backend's own digits where they are plain. */
static const char *length_text(apr_pool_t *p, const rp_h1_resp_t *resp, apr_int64_t length)
{
    int i;

    for (i = 0; i < resp->nfields; i++) {
        const rp_h1_field_t *f = &resp->fields[i];
        if (f->id == RP_HDR_CONTENT_LENGTH && strspn(f->value, "0123456789") == f->value_len
            && (f->value[0] != '0' || f->value_len == 1)) {
            return f->value;
        }
    }
    return apr_psprintf(p, "%" APR_INT64_T_FMT, length);
}

/*
 * An ErrorDocument that is proxied itself keeps the status of the error that it describes, as one from a file does: its 200 says that
 * the page was found. A redirection or an error of its own is an answer in its own right.
 */
static void set_status(request_rec *r, const rp_h1_resp_t *resp)
{
    if (r->prev != NULL && ap_is_HTTP_ERROR(r->status) && ap_is_HTTP_SUCCESS(resp->status)) {
        return;
    }
    r->status = resp->status;
    r->status_line = status_line(r->pool, resp);
}

apr_status_t rp_response_head_apply(void *ctx, const rp_h1_resp_t *resp, const rp_framing_t *framing, int *discard)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    const apr_table_t *earlier = r->headers_out;
    apr_table_t *out = apr_table_make(r->pool, resp->nfields + 4);
    apr_status_t rv = rp_response_fields(rq, resp, out);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    r->headers_out = out;
    set_status(r, resp);
    if (framing->length >= 0 && resp->status != HTTP_NO_CONTENT) {
        apr_table_addn(out, "Content-Length", length_text(r->pool, resp, framing->length));
        r->clength = framing->length;
    }
    apr_table_setn(r->notes, "proxy-status", status_digits(r->pool, resp->status));
    set_content_type(r);
    offer_upgrade(rq, resp);
    map_reverse(r);
    copy_fields(out, earlier, "Set-Cookie"); /* set by other modules before us: ours, so they are not mapped */
    add_via(rq);
    if (rp_switch(rq->dconf->error_override, 0) && code_listed(rq->dconf->error_codes, resp->status)
        && !rp_request_is_error_page(r)) {
        rq->override_status = resp->status;
        *discard = 1;
    }
    return APR_SUCCESS;
}

int rp_response_override(rp_request_t *rq)
{
    request_rec *r = rq->r;

    copy_fields(r->err_headers_out, r->headers_out, "WWW-Authenticate");
    apr_table_clear(r->headers_out);
    apr_table_setn(r->notes, "proxy-error-override", "1");
    r->content_type = NULL;
    r->clength = 0;
    r->status = HTTP_OK;
    return rq->override_status;
}

/* 1: this interim response goes to the client. */
static int interim_wanted(rp_request_t *rq, int status)
{
    request_rec *r = rq->r;

    if (r->proto_num < HTTP_VERSION(1, 1) || r->main != NULL || r->assbackwards) {
        return 0;
    }
    if (rq->env.interim != NULL && !strcasecmp(rq->env.interim, "Suppress")) {
        return 0;
    }
    if (status == HTTP_CONTINUE) {
        return rq->client_expects || (rq->env.interim != NULL && !strcasecmp(rq->env.interim, "RFC"));
    }
    return 1;
}

apr_status_t rp_response_interim(void *ctx, const rp_h1_resp_t *resp)
{
    rp_request_t *rq = ctx;
    request_rec *r = rq->r;
    apr_table_t *saved = r->headers_out;
    int status = r->status;
    const char *line = r->status_line;
    apr_status_t rv;

    if (!interim_wanted(rq, resp->status)) {
        return APR_SUCCESS;
    }
    r->headers_out = apr_table_make(r->pool, resp->nfields + 1);
    rv = rp_response_fields(rq, resp, r->headers_out);
    apr_table_unset(r->headers_out, "Content-Length");
    if (rv == APR_SUCCESS) {
        map_reverse(r); /* 103 Early Hints: what Link names is fetched at once, so it must be the public name */
        r->status = resp->status;
        r->status_line = apr_psprintf(r->pool, "%d %s", resp->status, resp->reason);
        if (resp->status == HTTP_CONTINUE) {
            r->expecting_100 = 1; /* ap_send_interim_response sends a 100 only then, and clears it */
        }
        ap_send_interim_response(r, 1);
    }
    r->headers_out = saved; /* nothing of it may reach the final response */
    r->status = status;
    r->status_line = line;
    return rv;
}
