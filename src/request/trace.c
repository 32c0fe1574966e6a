/* SPDX-License-Identifier: Apache-2.0 */
/* RProxyRequestId and RProxyTraceparent: what the client sent passes, unless the configuration asks for more. */
#include "request/request.h"

#include <http_core.h>

#include "wire/trace.h"

static void request_id(request_rec *r, rp_trace_e mode)
{
    const char *now = apr_table_get(r->headers_in, "X-Request-Id");
    unsigned char random[RP_REQUEST_ID_RANDOM];
    char *id;

    if (mode == RP_TRACE_IFABSENT && now != NULL && rp_request_id_ok(now)) {
        return;
    }
    id = apr_palloc(r->pool, RP_REQUEST_ID_SIZE);
    ap_random_insecure_bytes(random, sizeof(random));
    rp_request_id_make(id, random);
    apr_table_setn(r->headers_in, "X-Request-Id", id);
}

/* A trace that begins here knows nothing of the vendors' state of another one (Trace Context 3.3). */
static void traceparent(request_rec *r, rp_trace_e mode)
{
    const char *now = apr_table_get(r->headers_in, "traceparent");
    unsigned char random[RP_TRACE_RANDOM];
    char *value;

    if ((mode == RP_TRACE_IFABSENT || mode == RP_TRACE_IFABSENT_SAMPLED) && now != NULL && rp_traceparent_ok(now)) {
        return;
    }
    value = apr_palloc(r->pool, RP_TRACE_SIZE);
    ap_random_insecure_bytes(random, sizeof(random));
    rp_traceparent_make(value, random, mode == RP_TRACE_IFABSENT_SAMPLED || mode == RP_TRACE_SET_SAMPLED);
    apr_table_setn(r->headers_in, "traceparent", value);
    apr_table_unset(r->headers_in, "tracestate");
}

void rp_request_trace(rp_request_t *rq)
{
    if (rq->dconf->request_id > RP_TRACE_OFF) {
        request_id(rq->r, (rp_trace_e)rq->dconf->request_id);
    }
    if (rq->dconf->traceparent > RP_TRACE_OFF) {
        traceparent(rq->r, (rp_trace_e)rq->dconf->traceparent);
    }
}
