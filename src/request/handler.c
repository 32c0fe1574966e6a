/* SPDX-License-Identifier: Apache-2.0 */
/* The handler: from a mapped request to a finished exchange on the blocking lane. */
#include "request/flight.h"
#include "request/log_fields.h"
#include "request/metrics.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <strings.h>

#include "exchange/count.h"
#include "config/hosts.h"
#include "engine/tunnels.h"
#include "metrics/flights.h"
#include "upstream/buffer.h"
#include "upstream/clock.h"
#include "wire/headers.h"

#define MAX_HEAD_DEFAULT (128 * 1024)  /* bytes of a response head, unless responsefieldsize asks for more */
#define MAX_FIELDS_DEFAULT 1000        /* header lines of a response */
#define FIELD_SIZE_DEFAULT 8192

/* ---- which requests are ours ---- */

static int is_ours(const request_rec *r)
{
    if (r->handler == NULL) {
        return 0;
    }
    if (r->filename != NULL && !strncmp(r->filename, "proxy:", 6)) {
        return !strcmp(r->handler, "proxy-server");
    }
    return !strncmp(r->handler, "proxy:", 6); /* SetHandler "proxy:URL" */
}

/* ---- checks before there is an exchange ---- */

static int answer_trace(request_rec *r)
{
    core_server_config *core = ap_get_core_module_config(r->server->module_config);

    if (core->trace_enable == AP_TRACE_DISABLE) {
        apr_table_setn(r->notes, "error-notes", "TRACE denied by server configuration");
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (core->trace_enable != AP_TRACE_EXTENDED
        && (apr_table_get(r->headers_in, "Transfer-Encoding") || apr_table_get(r->headers_in, "Content-Length"))) {
        apr_table_setn(r->notes, "error-notes", "TRACE with request body is not allowed");
        return HTTP_REQUEST_ENTITY_TOO_LARGE;
    }
    return OK;
}

/* CONNECT asks for a tunnel to a host that the client names (RFC 9110 9.3.6); mod_rewrite or SetHandler may catch it. */
static int check_method(request_rec *r)
{
    if (r->method_number == M_CONNECT) {
        return rp_request_refuse(r, HTTP_METHOD_NOT_ALLOWED,
                                 apr_psprintf(r->pool, "RP0229: CONNECT %s is refused: this is no forward proxy",
                                              rp_printable(r->pool, r->unparsed_uri)),
                                 "CONNECT is not proxied");
    }
    return r->method_number == M_TRACE ? answer_trace(r) : OK;
}

/* Max-Forwards (RFC 9110 7.6.2). OK: go on; DONE: answered here; else the status. */
static int check_max_forwards(rp_request_t *rq)
{
    request_rec *r = rq->r;
    const char *value = rq->seen.value[RP_HDR_MAX_FORWARDS];
    apr_int64_t n = 0;

    if (value == NULL) {
        return OK;
    }
    if (rp_content_length_parse(value, strlen(value), &n) != APR_SUCCESS) {
        return rp_request_refuse(r, HTTP_BAD_REQUEST,
                                 apr_psprintf(r->pool, "RP0220: Max-Forwards \"%s\" is not a whole number from 0 up",
                                              rp_printable(r->pool, value)),
                                 "Max-Forwards request header could not be parsed");
    }
    if (n > 0) {
        return OK;
    }
    if (r->method_number == M_TRACE) {
        int status;
        r->proxyreq = PROXYREQ_NONE;
        status = ap_send_http_trace(r);
        return status == OK ? DONE : status;
    }
    if (r->method_number == M_OPTIONS) {
        int status;
        ap_set_content_length(r, 0);
        status = ap_send_http_options(r);
        return status == OK ? DONE : status;
    }
    return rp_request_refuse(r, HTTP_BAD_REQUEST, "RP0221: Max-Forwards is 0: the proxy chain ends here",
                             "Max-Forwards has reached zero - proxy loop?");
}

static int is_tls_scheme(const char *scheme)
{
    return !strcasecmp(scheme, "https") || !strcasecmp(scheme, "wss");
}

static int blocked(rp_request_t *rq, const char *word)
{
    return rp_request_refuse(rq->r, HTTP_FORBIDDEN,
                             apr_psprintf(rq->r->pool, "RP0222: ProxyBlock %s forbids the backend host %s", word, rq->route->url.host),
                             "Connect to remote machine blocked");
}

/* ProxyBlock by address: whatever name leads to it. A name that can not be resolved is for the exchange to tell. */
static int check_blocked_address(rp_request_t *rq)
{
    rp_address_t *address = &rq->endpoint->address;
    apr_time_t now_us = rp_clock_now_us();
    const char *word = NULL;
    rp_addrset_t *set = NULL;
    int i;

    if (rp_address_cached(address, now_us, -1, &set) != APR_SUCCESS && rp_address_resolve(address, now_us, &set) != APR_SUCCESS) {
        return OK;
    }
    for (i = 0; i < rp_addrset_count(set) && word == NULL; i++) {
        word = rp_addr_blocked(rq->sconf->blocked, rp_addrset_at(set, i));
    }
    rp_addrset_unref(set);
    return word ? blocked(rq, word) : OK;
}

/* The destination is known, a member of a balancer too. */
static int check_blocked(rp_request_t *rq)
{
    const rp_server_conf_t *conf = rq->sconf;
    const char *word;

    if (conf->blocks->nelts == 0) {
        return OK;
    }
    word = rp_host_blocked(conf->blocks, rq->route->url.host);
    if (word != NULL) {
        return blocked(rq, word);
    }
    return conf->blocked != NULL && conf->blocked->nelts > 0 && rq->endpoint->key.uds == NULL ? check_blocked_address(rq) : OK;
}

/* Only "chunked" alone can be unframed by httpd's own input filter (RFC 9112 6.1: others get 501). */
static int check_body_framing(rp_request_t *rq)
{
    request_rec *r = rq->r;
    const char *te = rq->seen.value[RP_HDR_TRANSFER_ENCODING];

    if (te != NULL && strcasecmp(te, "chunked") != 0) {
        return rp_request_refuse(r, HTTP_NOT_IMPLEMENTED,
                                 apr_psprintf(r->pool, "RP0223: Transfer-Encoding \"%s\" of the request is not supported",
                                              rp_printable(r->pool, te)),
                                 "Transfer-Encoding of the request is not supported");
    }
    return OK;
}

static int check_destination(rp_request_t *rq)
{
    request_rec *r = rq->r;

    if (rq->route->balancer != NULL) {
        return rp_balancing_begin(rq);
    }
    if (rq->sconf->remotes != NULL && rq->sconf->remotes->nelts > 0
        && rp_remote_applies(r->pool, rq->sconf, rp_url_str(r->pool, &rq->route->url), rq->route->url.host)) {
        return rp_request_refuse(r, HTTP_INTERNAL_SERVER_ERROR,
                                 apr_psprintf(r->pool, "RP0228: ProxyRemote asks that %s be reached through another proxy, which "
                                              "is not supported; exempt it with NoProxy or remove the ProxyRemote line",
                                              rq->route->url.host),
                                 "the destination can not be reached through another proxy");
    }
    return OK;
}

/* ---- settings of the exchange ---- */

static apr_interval_time_t io_timeout(const rp_request_t *rq)
{
    if (rq->worker->params.timeout_us > 0) {
        return rq->worker->params.timeout_us;
    }
    return rq->sconf->timeout_us > 0 ? rq->sconf->timeout_us : rq->r->server->timeout;
}

/* By the name that goes on the wire: numbers can be made up by other modules. HEAD has the number of GET. */
static int is_idempotent(const request_rec *r)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcmp(r->method, names[i])) {
            return 1;
        }
    }
    return 0;
}

static void set_limits(rp_request_t *rq)
{
    rp_h1_limits_t *lim = &rq->exconf.limits;
    apr_int64_t field = rq->worker->params.responsefieldsize;

    lim->max_line = field > 0 ? (apr_size_t)field : FIELD_SIZE_DEFAULT;
    lim->max_head = lim->max_line * 2 > MAX_HEAD_DEFAULT ? lim->max_line * 2 : MAX_HEAD_DEFAULT;
    lim->max_fields = MAX_FIELDS_DEFAULT;
    lim->badline = rq->sconf->bad_header >= 0 ? (rp_h1_badline_e)rq->sconf->bad_header : RP_H1_BADLINE_ERROR;
}

static void set_timeouts(rp_request_t *rq)
{
    rp_exchange_conf_t *c = &rq->exconf;
    const rp_worker_params_t *p = &rq->worker->params;
    apr_interval_time_t io = io_timeout(rq);

    c->io_us = io;
    c->connect_us = p->connecttimeout_us > 0 ? p->connecttimeout_us : io;
    c->acquire_us = p->acquire_us > 0 ? p->acquire_us : io;
    c->client_us = rq->r->server->timeout;
    c->tunnel_us = io > c->client_us ? io : c->client_us;
    c->dns_max_age_us = p->addressttl_s >= 0 ? apr_time_from_sec(p->addressttl_s) : -1;
    if (p->reuse == RP_OFF && p->addressttl_s < 0) {
        c->dns_max_age_us = 0;
    }
}

/* 1 when something between HTTP_IN and us may change the length of the body. */
static int body_may_change(const request_rec *r)
{
    return r->input_filters != r->proto_input_filters;
}

/*
 * LimitRequestBody as it was written for this place, 0: none. What httpd takes when nothing was written (1 GB) is not for
 * proxied requests: they never had a limit of their own.
 */
static apr_off_t body_limit(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core->limit_req_body > 0 ? core->limit_req_body : 0; /* unset is negative */
}

static void set_body(rp_request_t *rq)
{
    request_rec *r = rq->r;
    rp_exchange_conf_t *c = &rq->exconf;
    const char *cl = rq->seen.value[RP_HDR_CONTENT_LENGTH];
    const char *te = rq->seen.value[RP_HDR_TRANSFER_ENCODING];

    c->body_length = -1;
    if ((r->main != NULL && r->kept_body == NULL) || rp_request_is_error_page(r)) {
        return; /* a subrequest must not eat the main request's body; that of a failed request is not for its error page */
    }
    c->has_body = te != NULL || cl != NULL;
    if (te == NULL && cl != NULL && rp_content_length_parse(cl, strlen(cl), &c->body_length) != APR_SUCCESS) {
        c->body_length = -1;
    }
    c->body_may_change = body_may_change(r);
    c->body_policy = rq->env.sendcl && !rq->env.sendchunked ? RP_BODY_SENDCL
                     : rq->env.sendchunked && !rq->env.sendcl ? RP_BODY_SENDCHUNKED : RP_BODY_AUTO;
    if (rq->env.http10) {
        c->body_policy = RP_BODY_SENDCL;
    }
    c->extra_crlf = rq->env.extra_crlf;
    rq->body_limit = body_limit(r);
}

static void set_expect(rp_request_t *rq)
{
    rp_exchange_conf_t *c = &rq->exconf;
    int asked = rq->r->expecting_100 && rp_switch(rq->dconf->forward_100, 1);

    if (!c->has_body || c->body_length == 0 || rq->env.http10) {
        return;
    }
    /* A body that must be read before the head can be written is for us to ask for. */
    rq->client_expects = asked && !rp_exchange_spools(c);
    if (rq->worker->params.ping_us > 0) {
        c->ping_us = rq->worker->params.ping_us;
        c->expect_100 = 1;
    }
    if (rq->client_expects) {
        c->expect_100 = 1;
    }
    c->prefetch_nonblocking = rq->env.prefetch_nonblock;
}

/* 1 when one of the credentials in this field authenticates the connection that it travels on. */
static int binds_connection(const char *credentials)
{
    rp_slice_t m;

    while (credentials != NULL && rp_list_next(&credentials, &m)) {
        if ((m.n >= 4 && !strncasecmp(m.p, "NTLM", 4)) || (m.n >= 9 && !strncasecmp(m.p, "Negotiate", 9))) {
            return 1;
        }
    }
    return 0;
}

/* After NTLM or Negotiate the backend connection belongs to this client connection, whichever of the two fields they came in. */
static void *pin(const rp_request_t *rq)
{
    conn_rec *c = rq->r->connection;

    if (apr_table_get(c->notes, "rproxy-pinned") != NULL || binds_connection(rq->seen.value[RP_HDR_AUTHORIZATION])
        || binds_connection(rq->seen.value[RP_HDR_PROXY_AUTHORIZATION])) {
        return c;
    }
    return NULL;
}

/* The connections of both owners: not every request of a connection need have run on its loop. */
static apr_status_t unpin(void *data)
{
    rp_endpoints_t *of_loop = rp_engine_endpoints(data);

    if (of_loop != NULL) {
        rp_pool_unpin(of_loop, data);
    }
    if (rp_child_endpoints() != NULL) {
        rp_pool_unpin(rp_child_endpoints(), data);
    }
    return APR_SUCCESS;
}

static void set_pin(rp_request_t *rq)
{
    conn_rec *c = rq->r->connection;

    rq->exconf.pinned_to = pin(rq);
    if (rq->exconf.pinned_to != NULL && apr_table_get(c->notes, "rproxy-pinned") == NULL) {
        apr_table_setn(c->notes, "rproxy-pinned", "1");
        apr_pool_cleanup_register(c->pool, c, unpin, apr_pool_cleanup_null);
    }
}

/* Only while somebody else could answer: the last member has all its time. */
static apr_interval_time_t failover_after(const rp_request_t *rq)
{
    apr_interval_time_t us = rq->worker->params.failoverafter_us;

    return us > 0 && rq->balancing != NULL && rq->exconf.idempotent && rp_child_sisters()->balancer->others(rq->balancing) ? us : 0;
}

static void set_exchange(rp_request_t *rq)
{
    request_rec *r = rq->r;
    rp_exchange_conf_t *c = &rq->exconf;

    memset(c, 0, sizeof(*c));
    c->worker = rq->worker;
    c->endpoint = rq->endpoint;
    c->progress = &rq->flight->step;
    c->scratch = rq->owned != NULL ? rp_owned_scratch(rq->owned) : NULL;
    c->head_request = r->header_only;
    c->idempotent = is_idempotent(r);
    c->no_resend = rq->env.no_resend;
    c->failover_us = failover_after(rq);
    c->tls_eof_ok = rq->env.tls_eof_ok;
    c->others_first = rq->balancing != NULL;
    c->fresh = rq->env.not_pooled && r->connection->keepalives == 0;
    c->no_reuse = rq->env.nokeepalive || rq->env.http10 || rq->worker->params.reuse == RP_OFF;
    c->fresh |= c->no_reuse;
    c->no_halfclose = rq->env.no_halfclose;
    set_limits(rq);
    set_timeouts(rq);
    set_body(rq);
    set_expect(rq);
    set_pin(rq);
    rq->upgrade = rp_request_upgrade(rq);
    c->upgrade = rq->upgrade;
    c->want_upgrade = rq->upgrade != NULL;
}

/* ---- destination ---- */

static int is_ip_literal(const rp_url_t *u)
{
    return u->ipv6 || (u->host[0] != '\0' && strspn(u->host, "0123456789.") == strlen(u->host));
}

/* A worker's endpoint is always the same when neither TLS settings nor a source address can differ between requests. */
static int endpoint_is_fixed(const rp_request_t *rq, const rp_endpoint_key_t *key)
{
    const rp_url_t *w = &rq->worker->url;

    return rq->worker->configured && !key->is_tls && key->source == NULL && key->uds == NULL && w->uds == NULL
           && key->port == w->port && !strcmp(key->host, w->host);
}

static const void *ssl_conf(const rp_request_t *rq)
{
    apr_pool_t *p = rq->r->pool;
    const char *url = rp_url_str(p, &rq->route->url);

    if (rq->route->balancer == NULL) {
        return rp_ssl_conf_find(rq->r->server, url);
    }
    return rp_ssl_conf_find_member(rq->r->server, apr_pstrcat(p, rq->route->balancer, rq->balancer_target, NULL), url);
}

/* The endpoint of a worker that needs no look-up, or NULL. */
static rp_endpoint_t *known_endpoint(const rp_request_t *rq, rp_endpoint_t **place)
{
    rp_endpoint_t *ep = __atomic_load_n(place, __ATOMIC_ACQUIRE);

    return ep != NULL && ep->owner == rq->endpoints ? ep : NULL; /* else it is another loop's */
}

/* It lives as long as the child. Of several loops the first one has the place. */
static void know_endpoint(rp_endpoint_t **place, rp_endpoint_t *ep)
{
    rp_endpoint_t *none = NULL;

    (void)__atomic_compare_exchange_n(place, &none, ep, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static apr_status_t find_endpoint(rp_request_t *rq)
{
    rp_endpoint_key_t key = {0};
    const rp_url_t *u = &rq->route->url;
    rp_endpoint_t **place = &rq->worker->endpoint[rq->owned != NULL];
    int fixed;
    apr_status_t rv;

    key.is_tls = is_tls_scheme(u->scheme);
    key.host = u->host;
    key.port = u->port;
    key.uds = u->uds;
    key.source = rq->sconf->source_address;
    fixed = endpoint_is_fixed(rq, &key);
    rq->endpoint = fixed ? known_endpoint(rq, place) : NULL;
    if (rq->endpoint != NULL) {
        rp_endpoint_hold(rq->endpoint);
        return APR_SUCCESS;
    }
    if (key.is_tls) {
        key.sni = rp_switch(rq->dconf->preserve_host, 0) ? rq->r->hostname : is_ip_literal(u) ? NULL : u->host;
        key.ssl_conf = ssl_conf(rq);
        key.ssl_server = rq->r->server;
    }
    rv = rp_endpoint_get(rq->endpoints, &key, rq->worker->configured, rp_clock_now_us(), &rq->endpoint);
    if (rv == APR_SUCCESS && fixed) {
        know_endpoint(place, rq->endpoint);
    }
    return rv;
}

static int prepare(rp_request_t *rq)
{
    request_rec *r = rq->r;
    int status;

    rq->owned = rp_owned_inline(r);
    rq->sconf = rp_server_conf(r->server);
    rq->dconf = rp_dir_conf(r->per_dir_config);
    rq->route = rp_route_of(r);
    if (rq->route == NULL) {
        status = rp_route_make(r, &rq->route);
        if (status != OK) {
            return status;
        }
    }
    status = check_destination(rq);
    if (status != OK) {
        return status;
    }
    rq->endpoints = rq->owned != NULL ? rp_owned_endpoints(rq->owned) : rp_child_endpoints();
    if (rq->endpoints == NULL || rp_child_endpoints() == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    rp_req_env_read(&rq->env, r);
    rq->worker = rq->route->worker ? rq->route->worker : rp_child_unconfigured_worker();
    rp_request_trace(rq);
    rp_mapping_attach(r, rq);
    rp_request_flight_begin(rq);
    return OK;
}

/** What is kept of a request: one piece of memory that the thread has at hand, instead of several in the request's pool, which takes
 * eight kilobytes when it wants more than it has. */
typedef struct record_t {
    rp_request_t rq;
    _Alignas(16) char exchange[RP_EXCHANGE_ROOM];
} record_t;

_Static_assert(sizeof(record_t) <= RP_BUFFER_RECORD, "raise RP_BUFFER_RECORD");

/* Cleanup of the request's pool; all others that want the record came later and have run. */
static apr_status_t record_release(void *data)
{
    rp_request_t *rq = data;

    rp_request_flight_end(rq);
    if (rp_child_endpoints() != NULL) { /* else they are gone with all connections */
        if (rq->ex != NULL) {
            rp_exchange_abort(rq->ex, rp_exchange_over(rq->ex) ? 0 : rp_clock_now_us());
        }
        rp_endpoint_release(rq->endpoint);
    }
    rp_buffer_free(rq);
    return APR_SUCCESS;
}

static rp_request_t *record_create(request_rec *r)
{
    rp_request_t *rq = (rp_request_t *)rp_buffer_get(sizeof(record_t));

    memset(rq, 0, sizeof(*rq));
    rq->r = r;
    apr_pool_cleanup_register(r->pool, rq, record_release, apr_pool_cleanup_null);
    return rq;
}

/* ---- run ---- */

static int input_pending(void *ctx)
{
    rp_request_t *rq = ctx;

    return rq->filter_busy || (rq->tunnel_in != NULL && !APR_BRIGADE_EMPTY(rq->tunnel_in));
}

/* Of a stream of HTTP/2: it was reset, or its connection was. */
static int stream_gone(void *ctx)
{
    return ((rp_request_t *)ctx)->r->connection->aborted;
}

/* A body that nobody read to its end can not stay on a connection that is used again. */
static void close_if_body_left(rp_request_t *rq)
{
    if (!rp_exchange_body_read(rq->ex)) {
        rq->r->connection->keepalive = AP_CONN_CLOSE;
    }
}

/* What follows from the destination: Host, endpoint, settings. OK or a status. */
static int aim(rp_request_t *rq)
{
    int status;

    if (rq->endpoint != NULL) { /* of the member tried before */
        rp_endpoint_release(rq->endpoint);
        rq->endpoint = NULL;
    }
    rq->host = rp_request_host(rq);
    if (rq->host == NULL || find_endpoint(rq) != APR_SUCCESS) {
        return rp_request_refuse(rq->r, HTTP_SERVICE_UNAVAILABLE, "RP0226: no connection pool for the destination",
                                 "the proxy has no resources left for a connection");
    }
    rp_request_flight_worker(rq);
    status = check_blocked(rq);
    if (status != OK) {
        rp_endpoint_release(rq->endpoint);
        rq->endpoint = NULL;
        return status;
    }
    set_exchange(rq);
    return OK;
}

/* Another member, when the last one failed in a way that another may mend. 1: the exchange points at it. */
static int next_member(rp_request_t *rq)
{
    const rp_worker_t *failed = rq->worker;

    if (!rp_exchange_may_failover(rq->ex) || rp_balancing_next(rq) != OK || aim(rq) != OK) {
        return 0; /* the last failure is the answer */
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, rq->r, "RP0241: %s: %s after %s at %s", rq->route->balancer,
                  rq->worker->name, rp_failure(rp_exchange_reason(rq->ex))->name, failed->name);
    rp_count_failover(failed, rp_exchange_reason(rq->ex));
    rp_exchange_retarget(rq->ex, &rq->exconf);
    return 1;
}

/* The exchange is over: what httpd is told. */
static int conclude(rp_request_t *rq, rp_step_e step)
{
    close_if_body_left(rq);
    if (step == RP_STEP_FAILED) {
        return rp_request_failed(rq);
    }
    if (rp_exchange_tunnel(rq->ex)) {
        rq->r->eos_sent = 1; /* HTTP has left this connection */
        return DONE;
    }
    return rq->override_status ? rp_response_override(rq) : OK;
}

/* Of an attempt or of all: rp_suspended_t.ended. */
static int ended(void *ctx, rp_step_e step, int *status)
{
    rp_request_t *rq = ctx;

    if (rq->balancing != NULL) {
        rp_balancing_report(rq);
        if (step == RP_STEP_FAILED && next_member(rq)) {
            return 1;
        }
    }
    *status = conclude(rq, step);
    if (rq->owned != NULL) { /* the handler has returned long ago */
        rp_metrics_answered(rq->r, rq, *status);
    }
    return 0;
}

static int run(rp_request_t *rq)
{
    request_rec *r = rq->r;
    rp_blocking_client_t client = {.fd = rp_client_fd(r), .input_pending = input_pending, .gone = stream_gone,
                                   .eof_is_gone = rq->env.eof_is_gone, .tunnel_over = rp_tunnels_must_end};
    int status = OK;

    rq->ex = rp_exchange_create_in(((record_t *)rq)->exchange, r->pool, r->connection->bucket_alloc, &rq->exconf, &rp_client_ops, rq);
    if (rq->owned != NULL) {
        rp_suspended_t what = {rq->ex, rq, ended, rq->env.eof_is_gone};

        rp_owned_suspend(rq->owned, &what);
        return SUSPENDED;
    }
    while (ended(rq, rp_exchange_run(rq->ex, &client, rq), &status)) {
        /* with the next member */
    }
    return status;
}

/* All that must hold before anything is sent. OK or a status. */
static int admit(request_rec *r, rp_request_t **out)
{
    rp_request_t *rq = record_create(r);
    int status = check_method(r);

    rp_request_look(rq);
    if (status == OK) {
        status = check_max_forwards(rq);
    }
    if (status == OK) {
        status = check_body_framing(rq);
    }
    if (status == OK) {
        status = prepare(rq);
    }
    if (status != OK) {
        return status;
    }
    *out = rq; /* from here on it has a destination */
    if (rq->balancing != NULL) {
        status = rp_balancing_next(rq);
    }
    return status == OK ? aim(rq) : status;
}

/* On a helper, whose hooks may have waited: the rest of a proxied request may run on the loop where nothing of that is known to block. */
static int hand_back(request_rec *r)
{
    rp_owned_t *o = rp_owned_at_helper(r);

    if (o == NULL || !is_ours(r) || !rp_lane_may_return(r)) {
        return DECLINED;
    }
    rp_owned_handback(o);
    return SUSPENDED;
}

/* Before all other handlers: on an event loop only a proxied request may run, and only where nothing of it blocks. */
static int choose_lane(request_rec *r)
{
    rp_owned_t *o = rp_owned_inline(r);

    if (o == NULL) {
        return hand_back(r);
    }
    if (rp_owned_was_handed_back(o) || (is_ours(r) && rp_lane_inline_ok(r, (rp_lane_e)rp_dir_conf(r->per_dir_config)->lane))) {
        return DECLINED;
    }
    rp_owned_handoff(o);
    return SUSPENDED;
}

static int serve(request_rec *r, rp_request_t **out)
{
    int status = admit(r, out);
    rp_request_t *rq = *out;

    if (status != OK && rq != NULL) {
        rp_request_flight_end(rq); /* it never was one, or begins anew on a helper */
    }
    if (status == SUSPENDED) { /* it would have to wait: on a helper, from the start */
        rp_owned_handoff(rp_owned_inline(r));
        return SUSPENDED;
    }
    if (status != OK) {
        return status;
    }
    if (rq->body_limit > 0 && rq->exconf.body_length > rq->body_limit) {
        r->connection->keepalive = AP_CONN_CLOSE;
        return rp_request_refuse(r, HTTP_REQUEST_ENTITY_TOO_LARGE,
                                 apr_psprintf(r->pool, "RP0227: a request body of %" APR_INT64_T_FMT " bytes is announced; LimitRequestBody "
                                              "allows %" APR_OFF_T_FMT " here", rq->exconf.body_length, rq->body_limit), NULL);
    }
    return run(rq);
}

static int handler(request_rec *r)
{
    rp_request_t *rq = NULL;
    int status;

    if (!is_ours(r)) {
        return DECLINED;
    }
    status = serve(r, &rq);
    if (status != SUSPENDED) {
        rp_metrics_answered(r, rq, status);
    }
    return status;
}

void rp_request_register_hooks(apr_pool_t *p)
{
    static const rp_views_t views = {rp_request_flights, rp_metrics_pools, rp_metrics_loops};

    rp_metrics_register_hooks(p);
    rp_flight_register_hooks(p);
    rp_config_provide_views(&views);
    rp_log_fields_register_hooks(p);
    rp_child_register_hooks(p);
    rp_config_provide_probe(rp_request_probe);
    ap_hook_handler(choose_lane, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_FIRST);
}
