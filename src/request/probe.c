/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of members for the balancer's health checks: the endpoint that requests to the member use (name, TLS settings, source
 * address), a worker of their own (so that max and the counters of the member do not see them), and the request head.
 */
#include "request/request.h"

#include <apr_strings.h>

#include "exchange/probe.h"
#include "upstream/clock.h"

#define HEAD_MAX 65536
#define FIELDS_MAX 200

/* The name in a Host value, without port and brackets, for SNI and the certificate. NULL: an address, which has no SNI. */
static const char *name_of(apr_pool_t *p, const char *authority)
{
    char *host = NULL, *scope = NULL;
    apr_port_t port;

    if (apr_parse_addr_port(&host, &scope, &port, authority, p) != APR_SUCCESS || host == NULL
        || ap_strchr_c(host, ':') != NULL || host[strspn(host, "0123456789.")] == '\0') {
        return NULL;
    }
    ap_str_tolower(host);
    return host;
}

static apr_status_t endpoint_get(const rp_probe_ask_t *ask, const rp_server_conf_t *conf, apr_pool_t *pool, rp_endpoint_t **out)
{
    const rp_url_t *u = &ask->worker->url;
    rp_endpoint_key_t key = {0};

    key.is_tls = ask->worker->is_tls && ask->method != NULL; /* connecting alone makes no handshake */
    key.host = u->host;
    key.port = u->port;
    key.uds = u->uds;
    key.source = conf->source_address;
    if (key.is_tls) {
        key.sni = name_of(pool, ask->host != NULL ? ask->host : ask->worker->authority);
        key.ssl_conf = ask->worker->ssl_conf;
        key.ssl_server = ask->server;
    }
    return rp_endpoint_get(rp_child_endpoints(), &key, 1, rp_clock_now_us(), out);
}

/* As for requests to the member. */
static void limits_set(rp_h1_limits_t *lim, const rp_worker_params_t *params, const rp_server_conf_t *conf)
{
    lim->max_line = params->responsefieldsize > 0 ? (apr_size_t)params->responsefieldsize : 8192;
    lim->max_head = lim->max_line * 2 > HEAD_MAX ? lim->max_line * 2 : HEAD_MAX;
    lim->max_fields = FIELDS_MAX;
    lim->badline = conf->bad_header >= 0 ? (rp_h1_badline_e)conf->bad_header : RP_H1_BADLINE_ERROR;
}

static apr_interval_time_t dns_max_age(const rp_worker_params_t *p)
{
    if (p->addressttl_s >= 0) {
        return apr_time_from_sec(p->addressttl_s);
    }
    return p->reuse == RP_OFF ? 0 : -1;
}

/* NULL: no memory. */
static rp_worker_t *own_worker(const rp_worker_t *member, apr_pool_t *pool)
{
    rp_worker_t *w = rp_worker_create(pool, &member->url, member->name);

    w->params = member->params;
    w->params.max = 0;
    w->configured = 1;
    return rp_worker_child_init(w, pool) == APR_SUCCESS ? w : NULL;
}

static void nothing_left(rp_probe_result_t *out, apr_pool_t *pool)
{
    memset(out, 0, sizeof(*out));
    out->headers = apr_table_make(pool, 1);
    out->body = "";
    out->ours = 1;
    out->reason = rp_failure(RP_FAIL_LOCAL_RESOURCE)->text;
}

void rp_request_probe(const rp_probe_ask_t *ask, apr_pool_t *pool, rp_probe_result_t *out)
{
    const rp_server_conf_t *sconf = rp_server_conf(ask->server);
    rp_probe_conf_t conf = {0};
    rp_req_head_t head = {0};

    if (rp_child_endpoints() == NULL || (conf.worker = own_worker(ask->worker, pool)) == NULL
        || endpoint_get(ask, sconf, pool, &conf.endpoint) != APR_SUCCESS) {
        nothing_left(out, pool);
        return;
    }
    head.method = ask->method;
    head.target = ask->target;
    head.host = ask->host != NULL ? ask->host : ask->worker->authority;
    head.http10 = ask->http10;
    head.framing = RP_REQ_NO_BODY;
    head.conn = ask->http10 ? RP_REQ_CONN_NONE : RP_REQ_CONN_CLOSE;
    conf.head = ask->method != NULL ? &head : NULL;
    conf.ask = ask;
    limits_set(&conf.limits, &ask->worker->params, sconf);
    conf.dns_max_age_us = dns_max_age(&ask->worker->params);
    rp_probe_run(&conf, pool, out);
    rp_endpoint_release(conf.endpoint);
}
