/* SPDX-License-Identifier: Apache-2.0 */
#include "balancer/manager.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <string.h>

#include "balancer/api.h"
#include "balancer/api_live.h"
#include "balancer/api_path.h"
#include "balancer/manager_form.h"
#include "balancer/manager_page.h"
#include "rproxy_lbmethod.h"

APLOG_USE_MODULE(rproxy_balancer);

#define REFRESH_MIN 2
#define REFRESH_MAX 3600

/** One request. */
typedef struct visit_t {
    request_rec *r;
    apr_table_t *params;
    rp_show_t *show;
    rp_page_t page;
    int status;           /**< of the response */
} visit_t;

static void say(visit_t *v, int bad, const char *text)
{
    rp_page_note_t *note = apr_array_push(v->page.notes);

    note->bad = bad;
    note->text = text;
}

/* ---- parameters ---- */

static int navigation(void *data, const char *name, const char *value)
{
    if (!strcmp(name, "b") || !strcmp(name, "w") || !strcmp(name, "nonce") || !strcmp(name, "xml")
        || !strcmp(name, "refresh")) {
        apr_table_setn(data, name, value);
    }
    return 1;
}

static int any(void *data, const char *name, const char *value)
{
    apr_table_setn(data, name, value);
    return 1;
}

/* The query navigates; what changes something stands in the body of a POST. OK or the status of an error. */
static int params_read(visit_t *v)
{
    request_rec *r = v->r;
    const apr_table_t *query = rp_api_query_parse(r->pool, r->args, RP_FORM_FIELDS_MAX), *form;
    char *body;
    apr_size_t n;
    int rv;

    v->params = apr_table_make(r->pool, 16);
    if (query == NULL) {
        return HTTP_BAD_REQUEST;
    }
    (void)apr_table_do(navigation, v->params, query, NULL);
    if (r->method_number != M_POST) {
        return OK;
    }
    if (!rp_api_is_type(r, "application/x-www-form-urlencoded")) {
        return HTTP_UNSUPPORTED_MEDIA_TYPE;
    }
    rv = rp_api_body(r, RP_FORM_BYTES_MAX, &body, &n);
    if (rv != OK) {
        return rv;
    }
    form = rp_api_query_parse(r->pool, body, RP_FORM_FIELDS_MAX);
    if (form == NULL || strlen(body) != n) {
        return HTTP_BAD_REQUEST;
    }
    (void)apr_table_do(any, v->params, form, NULL);
    return OK;
}

/* Only pages of this server may lead here with parameters. */
static void params_judge(visit_t *v)
{
    request_rec *r = v->r;
    const char *referer = apr_table_get(r->headers_in, "Referer"), *refresh = apr_table_get(v->params, "refresh");

    if (!apr_is_empty_table(v->params) && !rp_form_referer_ok(r->pool, referer, ap_get_server_name(r))) {
        int only_refresh = refresh != NULL && apr_table_elts(v->params)->nelts == 1;

        apr_table_clear(v->params);
        if (only_refresh) {
            apr_table_setn(v->params, "refresh", refresh);
            return;
        }
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "RP0780: balancer-manager: the parameters of this request are ignored: its Referer does not name "
                      "this server (%s)",
                      ap_get_server_name(r));
        say(v, 1, "The parameters of this request were ignored: it did not come from a page of this server (Referer).");
    }
}

/* ---- changes ---- */

static void report_done(visit_t *v, const rp_done_t *done, const char *what)
{
    int i;

    if (done->status != HTTP_OK) {
        say(v, 1, apr_pstrcat(v->r->pool, what, ": ", done->error.message, NULL));
        return;
    }
    for (i = 0; i < done->said->nelts; i++) {
        say(v, 0, apr_pstrcat(v->r->pool, what, ": ", APR_ARRAY_IDX(done->said, i, const char *), NULL));
    }
}

static int flag(const visit_t *v, const char *name)
{
    const char *value = apr_table_get(v->params, name);

    return value != NULL && *value != '\0' && strcmp(value, "0") != 0;
}

/* Ask before traffic is dropped; 1: asked. */
static int ask(visit_t *v, apr_array_header_t *drops)
{
    if (drops == NULL || !flag(v, "ask") || flag(v, "confirm")) {
        return 0;
    }
    v->page.ask = drops;
    v->page.posted = v->params;
    return 1;
}

static void change_fields(visit_t *v, const rp_show_member_t *m)
{
    const rp_asker_t asker = {v->r, "manager", NULL, 0, NULL};
    rp_form_t form = rp_form_read(v->r->pool, v->params, v->page.balancer, m);
    int i;

    for (i = 0; i < form.wrong->nelts; i++) {
        say(v, 1, APR_ARRAY_IDX(form.wrong, i, const char *));
    }
    if (ask(v, rp_form_drops(v->r->pool, &form, m))) {
        return;
    }
    for (i = 0; i < form.changes->nelts; i++) { /* one by one: a value that can not be takes no other with it */
        apr_array_header_t *one = apr_array_make(v->r->pool, 1, sizeof(rp_change_t));
        rp_done_t done;

        APR_ARRAY_PUSH(one, rp_change_t) = APR_ARRAY_IDX(form.changes, i, rp_change_t);
        done = rp_live_change(&asker, v->page.balancer, m, one);
        report_done(v, &done, m != NULL ? m->url : v->page.balancer->full_name);
    }
}

static void remove_member(visit_t *v)
{
    const rp_asker_t asker = {v->r, "manager", NULL, 0, NULL};
    const rp_show_member_t *m = v->page.member;
    apr_array_header_t *drops = apr_array_make(v->r->pool, 1, sizeof(const char *));
    rp_done_t done;

    APR_ARRAY_PUSH(drops, const char *) =
        apr_psprintf(v->r->pool, "%s is removed. Under way to it now: %u, which end as they would.", m->url, m->busy);
    if (ask(v, drops)) {
        return;
    }
    done = rp_live_remove(&asker, v->page.balancer, m);
    report_done(v, &done, m->url);
}

static void add_member(visit_t *v, const char *url)
{
    const rp_asker_t asker = {v->r, "manager", NULL, 0, NULL};
    rp_done_t done;

    if (!flag(v, "b_wyes")) {
        say(v, 1, "No worker was added: tick \"Are you sure?\".");
        return;
    }
    done = rp_live_add(&asker, v->page.balancer, &url, RP_ST_DISABLED, NULL);
    report_done(v, &done, url);
    v->status = done.status == HTTP_OK ? HTTP_OK : HTTP_BAD_REQUEST;
}

static void change(visit_t *v)
{
    const char *url = apr_table_get(v->params, "b_nwrkr"), *etag = apr_table_get(v->params, "etag");
    const char *is = v->page.member != NULL ? v->page.member->etag : v->page.balancer->etag;

    if (!rp_form_nonce_ok(apr_table_get(v->params, "nonce"), v->page.balancer->nonce)) {
        say(v, 1, "Nothing was changed: the nonce is not that of this balancer. Begin with the links below.");
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, v->r,
                      "RP0781: balancer-manager: a change without the nonce of %s was refused",
                      v->page.balancer->full_name);
        return;
    }
    if (etag != NULL && strcmp(etag, is) != 0) {
        say(v, 1, "Nothing was changed: somebody else changed it since your page was made. Below it is as it is now.");
        return;
    }
    if (v->page.member != NULL && flag(v, "w_remove")) {
        remove_member(v);
        return;
    }
    if (v->page.member != NULL) {
        change_fields(v, v->page.member);
    }
    if (v->page.ask == NULL) {
        change_fields(v, NULL);
    }
    if (url != NULL && *url != '\0') {
        add_member(v, url);
    }
    if (rp_live_saved(v->r, v->page.balancer) == 0) {
        say(v, 1, "What was changed holds, but is not in the state file yet (BalancerPersist): if it can not be written, the error log says why "
                  "(RP0787).");
    }
}

/* ---- what is chosen ---- */

/* As it is in the view; some scripts encode a URL twice. */
static const char *decoded_again(apr_pool_t *pool, const char *text)
{
    const apr_table_t *t = rp_api_query_parse(pool, apr_pstrcat(pool, "x=", text, NULL), 1);

    return t != NULL && apr_table_get(t, "x") != NULL ? apr_table_get(t, "x") : text;
}

static void choose(visit_t *v)
{
    const char *b = apr_table_get(v->params, "b"), *w = apr_table_get(v->params, "w");

    v->page.balancer = b != NULL ? rp_view_balancer(v->show, b) : NULL;
    if (b != NULL && v->page.balancer == NULL) {
        v->page.balancer = rp_view_balancer(v->show, decoded_again(v->r->pool, b));
    }
    if (v->page.balancer == NULL || w == NULL) {
        return;
    }
    v->page.member = rp_view_member(v->page.balancer, w);
    if (v->page.member == NULL) {
        v->page.member = rp_view_member(v->page.balancer, decoded_again(v->r->pool, w));
    }
}

static const char *const *method_names(apr_pool_t *pool)
{
    const apr_array_header_t *all = ap_list_provider_names(pool, RPROXY_LBMETHOD_GROUP, RPROXY_LBMETHOD_VERSION);
    const char **names = apr_pcalloc(pool, sizeof(*names) * (apr_size_t)(all->nelts + 1));
    int i;

    for (i = 0; i < all->nelts; i++) {
        names[i] = APR_ARRAY_IDX(all, i, ap_list_provider_names_t).provider_name;
    }
    return names;
}

static int send_page(visit_t *v)
{
    request_rec *r = v->r;
    const char *refresh = apr_table_get(v->params, "refresh"), *xml = apr_table_get(v->params, "xml");
    apr_int64_t every = refresh != NULL ? apr_atoi64(refresh) : 0;

    v->page.refresh_s = every >= REFRESH_MIN && every <= REFRESH_MAX ? (int)every : 0;
    v->page.self = ap_escape_uri(r->pool, r->uri);
    v->page.methods = method_names(r->pool);
    rp_api_headers(r);
    r->status = v->status;
    if (xml != NULL && *xml != '\0' && strcmp(xml, "0") != 0) {
        ap_set_content_type(r, "text/xml");
        ap_rputs(rp_page_xml(r->pool, v->show), r);
        return OK;
    }
    apr_table_setn(
        r->err_headers_out, "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    ap_set_content_type(r, "text/html; charset=UTF-8");
    ap_rputs(rp_page_html(r->pool, v->show, &v->page), r);
    return OK;
}

int rp_manager_handler(request_rec *r)
{
    visit_t v = {.r = r, .status = HTTP_OK};
    int rv;

    if (r->handler == NULL || strcmp(r->handler, "balancer-manager") != 0) {
        return DECLINED;
    }
    r->allowed |= (AP_METHOD_BIT << M_GET) | (AP_METHOD_BIT << M_POST);
    if (r->method_number != M_GET && r->method_number != M_POST) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    v.page.notes = apr_array_make(r->pool, 4, sizeof(rp_page_note_t));
    rv = params_read(&v);
    if (rv != OK) {
        return rv;
    }
    params_judge(&v);
    v.show = rp_view_make(r, RP_VIEW_EVENTS | RP_VIEW_FLIGHTS);
    choose(&v);
    if (r->method_number == M_POST && v.page.balancer != NULL) {
        change(&v);
        v.page.balancer = NULL;
        v.page.member = NULL;
        v.show = rp_view_make(r, RP_VIEW_EVENTS | RP_VIEW_FLIGHTS);
        choose(&v);
    }
    return send_page(&v);
}
