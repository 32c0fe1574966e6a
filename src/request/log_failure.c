/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a failure: one log line, the error page's reason. */
#include "request/request.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#define PRINTABLE_MAX 200

const char *rp_printable(apr_pool_t *p, const char *s)
{
    return s ? ap_escape_logitem(p, apr_pstrndup(p, s, PRINTABLE_MAX)) : "-";
}

/* The reason on the error page: as httpd shows it for errors of a gateway. */
static void set_error_notes(request_rec *r, int status, const char *text)
{
    apr_table_setn(r->notes, "error-notes",
                   apr_pstrcat(r->pool, "The proxy server could not handle the request<p>Reason: <strong>",
                               ap_escape_html(r->pool, text), "</strong></p>", NULL));
    apr_table_setn(r->notes, "verbose-error-to", "*");
    r->status_line = apr_psprintf(r->pool, "%3.3d Proxy Error", status);
}

int rp_request_refuse(request_rec *r, int status, const char *tagged_message, const char *page_text)
{
    ap_log_rerror(APLOG_MARK, status >= 500 ? APLOG_ERR : APLOG_INFO, 0, r, "%s", tagged_message);
    if (page_text != NULL) {
        set_error_notes(r, status, page_text);
    }
    return status;
}

static int log_level(const rp_failure_t *f)
{
    return f->fault == RP_FAULT_CLIENT ? APLOG_INFO : APLOG_ERR;
}

static void log_failure(rp_request_t *rq, const rp_failure_t *f)
{
    int n;
    const rp_attempt_t *at = rp_exchange_attempts(rq->ex, &n);
    const char *detail = rp_exchange_detail(rq->ex);

    at = n > 0 ? &at[n - 1] : NULL;
    ap_log_rerror(APLOG_MARK, log_level(f), 0, rq->r,
                  "RP0200: %s: %s%s%s%s (%s %s, worker %s, address %s, attempt %d%s, %" APR_OFF_T_FMT " bytes sent, %"
                  APR_OFF_T_FMT " received)",
                  f->name, f->text, detail ? " [" : "", detail ? rp_printable(rq->r->pool, detail) : "",
                  detail ? "]" : "", rp_printable(rq->r->pool, rq->r->method),
                  rp_printable(rq->r->pool, rq->r->unparsed_uri), rq->worker->name, at && at->addr[0] ? at->addr : "-", n,
                  at && at->reused ? ", reused connection" : "", at ? at->sent : 0, at ? at->received : 0);
}

/* Stock users' ErrorDocument 502 and alarms may count on it: RProxyTimeoutStatus. */
static int timeout_status(const rp_request_t *rq, const rp_failure_t *f)
{
    if (f->reason == RP_FAIL_HEAD_TIMEOUT && rq->sconf->timeout_status == HTTP_BAD_GATEWAY) {
        return HTTP_BAD_GATEWAY;
    }
    return f->status;
}

int rp_request_failed(rp_request_t *rq)
{
    request_rec *r = rq->r;
    const rp_failure_t *f = rp_failure(rp_exchange_reason(rq->ex));
    int status = timeout_status(rq, f);

    log_failure(rq, f);
    if (f->reason == RP_FAIL_HEAD_TIMEOUT) {
        apr_table_setn(r->notes, "proxy_timedout", "1");
    }
    if (rq->filter_error) {
        return AP_FILTER_ERROR;
    }
    if (rp_exchange_head_sent(rq->ex)) {
        return DONE; /* the answer was cut visibly by rp_client_ops.finish */
    }
    if (f->reason == RP_FAIL_CLIENT_GONE) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    if (f->fault != RP_FAULT_CLIENT) {
        set_error_notes(r, status, f->text);
    }
    return status;
}
