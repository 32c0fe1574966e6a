/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges under way on the page of mod_status, where ProxyStatus is On: those of all virtual hosts, as mod_status itself shows them. */
#include "request/flight.h"

#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include <mod_status.h>
#include <stdlib.h>

/* A copy that stays. */
static void keep(void *ctx, const rproxy_flight_t *f)
{
    apr_array_header_t *rows = ctx;
    rproxy_flight_t *row = apr_array_push(rows);

    *row = *f;
    row->vhost = apr_pstrdup(rows->pool, f->vhost);
    row->request = apr_pstrdup(rows->pool, f->request);
    row->balancer = apr_pstrdup(rows->pool, f->balancer);
    row->worker = apr_pstrdup(rows->pool, f->worker);
}

static int by_age(const void *a, const void *b)
{
    apr_interval_time_t x = ((const rproxy_flight_t *)a)->age_us, y = ((const rproxy_flight_t *)b)->age_us;

    return x < y ? 1 : x > y ? -1 : 0;
}

static const char *escaped(apr_pool_t *pool, const char *text)
{
    return ap_escape_html2(pool, ap_escape_logitem(pool, text), 1);
}

static void table(request_rec *r, const apr_array_header_t *rows)
{
    ap_rputs("<table border=\"0\"><tr><th>Age</th><th>VHost</th><th>Request</th><th>Balancer</th><th>Worker</th><th>Step</th>"
             "<th>PID</th></tr>\n", r);
    for (int i = 0; i < rows->nelts; i++) {
        const rproxy_flight_t *f = &APR_ARRAY_IDX(rows, i, rproxy_flight_t);

        ap_rprintf(r, "<tr><td>%.3f</td><td>%s</td><td nowrap>%s</td><td>%s</td><td>%s</td><td nowrap>%s</td><td>%d</td></tr>\n",
                   (double)f->age_us / APR_USEC_PER_SEC, escaped(r->pool, f->vhost), escaped(r->pool, f->request),
                   escaped(r->pool, f->balancer), escaped(r->pool, f->worker), f->step, f->pid);
    }
    ap_rputs("</table>\n", r);
}

static int show(request_rec *r, int flags)
{
    apr_array_header_t *rows;
    int more;

    if (!rp_switch(rp_server_conf(r->server)->status, 0)) {
        return OK;
    }
    rows = apr_array_make(r->pool, 32, sizeof(rproxy_flight_t));
    more = rp_request_flights(NULL, keep, rows);
    if (flags & AP_STATUS_SHORT) {
        ap_rprintf(r, "ProxyExchangesUnderWay: %d\n", rows->nelts + more);
        return OK;
    }
    qsort(rows->elts, (size_t)rows->nelts, sizeof(rproxy_flight_t), by_age);
    ap_rprintf(r, "<hr />\n<h2>Exchanges under way: %d</h2>\n", rows->nelts + more);
    if (rows->nelts > 0) {
        table(r, rows);
    }
    return OK;
}

void rp_flight_status_register(apr_pool_t *p)
{
    (void)p;
    APR_OPTIONAL_HOOK(ap, status_hook, show, NULL, NULL, APR_HOOK_LAST);
}
